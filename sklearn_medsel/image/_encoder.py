"""ImageEncoder: images as columns of numbers, for a ColumnTransformer."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_medsel._plain import paths_as_text
from sklearn_medsel.base import CallbackSupportMixin, draw_seeds, progress, resolve_device
from sklearn_medsel.feature_selection._outcome import TASKS
from sklearn_medsel.image._column import check_column, read_column
from sklearn_medsel.image._components import columns, components, pool
from sklearn_medsel.image._crossfit import CrossFit, describe
from sklearn_medsel.image._folds import check_folds, make_folds
from sklearn_medsel.image._networks import ImageNetwork
from sklearn_medsel.image._reading import VOLUMES
from sklearn_medsel.image._target import read_target
from sklearn_medsel.image._texture import texture_features, texture_names


class ImageEncoder(TransformerMixin, CallbackSupportMixin, BaseEstimator):
    """Turn a column of images into features, by a small network or by their texture.

    A network is trained to tell `y` from the image; its scores and the principal components of its
    features become columns. What a network says about images that it was trained on is far too
    good, and an estimator that learns from it is misled. So ``fit_transform`` gives cross-fitted
    features, as scikit-learn's `TargetEncoder` does: each patient is described by a network that
    did not see them. In a `Pipeline` and a `ColumnTransformer` that happens by itself.

    Parameters
    ----------
    size : int, default=64
        Side to which images are brought, in pixels.
    network : {"small", "texture", "densenet121"} or torch.nn.Module, default="small"
        - ``"small"``: three convolutions, made for some hundreds of images.
        - ``"texture"``: `texture_features`, without training and without `y`.
        - ``"densenet121"``: MONAI's DenseNet121 from random weights (extra ``image``). Nothing is
          downloaded.
        - A module that turns images (n, 1, size, size) into features (n, d). A copy of it is
          trained, from the weights that it has.
    n_components : int or None, default=16
        Principal components of the features. None: the features as they are, those of
        ``"texture"`` with names such as ``row2_col3_edge45``.
    cv : int, splitter or iterable, default=5
        Folds of ``fit_transform``; an int makes stratified ones. Not used by ``"texture"``.
    image_root : str, path or None, default=None
        Folder that relative paths start from; None: the current one.
    pooling : {"mean", "max"}, default="mean"
        How several images of one patient become one row.
    volume : {"orthogonal", "axial"}, default="orthogonal"
        What stands for a volume (NIfTI): the middle slice along each axis, or three axial slices.
    task : {"auto", "classification", "regression", "survival"}, default="auto"
        What `y` is; ``"auto"`` reads it off `y`. Whole numbers are classes unless
        ``task="regression"``. Not used by ``"texture"``.
    max_epochs : int, default=20
        Passes over the images.
    learning_rate : float, default=0.003
        Largest step size; it rises and falls in one cycle.
    batch_size : int, default=32
        Images per step.
    augment : bool, default=True
        Whether images are shifted and change in brightness and contrast while training.
    cache : None, False or ImageCache, default=None
        Where decoded images are kept: None is a cache in memory that everything in this process
        shares, False none.
    device : str, default="auto"
        ``"auto"``: CUDA if there is one, else the CPU.
    random_state : int, RandomState or None, default=None
        Seed of folds, weights, the order of images and augmentation.

    Attributes
    ----------
    target_type_ : {"classification", "regression", "survival"} or None
        What the network was trained for; None for ``"texture"``.
    classes_ : ndarray of shape (n_classes,) or None
        Class labels; None where the target is no class.
    weights_ : dict of str to ndarray
        State of the network of all patients; empty for ``"texture"``.
    n_features_out_ : int
        Number of columns.

    See Also
    --------
    texture_features : The features of ``network="texture"``.
    ReportEncoder : The same for reports.

    Notes
    -----
    ``fit(X, y).transform(X)`` describes patients by a network that has seen them: do not train on
    it. Where several rows belong to one patient, give ``groups`` to `fit_transform`; in a Pipeline,
    by scikit-learn's metadata routing and ``set_fit_request(groups=True)``.

    Columns are centred on the training patients. Without an image all of them are 0, and the last
    column, ``missing``, is 1. All networks start from the same weights, and each is turned towards
    the principal components of the untrained network, which know no labels: so the columns of
    different folds mean the same.

    With ``task="auto"``, labels are told from numbers as
    `sklearn.utils.multiclass.type_of_target` does; a survival target is one made by
    `make_survival_y`, for which the score is a log hazard. Where `y` holds numbers, ``prediction``
    is in standard deviations of `y`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_medsel.image import ImageEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"scan": [rng.random((20, 20)) for _ in range(12)]})
    >>> y = np.repeat([0, 1], 6)
    >>> encoder = ImageEncoder(16, n_components=2, cv=2, max_epochs=1, random_state=0)
    >>> encoder.fit_transform(X["scan"], y).shape
    (12, 4)
    >>> encoder.get_feature_names_out().tolist()
    ['score', 'component0', 'component1', 'missing']
    """

    _parameter_constraints: dict = {
        "size": [Interval(Integral, 8, None, closed="left")],
        "network": [StrOptions({"small", "texture", "densenet121"}), torch.nn.Module],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "cv": ["cv_object"],
        "image_root": "no_validation",
        "pooling": [StrOptions({"mean", "max"})],
        "volume": [StrOptions(set(VOLUMES))],
        "task": [StrOptions({"auto", *TASKS})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "augment": ["boolean"],
        "cache": "no_validation",
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        size=64,
        *,
        network="small",
        n_components=16,
        cv=5,
        image_root=None,
        pooling="mean",
        volume="orthogonal",
        task="auto",
        max_epochs=20,
        learning_rate=3e-3,
        batch_size=32,
        augment=True,
        cache=None,
        device="auto",
        random_state=None,
    ):
        self.size = size
        self.network = network
        self.n_components = n_components
        self.cv = cv
        self.image_root = image_root
        self.pooling = pooling
        self.volume = volume
        self.task = task
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.augment = augment
        self.cache = cache
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, groups=None):
        """Train one network on all patients.

        Parameters
        ----------
        X : Series, DataFrame with one column, list or array of shape (n,)
            Images, as in `read_images`; missing ones are allowed.
        y : array-like of shape (n,) or None, default=None
            Labels, numbers or a survival target. Not used by ``network="texture"``.
        groups : array-like of shape (n,) or None, default=None
            Not used: it is there so that ``set_fit_request(groups=True)`` brings groups through a
            Pipeline to `fit_transform`.

        Returns
        -------
        self
            Fitted.
        """
        self._fit(X, y, folds=False)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, groups=None):
        """Fit, and describe each patient by a network that did not see them.

        Parameters
        ----------
        X : Series, DataFrame with one column, list or array of shape (n,)
            Images, as in `fit`.
        y : array-like of shape (n,) or None, default=None
            Target, as in `fit`.
        groups : array-like of shape (n,) or None, default=None
            Rows of one group, such as a patient, are left out together.

        Returns
        -------
        ndarray of shape (n, n_columns), float64
            Cross-fitted features; these are not those of ``fit(X, y).transform(X)``.
        """
        return self._fit(X, y, folds=True, groups=groups)

    def transform(self, X):
        """Describe images by the network of all training patients.

        Parameters
        ----------
        X : Series, DataFrame with one column, list or array of shape (n,)
            Images, as in `read_images`.

        Returns
        -------
        ndarray of shape (n, n_columns), float64
            Scores and components, then 1 where the image is missing, else 0.
        """
        check_is_fitted(self)
        images, counts = self._read(check_column(X))
        if not len(images):
            return self._with_missing(np.empty((0, self.n_features_out_ - 1)), counts)
        if self.target_type_ is None:
            described = texture_features(images)[0]
        else:
            standardised = self._standardised(images)
            described = describe(self._network(), self.weights_, standardised, self.target_type_)
        pooled = pool(described, counts, self.pooling)[counts > 0]
        return self._with_missing(columns(pooled, self._mean, self._rotation), counts)

    def get_feature_names_out(self, input_features=None):
        """Name the columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Not used.

        Returns
        -------
        ndarray of str
            ``score`` (two classes), ``score_<class>``, ``prediction`` or ``log_hazard``; then
            ``component0`` and so on, or names of regions; ``missing`` at last.
        """
        check_is_fitted(self)
        n_scores = self._n_scores()
        n_components = self.n_features_out_ - 1 - n_scores
        if self.n_components is not None:
            names = [f"component{k}" for k in range(n_components)]
        elif self.target_type_ is None:
            names = texture_names()
        else:
            names = [f"feature{k}" for k in range(n_components)]
        return np.array([*self._score_names(n_scores), *names, "missing"], dtype=object)

    def _fit(self, X, y, *, folds, groups=None):
        """Fit; with ``folds``, give the features of the training patients."""
        column = check_column(X)
        present = ~column.missing()
        if present.sum() < 2:
            raise ValueError(
                f"{column.name}: {int(present.sum())} of {len(present)} rows have an image; at "
                "least 2 are needed to fit."
            )
        supervised = not self._is_texture()
        outcome = self._outcome(present, y) if supervised else None
        self.target_type_, self.classes_ = outcome.task if supervised else None, None
        images, counts = self._read(column)
        if supervised:
            return self._fit_network((X, y), images, counts, outcome, groups, folds)
        pooled = pool(texture_features(images)[0], counts, self.pooling)[present]
        self.weights_ = {}
        self._mean, self._rotation = components(pooled, self.n_components, standardise=True)
        features = columns(pooled, self._mean, self._rotation)
        self.n_features_out_ = features.shape[1] + 1
        return self._with_missing(features, counts)

    def _fit_network(self, given, images, counts, outcome, groups, folds):
        """Train the network of all patients, and with ``folds`` those without each fold."""
        self._seed, fold_seed = draw_seeds(self.random_state, 2)
        self.classes_, self._n_outputs = outcome.classes, 1
        if outcome.task == "classification":
            self._n_outputs = len(outcome.classes)
        elif outcome.task == "regression":
            self._n_outputs = outcome.values.shape[1]
        self._grey = [float(images.mean()), float(max(images.std(), 1e-3))]
        present = counts > 0
        pairs = make_folds(self.cv, outcome, groups, fold_seed) if folds else []
        pairs = [[rows[present[rows]] for rows in pair] for pair in pairs]
        check_folds(pairs, outcome, self.cv)
        n_steps = (1 + len(pairs)) * self.max_epochs
        with progress(self, *given, n_steps, task_name="epoch") as step:
            training = CrossFit(
                self._network(),
                self._standardised(images),
                counts,
                outcome,
                pooling=self.pooling,
                n_scores=self._n_scores(),
                step=step,
                training={
                    "max_epochs": self.max_epochs,
                    "learning_rate": self.learning_rate,
                    "batch_size": self.batch_size,
                },
            )
            self.weights_, self._mean, self._rotation, features = training.fit(
                pairs, self.n_components
            )
        self.n_features_out_ = features.shape[1] + 1
        return self._with_missing(features[present], counts) if folds else None

    def _network(self):
        return ImageNetwork(
            self.network,
            size=self.size,
            n_outputs=self._n_outputs,
            augment=self.augment,
            seed=self._seed,
            device=resolve_device(self.device),
        )

    def _standardised(self, images):
        """Bring grey values to mean 0 and standard deviation 1 over all training images."""
        mean, spread = self._grey
        return ((images - mean) / spread).astype(np.float32)

    def _read(self, column):
        return read_column(
            column,
            size=self.size,
            image_root=self.image_root,
            cache=self.cache,
            volume=self.volume,
        )

    def _outcome(self, present, y):
        """Check and encode the target."""
        if y is None:
            name = self.network if isinstance(self.network, str) else type(self.network).__name__
            raise ValueError(
                f"network={name!r} learns from labels, and requires y to be passed, but the target "
                "y is None. Pass y, or use network='texture', which needs none."
            )
        check_consistent_length(present, y)
        return read_target(y, present, self.task)

    def _is_texture(self):
        return isinstance(self.network, str) and self.network == "texture"

    def _n_scores(self):
        if self.target_type_ is None:
            return 0
        two_classes = self.target_type_ == "classification" and self._n_outputs == 2
        return 1 if two_classes else self._n_outputs

    def _score_names(self, n_scores):
        if self.target_type_ == "classification":
            return ["score"] if n_scores == 1 else [f"score_{label}" for label in self.classes_]
        stem = "log_hazard" if self.target_type_ == "survival" else "prediction"
        return [stem] if n_scores == 1 else [f"{stem}{k}" for k in range(n_scores)]

    def _with_missing(self, features, counts):
        """Spread features over all patients, and say who has no image."""
        missing = counts == 0
        spread = np.zeros((len(counts), self.n_features_out_))
        spread[~missing, :-1] = features
        spread[:, -1] = missing
        return spread

    def __getstate__(self):
        """Keep a path as text: that can be stored without pickle."""
        return paths_as_text(super().__getstate__())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        tags.target_tags.required = not self._is_texture()
        return tags
