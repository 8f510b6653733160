"""The simple models that fusions are compared with, on the blocks as the fusions encode them."""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LassoCV, LogisticRegressionCV, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import l1_min_c
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel.feature_selection._baseline_models import RidgeLogistic
from sklearn_medsel.feature_selection._cox_linear import CoxLasso, CoxRidge
from sklearn_medsel.multimodal._encoding import BlockEncoding
from sklearn_medsel.multimodal._inputs import never_whole
from sklearn_medsel.survival import concordance_index

_PENALTIES = 8
_TREES = 300
_FOLDS = 5
_SCORES = {
    "classification": accuracy_score,
    "regression": r2_score,
    "survival": concordance_index,
}


class BlockBaseline(BaseEstimator):
    """A simple model of one block, of all blocks side by side, or of each by itself.

    Parameters
    ----------
    blocks : list of (name, modality, columns)
        As in `MultimodalClassifier`.
    rule : {"ridge", "lasso", "forest", "late"}, default="ridge"
        The model; ``"late"`` is the mean score of one ridge model per block.
    use : str or None, default=None
        The only block to use; None: all.
    task : {"classification", "regression", "survival"}, default="classification"
        What `y` is.
    text_encoder, image_encoder, image_root
        As in `MultimodalClassifier`.
    random_state : int or None, default=None
        Seed of forests and folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; only for classification.

    Notes
    -----
    Models of a single block are fitted on the patients who have it. A block that a patient lacks
    is zero, its mean; late fusion averages over the blocks there are.

    Classifiers are fitted with balanced classes, and predict the class that is most probable then.
    `predict_proba` puts the shares of the classes in the training rows back, which is what log
    loss asks for.
    """

    def __init__(
        self,
        blocks,
        *,
        rule="ridge",
        use=None,
        task="classification",
        text_encoder=None,
        image_encoder=None,
        image_root=None,
        random_state=None,
    ):
        self.blocks = blocks
        self.rule = rule
        self.use = use
        self.task = task
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.image_root = image_root
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        """Encode the blocks, and fit.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.
        y : array-like of shape (n,)
            Outcome.
        groups : array-like of shape (n,) or None, default=None
            For encoders that cross-fit.

        Returns
        -------
        self
            Fitted.
        """
        return self.fit_encoded(*self.encode(X, y, groups), y)

    def encode(self, X, y, groups=None):
        """Fit a `BlockEncoding`: it and the encoded blocks, as `fit_encoded` takes them."""
        encoding = BlockEncoding(
            self.blocks,
            text_encoder=self.text_encoder,
            image_encoder=self.image_encoder,
            image_root=self.image_root,
        )
        target = never_whole(y) if self.task == "regression" else y
        return encoding, encoding.fit_transform(X, target, groups)

    def fit_encoded(self, encoding, encoded, y):
        """Fit on blocks that a fitted `BlockEncoding` has encoded; several models can share it."""
        self._encoding = encoding
        y = np.asarray(y)
        if self.task == "classification":
            # as numbers: LogisticRegressionCV takes balanced labels such as "1" for unknown
            self.classes_, y, counts = np.unique(y, return_inverse=True, return_counts=True)
            self._shares = counts / counts.sum()
        names = [block.name for block in encoding.blocks_]
        alone = range(len(names)) if self.use is None else [names.index(self.use)]
        self._parts = [[b] for b in alone] if self.rule == "late" else [list(alone)]
        self._models = []
        for part in self._parts:
            has = encoded.present[:, part].any(axis=1)
            features = np.hstack([encoded.values[b] for b in part])[has]
            self._models.append(self._fit_one(features, y[has]))
        return self

    def _fit_one(self, X, y):
        """Fit a model of some features, or None where nothing can be learnt."""
        if X.shape[1] == 0 or (self.task != "regression" and not _can_learn(y, self.task)):
            return None
        rule = "ridge" if self.rule == "late" else self.rule
        return _MODELS[rule, self.task](X, y, self.random_state).fit(X, y)

    def _scores(self, X):
        """Mean score of the models (n, K), of the blocks that each patient has."""
        check_is_fitted(self)
        encoded = self._encoding.transform(X)
        total, count = 0.0, np.zeros((len(X), 1))
        for part, model in zip(self._parts, self._models, strict=True):
            features = np.hstack([encoded.values[b] for b in part])
            has = np.ones((len(X), 1))
            if len(self._parts) > 1:
                has[:, 0] = encoded.present[:, part].any(axis=1)
            total = total + has * self._score_one(model, features)
            count += has
        return total / np.maximum(count, 1)

    def _score_one(self, model, X):
        """Score of one model (n, K): log of balanced probabilities, numbers, or log hazard."""
        n_scores = len(self.classes_) if self.task == "classification" else 1
        if model is None:
            return np.zeros((len(X), n_scores))
        if self.task == "survival":
            return (X @ model.coef_)[:, None]
        if self.task == "regression":
            return model.predict(X)[:, None]
        found = np.log(np.clip(model.predict_proba(X), 1e-6, None))
        score = np.full((len(X), n_scores), np.log(1e-6))
        score[:, model.classes_] = found  # those that some patient with the block has
        return score

    def predict(self, X):
        """Predict classes, numbers or the log hazard.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        ndarray of shape (n,)
            Predictions.
        """
        scores = self._scores(X)
        if self.task != "classification":
            return scores[:, 0]
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X):
        """Give the probability of each class.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Rows sum to one.
        """
        return softmax(self._scores(X) + np.log(self._shares), axis=1)

    def score(self, X, y):
        """Score as scikit-learn's classifiers and regressors do, and survival by concordance.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.
        y : array-like of shape (n,)
            Outcome.

        Returns
        -------
        float
            Accuracy, R squared, or Harrell's concordance.
        """
        return _SCORES[self.task](y, self.predict(X))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_models")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.task == "classification" else "regressor"
        return tags


