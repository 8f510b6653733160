"""From frames to the tumour's current position, for patients that training never saw.

`ImageTracker` learns from recordings with known positions; `PatientTracker` follows one patient.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
import torch

from sklearn_medsel.base import one_thread, resolve_device, seeded, to_tensors
from sklearn_medsel.forecasting._plane_adaptation import PlaneAdaptation
from sklearn_medsel.forecasting._plane_view import FrameReader, Reference, make_reference
from sklearn_medsel.forecasting._tracker_training import train_tracker
from sklearn_medsel.nn.cine_encoder import CineEncoder

STRANGE = 3.0  # novelty from which a frame is not to be relied on
_USUAL = 1.5  # novelty up to which variance is as learnt
_FLAT = 10.0  # novelty of a frame that shows nothing
_REMEMBERED = 512  # updates whose position may still become known
_SAME_TIME = 1e-6  # s
_FLOOR = 0.01  # mm^2


class Fix(NamedTuple):
    """Where the tumour is, as images and the forecaster's expectation have it.

    Attributes
    ----------
    position : ndarray of shape (n_dims,)
        Position in mm; NaN while nothing is known.
    variance : ndarray of shape (n_dims,)
        Its variance in mm^2; infinite while nothing is known.
    confidence : float
        From 0, no image was of use, to 1, every patch was found as it was in the reference.
    novelty : float
        How strange the strangest new frame looks; about 1 is usual, more than 3 strange, and 0
        says that there was no frame.
    """

    position: np.ndarray
    variance: np.ndarray
    confidence: float
    novelty: float


class ImageTracker:
    """Learns from recordings how frames show the position of a tumour.

    Each frame is compared with the patient's reference frame of its plane: where its patches went,
    and how they changed (`FrameReader`). A ridge turns that into a position; it starts from the
    training patients' map and learns from the patient's known positions (`PlaneAdaptation`).

    Parameters
    ----------
    planes : tuple of str
        Names of the planes.
    n_dims : int, default=3
        Number of axes of a position.
    warmup : float, default=20.0
        Seconds at the start of a recording in which positions are known.
    device : str, default="cpu"
        Where the network is trained; it is used on the CPU.
    seed : int, default=0
        Seed of the training.
    max_epochs : int, default=5
        Passes over the training episodes.
    n_maps : int, default=4
        Feature maps of the network; 0 leaves it out.

    Attributes
    ----------
    weights_ : dict of ndarray
        The network.
    slopes_ : ndarray of shape (n_planes, n_shifts, n_dims)
        The population's map from shifts of patches in mm to positions.
    variance_ : ndarray of shape (n_planes, 3, n_dims)
        Squared errors on the training recordings in mm^2: without known positions, after the
        warm-up, and within it.
    usual_ : ndarray of shape (n_planes, 2)
        Median and spread of the frames' unlikeness to the reference.
    mean_ : ndarray of shape (n_dims,)
        Mean position in training.
    """

    def __init__(
        self, planes, *, n_dims=3, warmup=20.0, device="cpu", seed=0, max_epochs=5, n_maps=4
    ):
        self.planes = (planes,) if isinstance(planes, str) else tuple(planes)
        self.n_dims, self.warmup, self.device, self.seed = n_dims, warmup, device, seed
        self.max_epochs, self.n_maps = max_epochs, n_maps
        self._reader = None

    def fit(self, pieces, on_epoch=None):
        """Learn from recordings.

        Parameters
        ----------
        pieces : list of Recording
            Recordings of training patients.
        on_epoch : callable, default=None
            Called after each epoch; training stops if it returns True.

        Returns
        -------
        self
        """
        with seeded(self.seed):
            encoder = self._make_module()
        with one_thread():
            learnt = train_tracker(
                encoder,
                pieces,
                self.warmup,
                self.max_epochs,
                self.seed,
                resolve_device(self.device),
                on_epoch,
            )
        for name, value in learnt.items():
            setattr(self, f"{name}_", value)
        self._reader = None
        return self

    def start(self, reference=None, position=None, pixel_mm=1.0):
        """Start to follow a patient.

        Parameters
        ----------
        reference : dict of ndarray or None, default=None
            A frame of each plane, by name, that all show the same position. A plane without one
            takes the first frame that it acquires.
        position : array-like of shape (n_dims,) or None, default=None
            Position in mm that the reference shows.
        pixel_mm : float or dict of float, default=1.0
            Pixel size of the reference.

        Returns
        -------
        PatientTracker
        """
        return PatientTracker(self, reference, position, pixel_mm)

    def resume(self, state):
        """Go on following a patient from what `PatientTracker.state` gave."""
        patient = PatientTracker(self, None, None, 1.0)
        patient._restore(state)
        return patient

    def _make_module(self):
        """Build the network as it is before training."""
        return CineEncoder(len(self.planes), self.n_dims, n_maps=self.n_maps)

    def _frame_reader(self):
        """Build the network as it was after ``fit``, once."""
        if self._reader is None:
            with seeded(0):
                module = self._make_module()
            module.load_state_dict(to_tensors(self.weights_))
            self._reader = FrameReader(module.eval())
        return self._reader

    def _adaptation(self, plane):
        """Make the ridge of a new patient's plane."""
        sizes = self._frame_reader().group_sizes()
        weights = np.repeat(np.exp(-self.weights_["log_penalty"][plane].astype(float)), sizes, 1)
        return PlaneAdaptation(self.slopes_[plane], weights, self.variance_[plane])

    def __getstate__(self):
        """Leave the network's module out of a pickle."""
        return self.__dict__ | {"_reader": None}


