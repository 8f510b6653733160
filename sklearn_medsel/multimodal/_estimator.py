"""What the classifier, the regressor and the Cox model of several modalities have in common."""

import re
import warnings
from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel._plain import index_of, paths_as_text, plain_columns, plain_index
from sklearn_medsel._refit import unchanged_if_it_fails
from sklearn_medsel.base import one_blas_thread, one_thread, progress, until_stopped
from sklearn_medsel.multimodal._availability import check_availability
from sklearn_medsel.multimodal._blocks import TERMS_OF_SEVERAL, as_frame
from sklearn_medsel.multimodal._encoding import BlockEncoding
from sklearn_medsel.multimodal._found import (
    feature_table,
    interaction_table,
    modality_tables,
    patient_shares,
)
from sklearn_medsel.multimodal._fusion import FUSIONS, Settings, count_steps, fit_fused
from sklearn_medsel.multimodal._inner_folds import inner_folds
from sklearn_medsel.multimodal._inputs import Inputs, never_whole
from sklearn_medsel.multimodal._network import NetworkSettings
from sklearn_medsel.multimodal._shapley import MAX_BLOCKS, all_sets
from sklearn_medsel.survival._folds import check_groups


class MultimodalEstimator(TransformerMixin, CallbackSupportMixin, BaseEstimator):
    """Fit and explain a fusion of blocks; subclasses say what is predicted."""

    _parameter_constraints: dict = {
        "blocks": [list, tuple],
        "base": [str, None],
        "fusion": [StrOptions(set(FUSIONS))],
        "n_features_to_select": [Interval(Integral, 1, None, closed="left"), None],
        "fdr": [Interval(Real, 0, 1, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "hidden_width": [Interval(Integral, 1, None, closed="left")],
        "n_interactions": [Interval(Integral, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "block_dropout": [Interval(Real, 0, 1, closed="left")],
        "selection_penalty": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "text_encoder": "no_validation",
        "image_encoder": "no_validation",
        "image_root": "no_validation",
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        blocks,
        *,
        base=None,
        fusion="residual",
        n_features_to_select=None,
        fdr=0.2,
        cv=5,
        hidden_width=16,
        n_interactions=4,
        dropout=0.3,
        block_dropout=0.2,
        selection_penalty=0.01,
        learning_rate=0.015,
        max_epochs=60,
        n_permutations=50,
        text_encoder=None,
        image_encoder=None,
        image_root=None,
        device="auto",
        random_state=None,
    ):
        self.blocks = blocks
        self.base = base
        self.fusion = fusion
        self.n_features_to_select = n_features_to_select
        self.fdr = fdr
        self.cv = cv
        self.hidden_width = hidden_width
        self.n_interactions = n_interactions
        self.dropout = dropout
        self.block_dropout = block_dropout
        self.selection_penalty = selection_penalty
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.n_permutations = n_permutations
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.image_root = image_root
        self.device = device
        self.random_state = random_state

    def __getstate__(self):
        """Keep names that callables and patterns chose, and paths as text, which all can store."""
        state = paths_as_text(super().__getstate__())
        if hasattr(self, "_encoding") and self.blocks is self._encoding.blocks:
            state["blocks"] = [
                (
                    name,
                    modality,
                    chosen if callable(given) or isinstance(given, re.Pattern) else given,
                )
                for (name, modality, given), (*_, chosen) in zip(
                    self.blocks, self.blocks_, strict=True
                )
            ]
        return state

    @abstractmethod
    def _read_outcome(self, y):
        """Check `y`, keep what prediction needs of it, and give an `Outcome`."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, groups=None):
        """Fit on patients in rows.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            One row per patient, with the columns that `blocks` names; others are ignored.
        y : array-like of shape (n,)
            Outcome.
        groups : array-like of shape (n,), default=None
            Patients of one group are never parted by the inner folds.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If a block has no column, a column is in two blocks, a path or an image cannot be read,
            a patient has nothing in any block, or `y` does not suit the task.
        """
        with unchanged_if_it_fails(self):
            return self._fit(X, y, groups)

    def _fit(self, X, y, groups):
        rng = check_random_state(self.random_state)
        outcome = self._read_outcome(y)
        named = isinstance(X, pd.DataFrame)
        X = as_frame(X)
        self._note_columns(X.columns, named)
        self.task_ = outcome.task
        if len(X) != len(outcome):
            raise ValueError(f"X has {len(X)} rows and y has {len(outcome)}; they must agree.")
        groups = check_groups(groups, len(X))
        with one_thread(), one_blas_thread():
            self._encoding = BlockEncoding(
                self.blocks,
                text_encoder=self.text_encoder,
                image_encoder=self.image_encoder,
                image_root=self.image_root,
            )
            target = never_whole(y) if outcome.task == "regression" else y
            inputs = Inputs.of(self._encoding.fit_transform(X, target, groups))
            settings = self._settings(inputs)
            folds = inner_folds(outcome, groups, self.cv, rng)
            n_steps = count_steps(settings, len(self.blocks_))
            with progress(self, X, y, n_steps=n_steps, task_name="step") as step:
                units = np.arange(len(outcome)) if groups is None else pd.factorize(groups)[0]
                self._fused = fit_fused(
                    inputs, outcome, units, folds, settings, rng, until_stopped(step)
                )
            self._tell(inputs, outcome, X, y)
        return self

    def _note_columns(self, labels, named):
        """Keep number and names of the columns, as estimators of scikit-learn do."""
        self.n_features_in_ = len(labels)
        vars(self).pop("feature_names_in_", None)  # of the fit before
        if named and all(isinstance(label, str) for label in labels):
            self.feature_names_in_ = np.array(labels, dtype=object)

    def _settings(self, inputs):
        """Check parameters against the blocks, and gather them."""
        blocks = self._encoding.blocks_
        self.blocks_ = [(block.name, block.modality, list(block.columns)) for block in blocks]
        self.base_ = self.base
        names = [block.name for block in blocks]
        if self.base is not None and self.base not in names:
            raise ValueError(f"base={self.base!r} is not the name of a block; these are {names}.")
        n_features = inputs.X.shape[1]
        if self.n_features_to_select is not None and self.n_features_to_select > n_features:
            raise ValueError(
                f"n_features_to_select={self.n_features_to_select} is more than the {n_features} "
                "features of all blocks."
            )
        if len(blocks) > MAX_BLOCKS:
            raise ValueError(
                f"blocks has {len(blocks)} blocks; at most {MAX_BLOCKS} can be explained exactly. "
                "Put tables together."
            )
        if self.fusion == "gated" and not self.max_epochs:
            raise ValueError("fusion='gated' is the joint network: max_epochs must be at least 1.")
        base = None if self.base is None else names.index(self.base)
        return Settings(
            fusion=self.fusion,
            base=base,
            n_features=self.n_features_to_select,
            fdr=self.fdr,
            network=NetworkSettings(
                self.hidden_width,
                self.n_interactions,
                self.dropout,
                self.block_dropout,
                self.selection_penalty,
                self.learning_rate,
                self.max_epochs,
                self.device,
                base,
            ),
            n_permutations=self.n_permutations,
        )

    def _tell(self, inputs, outcome, X, y):
        """Keep what was found."""
        names = [name for name, _, _ in self.blocks_]
        fused, features = self._fused, self._encoding.names_
        importances, contributions = modality_tables(fused, inputs, outcome, names, X.index)
        terms = {"term": [self._term_name(term) for term in fused.terms], "weight": fused.weights}
        # columns of plain arrays, which every format can store; the properties make tables of them
        self._tables = {
            "features": plain_columns(feature_table(fused, inputs, features, names)),
            "modalities": plain_columns(importances),
            "contributions": plain_columns(contributions),
            "interactions": plain_columns(interaction_table(fused, features, names)),
            "terms": plain_columns(pd.DataFrame(terms)),
        }
        self._index = plain_index(contributions.index)
        self._availability = inputs.present.mean(axis=0)
        self.oof_score_ = fused.oof[:, 0] if fused.oof.shape[1] == 1 else fused.oof
        for message in check_availability(inputs.present, names, outcome.task, y):
            warnings.warn(message, UserWarning, stacklevel=5)

    @property
    def feature_importances_(self):
        """Importance, stability, selection and direction of every feature."""
        return self._table("features")

    @property
    def modality_importances_(self):
        """Shapley share of every block in the held-out score."""
        return self._table("modalities")

    @property
    def modality_contributions_(self):
        """Shapley share of every block in each training patient's held-out score."""
        return self._table("contributions").set_axis(index_of(*self._index))

    @property
    def interactions_(self):
        """Strength and p-value of the interaction of every pair of blocks."""
        return self._table("interactions")

    @property
    def term_weights_(self):
        """Weight of every term of the fused score."""
        return self._table("terms")

    @property
    def availability_(self):
        """Share of the patients who have each block."""
        check_is_fitted(self)
        return pd.Series(self._availability, index=[name for name, _, _ in self.blocks_])

    def _table(self, name):
        """Make a table of its stored columns."""
        if not hasattr(self, "_tables"):
            raise AttributeError(f"{type(self).__name__} is not fitted yet.")
        return pd.DataFrame(self._tables[name])

    def _term_name(self, term):
        """Name a term by its blocks."""
        names = [name for name, _, _ in self.blocks_]
        if term.name in TERMS_OF_SEVERAL:
            return term.name
        return " x ".join(names[b] for b in term.blocks)

    def _inputs(self, X):
        check_is_fitted(self)
        if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X is an array of {X.shape[1]} columns, and there were {self.n_features_in_} at "
                "fit. Columns of an array are told by their position: give those of fit, in the "
                "same order."
            )
        return Inputs.of(self._encoding.transform(X))

    def _scores(self, X):
        """Fused scores (n, K)."""
        inputs = self._inputs(X)
        with one_thread(), one_blas_thread():
            return self._fused.scores(inputs)

    def explain_modalities(self, X):
        """Share of each block in the score of each patient.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        DataFrame of shape (n, n_blocks)
            Exact Shapley values of the decision score; with that of a patient without any block
            they add up to it. With more than two classes, of the score of the predicted class less
            the mean over the classes.
        """
        inputs = self._inputs(X)
        n_blocks = len(self.blocks_)
        with one_thread(), one_blas_thread():
            scores = {s: self._fused.scores(inputs.only(s)) for s in all_sets(n_blocks)}
        names = [name for name, _, _ in self.blocks_]
        index = X.index if isinstance(X, pd.DataFrame) else None
        return pd.DataFrame(patient_shares(scores, n_blocks), columns=names, index=index)

    def transform(self, X):
        """Fused representation: the weighted score of each term.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        ndarray of shape (n, n_terms * n_scores), float64
            Columns as `get_feature_names_out` names them; their sum is the fused score, but for a
            constant.
        """
        inputs = self._inputs(X)
        with one_thread(), one_blas_thread():
            parts = [
                weight * term.scores(inputs)
                for weight, term in zip(self._fused.weights, self._fused.terms, strict=True)
            ]
        return np.hstack(parts)

    def fit_transform(self, X, y, groups=None):
        """Fit, and give the representation of the same patients, held out.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.
        y : array-like of shape (n,)
            Outcome.
        groups : array-like of shape (n,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, n_terms * n_scores), float64
            As from `transform`, each patient's by models that did not see them: what was
            memorised must not reach an estimator behind this one.
        """
        self.fit(X, y, groups)
        return np.hstack(
            [
                weight * term.oof
                for weight, term in zip(self._fused.weights, self._fused.terms, strict=True)
            ]
        )

    def get_feature_names_out(self, input_features=None):
        """Name the columns of `transform`.

        Parameters
        ----------
        input_features : None
            Not used.

        Returns
        -------
        ndarray of str
            Terms, with the number of the score behind them where there are several.
        """
        check_is_fitted(self)
        n_scores = len(self._fused.constant)
        names = self.term_weights_["term"]
        if n_scores == 1:
            return np.array(names, dtype=object)
        return np.array([f"{name}_{k}" for name in names for k in range(n_scores)], dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_fused")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags
