"""What the predictors of classes, numbers and survival share."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..base import TorchEstimator, draw_seeds, to_tensor
from ..nn import LOSSES, SelectorNet, gate_rate

_COLUMNS_AT_ONCE = 4096


class DeepFeaturePredictor(TorchEstimator):
    """What the three predictors share: preparation, the network and its weights per input."""

    _task: str
    _parameter_constraints: dict = {
        **TorchEstimator._parameter_constraints,
        "hidden_layer_sizes": ["array-like"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(16,),
        *,
        alpha=0.02,
        weight_decay=1e-3,
        dropout=0.0,
        learning_rate=0.1,
        max_epochs=200,
        batch_size=None,
        validation_fraction=None,
        n_iter_no_change=20,
        warm_start=False,
        device="auto",
        dtype="auto",
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state

    @abstractmethod
    def _validate(self, X, y, weight):
        """Check the input of ``fit``: table, encoded target, row weights and strata."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples in rows. Columns are standardised inside; NaN counts as the column's
            mean. A sparse matrix is made dense.
        y : array-like
            Target, see the class.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, not negative.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the input is not valid, no row has a weight, or training diverged.
        """
        for width in self.hidden_layer_sizes:
            if not isinstance(width, Integral) or width < 1:
                raise ValueError(
                    f"hidden_layer_sizes holds {width!r}; use whole numbers from 1, such as (16,)."
                )
        table, target, weight, strata = self._validate(X, y, sample_weight)
        if not self._warm():
            self.center_, self.scale_ = _column_moments(table, weight)
        table = self._standardise(table)
        train, valid = self._split(strata, len(table))
        rows = table, target, weight.astype(table.dtype)
        self._train(
            LOSSES[self._task],
            *(array[train] for array in rows),
            valid=None if valid is None else tuple(array[valid] for array in rows),
            given=(X, y),
            max_epochs=self.max_epochs,
            learning_rate=self.learning_rate,
            gate_rate=gate_rate(self.n_features_in_),
            # as the inputs are scaled in the network: one value suits any number of columns
            alpha=self.alpha * self.n_features_in_**-0.5,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            patience=self.n_iter_no_change,
        )
        self._measure(table)
        return self

    def _make_module(self):
        return SelectorNet(
            self.n_features_in_,
            self.n_outputs_,
            tuple(self.hidden_layer_sizes),
            dropout=self.dropout,
        )

    def _table(self, X, y="no_validation", **checks):
        """Validate ``X``, and ``y`` if given, and make ``X`` dense."""
        checked = validate_data(
            self,
            X,
            y,
            dtype=[np.float64, np.float32],
            accept_sparse=["csr", "csc"],
            ensure_all_finite="allow-nan",
            **checks,
        )
        table, rest = (checked[0], checked[1:]) if isinstance(checked, tuple) else (checked, ())
        table = table if isinstance(table, np.ndarray) else table.toarray()
        # one memory layout, so that a frame and an array of the same numbers round alike
        table = np.ascontiguousarray(table)
        return (table, *rest) if rest else table

    def _standardise(self, table):
        """Centre and scale a table in its own dtype; NaN becomes the mean."""
        result = table - self.center_.astype(table.dtype)
        result /= self.scale_.astype(table.dtype)
        missing = np.isnan(result)
        if missing.any():
            result[missing] = 0.0
        return result

    def _split(self, strata, n_samples):
        """Positions of the rows to train on and of those for early stopping, if any."""
        if self.validation_fraction is None:
            return slice(None), None
        return train_test_split(
            np.arange(n_samples),
            test_size=self.validation_fraction,
            stratify=strata,
            random_state=draw_seeds(self.random_state, 3)[2],
        )

    def _measure(self, table):
        """Store the weight of each input, in the selection layer and in the whole network."""
        module = self._trained_module()
        effects, sizes = module.effective_weights(
            to_tensor(table, dtype=module.skip.weight.dtype),
            centre_outputs=self._task == "classification",
        )
        effects = effects.numpy().astype(np.float64).T
        if effects.shape[1] == 1:
            effects = effects[:, 0]
        elif self._task == "classification" and effects.shape[1] == 2:
            effects = effects[:, 1] - effects[:, 0]
        self.selection_weights_ = self.weights_["select.weight"].astype(np.float64)
        self.feature_importances_ = sizes.numpy().astype(np.float64)
        self.effects_ = effects

    def _outputs(self, X):
        """Give the outputs of the network for the user's ``X``."""
        check_is_fitted(self, "weights_")
        return self._forward(self._standardise(self._table(X, reset=False)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def check_weight(weight, X):
    """Row weights as float64, not negative and not all zero."""
    return _check_sample_weight(
        weight, X, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=False
    )


def _column_moments(table, weight):
    """Weighted mean and standard deviation of each column over its values that are not NaN.

    Columns without a value get mean zero, constant ones scale one.
    """
    n_columns = table.shape[1]
    mean, scale = np.zeros(n_columns), np.ones(n_columns)
    for start in range(0, n_columns, _COLUMNS_AT_ONCE):
        part = slice(start, start + _COLUMNS_AT_ONCE)
        values = table[:, part].astype(np.float64)
        known = ~np.isnan(values)
        values[~known] = 0.0
        mass = weight @ known
        mass[mass == 0] = 1.0
        mean[part] = weight @ values / mass
        values -= mean[part]
        values[~known] = 0.0
        deviation = np.sqrt(weight @ values**2 / mass)
        # rounding leaves a constant column some deviation, in proportion to its mean
        constant = deviation <= 1e-6 * np.abs(mean[part]) * (table.dtype == np.float32)
        constant |= deviation <= 1e-12 * np.abs(mean[part])
        scale[part] = np.where(constant, 1.0, deviation)
    return mean, scale
