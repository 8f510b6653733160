"""Real tables: the development data of this project, and the DLBCL set of the package SurvSet."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival import make_survival_y

_DATA_VARIABLE = "MEDSEL_DATA"
_DEFAULT_FOLDER = Path("..", "shared", "data")


def load_medsel_data(name, *, data_home=None):
    """Load one of the real expression tables that this project is developed on.

    The tables are not part of the package, since their licences do not all allow that. This
    function only reads a folder that is already there; it fetches nothing.

    Parameters
    ----------
    name : str
        Name of the table, without the ending, such as ``"dma_alon"``.
    data_home : str, path or None, default=None
        Folder that holds ``omics/<name>.parquet``. None takes the environment variable
        ``MEDSEL_DATA``, and where that is not set ``../shared/data`` of the current folder.

    Returns
    -------
    Bunch
        As from `load_expression`.

    Raises
    ------
    FileNotFoundError
        If the folder or the table is not there.

    Examples
    --------
    >>> from sklearn_medsel.datasets import load_medsel_data
    >>> data = load_medsel_data("dma_alon")  # doctest: +SKIP
    >>> data.X.shape  # doctest: +SKIP
    (62, 2000)
    """
    home = Path(data_home or os.environ.get(_DATA_VARIABLE) or _DEFAULT_FOLDER)
    folder = home / "omics"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"No folder of development data at {str(folder)!r}; set the environment variable "
            f"{_DATA_VARIABLE} to the folder that holds 'omics', or pass data_home."
        )
    path = folder / f"{name}.parquet"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.parquet")))
        raise FileNotFoundError(f"No table {name!r} in {_DATA_VARIABLE}; there are: {known}.")
    return load_expression(path)


def load_expression(path):
    """Load a parquet table of samples and genes that follows this project's conventions.

    The first columns describe the samples: ``sample_id``, ``target`` or ``time`` and ``event``,
    ``clin__*``, ``mut__*``, ``group__*`` and ``split``. Their number is ``n_meta`` in the
    metadata of the schema; all further columns are genes.

    Parameters
    ----------
    path : str or path
        The parquet file.

    Returns
    -------
    Bunch
        With the fields

        X : DataFrame of shape (n_samples, n_features)
            Expression values as shipped by the source, unscaled, missing values as NaN.
        y : ndarray of shape (n_samples,)
            Labels as strings, float64 values, or a structured array with the fields ``event``
            (bool) and ``time`` (float64, in the unit of the source).
        task : {"classification", "regression", "survival"}
            What `y` holds.
        groups : ndarray of shape (n_samples,) or None
            The first ``group__*`` column: patient, subject or study of each sample.
        meta : DataFrame of shape (n_samples, n_meta)
            All columns that are not genes.

    Raises
    ------
    ValueError
        If the schema has no ``n_meta`` or the table has no outcome.

    Examples
    --------
    >>> from sklearn_medsel.datasets import load_expression
    >>> data = load_expression("table.parquet")  # doctest: +SKIP
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            'Reading parquet needs pyarrow: pip install "sklearn-medsel[demo]"'
        ) from error
    table = pq.read_table(path)
    n_meta = (table.schema.metadata or {}).get(b"n_meta")
    if n_meta is None:
        raise ValueError(
            f"The schema of {Path(path).name!r} has no 'n_meta', the number of leading columns "
            "that are not genes; read other tables with pandas.read_parquet."
        )
    frame = table.to_pandas()
    meta = frame.iloc[:, : int(n_meta)]
    y, task = _outcome(meta, Path(path).name)
    group_columns = [name for name in meta.columns if name.startswith("group__")]
    return Bunch(
        X=frame.iloc[:, int(n_meta) :],
        y=y,
        task=task,
        groups=meta[group_columns[0]].to_numpy() if group_columns else None,
        meta=meta,
    )


def _outcome(meta, file_name):
    if {"time", "event"} <= set(meta.columns):
        return make_survival_y(meta["event"], meta["time"]), "survival"
    if "target" not in meta.columns:
        raise ValueError(
            f"{file_name!r} has no outcome: neither 'target' nor 'time' and 'event' is among "
            f"its first columns {list(meta.columns)}."
        )
    target = meta["target"]
    if pd.api.types.is_float_dtype(target):
        return target.to_numpy(np.float64), "regression"
    return target.astype(str).to_numpy(dtype=str), "classification"


