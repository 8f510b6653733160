"""BlockEncoding: from a DataFrame to one array of numbers per block, and who has which block."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from sklearn_medsel._groups import pass_groups
from sklearn_medsel._plain import paths_as_text
from sklearn_medsel.multimodal._availability import has_block
from sklearn_medsel.multimodal._blocks import as_frame, name_rows, resolve_blocks
from sklearn_medsel.multimodal._supervised import steps_that_leak
from sklearn_medsel.multimodal._table import CLIP, TableEncoder
from sklearn_medsel.multimodal._terms import TermEncoder


class Encoded(NamedTuple):
    """Blocks as numbers, a named tuple.

    Attributes
    ----------
    values : list of ndarray of shape (n_patients, n_features of the block), float64
        Finite; exactly 0 in the rows of patients without the block. A block in which nothing
        varies over the training patients has no features.
    present : ndarray of shape (n_patients, n_blocks), bool
        Who has which block.
    """

    values: list
    present: np.ndarray


class BlockEncoding:
    """Encode blocks; all that is learnt is learnt from the patients of fit.

    Parameters
    ----------
    blocks : list of (name, modality, columns)
        As in `resolve_blocks`.
    text_encoder : transformer, dict or None, default=None
        Takes a Series of reports, such as `ReportEncoder`; a dict gives one for each block, by
        name. None, and for blocks that the dict does not name: `TermEncoder`.
    image_encoder : transformer, dict or None, default=None
        The same for images; None: ``ImageEncoder(network="texture", n_components=None)``.
    image_root : str, path or None, default=None
        Folder of relative image paths, for encoders that have this parameter, or steps of a
        Pipeline that do, and leave it None.

    Attributes
    ----------
    blocks_ : list of Block
    names_ : list of ndarray of str
        Features of each block.
    origin_ : list of ndarray
        Column that each feature comes from.
    encoders_ : list
        Fitted encoder of each block.

    Notes
    -----
    Encoders of text and images see only patients who have the block. Their features are
    standardised and clipped to +-5, except those of `TermEncoder`; constant ones are left out.
    """

    def __init__(self, blocks, *, text_encoder=None, image_encoder=None, image_root=None):
        self.blocks = blocks
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.image_root = image_root

    def __getstate__(self):
        """Leave out callables that chose columns: once fitted, the columns are known."""
        state = paths_as_text(self.__dict__)
        if "blocks_" in state:
            state["blocks"] = [(name, kind, list(columns)) for name, kind, columns in self.blocks_]
        return state

    def fit(self, X, y=None, train_groups=None):
        """Learn to encode; return self. Parameters as in `fit_transform`."""
        self.fit_transform(X, y, train_groups)
        return self

    def fit_transform(self, X, y=None, train_groups=None):
        """Learn to encode, and encode the training patients.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            Never changed.
        y : array-like of shape (n_patients,) or None, default=None
            For encoders that learn from it.
        train_groups : array-like of shape (n_patients,) or None, default=None
            Rows of one group are left out together by encoders that cross-fit.

        Returns
        -------
        Encoded
            Cross-fitted where an encoder learns from `y`, and then not what `transform` gives.

        Raises
        ------
        ValueError
            If blocks or columns are at fault, a patient has no block at all, fewer than two
            patients have a block, or nothing varies in any block.
        """
        X = as_frame(X)
        self.blocks_ = resolve_blocks(self.blocks, X)
        self._check_encoders()
        present = self._present(X)
        self.encoders_, self.names_, self.origin_, self._scalings = [], [], [], []
        values = []
        for at, block in enumerate(self.blocks_):
            here = present[:, at]
            if here.sum() < 2:
                raise ValueError(
                    f"block {block.name!r}: {int(here.sum())} of {len(X)} patients have it; at "
                    "least 2 are needed to fit."
                )
            if block.modality == "table":
                encoder = TableEncoder(block.name)
                values.append(encoder.fit_transform(X[list(block.columns)])[0])
                names, origin, scaling = encoder.names_, encoder.origin_, None
            else:
                encoder = self._encoder(block)
                _warn_of_leaks(encoder, block)
                cells = X.loc[:, block.columns[0]][here]
                features = _checked(_fit(encoder, cells, y, train_groups, here, block), here, block)
                scaling, features = _standardise(features, encoder)
                names = _feature_names(encoder, scaling)
                origin = np.full(len(names), block.columns[0], dtype=object)
                values.append(_spread(features, here))
            self.encoders_.append(encoder)
            self.names_.append(names)
            self.origin_.append(origin)
            self._scalings.append(scaling)
        self._name_silent_blocks()
        return Encoded(values, present)

    def _name_silent_blocks(self):
        """Warn of blocks that have no feature; refuse if that is all of them."""
        silent = [
            block.name
            for block, names in zip(self.blocks_, self.names_, strict=True)
            if not len(names)
        ]
        if len(silent) == len(self.blocks_):
            raise ValueError(
                "no column of any block varies among the patients of fit, so there is nothing to "
                f"learn from. The blocks are {', '.join(map(repr, silent))}."
            )
        for name in silent:
            warnings.warn(
                f"block {name!r}: nothing in it varies among the patients of fit, so nothing is "
                "learnt from it.",
                UserWarning,
                stacklevel=2,
            )

    def transform(self, X):
        """Encode patients.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The columns of fit, in any order; others are ignored. Never changed.

        Returns
        -------
        Encoded

        Raises
        ------
        ValueError
            If a column is missing, a cell cannot be read, or a patient has no block at all.
        """
        X = as_frame(X)
        for block in self.blocks_:
            missing = [column for column in block.columns if column not in X.columns]
            if missing:
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise ValueError(
                    f"block {block.name!r}: X has no column {missing[0]!r}{more}, which fit had. "
                    "For patients without the block, fill its columns with missing values."
                )
        present = self._present(X)
        values = []
        parts = zip(self.blocks_, self.encoders_, self._scalings, present.T, strict=True)
        for block, encoder, scaling, here in parts:
            if block.modality == "table":
                values.append(encoder.transform(X[list(block.columns)])[0])
                continue
            features = np.zeros((0, scaling.n_features))
            if here.any():
                cells = X.loc[:, block.columns[0]][here]
                features = _checked(_call(encoder.transform, block, cells), here, block)
            values.append(_spread(scaling.apply(features), here))
        return Encoded(values, present)

    def _present(self, X):
        """Who has which block."""
        present = np.column_stack([has_block(block, X) for block in self.blocks_])
        nothing = ~present.any(axis=1)
        if nothing.any():
            raise ValueError(
                f"X has no value in any block at {name_rows(nothing, X.index)}. Remove these rows."
            )
        return present

    def _check_encoders(self):
        """Refuse encoders of blocks that do not exist."""
        for modality, given in (("text", self.text_encoder), ("image", self.image_encoder)):
            names = [block.name for block in self.blocks_ if block.modality == modality]
            for name in given if isinstance(given, dict) else ():
                if name not in names:
                    raise ValueError(
                        f"{modality}_encoder names the block {name!r}, but the {modality} blocks "
                        f"are {', '.join(map(repr, names)) or 'none'}."
                    )

    def _encoder(self, block):
        """Give an unfitted encoder for a text or image block."""
        given = self.text_encoder if block.modality == "text" else self.image_encoder
        if isinstance(given, dict):
            given = given.get(block.name)
        if given is not None:
            if isinstance(given, type):
                raise ValueError(
                    f"block {block.name!r}: {block.modality}_encoder must be a transformer, found "
                    f"the class {given.__name__}. Make one of it: {given.__name__}()."
                )
            if not hasattr(given, "fit_transform") or not hasattr(given, "transform"):
                raise ValueError(
                    f"block {block.name!r}: {block.modality}_encoder must be a transformer, found "
                    f"{type(given).__name__}."
                )
            encoder = clone(given)
        elif block.modality == "text":
            return TermEncoder()
        else:
            from sklearn_medsel.image import ImageEncoder

            encoder = ImageEncoder(network="texture", n_components=None)
        if self.image_root is not None:
            for name, value in encoder.get_params().items():
                if name.rpartition("__")[2] == "image_root" and value is None:
                    encoder.set_params(**{name: self.image_root})
        return encoder


class _Scaling(NamedTuple):
    """How the features of an encoder are standardised."""

    kept: np.ndarray  # which of them vary
    mean: np.ndarray
    spread: np.ndarray
    limit: float

    @property
    def n_features(self):
        return len(self.kept)

    def apply(self, features):
        """Standardise the features that are kept."""
        values = (features[:, self.kept] - self.mean) / self.spread
        return values.clip(-self.limit, self.limit)


def _standardise(features, encoder):
    """Learn to standardise features; those of `TermEncoder` have their scale already."""
    n_features = features.shape[1]
    if isinstance(encoder, TermEncoder):
        still = np.ones(n_features, dtype=bool)
        scaling = _Scaling(still, np.zeros(n_features), np.ones(n_features), np.inf)
        return scaling, features
    mean, spread = features.mean(axis=0), features.std(axis=0)
    kept = spread > 1e-12 * np.maximum(np.abs(features).max(axis=0, initial=0), 1e-300)
    scaling = _Scaling(kept, mean[kept], spread[kept], CLIP)
    return scaling, scaling.apply(features)


def _fit(encoder, cells, y, groups, here, block):
    """Fit an encoder on the patients who have the block, cross-fitted where it can."""
    target = None if y is None else _safe_indexing(y, np.flatnonzero(here))
    groups = None if groups is None else np.asarray(groups)[here]
    with config_context(enable_metadata_routing=False):  # or a Pipeline would not take the names
        own = pass_groups(encoder, groups, "fit_transform")
        return _call(encoder.fit_transform, block, cells, target, **own)


def _warn_of_leaks(encoder, block):
    """Say that a block will be believed too much."""
    steps = steps_that_leak(encoder)
    if steps:
        warnings.warn(
            f"block {block.name!r}: its encoder learns from y ({', '.join(steps)}) and then "
            "describes the very patients it learnt from, so the block will be believed more than "
            "it deserves. Use one that does not look at y, or that cross-fits in fit_transform; "
            "n_features_to_select and fdr select features inside the folds.",
            UserWarning,
            stacklevel=2,
        )


def _call(method, block, *args, **groups):
    """Call an encoder; its errors name the block."""
    try:
        return method(*args, **groups)
    except ValueError as error:
        raise ValueError(f"block {block.name!r}: {error}") from error


def _checked(features, here, block):
    """Features of an encoder as a float64 array, of the right length and finite."""
    features = features.toarray() if sparse.issparse(features) else np.asarray(features)
    features = features.astype(np.float64)
    expected = int(here.sum())
    if features.ndim != 2 or len(features) != expected:
        raise ValueError(
            f"block {block.name!r}: its encoder gave the shape {features.shape} for {expected} "
            "patients; it must give one row for each."
        )
    if not np.isfinite(features).all():
        raise ValueError(f"block {block.name!r}: its encoder gave values that are not finite.")
    return features


def _spread(features, here):
    """Put rows where the patients are who have the block."""
    values = np.zeros((len(here), features.shape[1]))
    values[here] = features
    return values


def _feature_names(encoder, scaling):
    """Names of the features that are kept."""
    if hasattr(encoder, "get_feature_names_out"):
        names = np.asarray(encoder.get_feature_names_out(), dtype=object)
    else:
        names = np.array([f"feature{k}" for k in range(scaling.n_features)], dtype=object)
    return names[scaling.kept]
