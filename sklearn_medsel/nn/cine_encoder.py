"""What a small network, shared by all planes, sees at the patches of a cine frame.

Where a patch went shows motion in the plane. Motion through the plane shows only in what the
patch looks like, and how, differs from patient to patient: so the network is not trained to name
a position, but to give features from which a ridge regression on one patient's first labelled
seconds predicts that patient's later positions. The ridge is solved in closed form inside the
network, and the loss is passed back through it (Bertinetto, Henriques, Torr and Vedaldi,
"Meta-learning with differentiable closed-form solvers", ICLR 2019).
"""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, grid_sample

from .patch_ridge import PatchMap

_POOL = 5  # pixels at half resolution: what one patch sees
_STIFF = (100.0, 3.0, 1.0, 0.3)  # ridge penalties to start from: shift, brightness, contrast, peak
_STIFF_MAPS = 0.3


class CineEncoder(nn.Module):
    """Feature maps of frames, and the ridge that turns the features of patches into positions.

    Parameters
    ----------
    n_planes : int
        Number of planes; each has an embedding, the filters are shared.
    n_dims : int
        Number of axes of a position.
    width : int, default=12
        Number of filters.
    n_maps : int, default=4
        Number of feature maps; 0 leaves the network out.
    n_patches : int, default=49
        Number of patches K of a frame.

    Attributes
    ----------
    log_penalty : Parameter of shape (n_planes, n_dims, n_groups)
        Log of the ridge penalty of each kind of feature: shift, brightness, contrast, peak and
        maps.
    share, gain : Tensor of shape (n_planes, K, n_dims) and (n_planes, 2, n_dims)
        Fields of `PatchMap`, which are set rather than trained.
    """

    def __init__(self, n_planes, n_dims, *, width=12, n_maps=4, n_patches=49):
        super().__init__()
        self.n_maps = n_maps
        self.enter = nn.Conv2d(1, width, 3, padding=1)
        self.deepen = nn.Conv2d(width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, max(1, n_maps), 1)
        self.plane = nn.Parameter(torch.zeros(n_planes, 2, width))
        penalty = torch.tensor(_STIFF + (_STIFF_MAPS,) * (n_maps > 0))
        self.log_penalty = nn.Parameter(penalty.log().repeat(n_planes, n_dims, 1))
        self.register_buffer("share", torch.full((n_planes, n_patches, n_dims), 1 / n_patches))
        self.register_buffer("gain", torch.zeros(n_planes, 2, n_dims))

    def forward(self, images, plane, places):
        """Look at places of images.

        Parameters
        ----------
        images : Tensor of shape (n, 1, h, w)
            Frames without shading.
        plane : integer Tensor of shape (n,)
            Number of each frame's plane.
        places : Tensor of shape (n, K, 2)
            Column and row, from -1 at one edge of the image to 1 at the other.

        Returns
        -------
        Tensor of shape (n, n_maps * K)
            Features.
        """
        if not self.n_maps:
            return images.new_zeros(len(images), 0)
        scale, shift = self.plane[plane][..., None, None].unbind(1)
        maps = torch.relu(self.enter(images) * (1 + scale) + shift)
        maps = self.leave(torch.relu(self.deepen(maps)) + maps)
        maps = avg_pool2d(maps, _POOL, 1, _POOL // 2)
        seen = grid_sample(maps, places[:, :, None], padding_mode="border", align_corners=False)
        return seen[..., 0].flatten(1)

    def patch_map(self, texture, plane):
        """Give what the population says about a plane number, for a patient's `texture` (K,)."""
        return PatchMap(self.share[plane], self.gain[plane], self.log_penalty[plane].exp(), texture)
