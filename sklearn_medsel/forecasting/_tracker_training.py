"""How the image tracker learns: matching, the population's map, the network, and a rehearsal.

Every recording is first described without the network. The population's map is a ridge from the
shifts of patches to positions. The network and the ridge's penalties are then trained on
episodes: some seconds of a recording with known positions, and frames of the rest of it that are
to be predicted. At last each recording is rehearsed as that of a new patient, which says how large
errors are. Wherever a recording is predicted, it has no part in the map.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.base import to_arrays
from sklearn_medsel.forecasting._patch_matching import local_contrast, reduce_frames
from sklearn_medsel.forecasting._plane_adaptation import PlaneAdaptation
from sklearn_medsel.forecasting._plane_view import (
    FrameReader,
    make_reference,
    match,
    measured,
    places,
)
from sklearn_medsel.nn.patch_ridge import patch_ridge

_STIFFNESS = (1e2, 1e3, 1e4, 1e5, 1e6)  # of the population's map, chosen between recordings
_PER_EPOCH = 40  # episodes of an epoch
_SUPPORT, _QUERY = 64, 32  # frames of an episode
_RATE, _FASTER = 3e-3, ("*log_penalty", 30.0)
_DECAY = 1e-2
_LEAST_ERROR = 0.05  # mm^2
_CLIP = 9.0  # squared errors count no more, in variances of the recording
_FEWEST = 8  # frames with known positions that a recording must have in a plane
_LEAST_SPREAD = 0.02
_STEPS = 2.0**14  # per mm
_UNKNOWN = 25.0  # mm^2, where training shows nothing


class Bank(NamedTuple):
    """One plane of one recording, described; positions are known, and given from their mean."""

    plane: int
    recording: int
    t: np.ndarray
    images: torch.Tensor
    places: torch.Tensor
    groups: list
    positions: torch.Tensor
    texture: torch.Tensor
    unlike: np.ndarray


def train_tracker(encoder, pieces, warmup, max_epochs, seed, device, on_epoch):
    """Train an encoder in place, and return what `ImageTracker.fit` keeps, by name."""
    n_planes, n_dims = encoder.log_penalty.shape[:2]
    banks = [
        bank
        for number, piece in enumerate(pieces)
        for plane in range(n_planes)
        if (bank := _describe(piece, number, plane)) is not None
    ]
    _set_population(encoder, banks)
    if banks and max_epochs:
        _train(encoder, banks, warmup, max_epochs, seed, device, on_epoch)
    encoder.eval()
    usual = [_usual([b.unlike for b in banks if b.plane == plane]) for plane in range(n_planes)]
    return {
        "weights": to_arrays(encoder),
        "variance": _rehearse(encoder, banks, warmup),
        "usual": np.array(usual),
        "mean": _mean_position(pieces, n_dims),
    }


def _describe(piece, number, plane):
    """Describe a plane of a recording without the network; None if there is too little."""
    rows = np.flatnonzero(piece.mask[:, plane])
    known = rows[np.isfinite(piece.positions[rows]).all(1)]
    reference = None
    for row in rows:
        reference = make_reference(piece.frames[row, plane], piece.pixel_mm[plane])
        if reference is not None:
            break
    if reference is None or len(known) < _FEWEST:
        return None
    with torch.inference_mode():
        reader = FrameReader(None)
        compared = reader.cut(reference)
        frames = reduce_frames(piece.frames[known, plane])[0] * np.float32(reference.scale)
        frames = torch.from_numpy(frames)
        matches = match(frames, [compared])
        images = local_contrast(frames)
        groups = [group.flatten(1) for group in measured(compared.grid, matches)]
    positions = piece.positions[known] - piece.positions[known].mean(0)
    # to steps so coarse that the origin of the positions leaves no rounding behind
    positions = torch.from_numpy(np.round(positions * _STEPS) / _STEPS)
    unlike = 1 - (matches.peak * compared.texture).sum(1).numpy()
    where = places(compared.grid, matches.shift)
    # clones may take part in training, which inference tensors may not
    images, where = images.clone(), where.clone()
    groups[3] = groups[3] - 1  # of the reference itself
    groups = [group.clone() for group in groups]
    texture = compared.texture.clone()
    return Bank(plane, number, piece.t[known], images, where, groups, positions, texture, unlike)


def _set_population(encoder, banks):
    """Set how well each patch moves with the tumour, and the gain; both by least squares."""
    for plane in range(len(encoder.gain)):
        here = [bank for bank in banks if bank.plane == plane]
        if not here:
            continue
        shift, positions, texture = [], [], []
        for bank in here:
            x, y = bank.groups[0].unflatten(1, (-1, 2)).double(), bank.positions
            shift.append(x - x.mean(0))
            positions.append(y - y.mean(0))
            texture.append(bank.texture.double().expand(len(x), -1))
        shift, positions, texture = map(torch.cat, (shift, positions, texture))
        error = positions[:, None] - _regression(shift.transpose(0, 1), positions).transpose(0, 1)
        share = 1 / (error.square().mean(0) + _LEAST_ERROR).square()
        share /= share.sum(0)
        encoder.share[plane] = share
        for axis in range(positions.shape[1]):
            weight = share[:, axis] * texture
            weight = weight / weight.sum(1, keepdim=True)
            mean = (shift * weight[..., None]).sum(1)
            encoder.gain[plane, :, axis] = _gain(mean, positions[:, axis])


def _gain(shift, positions):
    """Least squares from shifts (..., n, 2) to positions (n, ...), slightly shrunk."""
    gram = shift.mT @ shift + 10 * torch.eye(2, dtype=shift.dtype)
    return torch.linalg.solve(gram, shift.mT @ positions)


def _regression(shift, positions):
    """Positions that each patch alone gives: (K, n, n_dims)."""
    return shift @ _gain(shift, positions)


class _Episodes(nn.Module):
    """The encoder as training sees it: rows of a bank in, predicted positions out."""

    def __init__(self, encoder, banks, device):
        super().__init__()
        self.encoder = encoder
        self.banks = banks
        self.scale = [bank.positions.std().clamp_min(0.3) for bank in banks]
        self.tensors = [
            [part.to(device) for part in (bank.images, bank.places, *bank.groups)]
            + [bank.positions.float().to(device), bank.texture.to(device)]
            for bank in banks
        ]

    def forward(self, index):
        """Predict the rows after the first in episodes (n, 1 + n_support + n_query)."""
        return torch.stack([self._episode(int(one[0]), one[1:]) for one in index])

    def _episode(self, bank, rows):
        """Predict the queries of one episode."""
        images, where, *groups, positions, texture = self.tensors[bank]
        plane = self.banks[bank].plane
        groups = [group[rows] for group in groups]
        if self.encoder.n_maps:
            planes = torch.full((len(rows),), plane, device=rows.device)
            groups.append(self.encoder(images[rows], planes, where[rows]))
        features = torch.cat(groups, 1)
        population = self.encoder.patch_map(texture, plane)
        known, asked = features[:_SUPPORT], features[_SUPPORT:]
        share, slopes, origin, _ = patch_ridge(known, positions[rows[:_SUPPORT]], population)
        found = origin + population.displacement(asked, share) + asked @ slopes
        return found / self.scale[bank]


def _train(encoder, banks, warmup, max_epochs, seed, device, on_epoch):
    """Train the encoder on episodes."""
    rng = np.random.default_rng(seed)
    n_episodes = max(_PER_EPOCH, 2 * len(banks))
    index = np.empty((n_episodes, 1 + _SUPPORT + _QUERY), dtype=np.int64)
    module = _Episodes(encoder, banks, device).to(device)
    target = torch.empty(n_episodes, _QUERY, encoder.log_penalty.shape[1])
    turns = np.concatenate(
        [rng.permutation(len(banks)) for _ in range(-(-n_episodes // len(banks)))]
    )
    for k, number in enumerate(turns[:n_episodes]):
        bank = banks[number]
        support, query = _split(bank.t, warmup, rng)
        index[k] = number, *support, *query
        target[k] = bank.positions[query] / module.scale[number]
    target, index = target.to(device), torch.from_numpy(index).to(device)
    rows = Rows(index, target, torch.ones(n_episodes, _QUERY, device=device))
    train_by_adam(
        module, _episode_loss, rows, max_epochs=max_epochs, learning_rate=_RATE,
        weight_decay=_DECAY, batch_size=1, seed=seed, fast=_FASTER, on_epoch=on_epoch,
    )  # fmt: skip
    encoder.to("cpu")


def _split(t, warmup, rng):
    """Draw a stretch as long as a warm-up and frames outside of it."""
    last = max(t[0], t[-1] - warmup)
    begin = t[0] if rng.random() < 0.3 else rng.uniform(t[0], last)
    inside = (t >= begin) & (t < begin + min(warmup, 0.5 * (t[-1] - t[0])))
    support, query = np.flatnonzero(inside), np.flatnonzero(~inside)
    query = query if len(query) else support
    support = support if len(support) else query  # too few frames to leave some out
    return np.sort(_draw(support, _SUPPORT, rng)), _draw(query, _QUERY, rng)


def _draw(rows, size, rng):
    """Draw rows, more than once only where there are too few."""
    return rng.choice(rows, size, replace=len(rows) < size)


def _episode_loss(output, target, weight):
    """Weighted mean squared error in which no error counts more than some."""
    loss = (output - target).square().clamp_max(_CLIP).mean(-1)
    return (loss * weight).sum() / weight.sum()


def _rehearse(encoder, banks, warmup):
    """Squared errors by plane, kind and axis, each recording taken as that of a new patient."""
    n_planes, n_dims = encoder.log_penalty.shape[:2]
    errors = [([], [], []) for _ in range(n_planes)]
    for bank in banks:
        features = _features(encoder, bank)
        positions = bank.positions.numpy()
        early = bank.t < bank.t[0] + warmup
        late = ~early
        population = FrameReader(encoder).population(bank.texture, bank.plane)
        one = PlaneAdaptation(population, np.ones((3, n_dims)))
        moved = one.displacement(features)
        away = positions - positions[early].mean(0) - moved + moved[early].mean(0)
        unknown, later, within = errors[bank.plane]
        unknown.append(np.square(away[late if late.any() else early]).mean(0))
        if early.sum() < _FEWEST:
            continue
        for row in np.flatnonzero(early):
            one.learn(features[row], positions[row])
        within.append(one.left_out())
        if late.any():
            found = one.estimate(features[late])[0]
            later.append(np.square(found - positions[late]).mean(0))
    variance = np.full((n_planes, 3, n_dims), _UNKNOWN)
    for plane, (unknown, later, within) in enumerate(errors):
        for k, kind in enumerate((unknown, later or within or unknown, within or unknown)):
            if kind:
                variance[plane, k] = np.mean(kind, axis=0)
    return variance


def _features(encoder, bank):
    """All features of a bank's frames."""
    with torch.inference_mode():
        planes = torch.full((len(bank.images),), bank.plane)
        seen = encoder(bank.images, planes, bank.places)
        return torch.cat([*bank.groups, seen], 1).numpy().astype(float)


def _usual(unlike):
    """Median and spread of how unlike its reference a frame usually is."""
    if not unlike:
        return 0.1, 0.1
    unlike = np.concatenate(unlike)
    middle = np.median(unlike)
    return middle, max(_LEAST_SPREAD, np.quantile(unlike, 0.95) - middle)


def _mean_position(pieces, n_dims):
    """Mean of the recordings' mean positions; zero where there is none."""
    known = [piece.positions[np.isfinite(piece.positions).all(1)] for piece in pieces]
    means = [positions.mean(0) for positions in known if len(positions)]
    return np.mean(means, axis=0) if means else np.zeros(n_dims)