def baseline_fusions(
    blocks,
    *,
    base=None,
    task="classification",
    text_encoder=None,
    image_encoder=None,
    image_root=None,
    random_state=None,
):
    """Give the simple models that fusions are compared with, by name.

    Parameters
    ----------
    blocks : list of (name, modality, columns)
        The modalities.
    base : str or None, default=None
        Block that a ridge model of its own is fitted to.
    task : {"classification", "regression", "survival"}, default="classification"
        What is predicted.
    text_encoder, image_encoder, image_root
        As in `MultimodalClassifier`.
    random_state : int or None, default=None
        Seed of forests and folds.

    Returns
    -------
    dict of str to BlockBaseline
        ``"<base> alone"``, ``"LASSO, <block>"`` for each block, ``"ridge, all blocks"``,
        ``"random forest, all blocks"`` (not for survival, which scikit-learn's forests do not
        model) and ``"late fusion"``.
    """
    shared = {
        "task": task,
        "text_encoder": text_encoder,
        "image_encoder": image_encoder,
        "image_root": image_root,
        "random_state": random_state,
    }
    models = {}
    if base is not None:
        models[f"{base} alone"] = BlockBaseline(blocks, rule="ridge", use=base, **shared)
    for name, *_ in blocks:
        models[f"LASSO, {name}"] = BlockBaseline(blocks, rule="lasso", use=name, **shared)
    models["ridge, all blocks"] = BlockBaseline(blocks, rule="ridge", **shared)
    if task != "survival":
        models["random forest, all blocks"] = BlockBaseline(blocks, rule="forest", **shared)
    models["late fusion"] = BlockBaseline(blocks, rule="late", **shared)
    return models


def _can_learn(y, task):
    if task == "survival":
        return y["event"].sum() >= 2
    counts = np.unique(y, return_counts=True)[1]
    return len(counts) > 1 and counts.min() >= 2


def _lasso_classifier(X, y, seed):
    """L1 logistic regression with penalties from just below the one that selects nothing."""
    classes, counts = np.unique(y, return_counts=True)
    cv = StratifiedKFold(min(_FOLDS, int(counts.min())), shuffle=True, random_state=0)
    smallest = max(l1_min_c(X, y == k, loss="log") for k in classes)
    model = LogisticRegressionCV(
        Cs=smallest * np.geomspace(1.05, 30, _PENALTIES),
        l1_ratios=(1,),
        cv=cv,
        solver="liblinear",
        scoring="neg_log_loss",
        class_weight="balanced",
        max_iter=1000,
        use_legacy_attributes=False,
        random_state=seed,
    )
    return model if len(classes) == 2 else OneVsRestClassifier(model)


def _forest_classifier(X, y, seed):
    return RandomForestClassifier(
        _TREES, min_samples_leaf=2, class_weight="balanced_subsample", random_state=seed
    )


_MODELS = {
    ("lasso", "classification"): _lasso_classifier,
    ("lasso", "regression"): lambda X, y, seed: LassoCV(
        alphas=30, eps=0.02, cv=_FOLDS, max_iter=20_000
    ),
    ("lasso", "survival"): lambda X, y, seed: CoxLasso(cv=_FOLDS, random_state=0),
    ("ridge", "classification"): lambda X, y, seed: RidgeLogistic(cv=_FOLDS),
    ("ridge", "regression"): lambda X, y, seed: RidgeCV(alphas=np.logspace(-2, 5, 15)),
    ("ridge", "survival"): lambda X, y, seed: CoxRidge(cv=_FOLDS),
    ("forest", "classification"): _forest_classifier,
    ("forest", "regression"): lambda X, y, seed: RandomForestRegressor(
        _TREES, min_samples_leaf=2, max_features="sqrt", random_state=seed
    ),
}
