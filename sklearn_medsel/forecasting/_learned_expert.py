"""The Transformer as an expert: trained on many patients, its last layer becomes the patient's own.

The last layer is linear, so that it adapts as the ridge does: exactly, by sufficient statistics,
with the trained layer as its prior. Two networks from different starts forecast, and their mean
counts.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.base import seeded, to_arrays, to_tensor, to_tensors
from sklearn_medsel.forecasting._alignment import truth_at
from sklearn_medsel.nn.losses import squared_distance
from sklearn_medsel.nn.nonstationary import MotionWindows, NonstationaryTransformer

_MEMBERS = 2
_SIZE = {"d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": 32, "d_hidden": 16}
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_BATCH = 128
_MOST_WINDOWS = 20_000  # per pass; more of them say little new
_PRIOR_SAMPLES = 300.0
_SHRINKAGE = 1.0
_MEMORY = 1200.0  # s
_REFIT = 0.6 - 1e-6  # s; as that of the ridge


@dataclass(frozen=True)
class LearnedExpert:
    """A trained Transformer, as plain arrays.

    Attributes
    ----------
    horizons : ndarray of shape (n_horizons,)
        In s.
    ages : ndarray of shape (n_tokens,)
        Times before now of what it reads, in s, the longest first.
    residual : bool
        Whether it corrects the ridge.
    weights : list of dict of str to ndarray
        State of each network.
    last : ndarray of shape (n_members, d_model + 1)
        Their last layers, with the bias.
    gram : ndarray of shape (n_members, n_horizons, d_model + 1, d_model + 1)
        Mean products, over training samples and axes, of what the last layers read.
    """

    horizons: np.ndarray
    ages: np.ndarray
    residual: bool
    weights: list
    last: np.ndarray
    gram: np.ndarray

    @classmethod
    def train(cls, paths, followed, teacher, *, residual, max_epochs, device, seed, tick):
        """Train on the steps along training paths.

        Parameters
        ----------
        paths : list of Path
        followed : list of list of Step
            From `PopulationTeacher.teach`; they hold the ridge's forecasts and the windows.
        teacher : PopulationTeacher
        residual : bool
        max_epochs : int
        device : torch.device
        seed : int
        tick : callable
            Called after each epoch of the first network.

        Returns
        -------
        LearnedExpert
        """
        ages = teacher.window_ages
        windows, moves, weight = _samples(paths, followed, teacher.horizons, ages, residual, seed)
        weights, last, gram = [], [], []
        for member in range(_MEMBERS):
            with seeded(seed + member):
                module = _module(teacher.horizons, residual, seed + member)
            rows = Rows(MotionWindows(*_moved(windows, device)), *_moved((moves, weight), device))
            train_by_adam(
                module.to(device),
                squared_distance,
                rows,
                max_epochs=max_epochs,
                learning_rate=_LEARNING_RATE,
                weight_decay=_WEIGHT_DECAY,
                batch_size=_BATCH,
                seed=seed + member,
                on_epoch=tick if member == 0 else None,
            )
            module = module.cpu().eval()
            with torch.inference_mode():
                hidden, _ = module.describe(**MotionWindows(*windows)[slice(None)])
            inputs = _with_one(hidden)
            gram.append(np.einsum("nahi,nahj->hij", inputs, inputs) / inputs[:, :, 0, 0].size)
            leave = module.leave
            last.append(np.append(leave.weight.detach().numpy()[0], leave.bias.detach().numpy()))
            weights.append(to_arrays(module))
        return cls(
            horizons=teacher.horizons,
            ages=ages,
            residual=residual,
            weights=weights,
            last=np.array(last, dtype=float),
            gram=np.array(gram),
        )

    def start(self, networks=None):
        """Begin to forecast for one patient, by these networks where they run elsewhere."""
        return PatientExpert(self, networks)

    def modules(self):
        """Build the networks."""
        modules = []
        for weights in self.weights:
            with seeded(0):
                module = _module(self.horizons, self.residual, 0)
            module.load_state_dict(to_tensors(weights))
            modules.append(module.eval())
        return modules


class PatientExpert:
    """The expert of one patient.

    Parameters
    ----------
    expert : LearnedExpert
    networks : list of OnnxNetwork or None, default=None
        Run in place of torch's.
    """

    def __init__(self, expert, networks=None):
        self._expert = expert
        self._modules = expert.modules() if networks is None else networks
        self._ages = to_tensor(expert.ages[None].astype(np.float32))
        self._prior = _PRIOR_SAMPLES * expert.gram + _SHRINKAGE * np.eye(expert.gram.shape[-1])
        self._prior_cross = np.einsum("mhij,mj->mhi", self._prior, expert.last)
        self._gram, self._cross = np.zeros_like(self._prior), np.zeros_like(self._prior_cross)
        self._last = np.repeat(expert.last[:, None], len(expert.horizons), axis=1)
        self._t = self._solved = None

    def __deepcopy__(self, memo):
        """Copy what is the patient's; the networks do not change."""
        twin = copy.copy(self)
        for name in ("_gram", "_cross", "_last"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def __getstate__(self):
        """Leave the networks out of a pickle; they are built again by torch."""
        return self.__dict__ | {"_modules": None}

    def __setstate__(self, state):
        """Build the networks again."""
        self.__dict__.update(state)
        self._modules = self._expert.modules()

    def describe(self, trace, base):
        """What the last layers read at a trace's last sample; see `forecast`.

        Returns
        -------
        hidden : ndarray of shape (n_members, n_dims, n_horizons, d_model + 1)
        scale : float
            Unit of their output, in mm.
        """
        window, observed = read_window(trace, self._expert.ages)
        inputs = MotionWindows(
            to_tensor(window[None].astype(np.float32)),
            self._ages,
            to_tensor(observed[None]),
            to_tensor(base.T[None].astype(np.float32)) if self._expert.residual else None,
        )[slice(None)]
        with torch.inference_mode():
            parts = [module.describe(**inputs) for module in self._modules]
        return np.stack([_with_one(hidden[0]) for hidden, _ in parts]), float(parts[0][1])

    def forecast(self, hidden, scale, base):
        """Displacements (n_horizons, n_dims) in mm, of a base forecast (mm) that is corrected."""
        moves = scale * np.einsum("mahi,mhi->ha", hidden, self._last) / len(hidden)
        return moves + base if self._expert.residual else moves

    def learn(self, t, hidden, scale, base, moves):
        """Take where the target went (n_horizons, n_dims; mm) after what was described."""
        if self._t is not None:
            fading = np.exp(-(t - self._t) / _MEMORY)
            self._gram *= fading
            self._cross *= fading
        self._t = t
        target = (moves - base if self._expert.residual else moves) / scale
        self._gram += np.einsum("mahi,mahj->mhij", hidden, hidden)
        self._cross += np.einsum("mahi,ha->mhi", hidden, target)
        if self._solved is None or t - self._solved >= _REFIT:
            cross = self._prior_cross + self._cross
            self._last = np.linalg.solve(self._prior + self._gram, cross[..., None])[..., 0]
            self._solved = t


def read_window(trace, ages):
    """Positions (n_dims, n_tokens) some time before now, relative to now in mm; which exist."""
    times = trace.t - ages
    return (trace.at(times) - trace.position).T, times >= trace.start - 1e-6


def _moved(tensors, device):
    """Tensors on a device; None stays."""
    return [None if part is None else part.to(device) for part in tensors]


def _with_one(hidden):
    """Vectors (..., d) as float64, with a one after them for the bias."""
    hidden = hidden.double().numpy()
    return np.concatenate([hidden, np.ones((*hidden.shape[:-1], 1))], axis=-1)


def _module(horizons, residual, seed):
    return NonstationaryTransformer(horizons, residual=residual, seed=seed, **_SIZE)


def _samples(paths, followed, horizons, ages, residual, seed):
    """Windows of all steps whose truth is known, the moves after them (mm), and weights."""
    parts = []
    for path, steps in zip(paths, followed, strict=True):
        truth = truth_at(path.truth, path.t, 0, horizons)
        for step, true in zip(steps, truth, strict=True):
            if step is not None and step.observed and np.isfinite(true).all():
                parts.append((*step.window, step.base.T, (true - step.position).T, step.scale))
    if len(parts) > _MOST_WINDOWS:
        chosen = np.random.default_rng(seed).choice(len(parts), _MOST_WINDOWS, replace=False)
        parts = [parts[i] for i in chosen]
    window, observed, base, moves, scale = (np.array(part) for part in zip(*parts, strict=True))
    usual = (moves / scale[:, None, None]) ** 2
    weight = 1 / (scale[:, None] ** 2 * usual.sum(axis=1).mean(axis=0).clip(1e-6))
    single = [part.astype(np.float32) for part in (window, base, moves, weight)]
    window, base, moves, weight = map(to_tensor, single)
    age = to_tensor(np.tile(ages.astype(np.float32), (len(window), 1)))
    return (window, age, to_tensor(observed), base if residual else None), moves, weight
