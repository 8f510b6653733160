"""The selection network as a classifier."""

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets

from ._predictor_base import DeepFeaturePredictor, check_weight


class DeepFeatureClassifier(ClassifierMixin, DeepFeaturePredictor):
    """Classifier with a feature-selection layer.

    One learned weight per input, starting at one and drawn to zero by an L1 penalty, stands
    in front of a dense ReLU network and of a linear function beside it. The linear part
    keeps the network in the range of a penalised linear model where inputs are many more
    than samples; there, expect it to tie with ridge regression rather than to beat it.

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
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
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
    classes_ : ndarray of shape (n_classes,)
        The labels.
    feature_importances_ : ndarray of shape (n_features,), float64
        Effect of one standard deviation of each input on the logits through the whole
        network (root mean square over the training samples), not negative.
    effects_ : ndarray of shape (n_features,) or (n_features, n_classes), float64
        The same with its sign, averaged: on the logit of the second of two classes, or on
        each class's logit against the mean logit.
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
    DeepFeatureRegressor : The same network for numbers.
    DeepFeatureCox : The same network for survival.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_medsel.feature_selection import DeepFeatureClassifier
    >>> X, y = make_classification(n_informative=3, random_state=0)
    >>> DeepFeatureClassifier(random_state=0).fit(X, y).predict_proba(X).shape
    (100, 2)
    """

    _task = "classification"
    _parameter_constraints: dict = {
        **DeepFeaturePredictor._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        class_weight=None,
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
        self.class_weight = class_weight

    def _validate(self, X, y, weight):
        table, y = self._table(X, y, reset=not self._warm())
        check_classification_targets(y)
        weight = check_weight(weight, table)
        classes = np.unique(y)
        weighty = np.unique(y[weight > 0])
        if len(weighty) < 2:
            raise ValueError(
                f"y has one class only ({weighty[0]!r}) among the samples with a weight; "
                "classification needs at least two classes."
            )
        if not self._warm():
            self.classes_, self.n_outputs_ = classes, len(classes)
        elif not np.isin(classes, self.classes_).all():
            raise ValueError(
                "y has classes that the last fit had not. Set warm_start=False to start anew."
            )
        codes = np.searchsorted(self.classes_, y)
        if self.class_weight is not None:
            by_class = np.ones(len(self.classes_))
            used = weight > 0
            by_class[np.searchsorted(self.classes_, weighty)] = compute_class_weight(
                self.class_weight, classes=weighty, y=y[used], sample_weight=weight[used]
            )
            weight = weight * by_class[codes]
        return table, codes, weight, codes

    def decision_function(self, X):
        """Logits of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            For two classes, the log odds of the second.
        """
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            Columns in the order of ``classes_``.
        """
        return softmax(self._outputs(X), axis=1)

    def predict(self, X):
        """Most likely class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]