class PatientTracker:
    """Follows one patient; made by `ImageTracker.start`."""

    def __init__(self, tracker, reference, position, pixel_mm):
        self._tracker, self._reader = tracker, tracker._frame_reader()
        n_planes = len(tracker.planes)
        self._adaptations = [tracker._adaptation(plane) for plane in range(n_planes)]
        self._position = None if position is None else np.array(position, dtype=float)
        self._references, self._known = [None] * n_planes, [None] * n_planes
        self._began = None
        self._sums = np.zeros((n_planes, tracker.n_dims))  # of displacements in the warm-up
        self._counts = np.zeros(n_planes, dtype=int)
        self._recent = deque(maxlen=_REMEMBERED)
        for name, frame in (reference or {}).items():
            plane = self._plane(name)
            self._refer(plane, frame, _of(pixel_mm, name))
            if self._references[plane] is None:
                raise ValueError(
                    f"reference[{name!r}] has the same value everywhere. Give a frame that shows "
                    "the patient, or leave the plane out: its first frame is then taken."
                )

    def update(self, t, frames, pixel_mm, expected=None, expected_variance=None):
        """Take in the frames of one time.

        Parameters
        ----------
        t : float
            Time in s.
        frames : dict of ndarray of shape (height, width)
            Frames acquired at this time, by plane; none is allowed.
        pixel_mm : float or dict of float
            Side of a pixel in mm.
        expected : array-like of shape (n_dims,) or None, default=None
            Position in mm that the past lets expect.
        expected_variance : array-like of shape (n_dims,) or None, default=None
            Its variance in mm^2.

        Returns
        -------
        Fix
            Position, from all of this.

        Raises
        ------
        ValueError
            If a plane is unknown, or its frames change their shape or pixel size.
        """
        t = float(t)
        self._began = t if self._began is None else self._began
        n_dims = self._tracker.n_dims
        precision, pull = np.zeros(n_dims), np.zeros(n_dims)
        if expected is not None and np.isfinite(expected).all():
            precision = 1 / np.maximum(np.asarray(expected_variance, dtype=float), _FLOOR)
            pull = precision * np.asarray(expected, dtype=float)
        read, novelty, likeness = self._read(frames, pixel_mm)
        remembered = {}
        for plane, (features, like, strange) in read.items():
            estimate = self._estimate(plane, t, features, strange)
            novelty, likeness = max(novelty, strange), likeness + like
            if strange < STRANGE:
                remembered[plane] = features
            if estimate is not None:
                share = 1 / (np.maximum(estimate[1], _FLOOR) * _inflation(strange))
                precision, pull = precision + share, pull + share * estimate[0]
        if remembered:
            self._recent.append((t, remembered))
        confidence = float(np.clip(likeness / max(1, len(frames)), 0, 1))
        confidence /= max(1.0, novelty / _USUAL)
        if not precision.any():
            return Fix(np.full(n_dims, np.nan), np.full(n_dims, np.inf), confidence, novelty)
        return Fix(pull / precision, 1 / precision, confidence, novelty)

    def learn(self, t, position):
        """Learn from the true position at the time of an earlier update.

        Parameters
        ----------
        t : float
            Time of the update in s.
        position : array-like of shape (n_dims,)
            Position in mm; where an axis is NaN, nothing is learnt.

        Returns
        -------
        bool
            Whether there was an update at this time, not too long ago, with a usable frame.
        """
        position = np.asarray(position, dtype=float)
        if not np.isfinite(position).all():
            return False
        for time, features in reversed(self._recent):
            if abs(time - t) <= _SAME_TIME:
                for plane, row in features.items():
                    self._adaptations[plane].learn(row, position)
                return True
            if time < t:
                break
        return False

    def state(self):
        """Everything known of the patient as plain values, for `ImageTracker.resume`."""
        return {
            "position": None if self._position is None else self._position.copy(),
            "references": [None if one is None else tuple(one) for one in self._references],
            "began": self._began,
            "sums": self._sums.copy(),
            "counts": self._counts.copy(),
            "recent": [(t, dict(features)) for t, features in self._recent],
            "adaptations": [one.state() for one in self._adaptations],
        }

    def _restore(self, state):
        """Go back to what `state` gave."""
        self._position = state["position"]
        for plane, reference in enumerate(state["references"]):
            if reference is not None:
                self._references[plane] = Reference(*reference)
                self._prepare(plane)
        self._began = state["began"]
        self._sums, self._counts = state["sums"].copy(), state["counts"].copy()
        self._recent.extend((t, dict(features)) for t, features in state["recent"])
        for adaptation, plain in zip(self._adaptations, state["adaptations"], strict=True):
            adaptation.restore(plain)

    def _plane(self, name):
        """Number of a plane."""
        if name not in self._tracker.planes:
            raise ValueError(
                f"plane {name!r} is none of those this was fitted for: {self._tracker.planes}."
            )
        return self._tracker.planes.index(name)

    def _refer(self, plane, frame, pixel_mm):
        """Take a frame as the plane's reference unless it is flat."""
        self._references[plane] = make_reference(frame, pixel_mm)
        if self._references[plane] is not None:
            self._prepare(plane)

    def _prepare(self, plane):
        """Cut the patches of a plane's reference."""
        with one_thread(), torch.inference_mode():
            self._known[plane] = self._reader.prepare(self._references[plane], plane)

    def _read(self, frames, pixel_mm):
        """Read the features of new frames: {plane: (features, likeness, novelty)}."""
        batches, novelty = {}, 0.0
        for name, frame in frames.items():
            plane = self._plane(name)
            pixel = _of(pixel_mm, name)
            if self._references[plane] is None:
                self._refer(plane, frame, pixel)
            reference = self._references[plane]
            if reference is None:
                novelty = _FLAT
                continue
            if np.shape(frame) != reference.shape or abs(pixel - reference.pixel_mm) > 1e-6:
                raise ValueError(
                    f"frames of plane {name!r} must keep the shape {reference.shape} and the pixel "
                    f"size {reference.pixel_mm} mm of its reference, found {np.shape(frame)} and "
                    f"{pixel} mm. Start anew if the acquisition has changed."
                )
            scaled = self._reader.scaled(frame, reference)
            batches.setdefault(self._known[plane].grid, []).append((plane, scaled))
        read = {}
        for batch in batches.values():
            planes, images = zip(*batch, strict=True)
            known = [self._known[plane] for plane in planes]
            with one_thread(), torch.inference_mode():
                features, likeness = self._reader.read(
                    torch.stack(images), known, torch.tensor(planes)
                )
            for plane, row, like in zip(planes, features.numpy(), likeness.tolist(), strict=True):
                middle, spread = self._tracker.usual_[plane]
                strange = 1 + (1 - like - middle) / spread
                read[plane] = row, like, float(np.clip(strange, 0.0, _FLAT))
        return read, novelty, 0.0

    def _estimate(self, plane, t, features, strange):
        """Position and variance by one plane, or None while nothing is known."""
        adaptation = self._adaptations[plane]
        if len(adaptation.positions):
            return adaptation.estimate(features)
        moved = adaptation.displacement(features)
        unknown = adaptation.variance[0]
        if self._position is not None:
            return self._position + moved, unknown
        if t <= self._began + self._tracker.warmup and strange < STRANGE:
            self._sums[plane] += moved
            self._counts[plane] += 1
        middle = self._sums[plane] / max(1, self._counts[plane])
        return self._tracker.mean_ + moved - middle, unknown


def _inflation(novelty):
    """How many times larger the variance of a strange frame is."""
    return 1 + (max(0.0, novelty - _USUAL) * 2) ** 4


def _of(pixel_mm, name):
    """Pixel size of a plane."""
    return float(pixel_mm[name] if isinstance(pixel_mm, dict) else pixel_mm)
