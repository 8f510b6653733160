"""Forecast where a tumour will be while the patient breathes: the estimator."""

import copy
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel.base import draw_seeds, one_blas_thread, one_thread, progress, resolve_device
from sklearn_medsel.forecasting._alignment import truth_at
from sklearn_medsel.forecasting._learned_expert import LearnedExpert
from sklearn_medsel.forecasting._motion import MotionBasis
from sklearn_medsel.forecasting._onnx import export_networks, load_networks
from sklearn_medsel.forecasting._patient_tracker import STRANGE
from sklearn_medsel.forecasting._population import Path, PopulationTeacher, add_learned
from sklearn_medsel.forecasting._recording import Recording
from sklearn_medsel.forecasting._session import ForecastSession
from sklearn_medsel.forecasting._signal import SignalMap
from sklearn_medsel.forecasting._steps import FRAMES_OR_NUMBERS, read_steps, read_truth
from sklearn_medsel.forecasting._tracker import ImageTracker
from sklearn_medsel.forecasting._watch import PatientWatch, watch_recording

EXPERTS = ("persistence", "ridge", "transformer")
_LINEAR = ("persistence", "ridge")
_SAME = 1e-6  # s
_TRACKER_FOLDS = 3
_CNN_MAPS = 4
_USUAL_SHARE = 0.99  # of the frames of new patients that are not to be called strange


