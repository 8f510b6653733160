"""A block of a table as numbers: imputed, encoded and scaled by what the training patients show.

`read_cells` comes first; after it every feature is a number or unknown, and all of them are treated
at once.
"""

import warnings

import numpy as np
import pandas as pd

from sklearn_medsel.multimodal._cells import read_cells

CLIP = 5.0
"""Largest absolute value of a standardised feature."""

_SKEWED = 2.0
_MANY_VALUES = 20
_INDICATOR_SIZE = 0.3  # standard deviation of a missing indicator
_MISSING_SHARE = (0.05, 0.95)
_LEAST_COUNT, _LEAST_SHARE = 10, 0.02


class TableEncoder:
    """Encode the columns of one table block.

    Numbers (also Boolean values, and text that holds nothing but numbers) are imputed by the
    median; heavy-tailed ones go through a signed logarithm first. Ordered text (see `learn_grades`)
    and ordered categoricals become one number each. Other text becomes one feature for each level,
    rare ones pooled; what is missing or was never seen lies at their mean. A feature tells what is
    missing, where that is neither rare nor the rule. All have mean 0 and standard deviation 1 over
    the training patients who have the block, and are clipped to +-5. Patients without the block
    have 0 everywhere.

    Parameters
    ----------
    name : str
        The block, for error messages.

    Attributes
    ----------
    columns_ : list
        Labels of the columns.
    kinds_ : list of {"number", "grade", "order", "level", "empty"}
        How each column is read.
    names_ : ndarray of shape (n_features,), object
        ``column``, ``column=level`` or ``column_missing``.
    origin_ : ndarray of shape (n_features,), object
        Column that each feature comes from.
    dropped_ : list
        Columns without a feature: constant or never known.
    """

    def __init__(self, name="table"):
        self.name = name

    def fit(self, X):
        """Learn from a DataFrame of the columns of the block; return self."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X):
        """Learn, and encode the same patients; see `transform`."""
        self.columns_ = list(X.columns)
        numbers, levels, known, *read = read_cells(X, self.name)
        self.kinds_, self._scales, self._worded = read
        present = known.any(axis=1)
        if present.sum() < 2:
            raise ValueError(
                f"block {self.name!r}: {int(present.sum())} of {len(X)} patients have any value; "
                "at least 2 are needed to fit."
            )
        self._learn_levels(levels, present)
        self._learn_numbers(numbers[present])
        raw, unknown = self._raw(numbers, levels)
        self._learn_missing(unknown[present])
        raw = np.column_stack([raw, unknown[:, self._indicators]])
        here = raw[present]
        n_numbers = len(self._used)
        self._fill = np.zeros(raw.shape[1])
        if n_numbers:
            self._fill[:n_numbers] = _median(here[:, :n_numbers])
        n_known = np.maximum((~np.isnan(here[:, n_numbers:])).sum(axis=0), 1)
        self._fill[n_numbers:] = np.nansum(here[:, n_numbers:], axis=0) / n_known
        here = np.where(np.isnan(here), self._fill, here)
        self._mean, self._spread = here.mean(axis=0), here.std(axis=0)
        self._name(self._spread > 1e-12)
        # that a value is missing may tell something, but less than a value: a penalty that is to
        # treat both alike must see the former smaller
        self._spread[raw.shape[1] - len(self._indicators) :] /= _INDICATOR_SIZE
        return self._finish(raw, present)

    def transform(self, X):
        """Encode patients.

        Parameters
        ----------
        X : DataFrame
            The columns of fit in any order; others are ignored. Numbers may have another dtype.

        Returns
        -------
        values : ndarray of shape (n_patients, n_features), float64
            Features; 0 for patients without the block.
        present : ndarray of shape (n_patients,), bool
            Who has any value in the block.
        """
        numbers, levels, known, *_ = read_cells(
            X[self.columns_], self.name, self.kinds_, self._scales, self._worded
        )
        raw, unknown = self._raw(numbers, levels)
        raw = np.column_stack([raw, unknown[:, self._indicators]])
        return self._finish(raw, known.any(axis=1))

    def _learn_levels(self, levels, present):
        """Choose the levels that get a feature; those that are rare share one."""
        n_present = int(present.sum())
        # of few patients ten are no longer few
        few = min(max(_LEAST_COUNT, _LEAST_SHARE * n_present), max(3, n_present / 10))
        self._levels = []  # (position of the column, name of the level, levels that it stands for)
        self._told = {}  # levels whose features are known: all of these, or one of them by absence
        for at, cells in levels.items():
            counts = pd.Series(cells[present]).value_counts().sort_index()
            groups = [(level, [level]) for level in counts.index[counts >= few].tolist()]
            rare = counts.index[counts < few].tolist()
            if rare and counts[rare].sum() >= min(3, few):
                groups.append((rare[0] if len(rare) == 1 else "(rare)", rare))
            self._told[at] = [level for _, members in groups for level in members]
            if len(rare) == len(counts) > 1:  # all in one pool, where they are the same
                warnings.warn(
                    f"block {self.name!r}: no value in column {self.columns_[at]!r} is shared by "
                    "enough patients, so that nothing can be learnt from it. If it holds text, "
                    "give it as a block of modality 'text'; if it holds dates, convert them to "
                    "numbers, such as days or years; if it names patients, leave it out.",
                    UserWarning,
                    stacklevel=2,
                )
            if len(groups) == 2:  # one says what the other does
                groups = [min(groups, key=lambda group: counts[group[1]].sum())]
            self._levels += [(at, name, members) for name, members in groups]

    def _learn_numbers(self, table):
        """Choose the numeric columns that vary, and those to be seen through a logarithm."""
        known = ~np.isnan(table)
        filled = np.where(known, table, -np.inf)
        highest = filled.max(axis=0, initial=-np.inf)
        lowest = np.where(known, table, np.inf).min(axis=0, initial=np.inf)
        self._used = np.flatnonzero(highest > lowest)
        # a unit of their own keeps powers of very large and very small numbers in range
        self._unit = np.maximum(np.abs(highest), np.abs(lowest))[self._used]
        table = table[:, self._used] / self._unit
        skew = _skewness(table)
        tailed = np.flatnonzero(np.abs(skew) > _SKEWED)
        inner = table[:, tailed]
        many = (np.diff(np.sort(inner, axis=0), axis=0) > 0).sum(axis=0) >= _MANY_VALUES
        tailed, inner = tailed[many], inner[:, many]
        at, width = np.zeros(len(tailed)), np.ones(len(tailed))
        if len(tailed):
            signed = np.nanmin(inner, axis=0) < 0
            at = np.where(signed, _median(inner), 0.0)
            away = np.abs(inner - at)
            width = _median(np.where(away > 0, away, np.nan))
        better = np.abs(_skewness(_signed_log(inner, at, width))) < np.abs(skew[tailed])
        self._tailed = tailed[better]
        self._at, self._width = at[better], width[better]

    def _learn_missing(self, unknown):
        """Choose whose missing values are told; columns that miss the same patients tell once."""
        share = unknown.mean(axis=0)
        candidates = np.flatnonzero((share >= _MISSING_SHARE[0]) & (share <= _MISSING_SHARE[1]))
        seen = {}
        for at in candidates:
            seen.setdefault(unknown[:, at].tobytes(), at)
        self._indicators = np.array(sorted(seen.values()), dtype=int)

    def _raw(self, numbers, levels):
        """Features before imputing and scaling, and which cells are unknown."""
        unknown = np.isnan(numbers)
        for at, cells in levels.items():
            unknown[:, at] = pd.isna(cells)
        with np.errstate(over="ignore"):
            table = numbers[:, self._used] / self._unit
            table[:, self._tailed] = _signed_log(table[:, self._tailed], self._at, self._width)
        features = [table]
        for at in dict.fromkeys(at for at, _, _ in self._levels):
            cells = levels[at]
            own = [members for position, _, members in self._levels if position == at]
            cells = pd.Series(cells)
            hot = np.column_stack([cells.isin(members) for members in own]).astype(float)
            hot[~cells.isin(self._told[at]).to_numpy()] = np.nan
            features.append(hot)
        return np.column_stack(features), unknown

    def _name(self, kept):
        """Name the features, and bring them into the order of the columns."""
        places = [*self._used, *(at for at, _, _ in self._levels), *self._indicators]
        labels = [str(self.columns_[at]) for at in places]
        n_numbers, n_values = len(self._used), len(self._used) + len(self._levels)
        for k, (_, level, _) in enumerate(self._levels, start=n_numbers):
            labels[k] = f"{labels[k]}={level}"
        taken = set(labels[:n_values])  # there may be a column of that name
        for k in range(n_values, len(labels)):
            labels[k] = f"{labels[k]}_missing"
            while labels[k] in taken:
                labels[k] += "_"
        order = np.argsort(places, kind="stable").astype(int)
        self._order = order[kept[order]]
        self.names_ = np.array([labels[k] for k in self._order], dtype=object)
        self.origin_ = np.empty(len(self._order), dtype=object)
        self.origin_[:] = [self.columns_[places[k]] for k in self._order]
        left = set(self.origin_)
        self.dropped_ = [column for column in self.columns_ if column not in left]

    def _finish(self, raw, present):
        """Impute, scale, clip; give the features and who has the block."""
        order = self._order
        values = raw[:, order]
        values = np.where(np.isnan(values), self._fill[order], values)
        values = ((values - self._mean[order]) / self._spread[order]).clip(-CLIP, CLIP)
        values[~present] = 0.0
        return values, present


def _median(table):
    """Median of each column over what is known; much faster than nanmedian for few rows."""
    if not table.size:
        return np.zeros(table.shape[1])
    ordered = np.sort(table, axis=0)  # what is unknown comes last
    count = (~np.isnan(table)).sum(axis=0)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2])
    middle = np.minimum(middle, len(table) - 1)
    return np.take_along_axis(ordered, middle, axis=0).mean(axis=0)


def _signed_log(table, at, width):
    """Logarithm of the distance from ``at`` in units of ``width``, with its sign."""
    away = (table - at) / width
    return np.sign(away) * np.log1p(np.abs(away))


def _skewness(table):
    """Skewness of each column over what is known."""
    known = ~np.isnan(table)
    count = np.maximum(known.sum(axis=0), 1)
    away = table - np.where(known, table, 0).sum(axis=0) / count
    away[~known] = 0.0
    square = away * away
    spread = np.sqrt(square.sum(axis=0) / count)
    cube = np.einsum("ij,ij->j", square, away) / count
    return cube / np.maximum(spread, 1e-100) ** 3
