"""What every estimator of this package stands on: device, seeds, progress, plain state.

`TorchEstimator` owns the parts of an estimator that trains a torch module and that have
nothing to do with its task. The training loop itself lives in `_training`.
"""

import contextlib
import functools
import threading
from abc import abstractmethod

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import ThreadpoolController

from ._training import Rows, train_module

__all__ = [
    "CallbackSupportMixin",
    "TorchEstimator",
    "draw_seeds",
    "one_blas_thread",
    "one_thread",
    "progress",
    "resolve_device",
    "seeded",
    "to_arrays",
    "to_tensor",
    "to_tensors",
    "until_stopped",
]

_SEED_LIMIT = 2**31 - 1
_ALIGNMENT = 64  # bytes; where torch puts a new tensor
_rng_lock = threading.RLock()


@contextlib.contextmanager
def seeded(seed):
    """Seed torch's global CPU generator inside the block and put it back afterwards.

    torch initialises layers from one generator per process, so a lock keeps other threads
    of this package out meanwhile. Build modules in the block and train outside of it, with
    generators of your own.

    Parameters
    ----------
    seed : int
        Seed of the block.
    """
    with _rng_lock:
        before = torch.random.get_rng_state()
        try:
            # default_generator, not torch.manual_seed: that one would touch CUDA's as well
            torch.random.default_generator.manual_seed(int(seed))
            yield
        finally:
            torch.random.set_rng_state(before)


def draw_seeds(random_state, n_seeds):
    """Draw ``n_seeds`` integer seeds from ``random_state``, as a list of int."""
    rng = check_random_state(random_state)
    return [int(seed) for seed in rng.randint(_SEED_LIMIT, size=n_seeds)]


