"""The selection network as a model of survival."""

import numpy as np
from sklearn.utils.validation import check_consistent_length

from .._validation import check_survival_y
from ..survival import concordance_index
from ._predictor_base import DeepFeaturePredictor, check_weight


class DeepFeatureCox(DeepFeaturePredictor):
    """Cox's proportional hazards model on a network with a feature-selection layer.

    One learned weight per input, starting at one and drawn to zero by an L1 penalty, stands
    in front of a dense ReLU network and of a linear function beside it; their sum is the
    log hazard ratio. Tied times are handled by Efron's method.

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
    learning_rate : float, default=0.03
        Step size of gradient descent with momentum.
    max_epochs : int, default=60
        Largest number of passes over the samples. Each comparison of this loss involves
        many samples, so it is fitted, and overfitted, in fewer passes than the others.
    batch_size : int, default=None
        Samples per step; None takes all of them at once. Samples are compared within a
        step only, so small batches lose information.
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
        Effect of one standard deviation of each input on the log hazard ratio through the
        whole network (root mean square over the training samples), not negative.
    effects_ : ndarray of shape (n_features,), float64
        The same with its sign, averaged.
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
    DeepFeatureRegressor : The same network for numbers.

    References
    ----------
    D. R. Cox, "Regression models and life-tables", Journal of the Royal Statistical Society
    B 34 (1972) 187-220.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.feature_selection import DeepFeatureCox
    >>> from sklearn_medsel.survival import make_survival_y
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 20))
    >>> y = make_survival_y(rng.random(100) < 0.7, rng.exponential(np.exp(-X[:, 0])))
    >>> DeepFeatureCox(random_state=0).fit(X, y).predict(X).shape
    (100,)
    """

    _task = "survival"

    def __init__(
        self,
        hidden_layer_sizes=(16,),
        *,
        alpha=0.02,
        weight_decay=1e-3,
        dropout=0.0,
        learning_rate=0.03,
        max_epochs=60,
        batch_size=None,
        validation_fraction=None,
        n_iter_no_change=20,
        warm_start=False,
        device="auto",
        dtype="auto",
        random_state=None,
    ):
        super().__init__(
            hidden_layer_sizes,
            alpha=alpha,
            weight_decay=weight_decay,
            dropout=dropout,
            learning_rate=learning_rate,
            max_epochs=max_epochs,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            device=device,
            dtype=dtype,
            random_state=random_state,
        )

    def _validate(self, X, y, weight):
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        table = self._table(X, reset=not self._warm())
        event, time = check_survival_y(y)
        check_consistent_length(table, time)
        weight = check_weight(weight, table)
        if not weight[event].any():
            raise ValueError(
                "sample_weight is zero for every sample with an event; give some of them weight."
            )
        self.n_outputs_ = 1
        target = np.column_stack([time, event]).astype(np.float64)
        return table, target, weight, event

    def predict(self, X):
        """Predict the risk.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Log hazard ratios, up to a constant; higher means an earlier event.
        """
        return self._outputs(X)[:, 0]

    def score(self, X, y, sample_weight=None):
        """Harrell's concordance of the predicted risk.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
            Event and time.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        Returns
        -------
        float
            Between 0 and 1; 0.5 is chance.
        """
        return concordance_index(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
