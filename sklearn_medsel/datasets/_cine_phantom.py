"""`make_cine_phantom`: cine MR of moving anatomies in up to three planes, with exact positions."""

import os
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_medsel.datasets._breathing import (
    AXES,
    EVENT_COLUMNS,
    events_table,
    make_breathing,
    number_of_steps,
    three_numbers,
)
from sklearn_medsel.datasets._cine_anatomy import analytic_anatomy, ct_anatomy, ct_volume
from sklearn_medsel.datasets._cine_motion import given_motion, lost_frames, positions_within
from sklearn_medsel.datasets._cine_render import PLANE_AXES, PlaneView
from sklearn_medsel.datasets._expression import _generator

_PLANES = tuple(PLANE_AXES)
_EXPOSURE = np.array([-0.5, 0.0, 0.5])  # moments within an exposure that a frame averages
_AMPLITUDE = (14.0, 5.0, 2.5)
_GENERATED = {"irregularity": 0.3, "coughs": 0.5, "breath_holds": 0.2}


@validate_params(
    {
        "n_patients": [Interval(Integral, 1, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither")],
        "rate": [Interval(Real, 0, None, closed="neither")],
        "planes": ["array-like", StrOptions(set(_PLANES))],
        "acquisition": [StrOptions({"simultaneous", "interleaved"})],
        "size": [Interval(Integral, 8, None, closed="left")],
        "pixel_mm": [Interval(Real, 0.25, 10, closed="both")],
        "anatomy": [str, os.PathLike, "array-like"],
        "voxel_mm": [Interval(Real, 0, None, closed="neither")],
        "breathing": [Bunch, pd.DataFrame, None],
        "start": [Interval(Real, 0, None, closed="left")],
        "amplitude": ["array-like", None],
        "drift": ["array-like", None],
        "irregularity": [Interval(Real, 0, 1, closed="both")],
        "coughs": [Interval(Real, 0, None, closed="left")],
        "breath_holds": [Interval(Real, 0, None, closed="left")],
        "exposure": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, 1, closed="both")],
        "lost": [Interval(Real, 0, 1, closed="left")],
        "bursts": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_cine_phantom(
    n_patients=6,
    duration=84.0,
    rate=5.0,
    *,
    planes=("coronal", "sagittal", "axial"),
    acquisition="simultaneous",
    size=56,
    pixel_mm=2.0,
    anatomy="analytic",
    voxel_mm=1.0,
    breathing=None,
    start=0.0,
    amplitude=None,
    drift=None,
    irregularity=0.3,
    coughs=0.5,
    breath_holds=0.2,
    exposure=0.12,
    noise=0.025,
    lost=0.04,
    bursts=2,
    random_state=None,
):
    """Make cine MR frames of a lesion that breathing moves, with its exact positions.

    Each patient is a volume with a dark lesion in the liver below the diaphragm. Everything near
    the lesion moves with it; chest wall and spine stay. The planes are fixed in space and cross
    at the lesion's place at rest, so that each sees motion along its two axes, and the third axis
    only as a change of what is in the plane. A frame averages over its exposure and has
    coil shading and Rician noise.

    The same `random_state` gives the same patients, positions, losses and image noise whatever
    `planes` and `acquisition` are: what they leave is what the full acquisition shows there.

    Parameters
    ----------
    n_patients : int, default=6
        Number of patients. Taken from `breathing` when that is given.
    duration : float, default=84.0
        Length of each recording in s.
    rate : float, default=5.0
        Time steps per second.
    planes : tuple of {"coronal", "sagittal", "axial"}, default=all three
        Planes to acquire, in this order.
    acquisition : {"simultaneous", "interleaved"}, default="simultaneous"
        ``"simultaneous"``: every plane at every step. ``"interleaved"``: one plane at each
        step, in turn, so that each plane comes at ``rate / n_planes``.
    size : int, default=56
        Rows and columns of a frame.
    pixel_mm : float, default=2.0
        Size of a pixel in mm, from 0.25 to 10.
    anatomy : "analytic", path or array-like of shape (n_si, n_ap, n_lr), default="analytic"
        ``"analytic"``: an upper abdomen of ellipsoids and tubes. An array holds CT numbers plus
        1024 around the right dome of the diaphragm, rows towards the feet and columns towards
        the back; a path names an ``.npz`` file with such arrays in ``phases`` (n_phases, n_si,
        n_ap, n_lr; the first is taken), times ``scale``, and ``voxel_mm``. From a CT each
        patient gets another warp and scale, vessels and lesion; beyond its edges it is mirrored.
    voxel_mm : float, default=1.0
        Size of a voxel of an array given as `anatomy`, in mm.
    breathing : Bunch or DataFrame or None, default=None
        Traces of `make_breathing`, or real ones as a DataFrame with the columns ``t`` (s),
        ``patient`` and ``x``, ``y``, ``z`` (SI, AP, LR in mm); each patient's median is taken as
        its place at rest. None makes them.
    start : float, default=0.0
        Time in s of the traces in `breathing` at which the recordings begin.
    amplitude : array-like of shape (3,) or None, default=None
        Range of the motion along SI, AP and LR in mm. Given traces are scaled so that their
        range from the 2.5th to the 97.5th percentile is 0.7 to 1.3 times this; None keeps
        them as they are. For generated ones see `make_breathing`; None is its default.
    drift : array-like of shape (3,) or None, default=None
        Standard deviation of the baseline's random walk after one minute, in mm. It is added
        to given traces; None adds none. For generated ones None is the default of
        `make_breathing`.
    irregularity, coughs, breath_holds : float, default=0.3, 0.5, 0.2
        See `make_breathing`. Leave them out when `breathing` is given.
    exposure : float, default=0.12
        Time in s over which a frame averages, around its time.
    noise : float, default=0.025
        Standard deviation of the image noise in each of the two channels, as a part of the
        largest grey value, 255.
    lost : float, default=0.04
        Part of the frames that is lost at random.
    bursts : int, default=2
        How often in each recording a plane is lost for 3 to 8 s, after the first third.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random here. An int gives the same phantom in every call. The global
        generators are never drawn from.

    Returns
    -------
    Bunch
        With the fields

        X : CineSequence of shape (n_steps, n_planes, size, size), uint8
            The frames, without positions. Coronal frames have SI as rows and LR as columns,
            sagittal ones SI and AP, axial ones AP and LR.
        y : ndarray of shape (n_steps, 3), float64
            Position of the lesion's centre along SI, AP and LR in mm, from the point where the
            planes cross.
        groups : ndarray of shape (n_steps,)
            Patient of each step: from 0, or as named in `breathing`.
        events : DataFrame
            Columns ``patient``, ``start``, ``stop`` (s), ``kind`` and ``plane``: what
            `make_breathing` lists, and ``"plane lost"`` with the name of the plane.
        rest : ndarray of shape (n_patients, n_planes, size, size), uint8
            Frames at rest, without noise.
        radius_mm : ndarray of shape (n_patients,), float64
            Radius of each lesion.
        axes : tuple of str
            ``("SI", "AP", "LR")``, the columns of `y`.

    Raises
    ------
    ValueError
        If a plane is unknown or named twice, `breathing` lacks a column, has missing values or
        is too short, or a parameter for generated breathing is set beside it, or `anatomy` is
        neither a volume nor a file that holds one.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_cine_phantom
    >>> data = make_cine_phantom(2, duration=4.0, size=24, pixel_mm=4.0, random_state=0)
    >>> data.X.shape, data.y.shape
    ((40, 3, 24, 24), (40, 3))
    """
    from sklearn_medsel.forecasting._sequence import CineSequence

    planes = _plane_names(planes)
    ct, voxel_mm = ct_volume(anatomy, voxel_mm)
    amplitude = None if amplitude is None else three_numbers(amplitude, "amplitude")
    drift = None if drift is None else three_numbers(drift, "drift")
    n_steps = number_of_steps(duration, rate)
    t = np.arange(n_steps) / rate
    motion_rng, patients_rng = _generator(random_state).spawn(2)
    if breathing is None:
        breathing = make_breathing(
            n_patients,
            duration + 1.0,
            20.0,
            amplitude=_AMPLITUDE if amplitude is None else amplitude,
            drift=1.0 if drift is None else drift,
            irregularity=irregularity,
            coughs=coughs,
            breath_holds=breath_holds,
            noise=0.0,
            random_state=int(motion_rng.integers(2**31)),
        )
        start, amplitude, drift = 0.0, None, None
    else:
        _check_not_generated(irregularity=irregularity, coughs=coughs, breath_holds=breath_holds)
    traces = given_motion(breathing, start=start, duration=duration)

    acquired = np.ones((n_steps, len(planes)), dtype=bool)
    if acquisition == "interleaved":
        acquired = np.arange(n_steps)[:, None] % len(planes) == np.arange(len(planes))
    here = [_PLANES.index(plane) for plane in planes]
    n_rows = n_steps * len(traces)
    frames = np.zeros((n_rows, len(planes), size, size), dtype=np.uint8)
    mask = np.zeros((n_rows, len(planes)), dtype=bool)
    rest = np.zeros((len(traces), *frames.shape[1:]), dtype=np.uint8)
    y, radius, events = np.empty((n_rows, 3)), np.empty(len(traces)), []
    for patient, rng in enumerate(patients_rng.spawn(len(traces))):
        label, trace_t, trace, happened = traces[patient]
        rows = slice(patient * n_steps, (patient + 1) * n_steps)
        motion, losses, body, *views = rng.spawn(3 + len(_PLANES))
        within = positions_within(
            motion, t[:, None] + exposure * _EXPOSURE, trace_t, trace, amplitude, drift
        )
        y[rows] = within[:, 1]
        gone, bursts_here = lost_frames(losses, n_steps, rate, _PLANES, lost, bursts)
        mask[rows] = acquired & ~gone[:, here]
        reach = np.abs(within).max(axis=(0, 1))
        extent = 0.5 * size * pixel_mm + reach + 2 * pixel_mm
        if ct is None:
            body = analytic_anatomy(body, extent, reach, float(np.clip(0.75 * pixel_mm, 1, 2)))
        else:
            body = ct_anatomy(body, ct, voxel_mm, extent, reach)
        radius[patient] = body.radius_mm
        for k, plane in enumerate(planes):
            view = PlaneView(views[here[k]], body, plane, size, pixel_mm)
            rest[patient, k] = view.render(np.zeros((1, 1, 3)))[0].clip(0, 255)
            view.acquire(within, mask[rows, k], noise * 255, out=frames[rows, k])
        events += [(label, *event, "") for event in happened]
        events += [
            (label, t[first], t[after - 1], "plane lost", plane)
            for first, after, plane in bursts_here
            if plane in planes
        ]

    groups = np.repeat(np.asarray([trace[0] for trace in traces]), n_steps)
    X = CineSequence(
        frames,
        np.tile(t, len(traces)),
        planes=planes,
        pixel_mm=float(pixel_mm),
        mask=mask,
        patient=groups,
    )
    return Bunch(
        X=X,
        y=y,
        groups=groups,
        events=events_table(events, (*EVENT_COLUMNS, "plane")),
        rest=rest,
        radius_mm=radius,
        axes=AXES,
    )


def _plane_names(planes):
    """Planes as a tuple of known names."""
    planes = (planes,) if isinstance(planes, str) else tuple(planes)
    if not planes or len(set(planes)) < len(planes) or not set(planes) <= set(_PLANES):
        raise ValueError(f"planes must name one or more of {_PLANES}, each once; found {planes!r}.")
    return planes


def _check_not_generated(**given):
    """Refuse settings of generated breathing beside traces that are given."""
    changed = [name for name, value in given.items() if value != _GENERATED[name]]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} shape generated breathing, but breathing is given; leave "
            "that out, or set it in make_breathing."
        )
