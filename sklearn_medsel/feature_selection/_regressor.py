"""The selection network as a regressor, of one or several outputs."""

import numpy as np
from sklearn.base import RegressorMixin

from ._predictor_base import DeepFeaturePredictor, check_weight


class DeepFeatureRegressor(RegressorMixin, DeepFeaturePredictor):
    """Regressor, of one or several outputs, with a feature-selection layer.

    One learned weight per input, starting at one and drawn to zero by an L1 penalty, stands
    in front of a dense ReLU network and of a linear function beside it. The target is
    standardised inside. Where inputs are many more than samples, expect it to tie with a
    penalised linear model rather than to beat it.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(16,)
        Widths of the hidden layers; empty for the linear part alone.
    alpha : float, default=0.02
        L1 penalty on the selection weights, divided by the root of the number of inputs.
        Zero keeps all inputs.
    weight_decay : float, default=1e-3
        L2 penalty on the other weights.
    dropout : float, default=0.0
        Dropout rate behind each hidden layer.
    learning_rate : float, default=0.1
        Step size of gradient descent with momentum.
    max_epochs : int, default=200
        Largest number of passes over the samples.
    batch_size : int, default=None
        Samples per step; None takes all of them at once.
    validation_fraction : float, default=None
        Share of the samples to hold out for early stopping; None trains on all of them for
        ``max_epochs``.
    n_iter_no_change : int, default=20
        Epochs without improvement on the held-out samples before training stops.
    warm_start : bool, default=False
        Go on from the weights of the last fit, with its standardisation.
    device : str, default="auto"
        Where to train and predict; ``"auto"`` takes CUDA if there is one.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision; ``"auto"`` takes that of ``X``.
    random_state : int, RandomState instance or None, default=None
        Start weights, order of batches, dropout and held-out samples.

    Attributes
    ----------
    feature_importances_ : ndarray of shape (n_features,), float64
        Effect of one standard deviation of each input through the whole network (root mean
        square over the training samples, summed over the outputs), in standard deviations
        of the target; not negative.
    effects_ : ndarray of shape (n_features,) or (n_features, n_outputs), float64
        The same with its sign, averaged, in the unit of the target.
    y_center_, y_scale_ : ndarray of shape (n_outputs,), float64
        Mean and standard deviation of the training target.
    selection_weights_ : ndarray of shape (n_features,), float64
        Weights of the selection layer; zero means that an input is not used.
    weights_ : dict of str to ndarray
        All weights of the network.
    center_, scale_ : ndarray of shape (n_features,), float64
        Mean and standard deviation of the training columns.
    n_iter_ : int
        Epochs trained, over all warm starts.
    loss_curve_, validation_curve_ : list of float
        Loss after each epoch of the last fit.
    n_features_in_ : int
        Number of inputs.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the inputs, if ``X`` had any.
    n_outputs_ : int
        Number of outputs of the network.
    dtype_ : str
        Precision of the network.

    See Also
    --------
    DeepFeatureClassifier : The same network for classes.
    DeepFeatureCox : The same network for survival.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn_medsel.feature_selection import DeepFeatureRegressor
    >>> X, y = make_regression(n_features=20, n_informative=3, random_state=0)
    >>> DeepFeatureRegressor(random_state=0).fit(X, y).predict(X).shape
    (100,)
    """

    _task = "regression"

    def _validate(self, X, y, weight):
        table, y = self._table(X, y, y_numeric=True, multi_output=True, reset=not self._warm())
        weight = check_weight(weight, table)
        columns = y.reshape(len(y), -1).astype(np.float64)
        if not self._warm():
            self._y_is_1d = y.ndim == 1
            self.n_outputs_ = columns.shape[1]
            self.y_center_ = np.average(columns, axis=0, weights=weight)
            spread = np.sqrt(np.average((columns - self.y_center_) ** 2, axis=0, weights=weight))
            self.y_scale_ = np.where(spread > 0, spread, 1.0)
        elif columns.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {columns.shape[1]} outputs, but the last fit had {self.n_outputs_}. Set "
                "warm_start=False to start anew."
            )
        return table, (columns - self.y_center_) / self.y_scale_, weight, None

    def _measure(self, table):
        super()._measure(table)
        self.effects_ = self.effects_ * (self.y_scale_[0] if self._y_is_1d else self.y_scale_)

    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            Predictions in the unit of the training target.
        """
        outputs = self._outputs(X)
        predicted = outputs * self.y_scale_ + self.y_center_
        return predicted[:, 0] if self._y_is_1d else predicted

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
