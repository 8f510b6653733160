"""The Transformer as an expert: trained on many patients, its last layer becomes the patient's own.

The last layer is linear, so that it adapts as the ridge does: exactly, by sufficient statistics,
with the trained layer as its prior.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.base import seeded, to_arrays, to_tensor, to_tensors
from sklearn_medsel.forecasting._alignment import truth_at
from sklearn_medsel.nn.losses import squared_distance
from sklearn_medsel.nn.nonstationary import MotionWindows, NonstationaryTransformer

_SIZE = {"d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": 32, "d_hidden": 16}
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_BATCH = 128
_MOST_WINDOWS = 20_000  # per pass; more of them say little new
_PRIOR_SAMPLES = 300.0
_SHRINKAGE = 1.0
_MEMORY = 1200.0  # s
_REFIT = 0.6  # s


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
    weights : dict of str to ndarray
        State of the network.
    last : ndarray of shape (d_model + 1,)
        Its last layer and bias.
    gram : ndarray of shape (n_horizons, d_model + 1, d_model + 1)
        Mean products, over training samples and axes, of what the last layer reads.
    """

    horizons: np.ndarray
    ages: np.ndarray
    residual: bool
    weights: dict
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
            Called after each epoch; training stops where it returns True.

        Returns
        -------
        LearnedExpert
        """
        ages = teacher.window_ages
        windows, moves, weight = _samples(paths, followed, teacher.horizons, ages, residual, seed)
        with seeded(seed):
            module = _module(teacher.horizons, residual, seed)
        inputs = MotionWindows(*(None if part is None else part.to(device) for part in windows))
        train_by_adam(
            module.to(device),
            squared_distance,
            Rows(inputs, moves.to(device), weight.to(device)),
            max_epochs=max_epochs,
            learning_rate=_LEARNING_RATE,
            weight_decay=_WEIGHT_DECAY,
            batch_size=_BATCH,
            seed=seed,
            on_epoch=tick,
        )
        module = module.cpu().eval()
        leave = module.leave
        last = np.append(leave.weight.detach().numpy()[0], leave.bias.detach().numpy())
        with torch.inference_mode():
            hidden, _ = module.describe(**MotionWindows(*windows)[slice(None)])
        inputs = _with_one(hidden)
        gram = np.einsum("nahi,nahj->hij", inputs, inputs) / (inputs.shape[0] * inputs.shape[1])
        return cls(
            horizons=teacher.horizons,
            ages=ages,
            residual=residual,
            weights=to_arrays(module),
            last=last.astype(float),
            gram=gram,
        )

    def start(self):
        """Begin to forecast for one patient."""
        return PatientExpert(self)

    def module(self):
        """Build the network."""
        with seeded(0):
            module = _module(self.horizons, self.residual, 0)
        module.load_state_dict(to_tensors(self.weights))
        return module.eval()


class PatientExpert:
    """The expert of one patient.

    Parameters
    ----------
    expert : LearnedExpert
    """

    def __init__(self, expert):
        self._expert = expert
        self._module = expert.module()
        self._prior = _PRIOR_SAMPLES * expert.gram + _SHRINKAGE * np.eye(expert.gram.shape[1])
        self._prior_cross = self._prior @ expert.last
        self._gram, self._cross = np.zeros_like(self._prior), np.zeros_like(self._prior_cross)
        self._last = np.tile(expert.last, (len(expert.horizons), 1))
        self._t = self._solved = None

    def describe(self, trace, base):
        """What the last layer reads at a trace's last sample; see `forecast`.

        Returns
        -------
        hidden : ndarray of shape (n_dims, n_horizons, d_model + 1)
        scale : float
            Unit of the last layer's output, in mm.
        """
        window, observed = read_window(trace, self._expert.ages)
        inputs = MotionWindows(
            to_tensor(window[None].astype(np.float32)),
            to_tensor(self._expert.ages[None].astype(np.float32)),
            to_tensor(observed[None]),
            to_tensor(base.T[None].astype(np.float32)) if self._expert.residual else None,
        )
        with torch.inference_mode():
            hidden, scale = self._module.describe(**inputs[slice(None)])
        return np.pad(
            hidden[0].double().numpy(), [(0, 0)] * 2 + [(0, 1)], constant_values=1.0
        ), float(scale)

    def forecast(self, hidden, scale, base):
        """Displacements (n_horizons, n_dims) in mm, of a base forecast (mm) that is corrected."""
        moves = scale * np.einsum("ahi,hi->ha", hidden, self._last)
        return moves + base if self._expert.residual else moves

    def learn(self, t, hidden, scale, base, moves):
        """Take where the target went (n_horizons, n_dims; mm) after what was described."""
        if self._t is not None:
            fading = np.exp(-(t - self._t) / _MEMORY)
            self._gram *= fading
            self._cross *= fading
        self._t = t
        target = (moves - base if self._expert.residual else moves) / scale
        self._gram += np.einsum("ahi,ahj->hij", hidden, hidden)
        self._cross += np.einsum("ahi,ha->hi", hidden, target)
        if self._solved is None or t - self._solved >= _REFIT:
            cross = self._prior_cross + self._cross
            self._last = np.linalg.solve(self._prior + self._gram, cross[..., None])[..., 0]
            self._solved = t


def read_window(trace, ages):
    """Positions (n_dims, n_tokens) some time before now, relative to now in mm; which exist."""
    times = trace.t - ages
    return (trace.at(times) - trace.position).T, times >= trace.start - 1e-6


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
