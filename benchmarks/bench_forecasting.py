"""Time, memory and error of TumourPositionForecaster on made breathing and on the phantom.

Run with ``make bench``.
"""

import numpy as np

from sklearn_medsel.datasets import make_breathing, make_cine_phantom
from sklearn_medsel.forecasting import TumourPositionForecaster

_LINEAR, _ALL = ("persistence", "ridge"), ("persistence", "ridge", "transformer")
_EXPERTS = {"linear": _LINEAR, "all": _ALL}
_PLANES = {"coronal": ("coronal",), "all": ("coronal", "sagittal", "axial")}


def _forecaster(experts, **parameters):
    return TumourPositionForecaster(
        (0.25, 0.5, 1.0),
        experts=_EXPERTS[experts],
        max_epochs=2,
        device="cpu",
        random_state=0,
        **parameters,
    )


def _breathing(n_patients, duration):
    return make_breathing(n_patients, duration=duration, rate=5, random_state=0)


class Positions:
    """Training on three patients; then a session, and a recording of 60 s."""

    params = ("linear", "all")
    param_names = ("experts",)
    timeout = 600
    rounds = 1
    repeat = 3
    number = 1

    def setup(self, experts):
        self.data = _breathing(4, 60)
        self.seen = self.data.groups < 3
        self.model = _forecaster(experts).fit(self.data.X[self.seen])
        self.new = self.data.X[~self.seen]
        self.places = self.new[["x", "y", "z"]].to_numpy()
        self.session = self.model.start_session()
        self.row = 0
        self.time_update_positions_100(experts)

    def time_fit(self, experts):
        _forecaster(experts).fit(self.data.X[self.seen])

    def peakmem_fit(self, experts):
        _forecaster(experts).fit(self.data.X[self.seen])

    def time_predict(self, experts):
        self.model.predict(self.new)

    def time_update_positions_100(self, experts):
        for _ in range(100):
            place = self.places[self.row % len(self.places)]
            self.session.update(0.2 * self.row, position=place)
            self.row += 1

    def peakmem_update_positions(self, experts):
        for _ in range(20):
            self.time_update_positions_100(experts)

    def track_rmse(self, experts):
        return -self.model.score(self.new)

    track_rmse.unit = "mm"


class Frames:
    """A session with frames of 112 x 112 pixels."""

    params = ("coronal", "all")
    param_names = ("planes",)
    timeout = 600
    rounds = 1
    repeat = 3
    number = 1

    def setup_cache(self):
        kept = {}
        for name, planes in _PLANES.items():
            data = make_cine_phantom(
                3,
                duration=30,
                planes=planes,
                size=112,
                pixel_mm=1.0,
                lost=0.0,
                bursts=0,
                random_state=0,
            )
            cine = data.X.with_positions(data.y)
            train = cine[cine.patient < 2]
            kept[name] = train, cine[cine.patient == 2], _forecaster("all").fit(train)
        return kept

    def setup(self, kept, planes):
        self.train, self.new, self.model = kept[planes]
        self.frames = [
            dict(zip(self.new.planes, frames, strict=True)) for frames in self.new.frames[:100]
        ]
        self.session = self.model.start_session(pixel_mm=1.0, deadline=60.0)
        self.row = 0
        self.time_update_frames_50(kept, planes)

    def time_fit(self, kept, planes):
        _forecaster("all").fit(self.train)

    def time_update_frames_50(self, kept, planes):
        for _ in range(50):
            t, frames = 0.2 * self.row, self.frames[self.row % len(self.frames)]
            place = self.new.positions[self.row] if t < 20 else None
            self.session.update(t, position=place, **frames)
            self.row += 1

    def time_predict(self, kept, planes):
        self.model.predict(self.new)

    def peakmem_update_frames(self, kept, planes):
        self.time_update_frames_50(kept, planes)

    def track_latency_p99(self, kept, planes):
        ms = []
        for _ in range(200):
            frames = self.frames[self.row % len(self.frames)]
            ms.append(self.session.update(0.2 * self.row, **frames).latency_ms)
            self.row += 1
        return float(np.percentile(ms, 99))

    track_latency_p99.unit = "ms"