def resolve_device(device="auto"):
    """Turn the ``device`` parameter of an estimator into a `torch.device`.

    Parameters
    ----------
    device : str or torch.device, default="auto"
        ``"auto"`` takes CUDA if there is one and the CPU otherwise; else any name torch
        knows, such as ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Returns
    -------
    torch.device
        A device that this process can use.

    Raises
    ------
    ValueError
        If torch does not know the name, or the device is not there.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is no device torch knows. Use 'auto', 'cpu', 'cuda' or 'cuda:0'."
        ) from error
    try:
        torch.ones(1, device=resolved).item()  # the "meta" device fails here as well
    except Exception as error:  # each backend raises its own type
        raise ValueError(
            f"device={device!r} is not available on this machine. "
            "Use device='auto', which takes CUDA if there is one and the CPU otherwise."
        ) from error
    return resolved


class _ThreadLimit:
    """How many blocks run on one thread just now, and the number of threads to restore."""

    lock = threading.Lock()
    depth = 0
    before = 1


@contextlib.contextmanager
def one_thread():
    """Run torch's CPU kernels on one thread inside the block.

    A kernel that splits a sum over threads rounds differently for each number of threads;
    on one thread, a worker process and the main process compute the same numbers.
    """
    with _ThreadLimit.lock:
        if _ThreadLimit.depth == 0:
            _ThreadLimit.before = torch.get_num_threads()
        _ThreadLimit.depth += 1
        before = _ThreadLimit.before
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        with _ThreadLimit.lock:
            _ThreadLimit.depth -= 1


class _BlasLimit:
    """The same for the threads of BLAS, which numpy and scipy call."""

    lock = threading.Lock()
    depth = 0
    limiter = None


@functools.cache
def _blas_libraries():
    """Find the BLAS libraries of the process; that takes milliseconds, so once."""
    return ThreadpoolController().select(user_api="blas")


@contextlib.contextmanager
def one_blas_thread():
    """Run numpy's and scipy's linear algebra on one thread inside the block.

    Small matrices, many times a second: there, waiting for other threads takes longer than the
    work, on a busy machine a hundred times as long.
    """
    with _BlasLimit.lock:
        if _BlasLimit.depth == 0:
            _BlasLimit.limiter = _blas_libraries().limit(limits=1)
        _BlasLimit.depth += 1
    try:
        yield
    finally:
        with _BlasLimit.lock:
            _BlasLimit.depth -= 1
            if _BlasLimit.depth == 0:
                _BlasLimit.limiter.restore_original_limits()


@contextlib.contextmanager
def progress(estimator, X=None, y=None, n_steps=None, *, task_name="step"):
    """Report the steps of a fit to the scikit-learn callbacks set on ``estimator``.

    To be used once in a ``fit`` that is decorated with ``_fit_context``, which tears the
    callbacks down.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
        The estimator being fitted.
    X, y : object, default=None
        What the user passed to ``fit``; callbacks that score see these.
    n_steps : int, default=None
        The largest number of steps, if it is known: a progress bar shows it as its end.
    task_name : str, default="step"
        What a step is called in the callbacks' log, such as ``"epoch"``.

    Yields
    ------
    step : callable
        ``step(attributes=None)`` says that one more step is done and returns True if a
        callback asks to stop. ``attributes`` is a dict, or a function giving one, of the
        fitted attributes that would make the estimator ready to predict as it is now.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator, _fit_context
    >>> from sklearn_medsel.base import CallbackSupportMixin, progress
    >>> class Counter(CallbackSupportMixin, BaseEstimator):
    ...     _parameter_constraints: dict = {}
    ...
    ...     @_fit_context(prefer_skip_nested_validation=True)
    ...     def fit(self, X, y=None):
    ...         with progress(self, X, y, n_steps=3) as step:
    ...             for self.n_iter_ in range(1, 4):
    ...                 if step():
    ...                     break
    ...         return self
    >>> Counter().fit([[1.0]]).n_iter_
    3
    """
    context = estimator._init_callback_context(max_subtasks=n_steps)
    data = {"X": X, "y": y}
    context.call_on_fit_task_begin(estimator=estimator, **data)

    def begin():
        task = context.subcontext(task_name=task_name)
        return task.call_on_fit_task_begin(estimator=estimator, **data)

    n_done = 0
    running = begin() if n_steps is None or n_steps > 0 else None

    def step(attributes=None):
        nonlocal n_done, running
        if running is None:
            raise RuntimeError(f"progress was told of {n_steps} steps; this is one more.")
        stop = running.call_on_fit_task_end(
            estimator=estimator, reconstruction_attributes=attributes, **data
        )
        n_done += 1
        running = None if stop or n_done == n_steps else begin()
        return stop

    yield step
    context.call_on_fit_task_end(estimator=estimator, reconstruction_attributes={}, **data)


def until_stopped(step):
    """`step` that keeps saying that a callback asked to stop: what must be done goes on unseen."""
    stopped = False

    def step_once():
        nonlocal stopped
        stopped = stopped or bool(step())
        return stopped

    return step_once


class TorchEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of estimators that train one torch module inside ``fit``.

    A subclass lists its parameters in ``__init__`` (among them ``device``, ``dtype``,
    ``warm_start`` and ``random_state``), validates its input and calls `_train`. It says by
    `_make_module` what to train. The trained module is kept as numpy arrays in
    ``weights_`` and built again whenever it is used: so the state of a fitted estimator is
    plain, small to pickle, and safe to load without pickle.
    """

    _parameter_constraints: dict = {
        "device": [str],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    _batch_rows = 4096

    @abstractmethod
    def _make_module(self):
        """Build the module from parameters and from fitted attributes that are plain."""

    def _warm(self):
        """Say whether ``fit`` goes on from the weights of the last one."""
        return self.warm_start and hasattr(self, "weights_")

    def _torch_dtype(self, X):
        """Precision to train in: that of ``X`` unless the user chose one."""
        return X.dtype.name if self.dtype == "auto" else self.dtype

    def _train(self, loss, X, target, weight, *, given, valid=None, **settings):
        """Train the module and store it.

        Parameters
        ----------
        loss : callable
            One of `nn.LOSSES`.
        X, target, weight : ndarray
            Validated and encoded rows.
        given : tuple
            ``(X, y)`` as the user passed them; scikit-learn callbacks see these.
        valid : tuple of ndarray, default=None
            ``(X, target, weight)`` of the rows that decide about early stopping.
        **settings
            Further arguments of `train_module`.

        Returns
        -------
        self
            With ``weights_``, ``n_iter_``, ``loss_curve_`` and ``validation_curve_``.
        """
        device = resolve_device(self.device)
        seed, order_seed = draw_seeds(self.random_state, 2)
        if not self._warm():
            self.dtype_ = self._torch_dtype(X)
            self.n_iter_ = 0
        with seeded(seed):
            module = self._make_module()
        dtype = getattr(torch, self.dtype_)
        module.to(device, dtype)
        if self._warm():
            try:
                module.load_state_dict(to_tensors(self.weights_))
            except RuntimeError as error:
                raise ValueError(
                    "the weights of the last fit do not suit the network any more: a parameter "
                    "such as hidden_layer_sizes has changed. Set warm_start=False to start anew."
                ) from error

        def rows(*arrays):
            tensors = (to_tensor(array, device, dtype) for array in arrays)
            return Rows(*tensors)

        epochs = settings["max_epochs"]
        n_before = self.n_iter_
        n_done = 0

        def attributes():
            return {"weights_": to_arrays(module), "n_iter_": n_before + n_done}

        with progress(self, *given, n_steps=epochs, task_name="epoch") as step:

            def on_epoch():
                nonlocal n_done
                n_done += 1
                return step(attributes)

            record = train_module(
                module,
                loss,
                rows(X, target, weight),
                valid_rows=None if valid is None else rows(*valid),
                seed=order_seed,
                on_epoch=on_epoch,
                **settings,
            )
            self._store(module, record)
        return self

    def _store(self, module, record):
        """Keep a trained module and what its training left behind as plain state."""
        weights = to_arrays(module)
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise ValueError(
                "training diverged: the network's weights are not finite. Use a smaller "
                "learning_rate."
            )
        self.weights_ = weights
        self.n_iter_ += record.n_epochs
        self.loss_curve_ = list(record.train_losses)
        self.validation_curve_ = list(record.valid_losses)

    def _trained_module(self, device="cpu"):
        """Build the module as it was after ``fit``, ready to predict."""
        check_is_fitted(self, "weights_")
        with seeded(0):
            module = self._make_module()
        module.to(device, getattr(torch, self.dtype_))
        module.load_state_dict(to_tensors(self.weights_))
        return module.eval()

    def _forward(self, X):
        """Give the outputs (n, n_outputs) of the trained module as float64."""
        device = resolve_device(self.device)
        module = self._trained_module(device)
        rows = to_tensor(X, "cpu", getattr(torch, self.dtype_))
        with torch.inference_mode():
            outputs = [module(batch.to(device)).cpu() for batch in rows.split(self._batch_rows)]
        return torch.cat(outputs).numpy().astype(np.float64)


def to_tensor(array, device="cpu", dtype=None):
    """Copy ``array`` only where torch needs it; whole numbers keep their type."""
    array = np.asarray(array)
    if not array.flags.writeable:
        array = array.copy()  # torch warns about memory it may not write to
    dtype = dtype if array.dtype.kind == "f" else None
    tensor = torch.as_tensor(array, device=device, dtype=dtype)
    # a BLAS may round by where memory starts: as torch's own does, here and in any worker
    return tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor


def to_arrays(module):
    """State of a module as a dict of numpy arrays of its own."""
    return {name: value.cpu().numpy().copy() for name, value in module.state_dict().items()}


def to_tensors(weights):
    """Turn a dict of numpy arrays into one of tensors."""
    return {name: to_tensor(value) for name, value in weights.items()}
