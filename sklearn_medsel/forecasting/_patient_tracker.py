"""Following one patient: frames in, position and its variance out, learning from known ones."""

from collections import deque
from typing import NamedTuple

import numpy as np
import torch

from sklearn_medsel.base import one_thread
from sklearn_medsel.forecasting._plane_adaptation import PlaneAdaptation
from sklearn_medsel.forecasting._plane_view import make_reference

STRANGE = 3.0  # novelty from which a frame is not to be relied on
_USUAL = 1.5  # novelty up to which variance is as learnt
_FLAT = 10.0  # novelty of a frame that shows nothing
_REMEMBERED = 512  # updates whose position may still become known
_SAME_TIME = 1e-6  # s
_FLOOR = 0.03  # mm^2: planes share errors, so that none is to be believed to the last


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


class PatientTracker:
    """Follows one patient; made by `ImageTracker.start`."""

    def __init__(self, tracker, reference, position, pixel_mm):
        self._tracker, self._reader = tracker, tracker.frame_reader()
        n_planes = len(tracker.planes)
        self._adaptations = [None] * n_planes
        self._position = None if position is None else np.array(position, dtype=float)
        self._references, self._known = [None] * n_planes, [None] * n_planes
        self._began = None
        self._sums = np.zeros((n_planes, tracker.n_dims))  # of displacements in the warm-up
        self._counts = np.zeros(n_planes, dtype=int)
        self._strange = np.zeros(n_planes)  # sums of novelty in the warm-up
        self._n_frames = np.zeros(n_planes, dtype=int)
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
            If a plane is unknown, its frames change their shape or pixel size, or `expected` comes
            without its variance.
        """
        if expected is not None and expected_variance is None:
            raise ValueError("expected_variance is missing beside expected. Give both or neither.")
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
            strange = self._unlike_patient(plane, t, strange)
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
        population = self._reader.population(self._known[plane].texture, plane)
        self._adaptations[plane] = PlaneAdaptation(population, self._tracker.variance_[plane])

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

    def _unlike_patient(self, plane, t, strange):
        """Novelty of a frame, less what is usual in this patient since the warm-up.

        A patient who is unlike those of the training is so in every frame.
        """
        usual = self._strange[plane] / max(1, self._n_frames[plane])
        if t <= self._began + self._tracker.warmup and strange < _FLAT:
            self._strange[plane] += strange
            self._n_frames[plane] += 1
        return max(0.0, strange - max(0.0, usual - 1))

    def _estimate(self, plane, t, features, strange):
        """Position and variance by one plane, or None while nothing is known."""
        adaptation = self._adaptations[plane]
        if adaptation.n_seen:
            position, variance = adaptation.estimate(features[None])
            return position[0], variance
        moved = adaptation.displacement(features[None])[0]
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
