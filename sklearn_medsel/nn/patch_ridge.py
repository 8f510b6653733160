"""The ridge from features of a patient's patches to positions, differentiable, in closed form."""

from typing import NamedTuple

import torch

_OWN = 2.0  # power of a patch's own error: how sharply it counts
_OWN_AFTER = 20  # frames with known positions after which half of that applies
_LEAST_ERROR = 0.05  # mm^2: no patch is taken to be better
_SEEN = 2.0  # power of a patch's mean correlation: how freely the ridge may use it
_FOUND = 4.0  # power of a patch's correlation in a frame


class PatchMap(NamedTuple):
    """What a population says about one plane.

    Attributes
    ----------
    share : Tensor of shape (K, n_dims)
        How well each of K patches moves with the tumour; sums to one over patches.
    gain : Tensor of shape (2, n_dims)
        How far the tumour moves where patches move by 1 along rows and columns.
    penalty : Tensor of shape (n_dims, n_groups)
        Ridge penalty of each kind of feature: shift, brightness, contrast, peak, and others.
    texture : Tensor of shape (K,)
        How much is to be seen in each patch of the patient's reference; sums to one.
    """

    share: torch.Tensor
    gain: torch.Tensor
    penalty: torch.Tensor
    texture: torch.Tensor

    def displacement(self, features, share=None):
        """Weigh how far patches went, by how well each of them was found in each frame.

        Parameters
        ----------
        features : Tensor of shape (n, n_features)
            Features of n frames, as `patch_ridge` takes them.
        share : Tensor of shape (K, n_dims), default=None
            A patient's own shares; None takes the population's, and the texture.

        Returns
        -------
        Tensor of shape (n, n_dims)
            Position relative to the reference frame, in mm.
        """
        share = self.share * self.texture[:, None] if share is None else share
        found = _correlation(features, len(share)).pow(_FOUND)
        moved = features[:, : 2 * len(share)].unflatten(1, (len(share), 2)) @ self.gain
        return ((found[..., None] * share) * moved).sum(1) / (found @ share)


def patch_ridge(features, positions, population):
    """Fit one patient's map from features to positions, starting from the population's.

    Patches that are seen well, and that moved as the positions did, count more.

    Parameters
    ----------
    features : Tensor of shape (n, n_features)
        Features of n frames with known positions: shifts of K patches along rows and columns in
        mm, then change of brightness, contrast and peak of each, then others.
    positions : Tensor of shape (n, n_dims)
        Positions in mm.
    population : PatchMap
        Where the ridge starts.

    Returns
    -------
    share : Tensor of shape (K, n_dims)
        The patient's own shares, for ``displacement`` of `PatchMap`.
    slopes : Tensor of shape (n_features, n_dims)
        The rest of the map; positions are ``origin + displacement + features @ slopes``.
    origin : Tensor of shape (n_dims,)
        Position where that is zero.
    left_out : Tensor of shape (n, n_dims)
        Error at each frame if it is left out, in mm.
    """
    share, gain, penalty, texture = population
    n, n_patches = len(features), len(share)
    first = positions[0]  # keeps rounding independent of the origin
    away = positions - first
    origin, middle = away.mean(0), features.mean(0)
    away, features = away - origin, features - middle

    moved = features[:, : 2 * n_patches].unflatten(1, (n_patches, 2)) @ gain  # (n, K, n_dims)
    own = (moved - away[:, None]).square().mean(0) + _LEAST_ERROR
    share = share * texture[:, None] * own.pow(-_OWN * n / (n + _OWN_AFTER))
    start = population.displacement(features + middle, share)
    rest = away - start + start.mean(0)

    seen = _correlation(middle[None], n_patches)[0].pow(_SEEN) * texture
    seen = seen.square() / seen.square().mean()
    size = (features.shape[1] - 5 * n_patches) // max(1, penalty.shape[1] - 4)
    weight = [1 / penalty[:, :1] * seen.repeat_interleave(2)]
    for group, length in enumerate([n_patches] * 3 + [size] * (penalty.shape[1] - 4), start=1):
        weight.append((1 / penalty[:, group : group + 1]).expand(-1, length))
    scaled = features * torch.cat(weight, 1)[:, None]  # (n_dims, n, n_features)
    kernel = scaled @ features.mT + torch.eye(n, dtype=features.dtype, device=features.device)
    inverse = torch.linalg.inv(kernel)
    dual = inverse @ rest.mT[..., None]
    slopes = (scaled.mT @ dual)[..., 0].mT
    hat = (inverse.diagonal(dim1=1, dim2=2) - 1 / n).clamp_min(1e-3)
    return (
        share,
        slopes,
        first + (origin - start.mean(0) - middle @ slopes),
        (dual[..., 0] / hat).mT,
    )


def _correlation(features, n_patches):
    """Correlation of each patch; features hold it minus that of the reference with itself."""
    return (1 + features[:, 4 * n_patches : 5 * n_patches]).clamp(0.05, 1)
