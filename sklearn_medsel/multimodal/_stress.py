"""What a fitted model is worth to patients who lack a modality."""

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel._validation import is_survival_y, list_rows
from sklearn_medsel.feature_selection._compare_input import check_outcome
from sklearn_medsel.multimodal._availability import has_block
from sklearn_medsel.multimodal._blocks import as_frame, resolve_blocks
from sklearn_medsel.multimodal._compare_fold import find_scorers

_SHARES = (0.25, 0.5, 0.75)
_DRAWS = 5


def stress_missing_modalities(estimator, X, y, *, blocks=None, scoring=None, random_state=0):
    """Score a fitted model while blocks are taken from patients it has not seen.

    Parameters
    ----------
    estimator : estimator
        Fitted; must accept missing values in `X`.
    X : DataFrame of shape (n, n_columns)
        Patients, best such as were not in ``fit``. Never changed.
    y : array-like of shape (n,), structured array or DataFrame
        Their outcomes.
    blocks : list of (name, modality, columns) or None, default=None
        The modalities. None: those of the estimator, its ``blocks_``; of a search, those of its
        best estimator.
    scoring : str, callable or None, default=None
        As in `compare_fusions`; None: AUROC for two classes, balanced accuracy for more, R
        squared, or concordance.
    random_state : int, RandomState instance or None, default=0
        Seed of who loses a block.

    Returns
    -------
    DataFrame
        One row per scenario with the columns

        - ``scenario``: ``"all"``, ``"without"`` (no patient has the block), ``"only"`` (no patient
          has any other) or ``"random"`` (a share of the patients loses the block; mean of five
          draws)
        - ``block``: its name, empty for ``"all"``
        - ``share``: of the patients who lose something
        - ``score``
        - ``drop``: score of the same patients with all their blocks, minus `score`
        - ``n_patients``: patients scored; those left with no block at all cannot be (mean over
          the draws)

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If `blocks` is None and the estimator has none, a block has no column in `X`, or `y` holds
        classes that the estimator was not fitted on.

    See Also
    --------
    compare_fusions : Compare models on all blocks.

    Examples
    --------
    >>> from sklearn_medsel import MultimodalClassifier, make_patients
    >>> from sklearn_medsel.multimodal import stress_missing_modalities
    >>> data = make_patients(160, n_genes=30, n_informative=3, random_state=0)
    >>> blocks = [("clin", "table", "clin__*"), ("gene", "table", "gene__*")]
    >>> model = MultimodalClassifier(blocks, max_epochs=0, random_state=0)
    >>> model = model.fit(data.X[:100], data.y[:100])
    >>> table = stress_missing_modalities(model, data.X[100:], data.y[100:])
    >>> table["scenario"].value_counts(sort=False).to_dict()
    {'all': 1, 'without': 2, 'only': 2, 'random': 6}
    """
    check_is_fitted(estimator)
    as_array = isinstance(X, np.ndarray)
    X = as_frame(X)
    y, task = _check_outcome(y, estimator, len(X))
    if blocks is None:
        blocks = getattr(getattr(estimator, "best_estimator_", estimator), "blocks_", None)
        if blocks is None:
            raise ValueError(
                f"{type(estimator).__name__} has no blocks_; pass blocks, a list of (name, "
                "modality, columns)."
            )
    blocks = resolve_blocks(blocks, X)
    classes = getattr(estimator, "classes_", y)
    score = next(iter(find_scorers(scoring, task, classes, estimator).values()))
    trial = _Trial(estimator, X, y, blocks, score, as_array)
    rng = check_random_state(random_state)
    names = [block.name for block in blocks]
    none = np.zeros((len(X), len(blocks)), dtype=bool)
    rows = [trial.row("all", "", 0.0, [none])]
    for b, name in enumerate(names):
        hidden = none.copy()
        hidden[:, b] = True
        rows.append(trial.row("without", name, 1.0, [hidden]))
    for b, name in enumerate(names if len(names) > 1 else []):
        hidden = ~none
        hidden[:, b] = False
        rows.append(trial.row("only", name, 1.0, [hidden]))
    for b, name in enumerate(names):
        # who loses it at .25 also loses it at .75, so that the shares can be compared
        orders = [rng.permutation(len(X)) for _ in range(_DRAWS)]
        for share in _SHARES:
            draws = []
            for order in orders:
                draws.append(none.copy())
                draws[-1][order[: round(share * len(X))], b] = True
            rows.append(trial.row("random", name, share, draws))
    return pd.DataFrame(rows)


