"""Tables of samples x genes read a block of columns at a time."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils import check_array, gen_batches

from sklearn_medsel._validation import list_rows


class GeneTable:
    """Numeric columns of a DataFrame, an array or a sparse matrix, as float64 blocks.

    Only a block at a time is converted, so that a float32 or sparse table of 60,000 genes is never
    copied whole.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        The table; missing values are allowed.
    n_samples : int
        Number of samples of the target.

    Attributes
    ----------
    names : ndarray of shape (n_features,), object
        Column names as strings; x0, x1, ... where `X` has none.
    has_names : bool
        Whether `X` brought the names.

    Raises
    ------
    ValueError
        If the number of rows differs from the target's, or a column is not numeric or its name
        occurs twice.
    """

    def __init__(self, X, n_samples):
        self.has_names = isinstance(X, pd.DataFrame)
        if self.has_names:
            self.names = np.array([str(column) for column in X.columns], dtype=object)
            self._check_columns(X)
        elif sp.issparse(X):
            X = X.tocsc()
        else:
            X = check_array(X, dtype="numeric", ensure_all_finite=False)
        self._X = X
        self.n_samples, self.n_features = X.shape
        if not self.has_names:
            self.names = np.array([f"x{i}" for i in range(self.n_features)], dtype=object)
        if self.n_samples != n_samples:
            raise ValueError(f"X has {self.n_samples} rows but y has {n_samples} samples.")

    def _check_columns(self, X):
        twice = pd.Index(self.names).duplicated()
        if twice.any():
            raise ValueError(
                f"X has columns of the same name: {name_some(self.names[twice])}. Rename or drop "
                "them."
            )
        text = np.array([not pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes], bool)
        if text.any():
            raise ValueError(
                f"X has columns that are not numbers: {name_some(self.names[text])}. Drop or "
                "encode them."
            )

    def block(self, columns):
        """Return some columns as a float64 array.

        Parameters
        ----------
        columns : ndarray of int or slice
            Positions of the columns.

        Returns
        -------
        ndarray of shape (n_samples, n_columns), float64
            A copy; missing values are NaN.

        Raises
        ------
        ValueError
            If a value is infinite.
        """
        if self.has_names:
            values = self._X.iloc[:, columns].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
        elif sp.issparse(self._X):
            values = self._X[:, columns].toarray().astype(np.float64)
        else:
            values = np.array(self._X[:, columns], dtype=np.float64)
        infinite = np.isinf(values)
        if infinite.any():
            at = int(np.argmax(infinite.any(axis=0)))
            raise ValueError(
                f"Column {self.names[columns][at]!r} of X is infinite at "
                f"{list_rows(infinite[:, at])}; replace these values."
            )
        return values

    def blocks(self, columns=None, *, size=512):
        """Iterate over the columns in blocks.

        Parameters
        ----------
        columns : ndarray of int or None
            Positions of the columns wanted; None is all of them.
        size : int, default=512
            Columns per block.

        Yields
        ------
        slice
            Where the block lies among the columns wanted.
        ndarray of shape (n_samples, <= size), float64
            Their values.
        """
        n_columns = self.n_features if columns is None else len(columns)
        for place in gen_batches(n_columns, size):
            yield place, self.block(place if columns is None else columns[place])


def name_some(names, *, limit=5):
    """Join the first names for an error message and count the rest."""
    listed = ", ".join(repr(str(name)) for name in names[:limit])
    return listed + (f" and {len(names) - limit} more" if len(names) > limit else "")


def standardise(values):
    """Centre each column and scale it to unit standard deviation, ignoring missing values.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns), float64
        NaN is missing.

    Returns
    -------
    scaled : ndarray of shape (n_samples, n_columns), float64
        Missing values are 0, as is the whole of a constant column.
    present : ndarray of shape (n_samples, n_columns), bool, or None
        Where values are; None if nothing is missing.
    scale : ndarray of shape (n_columns,), float64
        Standard deviations (divisor n); 0 for a constant column.
    """
    present = ~np.isnan(values)
    n_present = np.maximum(present.sum(axis=0), 1)
    centre = np.where(present, values, 0).sum(axis=0) / n_present
    scaled = np.where(present, values - centre, 0)
    scale = np.sqrt((scaled**2).sum(axis=0) / n_present)
    # rounding leaves a constant column with a spread of about 1e-16 of its value
    constant = scale <= 1e-12 * np.abs(centre)
    scale[constant], scaled[:, constant] = 0, 0
    scaled /= np.where(constant, 1, scale)
    return scaled, None if present.all() else present, scale