class TumourPositionForecaster(CallbackSupportMixin, BaseEstimator):
    """Forecast the position of a target that breathing moves, a fraction of a second ahead.

    Each row of X is a moment of one patient; its forecast uses that patient's past and nothing
    later. What is known from the training patients becomes the patient's own from moment to
    moment: the ridge regression, the weights of the experts and the radius all learn from
    forecasts whose truth has been seen meanwhile.

    - Positions are given, or found in cine frames by a network that finds the displacement of
      patches against the patient's reference frame. What they mean for the target is learnt from
      the positions known in the first `warmup` seconds.
    - Experts forecast: "persistence" (it stays), "ridge" (ridge regression on past positions, slow
      averages and bent mixtures of both) and "transformer" (a Non-stationary Transformer [1]_
      that corrects the ridge; alone, it is the configuration of the source study).
    - Their mixture is the forecast. A patient shifted by any distance gets forecasts shifted by
      the same.
    - The radius holds the truth with the frequency `coverage`: adaptive conformal inference [2]_.

    Not a medical device.

    Parameters
    ----------
    horizons : sequence of float, default=(0.25, 0.5, 1.0)
        How far ahead to forecast, in s.
    planes : "all" or sequence of str, default="all"
        Planes of a `CineSequence` to use, such as ``("coronal", "sagittal")``.
    history : float, default=4.0
        How far to look back closely, in s: about one breath. Slower averages look further.
    experts : str or sequence of str, default=("persistence", "ridge", "transformer")
        Who forecasts.
    encoder : {"patches", "cnn"}, default="patches"
        What is matched in frames: patches of the image itself, or of the maps that one small
        convolutional network, shared by the planes, makes of it as well. The network costs time
        and was not better in trials.
    adapt : {"linear", "none"}, default="linear"
        Whether the ridge regression becomes the patient's own, or stays the population's.
    coverage : float, default=0.9
        Share of truths that the ball around a forecast is to hold.
    warmup : float, default=20.0
        With frames: time from the start of a recording, in s, in which positions in X are looked
        at. Later ones are not, so that a truth left in X cannot leak.
    interval : float, default=0.2
        Time between the rows of a plain array, in s. Other X bring their times.
    max_epochs : int, default=10
        Most passes over the training windows, for the transformer.
    device : str, default="auto"
        Where networks are trained: "auto", "cpu", "cuda", ...
    random_state : int, RandomState instance or None, default=None
        Mixtures of the ridge, start weights, order of the windows.
    verbose : int, default=0
        Unused; progress is shown by scikit-learn's callbacks, ``set_callbacks(ProgressBar())``.

    Attributes
    ----------
    model_ : MotionModel
        What is known of motion.
    tracker_ : ImageTracker or None
        What finds positions in frames.
    signal_map_ : SignalMap
        How the columns of a table become positions; nothing is done where they are positions.
    weights_ : ndarray of shape (n_horizons, n_experts)
        Weights of the experts a new patient starts with.
    horizons_ : ndarray of shape (n_horizons,)
        Horizons that were learnt, in s.
    interval_ : float
        Usual time between steps, in s.
    novelty_unit_ : float
        What the tracker's novelty is divided by; from frames of patients it was not trained on.
    planes_ : tuple of str or None
        Planes seen in training.
    pixel_mm_ : dict of str to float or None
        Usual pixel size of each plane, in mm.
    n_dims_ : int
        Axes of a position.
    n_features_in_ : int
        Columns of a plain array.

    References
    ----------
    .. [1] Liu, Wu, Wang, Long. Non-stationary Transformers: Exploring the Stationarity in Time
       Series Forecasting. NeurIPS 2022.
    .. [2] Gibbs, Candès. Adaptive Conformal Inference Under Distribution Shift. NeurIPS 2021.

    Examples
    --------
    >>> from sklearn_medsel import TumourPositionForecaster
    >>> from sklearn_medsel.datasets import make_breathing
    >>> breathing = make_breathing(n_patients=3, duration=60, rate=5, random_state=0)
    >>> seen, new = breathing.groups < 2, breathing.groups == 2
    >>> forecaster = TumourPositionForecaster(
    ...     horizons=(0.4,), experts=("persistence", "ridge"), random_state=0
    ... ).fit(breathing.X[seen])
    >>> forecaster.predict(breathing.X[new]).shape
    (300, 3)
    >>> bool(forecaster.score(breathing.X[new]) > -3)
    True
    """

    _parameter_constraints: dict = {
        "horizons": ["array-like"],
        "planes": [StrOptions({"all"}), "array-like"],
        "history": [Interval(Real, 0, None, closed="neither")],
        "experts": [str, "array-like"],
        "encoder": [StrOptions({"patches", "cnn"})],
        "adapt": [StrOptions({"linear", "none"})],
        "coverage": [Interval(Real, 0, 1, closed="neither")],
        "warmup": [Interval(Real, 0, None, closed="left")],
        "interval": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        horizons=(0.25, 0.5, 1.0),
        *,
        planes="all",
        history=4.0,
        experts=EXPERTS,
        encoder="patches",
        adapt="linear",
        coverage=0.9,
        warmup=20.0,
        interval=0.2,
        max_epochs=10,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.horizons = horizons
        self.planes = planes
        self.history = history
        self.experts = experts
        self.encoder = encoder
        self.adapt = adapt
        self.coverage = coverage
        self.warmup = warmup
        self.interval = interval
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn from recordings of some patients.

        Parameters
        ----------
        X : CineSequence, DataFrame or array-like of shape (n_steps, n_signals)
            A DataFrame has the columns ``t`` (s) and ``x``, ``y``, ``z`` (mm), and ``patient`` and
            ``sequence`` where there are several; others are not read. The rows of a plain array
            are uniform steps of one recording.
        y : array-like of shape (n_steps, n_dims), default=None
            Position of the target in mm, NaN where unknown. None takes the positions in X. Where X
            holds other signals than y (a surrogate), a linear map from one to the other is learnt.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If times go back or repeat, positions jump by over 100 mm, frames are not finite, or
            no recording is as long as the history and the longest horizon.
        """
        horizons, experts = self._horizons(), self._experts()
        steps = read_steps(self, X, reset=True)
        truth = read_truth(y, steps)
        self.horizons_ = horizons
        self.planes_ = None if steps.cine is None else tuple(steps.cine.planes)
        self.pixel_mm_ = None if steps.cine is None else _usual_pixels(steps.cine)
        self.n_dims_ = truth.shape[1]
        self.interval_ = steps.interval()
        if not np.isfinite(self.interval_):
            raise ValueError(f"X has {len(steps)} sample(s), but no recording with two steps.")
        seeds = draw_seeds(self.random_state, 3)
        basis = MotionBasis.make(self.interval_, self.history, np.random.default_rng(seeds[0]))
        apart = horizons[np.abs(horizons - self.interval_) > 2 * _SAME]
        teacher = PopulationTeacher(
            basis=basis,
            horizons=np.sort(np.append(apart, self.interval_)),
            coverage=self.coverage,
            adapts=self.adapt == "linear",
            seed=seeds[0],
        )
        stretches = steps.stretches(teacher.longest_gap)
        self.tracker_ = self._make_tracker(seeds[1]) if steps.cine is not None else None
        n_ticks = self._n_ticks(steps, stretches, experts)
        with progress(self, X, y, n_steps=n_ticks) as tick, one_thread(), one_blas_thread():
            doubt = None
            if steps.cine is None:
                self.novelty_unit_ = 1.0
                self.signal_map_ = SignalMap.learn(steps.signal, truth)
                seen = self.signal_map_(steps.signal)
            else:
                self.signal_map_ = None
                exact = _paths(steps, stretches, truth, truth)
                model, _ = teacher.teach(exact, _LINEAR, tick)
                seen, doubt = self._train_tracker(steps, truth, model, tick)
            paths = _paths(steps, stretches, seen, truth, doubt)
            linear = tuple(name for name in experts if name != "transformer")
            model, followed = teacher.teach(paths, linear or _LINEAR, tick)
            if "transformer" in experts:
                learned = LearnedExpert.train(
                    paths,
                    followed,
                    teacher,
                    residual="ridge" in experts,
                    max_epochs=self.max_epochs,
                    device=resolve_device(self.device),
                    seed=seeds[2],
                    tick=tick,
                )
                model = add_learned(model, experts, learned)
        self.model_ = model
        self.weights_ = model.weights[self._asked]
        return self

    def predict(self, X):
        """Forecast, for each row, from that row's own past.

        Parameters
        ----------
        X : CineSequence, DataFrame or array-like of shape (n_steps, n_signals)
            As in `fit`. A patient that training did not see is what this is for.

        Returns
        -------
        ndarray of shape (n_steps, n_dims * n_horizons), float64
            Positions in mm: all axes of the first horizon, then of the second, and so on. NaN
            while no position is known.

        Raises
        ------
        ValueError
            As `fit`, or if X has a plane that training did not see.
        """
        forecast, _ = self._run(X)
        return forecast.reshape(len(forecast), -1)

    def predict_interval(self, X):
        """Radius of the ball around each forecast that holds the truth with frequency `coverage`.

        Parameters
        ----------
        X : CineSequence, DataFrame or array-like of shape (n_steps, n_signals)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_steps, n_horizons), float64
            In mm; NaN where there is no forecast.
        """
        return self._run(X)[1]

    def score(self, X, y=None):
        """Minus the root mean square of the 3-D error in mm, averaged over the horizons.

        A forecast is compared with the position at its own time plus the horizon.

        Parameters
        ----------
        X : CineSequence, DataFrame or array-like of shape (n_steps, n_signals)
            As in `predict`.
        y : array-like of shape (n_steps, n_dims), default=None
            True positions in mm, NaN where unknown; None takes those in X.

        Returns
        -------
        float
            At most 0; larger is better.
        """
        check_is_fitted(self)
        steps = read_steps(self, X, reset=False)
        truth = truth_at(read_truth(y, steps), steps.t, steps.first, self.horizons_)
        square = ((self._run(X)[0] - truth) ** 2).sum(axis=2)
        known = np.isfinite(square)
        if not known.any(axis=0).all():
            raise ValueError(
                "y has no known position at the time of any forecast: the recordings are shorter "
                "than the longest horizon, or y is unknown everywhere."
            )
        return -float(np.sqrt(np.nanmean(square, axis=0)).mean())

    def start_session(self, reference=None, warmup=None, deadline=None, pixel_mm=None, onnx=None):
        """Begin to follow a patient live; see `ForecastSession`.

        Parameters
        ----------
        reference : dict of str to array-like, or CineSequence, default=None
            Frame of each plane to which displacements refer. None: the first ones that come.
        warmup : float, default=None
            Time in s in which the session counts as not yet settled (DEGRADED); None: the
            parameter `warmup` with frames, `history` without.
        deadline : float, default=None
            Time in s that finding the position in frames may take; beyond it the transformer is
            left out of that update. None: half of ``interval_``.
        pixel_mm : float or dict of str to float, default=None
            Pixel size in mm; None: that of the reference, or the usual one in training.

        onnx : str or Path, default=None
            Folder that `export_onnx` wrote: the transformer then runs in onnxruntime.

        Returns
        -------
        ForecastSession
            Ready for its first update.
        """
        check_is_fitted(self)
        return ForecastSession(
            self,
            reference=reference,
            warmup=warmup,
            deadline=deadline,
            pixel_mm=pixel_mm,
            onnx=onnx,
        )

    def export_onnx(self, folder):
        """Write the networks of the transformer as ONNX files, for `start_session`.

        Parameters
        ----------
        folder : str or Path
            Where to; made if it is not there.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        ValueError
            If there is no transformer among the experts.
        ImportError
            If the extra ``onnx`` is not installed.
        """
        check_is_fitted(self)
        if self.model_.learned is None:
            raise ValueError("experts has no 'transformer', so there is no network to export.")
        return export_networks(self.model_.learned, self.n_dims_, folder)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = False
        return tags

    def _run(self, X):
        """Forecasts (n_steps, n_horizons, n_dims) and radii (n_steps, n_horizons)."""
        check_is_fitted(self)
        steps = read_steps(self, X, reset=False)
        if (steps.cine is None) != (self.tracker_ is None):
            raise ValueError(FRAMES_OR_NUMBERS)
        if self.signal_map_ is not None:
            known = self.signal_map_.n_signals(self.n_dims_)
            if steps.signal.shape[1] != known:
                raise ValueError(
                    f"X has {steps.signal.shape[1]} column(s) of positions or signals, but "
                    f"training had {known}."
                )
            steps = replace(steps, signal=self.signal_map_(steps.signal))
        n_horizons = len(self._asked)
        forecast = np.full((len(steps), n_horizons, self.n_dims_), np.nan)
        radius = np.full((len(steps), n_horizons), np.nan)
        with one_thread(), one_blas_thread():
            for rows in steps.recordings():
                watch = self._watch()
                for row, step, _ in watch_recording(watch, steps, rows, self.warmup):
                    if step is not None:
                        forecast[row] = step.forecast[self._asked]
                        radius[row] = step.radius[self._asked]
        return forecast, radius

    def _watch(self, reference=None, pixel_mm=None, onnx=None):
        """Make what follows one patient."""
        networks = None if onnx is None else load_networks(onnx)
        tracker = (
            None if self.tracker_ is None else self.tracker_.start(reference, pixel_mm=pixel_mm)
        )
        return PatientWatch(self.model_, self.n_dims_, tracker, networks, self.novelty_unit_)

    @property
    def _asked(self):
        """Where the user's horizons stand among those of the model."""
        apart = np.abs(self.model_.horizons[:, None] - self.horizons_)
        return apart.argmin(axis=0)

    def _horizons(self):
        horizons = np.asarray(self.horizons, dtype=float)
        if horizons.ndim != 1 or not horizons.size or not (horizons > 0).all():
            raise ValueError(
                f"horizons must be one or more numbers of seconds above 0, found {self.horizons!r}."
            )
        if np.unique(horizons).size < horizons.size or not np.isfinite(horizons).all():
            raise ValueError(f"horizons must be finite and distinct, found {self.horizons!r}.")
        return horizons

    def _experts(self):
        experts = (self.experts,) if isinstance(self.experts, str) else tuple(self.experts)
        if not experts or len(set(experts)) < len(experts) or not set(experts) <= set(EXPERTS):
            raise ValueError(f"experts must be some of {EXPERTS}, found {self.experts!r}.")
        return tuple(name for name in EXPERTS if name in experts)

    def _train_tracker(self, steps, truth, model, tick):
        """Train what finds positions in frames; and find them in frames it has not seen.

        Returns positions (n_steps, n_dims) in mm and their variances, summed over axes (n_steps,).
        Each recording is read by a tracker trained on other patients, so that the forecaster
        learns how well positions will be found in a new one.
        """
        recordings = steps.recordings()
        patients = np.array([steps.patient[rows.start] for rows in recordings])
        folds = _split(patients)
        labelled = replace(steps, cine=steps.cine.with_positions(truth))
        seen, doubt = np.full(truth.shape, np.nan), np.full(len(steps), np.nan)
        novelty = np.full(len(steps), np.nan)
        for held_out in folds:
            known = [r for r, out in zip(recordings, held_out, strict=True) if not out]
            known = known or recordings
            tracker = copy.copy(self.tracker_).fit(_recordings(steps, truth, known), tick)
            for rows in (r for r, out in zip(recordings, held_out, strict=True) if out):
                watch = PatientWatch(model, self.n_dims_, tracker.start())
                for row, _, fix in watch_recording(watch, labelled, rows, self.warmup):
                    seen[row], doubt[row] = fix.position, fix.variance.sum()
                    novelty[row] = fix.novelty
                seen[rows] += watch.origin
                tick()
        if len(folds) > 1:
            self.tracker_.fit(_recordings(steps, truth, recordings), tick)
        else:
            self.tracker_ = tracker
        self.novelty_unit_ = max(1.0, float(np.nanquantile(novelty, _USUAL_SHARE)) / STRANGE)
        return seen, doubt

    def _make_tracker(self, seed):
        """Make what finds positions in frames."""
        return ImageTracker(
            self.planes_,
            n_dims=self.n_dims_,
            warmup=self.warmup,
            device=str(resolve_device(self.device)),
            seed=seed,
            n_maps=_CNN_MAPS if self.encoder == "cnn" else 0,
        )

    def _n_ticks(self, steps, stretches, experts):
        """Most steps that progress can show."""
        n_ticks = 2 * len(stretches)
        if steps.cine is not None:
            n_ticks += 2 * len(stretches) + len(steps.recordings())
            n_ticks += (_TRACKER_FOLDS + 1) * self.tracker_.max_epochs
        if "transformer" in experts:
            n_ticks += self.max_epochs
        return n_ticks


def _paths(steps, stretches, seen, truth, doubt=None):
    """One path per stretch without a gap."""
    return [
        Path(
            steps.patient[rows.start],
            steps.t[rows],
            seen[rows],
            truth[rows],
            None if doubt is None else doubt[rows],
        )
        for rows in stretches
    ]


def _split(patients):
    """Part recordings by patient into a few folds: masks of those held out.

    With one patient only, nothing can be held out; the one fold then holds its own training.
    """
    names, codes = np.unique(patients, return_inverse=True)
    n_folds = min(_TRACKER_FOLDS, len(names))
    if n_folds == 1:
        return [np.ones(len(patients), bool)]
    return [codes % n_folds == fold for fold in range(n_folds)]


def _recordings(steps, truth, chosen):
    """Recordings as the tracker learns from them."""
    cine = steps.cine
    return [
        Recording(
            t=steps.t[rows],
            frames=cine[rows].frames,
            mask=cine.mask[rows],
            pixel_mm=cine.pixel_mm[rows.start],
            positions=truth[rows],
        )
        for rows in chosen
    ]


def _usual_pixels(cine):
    """Median pixel size of each plane, in mm."""
    sizes = np.where(cine.mask, cine.pixel_mm, np.nan)
    return {plane: float(np.nanmedian(sizes[:, k])) for k, plane in enumerate(cine.planes)}