def _check_outcome(y, estimator, n):
    """Outcome and task; classes in the words of the estimator."""
    if is_survival_y(y):
        task = "survival"
    elif is_classifier(estimator):
        task = "classification"
    else:
        task = "regression" if is_regressor(estimator) else "auto"
    checked, task = check_outcome(y, task, n)
    if task == "classification" and hasattr(estimator, "classes_"):
        checked = _classes_of(np.asarray(y).reshape(n), estimator.classes_)
    return checked, task


def _classes_of(y, classes):
    """Labels as the estimator writes them: what is equal in Python may differ in dtype."""
    position = {label: at for at, label in enumerate(np.asarray(classes).tolist())}
    at = np.array([position.get(label, -1) for label in y.tolist()])
    if (at < 0).any():
        raise ValueError(
            f"y has other classes than the estimator was fitted on, {list(position)}, at "
            f"{list_rows(at < 0)}; write them alike, or leave these patients out."
        )
    return np.asarray(classes)[at]


class _Trial:
    """A model, and patients from whom blocks are taken."""

    def __init__(self, estimator, X, y, blocks, score, as_array):
        self.estimator, self.X, self.y = estimator, X, y
        self.blocks, self.score, self.as_array = blocks, score, as_array
        self.present = np.column_stack([has_block(block, X) for block in blocks])

    def row(self, scenario, block, share, draws):
        """Mean over draws of who (n, B) loses which block."""
        found = [self._scores(hidden) for hidden in draws]
        reached, whole, count = (float(np.mean(values)) for values in zip(*found, strict=True))
        return {
            "scenario": scenario,
            "block": block,
            "share": share,
            "score": reached,
            "drop": whole - reached,
            "n_patients": count,
        }

    def _scores(self, hidden):
        """Score without and with what is hidden, of the patients with something left."""
        left = (self.present & ~hidden).any(axis=1)
        kept, y = self.X[left], self.y[left]
        if not _can_score(y):
            return np.nan, np.nan, len(y)
        lacking = hide_blocks(kept, self.blocks, hidden[left])
        if self.as_array:  # what was fitted on arrays is asked by arrays
            kept, lacking = kept.to_numpy(), lacking.to_numpy()
        return self.score(self.estimator, lacking, y), self.score(self.estimator, kept, y), len(y)


def _can_score(y):
    if y.dtype.names:
        return len(y) > 1 and y["event"].any()
    return len(np.unique(y)) > 1


def hide_blocks(X, blocks, hidden):
    """Give a copy of X in which some patients lack some blocks.

    Parameters
    ----------
    X : DataFrame of shape (n, n_columns)
        Patients; not changed.
    blocks : list of Block
        From `resolve_blocks`.
    hidden : ndarray of shape (n, n_blocks), bool
        Who is to lack which block.

    Returns
    -------
    DataFrame of shape (n, n_columns)
        The same columns; whole numbers become floats and truth values objects where cells go.
    """
    position = {column: at for at, column in enumerate(X.columns)}
    columns = [X.iloc[:, at] for at in range(X.shape[1])]
    for block, lost in zip(blocks, hidden.T, strict=True):
        if not lost.any():
            continue
        for column in block.columns:
            at = position[column]
            columns[at] = _emptied(columns[at], lost)
    return pd.concat(columns, axis=1)


def _emptied(column, lost):
    """Column with some cells missing."""
    if column.dtype == bool:
        return column.astype(object).mask(lost, None)
    return column.mask(lost)
