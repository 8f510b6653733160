"""Which backbone an `ImageEncoder` trains, how it is trained, and what it says about images."""

import contextlib
import copy

import numpy as np
import torch

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.base import one_thread, seeded, to_arrays, to_tensor, to_tensors
from sklearn_medsel.nn.image_net import SmallImageNet, SupervisedImages
from sklearn_medsel.nn.losses import LOSSES

DENSENET_LEAST_SIZE = 32
_DENSENET_FEATURES = 64
_WEIGHT_DECAY = 1e-2
_AT_ONCE = 256  # images


class ImageNetwork:
    """A recipe for a network: built anew from plain state whenever it is used.

    Parameters
    ----------
    network : {"small", "densenet121"} or torch.nn.Module
        The backbone. A module is copied, weights included.
    size : int
        Side of the images, in pixels.
    n_outputs : int
        Outputs of the head.
    augment : bool
    seed : int
        Every network that is built starts from the same weights and takes the same order.
    device : torch.device
    """

    def __init__(self, network, *, size, n_outputs, augment, seed, device):
        self.network, self.size, self.n_outputs = network, size, n_outputs
        self.augment, self.seed, self.device = augment, seed, device

    def train(self, images, target, weight, task, *, on_epoch, **settings):
        """Train a new network on images (n, h, w); return its weights as arrays."""
        with self._alone():
            module = self._build().to(self.device)
            inputs = to_tensor(images[:, None], self.device)
            target = to_tensor(target, self.device, torch.float32)
            weight = to_tensor(weight, self.device, torch.float32)
            settings["batch_size"] = _even(len(images), settings["batch_size"])
            train_by_adam(
                module.train(),
                LOSSES[task],
                Rows(inputs, target, weight),
                weight_decay=_WEIGHT_DECAY,
                seed=self.seed,
                on_epoch=on_epoch,
                **settings,
            )
        weights = to_arrays(module)
        _check_finite(weights.values(), "weights")
        return weights

    def describe(self, weights, images):
        """Give the outputs (n, n_outputs) and features (n, d) of images (n, h, w), as float64.

        ``weights`` is what `train` gave, or None for the network before its training.
        """
        with self._alone(), torch.inference_mode():
            module = self._build().to(self.device).eval()
            if weights is not None:
                module.load_state_dict(to_tensors(weights))
            inputs = to_tensor(images[:, None]).split(_AT_ONCE)
            parts = [module.describe(batch.to(self.device)) for batch in inputs]
            outputs, features = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
        described = outputs.double().numpy(), features.double().numpy()
        if weights is not None:
            _check_finite(described, "features")  # weights that are too large are finite themselves
        return described

    def _build(self):
        with seeded(self.seed):
            backbone = _backbone(self.network, self.size)
            n_features = _n_features(backbone, self.size, self.network)
            return SupervisedImages(
                backbone, n_features, self.n_outputs, augment=self.augment, seed=self.seed
            )

    @contextlib.contextmanager
    def _alone(self):
        """One thread; and torch's generator to itself, for networks that may draw from it."""
        own = isinstance(self.network, str) and self.network == "small"
        with one_thread(), contextlib.nullcontext() if own else seeded(self.seed):
            yield


def _check_finite(arrays, what):
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(
            f"training diverged: the network's {what} are not finite. Use a smaller learning_rate."
        )


def _backbone(network, size):
    """Build or copy a backbone."""
    if isinstance(network, torch.nn.Module):
        return copy.deepcopy(network)
    if network == "small":
        return SmallImageNet()
    if size < DENSENET_LEAST_SIZE:
        raise ValueError(
            f"network='densenet121' halves images five times: size must be at least "
            f"{DENSENET_LEAST_SIZE}, got {size}."
        )
    try:
        from monai.networks.nets import DenseNet121
    except ImportError as error:
        raise ImportError(
            "network='densenet121' needs MONAI: pip install \"sklearn-medsel[image]\"."
        ) from error
    # untrained: nothing is downloaded
    return DenseNet121(
        spatial_dims=2, in_channels=1, out_channels=_DENSENET_FEATURES, pretrained=False
    )


def _n_features(backbone, size, network):
    """Look how many features a backbone gives."""
    training = [module for module in backbone.modules() if module.training]
    backbone.eval()
    with torch.no_grad():
        try:
            found = backbone(torch.zeros(2, 1, size, size))
        except Exception as error:  # whatever a module of the user raises
            raise ValueError(
                f"network={type(network).__name__}: it cannot take images of shape "
                f"(n, 1, {size}, {size}). Give a module that turns them into features (n, d)."
            ) from error
    for module in training:
        module.training = True
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 2:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ValueError(
            f"network={type(network).__name__}: of 2 images it gave {shape}, and not features of "
            "shape (2, d). Add pooling and torch.nn.Flatten."
        )
    return found.shape[1]


def _even(n_rows, batch_size):
    """Size of batches that are about equal: of a single row, batch norm knows no variance."""
    size = -(-n_rows // -(-n_rows // batch_size))
    while size < n_rows and n_rows % size == 1:
        size += 1
    return size