def load_dlbcl(*, task="survival", horizon=2.0):
    """Load the diffuse large B-cell lymphoma set of the package SurvSet.

    Expression of 7,399 genes (log ratios, anonymous names, nothing missing) in 240 patients
    with survival times in years; 138 died. SurvSet reads its tables from pickle files that come
    with that package, so install it only from where you trust it.

    Parameters
    ----------
    task : {"survival", "classification"}, default="survival"
        ``"survival"`` keeps the times. ``"classification"`` makes the label "died within
        `horizon` years" and leaves out patients who were censored before that, since nobody
        knows their label.
    horizon : float, default=2.0
        Years, for ``task="classification"``.

    Returns
    -------
    Bunch
        With the fields

        X : DataFrame of shape (n_samples, 7399), float64
            Genes.
        y : ndarray of shape (n_samples,)
            Structured array with the fields ``event`` (bool) and ``time`` (float64, years), or
            int64 with 1 for death within `horizon`.
        task : str
            As given.
        groups : None
            Each patient has one sample.
        meta : DataFrame of shape (n_samples, 3)
            Columns ``pid``, ``event`` and ``time`` of the patients kept.
        n_excluded : int
            Number of patients left out.

    Raises
    ------
    ImportError
        If SurvSet is not installed.

    References
    ----------
    A. Rosenwald et al. The use of molecular profiling to predict survival after chemotherapy
    for diffuse large-B-cell lymphoma. New England Journal of Medicine 346, 2002.

    Examples
    --------
    >>> from sklearn_medsel.datasets import load_dlbcl
    >>> data = load_dlbcl(task="classification")  # doctest: +SKIP
    >>> data.X.shape, int(data.y.sum()), data.n_excluded  # doctest: +SKIP
    ((234, 7399), 93, 6)
    """
    if task not in ("survival", "classification"):
        raise ValueError(f"task must be 'survival' or 'classification', found {task!r}.")
    try:
        from SurvSet.data import SurvLoader
    except ImportError as error:
        raise ImportError(
            'The DLBCL set comes with the package SurvSet: pip install "sklearn-medsel[demo]"'
        ) from error
    with warnings.catch_warnings():
        # The pickle was written by an old numpy whose module names are deprecated today.
        warnings.simplefilter("ignore", DeprecationWarning)
        frame = SurvLoader().load_dataset("DLBCL")["df"]
    genes = [name for name in frame.columns if name.startswith("num_")]
    X = frame[genes].rename(columns=lambda name: name.removeprefix("num_"))
    meta = frame[["pid", "event", "time"]]
    y = make_survival_y(frame["event"], frame["time"])
    n_excluded = 0
    if task == "classification":
        y, keep = event_within(y, horizon)
        X, meta = X[keep].reset_index(drop=True), meta[keep].reset_index(drop=True)
        n_excluded = int(np.sum(~keep))
    return Bunch(X=X, y=y, task=task, groups=None, meta=meta, n_excluded=n_excluded)


def event_within(y, horizon):
    """Label samples by whether their event came within a given time.

    Samples censored before `horizon` without an event have no known label and are left out.
    Leaving them out shifts the label's frequency a little; where many are censored early, use
    a survival method instead.

    Parameters
    ----------
    y : structured array of shape (n_samples,) or DataFrame
        Event and time.
    horizon : float
        Length of follow-up, in the unit of the times of `y`.

    Returns
    -------
    label : ndarray of shape (n_kept,), int64
        1 where the event came at or before `horizon`, 0 where it had not come by then.
    keep : ndarray of shape (n_samples,), bool
        Samples whose label is known.

    Raises
    ------
    ValueError
        If `horizon` is not positive or no sample's label is known.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.datasets import event_within
    >>> y = np.array([(True, 1.0), (False, 1.0), (False, 3.0), (True, 3.0)],
    ...              dtype=[("event", bool), ("time", float)])
    >>> event_within(y, 2.0)
    (array([1, 0, 0]), array([ True, False,  True,  True]))
    """
    event, time = check_survival_y(y, require_events=False)
    if not horizon > 0:
        raise ValueError(f"horizon must be a positive time, found {horizon}.")
    keep = event | (time >= horizon)
    if not keep.any():
        raise ValueError(
            f"No sample has an event or is followed for horizon={horizon}; choose a shorter one."
        )
    return (event & (time <= horizon))[keep].astype(np.int64), keep
