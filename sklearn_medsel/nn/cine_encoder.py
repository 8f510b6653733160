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

    Attributes
    ----------
    log_penalty : Parameter of shape (n_planes, n_dims, n_groups)
        Log of the ridge penalty of each kind of feature: shift, brightness, contrast, peak and
        maps.
    """

    def __init__(self, n_planes, n_dims, *, width=12, n_maps=4):
        super().__init__()
        self.n_maps = n_maps
        self.enter = nn.Conv2d(1, width, 3, padding=1)
        self.deepen = nn.Conv2d(width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, max(1, n_maps), 1)
        self.plane = nn.Parameter(torch.zeros(n_planes, 2, width))
        penalty = torch.tensor(_STIFF + (_STIFF_MAPS,) * (n_maps > 0))
        self.log_penalty = nn.Parameter(penalty.log().repeat(n_planes, n_dims, 1))

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

    def predict(self, groups, positions, slopes, plane):
        """Predict positions by a ridge on the first rows.

        Parameters
        ----------
        groups : list of Tensor of shape (n, size)
            Features of n frames of one patient and plane, by kind; shifts first.
        positions : Tensor of shape (n_known, n_dims)
            Positions at the first rows.
        slopes : Tensor of shape (n_shifts, n_dims)
            Weights of the shifts that the ridge shrinks to; it shrinks others to zero.
        plane : int
            Number of the plane.

        Returns
        -------
        Tensor of shape (n - n_known, n_dims)
            Positions at the other rows.
        """
        n_known = len(positions)
        groups = [group - group[:n_known].mean(0) for group in groups]
        middle = positions.mean(0)
        start = groups[0] @ slopes + middle
        rest = positions - start[:n_known]
        kernels = torch.stack([group @ group[:n_known].mT for group in groups])
        weight = torch.exp(-self.log_penalty[plane])  # (n_dims, n_groups)
        kernel = torch.einsum("dg,gij->dij", weight, kernels)
        noise = torch.eye(n_known, dtype=kernel.dtype, device=kernel.device)
        dual = torch.linalg.solve(kernel[:, :n_known] + noise, rest.mT[..., None])
        return start[n_known:] + (kernel[:, n_known:] @ dual)[..., 0].mT
