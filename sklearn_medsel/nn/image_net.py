"""A small convolutional network for small grey images, and the head that trains a backbone.

Made for some hundreds of images and one processor core: three convolutions that halve the image,
then what is seen anywhere (maximum) and in each quarter (mean).
"""

import torch
from torch import nn

_WIDTHS = (8, 16, 32)
_GROUPS = 4
_QUARTERS = 2  # along each side
_LARGEST_SHIFT = 1 / 16  # of the side
_BRIGHTNESS, _CONTRAST = 0.2, 0.2  # in standard deviations, and relative


class SmallImageNet(nn.Module):
    """Features of small grey images.

    Parameters
    ----------
    n_features : int, default=32
        Number of features.
    """

    def __init__(self, n_features=32):
        super().__init__()
        layers, before = [], 1
        for width, kernel in zip(_WIDTHS, (5, 3, 3), strict=True):
            layers += [
                nn.Conv2d(before, width, kernel, stride=2, padding=kernel // 2),
                nn.GroupNorm(_GROUPS, width),
                nn.ReLU(),
            ]
            before = width
        self.layers = nn.Sequential(*layers)
        self.leave = nn.Linear(before * (_QUARTERS**2 + 1), n_features)

    def forward(self, images):
        """Describe ``images``.

        Parameters
        ----------
        images : Tensor of shape (n, 1, h, w)
            Grey values, near mean 0 and standard deviation 1; sides of at least 8 pixels.

        Returns
        -------
        Tensor of shape (n, n_features)
            Features, from -1 to 1.
        """
        maps = self.layers(images)
        quarters = nn.functional.adaptive_avg_pool2d(maps, _QUARTERS).flatten(1)
        return torch.tanh(self.leave(torch.cat([quarters, maps.amax((2, 3))], 1)))


class SupervisedImages(nn.Module):
    """A backbone with a linear head, and light augmentation while it is trained.

    Parameters
    ----------
    backbone : Module
        Turns images (n, 1, h, w) into features (n, n_features).
    n_features, n_outputs : int
        Number of features, and of outputs of the head.
    augment : bool
        Whether images are shifted and change in brightness and contrast while training. They are
        not flipped: left and right differ in a body.
    seed : int
        Seed of the augmentation, which draws from a generator of its own.
    """

    def __init__(self, backbone, n_features, n_outputs, *, augment, seed):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(n_features, n_outputs)
        self.augment = augment
        self.generator = torch.Generator().manual_seed(int(seed))

    def forward(self, images):
        """Give the outputs (n, n_outputs) of the head."""
        if self.training and self.augment:
            images = self._varied(images)
        return self.head(self.backbone(images))

    def describe(self, images):
        """Give the outputs (n, n_outputs) of the head, and the features (n, n_features)."""
        features = self.backbone(images)
        return self.head(features), features

    def _varied(self, images):
        """Change each image a little; random numbers come from the CPU, on every device alike."""
        n, _, height, width = images.shape
        drawn = (torch.rand(4, n, generator=self.generator) * 2 - 1).to(images)
        down, right = ((part * _LARGEST_SHIFT) for part in drawn[:2])
        rows = torch.arange(height, device=images.device) + (down * height).round()[:, None]
        columns = torch.arange(width, device=images.device) + (right * width).round()[:, None]
        # the edge of an image is repeated where it was moved away from it
        rows, columns = rows.long().clamp(0, height - 1), columns.long().clamp(0, width - 1)
        picked = torch.arange(n, device=images.device)[:, None, None]
        images = images[picked, 0, rows[:, :, None], columns[:, None, :]][:, None]
        contrast, brightness = drawn[2:, :, None, None, None]
        return images * (1 + _CONTRAST * contrast) + _BRIGHTNESS * brightness
