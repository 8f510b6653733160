"""Device, seeds, threads, progress and the plain state of estimators."""

import pickle
import threading

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV

from sklearn_medsel.base import (
    CallbackSupportMixin,
    TorchEstimator,
    draw_seeds,
    one_thread,
    progress,
    resolve_device,
    seeded,
)
from sklearn_medsel.nn import SelectorNet, squared_error


class Recorder:
    """A callback that writes down what it is told and stops after some steps."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.begun, self.ended, self.life = [], [], []

    def setup(self, estimator, context):
        self.life.append("setup")

    def teardown(self, estimator, context):
        self.life.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.ended.append((context.task_name, context.task_id))
        return self.stop_after is not None and context.task_id + 1 >= self.stop_after


class Counter(CallbackSupportMixin, BaseEstimator):
    _parameter_constraints: dict = {"n_steps": "no_validation", "fail": "no_validation"}

    def __init__(self, n_steps=3, *, fail=False):
        self.n_steps = n_steps
        self.fail = fail

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        self.n_iter_ = 0
        with progress(self, X, y, self.n_steps) as step:
            while self.n_iter_ != self.n_steps:
                self.n_iter_ += 1
                if step():
                    break
            if self.fail:
                raise RuntimeError("on purpose")
        return self


class Linear(TorchEstimator):
    """The least an estimator has to say."""

    _parameter_constraints: dict = {
        **TorchEstimator._parameter_constraints,
        "max_epochs": "no_validation",
    }

    def __init__(
        self,
        max_epochs=10,
        *,
        warm_start=False,
        device="cpu",
        dtype="auto",
        random_state=None,
    ):
        self.max_epochs = max_epochs
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state

    def _make_module(self):
        return SelectorNet(self.n_features_in_, 1, (4,))

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        weight = np.ones(len(X), X.dtype)
        return self._train(
            squared_error,
            X,
            y[:, None],
            weight,
            given=(X, y),
            max_epochs=self.max_epochs,
            learning_rate=0.05,
            gate_rate=2.0,
        )

    def predict(self, X):
        return self._forward(X)[:, 0]

    def score(self, X, y):
        return -np.mean((self.predict(X) - y) ** 2)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return X, X[:, 0] - 2 * X[:, 1]


def test_seeded_repeats_and_leaves_the_generator_alone():
    before = torch.random.get_rng_state()
    with seeded(3):
        first = torch.rand(4)
    with pytest.raises(ZeroDivisionError), seeded(4):
        _ = torch.rand(1).item() / 0
    with seeded(3):
        assert torch.equal(first, torch.rand(4))
    assert torch.equal(before, torch.random.get_rng_state())


def test_seeded_holds_in_threads():
    def draw(seed, results):
        for _ in range(50):
            with seeded(seed):
                results.append(torch.rand(100))

    results = {seed: [] for seed in range(4)}
    threads = [threading.Thread(target=draw, args=item) for item in results.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for drawn in results.values():
        assert all(torch.equal(drawn[0], other) for other in drawn)


def test_draw_seeds_leaves_numpy_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert draw_seeds(0, 3) == draw_seeds(0, 3)
    assert draw_seeds(0, 3) != draw_seeds(1, 3)
    rng = np.random.RandomState(0)
    assert draw_seeds(rng, 2) != draw_seeds(rng, 2)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_one_thread_nests_and_restores():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
            with one_thread():
                assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_resolve_device():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device().type == expected
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")
    for unknown in ("gpu", 3.5):
        with pytest.raises(ValueError, match="no device torch knows"):
            resolve_device(unknown)
    for absent in ("meta", "cuda:99"):
        with pytest.raises(ValueError, match=f"device='{absent}' is not available"):
            resolve_device(absent)


def test_progress_reports_every_step():
    recorder = Recorder()
    counter = Counter().set_callbacks(recorder).fit([[1.0]])
    assert counter.n_iter_ == 3
    steps = [("step", 0), ("step", 1), ("step", 2)]
    assert recorder.begun == [("fit", 0), *steps]
    assert recorder.ended == [*steps, ("fit", 0)]
    assert recorder.life == ["setup", "teardown"]


@pytest.mark.parametrize("n_steps", [5, None])
def test_progress_stops_where_a_callback_asks(n_steps):
    recorder = Recorder(stop_after=2)
    assert Counter(n_steps).set_callbacks(recorder).fit([[1.0]]).n_iter_ == 2
    assert recorder.begun.count(("step", 1)) == recorder.ended.count(("step", 1)) == 1
    assert ("step", 2) not in recorder.begun


def test_progress_tears_down_after_an_error():
    recorder = Recorder()
    counter = Counter(fail=True).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="on purpose"):
        counter.fit([[1.0]])
    assert recorder.life == ["setup", "teardown"]


def test_progress_refuses_more_steps_than_were_promised():
    class Liar(Counter):
        @_fit_context(prefer_skip_nested_validation=True)
        def fit(self, X, y=None):
            with progress(self, X, y, 1) as step:
                step()
                step()

    with pytest.raises(RuntimeError, match="told of 1 steps"):
        Liar().fit([[1.0]])


def test_state_is_plain_and_complete(data):
    X, y = data
    model = Linear(random_state=0).fit(X, y)
    for name, value in model.__getstate__().items():
        assert isinstance(value, (str, int, float, list, dict, type(None))), name
    assert all(type(array) is np.ndarray for array in model.weights_.values())
    assert len(model.loss_curve_) == model.n_iter_ == 10
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    state = pickle.dumps(model)
    model.predict(X)
    assert pickle.dumps(model) == state


def test_seed_decides_and_no_global_generator_moves(data):
    X, y = data
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = Linear(random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(first, Linear(random_state=0).fit(X, y).predict(X))
    assert not np.array_equal(first, Linear(random_state=1).fit(X, y).predict(X))
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_dtype(data):
    X, y = data
    assert Linear().fit(X, y).weights_["skip.weight"].dtype == np.float64
    assert Linear().fit(X.astype("f4"), y).dtype_ == "float32"
    assert Linear(dtype="float32").fit(X, y).weights_["skip.weight"].dtype == np.float32


def test_readonly_input_is_taken_without_a_warning(data):
    X, y = data
    X.flags.writeable = y.flags.writeable = False
    Linear().fit(X, y).predict(X)


def test_warm_start_goes_on(data):
    X, y = data
    model = Linear(30, warm_start=True, random_state=0).fit(X, y)
    loss = model.loss_curve_[-1]
    model.fit(X, y)
    assert model.n_iter_ == 60
    assert model.loss_curve_[0] < loss * 1.05
    assert model.loss_curve_[-1] < loss


def test_callbacks_see_epochs_and_stop_them(data):
    recorder = Recorder(stop_after=4)
    model = Linear(random_state=0).set_callbacks(recorder).fit(*data)
    assert model.n_iter_ == 4
    assert recorder.ended == [("epoch", k) for k in range(4)] + [("fit", 0)]
    assert Linear(4, random_state=0).fit(*data).score(*data) == model.score(*data)


def test_callbacks_score_each_epoch(data):
    monitor = ScoringMonitor(scoring="neg_mean_squared_error")
    model = Linear(6, random_state=0).set_callbacks(monitor).fit(*data)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"].sort_values("task_id")
    scores = epochs["neg_mean_squared_error"].to_numpy()
    assert len(scores) == 6
    assert scores[5] == pytest.approx(model.score(*data))
    assert (np.diff(scores) > 0).all()


def test_callbacks_reach_through_a_grid_search(data):
    recorder = Recorder()
    search = GridSearchCV(Linear(random_state=0), {"max_epochs": [2, 3]}, cv=2)
    search.set_callbacks(recorder).fit(*data)
    # two folds of each, and the best again
    n_epochs = sum(name == "epoch" for name, _ in recorder.ended)
    assert n_epochs == 2 * (2 + 3) + search.best_params_["max_epochs"]
    assert recorder.life == ["setup", "teardown"]


def test_divergence_is_an_error(data):
    X, y = data
    with pytest.raises(ValueError, match="smaller learning_rate"):
        Linear(random_state=0).fit(X * 1e12, y)


def test_unavailable_device_is_named(data):
    with pytest.raises(ValueError, match="device='meta' is not available"):
        clone(Linear(device="meta")).fit(*data)
