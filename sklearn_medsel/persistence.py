"""Save fitted estimators to a file and load them again, without pickle.

A pickle runs whatever its author put in it. The files written here are read by skops, which
rebuilds plain state, and only for types on a list: this package's own estimators, those of
scikit-learn, and what the caller names. `_persistence_archive` and `_persistence_schema` check
a file before skops sees it.
"""

import copy
import io
import math
import os
import warnings
import zipfile

from sklearn_medsel._persistence_archive import (
    METADATA,
    read_members,
    replace_file,
    write_members,
)
from sklearn_medsel._persistence_schema import check_schema, check_trusted, read_json
from sklearn_medsel._persistence_versions import check_metadata, write_metadata

__all__ = ["UntrustedTypeError", "load", "save"]

OWN_TYPES = (
    "sklearn_medsel.feature_selection._baseline_models.LassoLogistic",
    "sklearn_medsel.feature_selection._baseline_models.ResidualForest",
    "sklearn_medsel.feature_selection._baseline_models.RidgeLogistic",
    "sklearn_medsel.feature_selection._baselines.UnivariateCox",
    "sklearn_medsel.feature_selection._classifier.DeepFeatureClassifier",
    "sklearn_medsel.feature_selection._cox.DeepFeatureCox",
    "sklearn_medsel.feature_selection._cox_linear.CoxLasso",
    "sklearn_medsel.feature_selection._cox_linear.CoxRidge",
    "sklearn_medsel.feature_selection._regressor.DeepFeatureRegressor",
    "sklearn_medsel.feature_selection._selector.DeepFeatureSelector",
    "sklearn_medsel.feature_selection._stability.Stability",
    "sklearn_medsel.forecasting._baseline_lstm.LSTMForecaster",
    "sklearn_medsel.forecasting._baseline_persistence.PersistenceForecaster",
    "sklearn_medsel.forecasting._follower.MotionModel",
    "sklearn_medsel.forecasting._forecaster.TumourPositionForecaster",
    "sklearn_medsel.forecasting._learned_expert.LearnedExpert",
    "sklearn_medsel.forecasting._motion.MotionBasis",
    "sklearn_medsel.forecasting._ridge.PopulationRidge",
    "sklearn_medsel.forecasting._signal.SignalMap",
    "sklearn_medsel.forecasting._tracker.ImageTracker",
    "sklearn_medsel.image._encoder.ImageEncoder",
    "sklearn_medsel.multimodal._blocks.Block",
    "sklearn_medsel.multimodal._classifier.MultimodalClassifier",
    "sklearn_medsel.multimodal._cox.MultimodalCox",
    "sklearn_medsel.multimodal._encoding.BlockEncoding",
    "sklearn_medsel.multimodal._encoding._Scaling",
    "sklearn_medsel.multimodal._experts.Expert",
    "sklearn_medsel.multimodal._fusion.Fused",
    "sklearn_medsel.multimodal._network.NetworkSettings",
    "sklearn_medsel.multimodal._network.NetworkTerm",
    "sklearn_medsel.multimodal._pairs.Interaction",
    "sklearn_medsel.multimodal._parts.LinearTerm",
    "sklearn_medsel.multimodal._parts.PairTerm",
    "sklearn_medsel.multimodal._regressor.MultimodalRegressor",
    "sklearn_medsel.multimodal._subtypes.SubtypeClusterer",
    "sklearn_medsel.multimodal._table.TableEncoder",
    "sklearn_medsel.multimodal._terms.TermEncoder",
    "sklearn_medsel.survival._nonparametric.LogrankResult",
    "sklearn_medsel.survival._stratifier.RiskStratifier",
    "sklearn_medsel.text._attention.AttentionHead",
    "sklearn_medsel.text._baselines.ReportTfidf",
    "sklearn_medsel.text._channels.Channels",
    "sklearn_medsel.text._classifier.ReportAttentionClassifier",
    "sklearn_medsel.text._encoder_hashing.HashingSentenceEncoder",
    "sklearn_medsel.text._evidence.EvidenceHead",
    "sklearn_medsel.text._lexical.LexicalChannel",
    "sklearn_medsel.text._report_encoder.ReportEncoder",
    "sklearn_medsel.text._stacking.Stack",
    "sklearn_medsel.text._terms.Vocabulary",
    "sklearn_medsel.text._vectors.SentenceFeatures",
)
"""Every class of this package that a file may hold."""

# What skops leaves out and a usual Pipeline needs; none of it does more than compute.
_PLAIN_TYPES = (
    "numpy.dtype",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedGroupKFold",
    "sklearn.model_selection._split.StratifiedKFold",
)


class UntrustedTypeError(ValueError):
    """A file holds types that are neither on the package's list nor named by the caller.

    Parameters
    ----------
    message : str
        What was found, in words.
    types : sequence of str
        The dotted names of these types; kept as the attribute `types`, a list.

    Examples
    --------
    >>> from sklearn_medsel.persistence import UntrustedTypeError
    >>> try:
    ...     raise UntrustedTypeError("not trusted: 'os.system'", ["os.system"])
    ... except ValueError as error:
    ...     error.types
    ['os.system']
    """

    def __init__(self, message, types):
        super().__init__(message)
        self.types = list(types)


def save(estimator, path):
    """Save an estimator, or a Pipeline around it, to a file that `load` can read.

    The file is complete or not there: it is written beside ``path`` and then put in its place,
    so a save that fails keeps an older file of that name.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    path : str or path-like
        Where to write; by convention the name ends in ``.skops``. An older file is replaced.

    Raises
    ------
    TypeError
        If ``estimator`` is no estimator, or holds something that cannot be stored.
    ValueError
        If it holds something that `load` never accepts, such as a bound method.
    ImportError
        If skops is not installed.

    Warns
    -----
    UserWarning
        If it holds types that `load` will ask you to name in ``trusted``.

    Notes
    -----
    Everything the estimator stores goes into the file: for a selector that means the names of
    the genes and numbers learnt from the samples, not the samples. Its callbacks are left out.

    Examples
    --------
    >>> import tempfile, os
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_medsel import persistence
    >>> X, y = [[0.0, 1.0], [1.0, 1.0], [0.0, 2.0], [1.0, 2.0]], [0, 1, 0, 1]
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skops")
    ...     persistence.save(model, path)
    ...     again = persistence.load(path)
    >>> again.predict(X)
    array([0, 1, 0, 1])
    """
    skops_io = _import_skops()
    _check_estimator(estimator, "estimator")
    members, never = check_schema(_to_members(_without_callbacks(estimator), skops_io))
    _refuse_never(never, "cannot be saved")
    data = write_members(members, zipfile.ZIP_DEFLATED)
    untrusted = _untrusted(data, skops_io, trusted=())
    if untrusted:
        warnings.warn(
            "load will refuse this file unless its types are named: "
            f"load(path, trusted={untrusted}).",
            UserWarning,
            stacklevel=2,
        )
    replace_file(path, data)


def load(path, trusted=(), *, max_size=2**30):
    """Load an estimator that `save` wrote. No code from the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of str, default=()
        Dotted names of further types the file may hold, such as ``"my_package.MyScaler"``.
        Loading imports their modules and creates objects of them: name only what you know.
    max_size : int, default=2**30
        Largest size of the file's content in memory, in bytes, before anything is built.

    Returns
    -------
    estimator
        As it was saved.

    Raises
    ------
    UntrustedTypeError
        If the file holds types that are not trusted; the message names them. A ValueError.
    ValueError
        If the file is no such file, is damaged, edited or too large, or was written in a newer
        format.
    TypeError
        If ``trusted`` is not a sequence of names.
    ImportError
        If skops is not installed.

    Warns
    -----
    UserWarning
        If the file was written with another minor version of sklearn_medsel, scikit-learn,
        numpy or torch; predictions may then differ.

    Notes
    -----
    What is checked is that loading runs nothing and stays within bounds. Whether the numbers
    in the file are the ones its author claims, no check can tell. Decision trees are not
    trusted by themselves, because scikit-learn follows the indices stored in them unchecked:
    for a forest you know, give ``trusted=["sklearn.tree._tree.Tree"]``.

    Examples
    --------
    >>> import os, pickle, tempfile
    >>> from sklearn_medsel import persistence
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skops")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(pickle.dumps("anything at all"))
    ...     persistence.load(path)
    Traceback (most recent call last):
        ...
    ValueError: ... this one looks like a pickle, which is never opened.
    """
    skops_io = _import_skops()
    trusted = check_trusted(trusted)
    with open(path, "rb") as file:
        # read sets aside what it is asked for, so ask for no more than there is
        data = file.read(min(os.fstat(file.fileno()).st_size, max_size) + 1)
    try:
        if len(data) > max_size:
            raise ValueError(
                f"the file is larger than max_size={max_size:,} bytes. "
                "If you know where it comes from, give load a larger max_size."
            )
        members = read_members(data, max_size=max_size)
        differences = check_metadata(read_json(members, METADATA))
        used, never = check_schema(members)
        _refuse_never(never, "are never loaded")
        if unused := set(members) - set(used):
            raise ValueError(f"nothing in the file refers to its member {min(unused)}.")
        checked = write_members(used)
        _refuse_untrusted(_untrusted(checked, skops_io, trusted))
        if differences:
            warnings.warn(
                f"{os.fspath(path)} was saved with other versions: {differences}. "
                "Results may differ; fit again, or install those versions.",
                UserWarning,
                stacklevel=2,
            )
        return _build(checked, skops_io, trusted)
    except UntrustedTypeError as error:
        raise UntrustedTypeError(f"{os.fspath(path)}: {error}", error.types) from None
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def _import_skops():
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            'Saving and loading need skops: pip install "sklearn-medsel[share]".'
        ) from error
    return skops.io


def _without_callbacks(estimator):
    """Leave out what watched the fit, such as a progress bar; it is no part of the model."""
    if "_skl_callbacks" not in getattr(estimator, "__dict__", {}):
        return estimator
    return copy.copy(estimator).set_callbacks()


def _to_members(estimator, skops_io):
    buffer = io.BytesIO()
    name = type(estimator).__name__
    try:
        skops_io.dump(estimator, buffer)
    except RecursionError as error:
        raise TypeError(f"{name} refers to itself, which cannot be saved.") from error
    except Exception as error:  # whatever an object's own __getstate__ or __reduce__ raises
        cause = _name_modules(estimator) or str(error)
        raise TypeError(f"{name} cannot be saved: {cause}") from error
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(METADATA, write_metadata())
    return read_members(buffer.getvalue(), max_size=math.inf)


def _name_modules(estimator):
    """Say which parameters are networks of the user's own; text, empty if none is."""
    import torch

    modules = [
        f"{key} ({type(value).__name__})"
        for key, value in estimator.get_params().items()
        if isinstance(value, torch.nn.Module)
    ]
    if not modules:
        return ""
    return (
        f"{', '.join(modules)} is a torch module of your own, whose code this format cannot hold. "
        "Store such a model with joblib."
    )


def _untrusted(data, skops_io, trusted):
    try:
        types = skops_io.get_untrusted_types(data=data)
    except Exception as error:  # an edited schema can make skops fail in any way
        raise _damaged(error) from error
    return sorted(set(types) - {*OWN_TYPES, *_PLAIN_TYPES, *trusted})


def _build(data, skops_io, trusted):
    try:
        estimator = skops_io.loads(data, trusted=[*OWN_TYPES, *_PLAIN_TYPES, *trusted])
    except Warning:  # a warning that the user's filters turn into an error
        raise
    except Exception as error:  # as above
        raise _damaged(error) from error
    try:
        _check_estimator(estimator, "the file's content")
    except TypeError as error:
        raise ValueError(str(error)) from error
    return estimator


def _damaged(error):
    detail = f"{type(error).__name__}: {str(error)[:200]}"
    return ValueError(f"the file is damaged, was edited, or needs other versions ({detail}).")


def _refuse_never(types, verb):
    if types:
        raise UntrustedTypeError(f"objects of the types {_quoted(types)} {verb}.", sorted(types))


def _refuse_untrusted(types):
    if types:
        raise UntrustedTypeError(
            f"the file holds types that are not trusted: {_quoted(types)}. If you know them and "
            f"where the file comes from, use load(path, trusted={[name[:200] for name in types]}).",
            types,
        )


def _quoted(types):
    return ", ".join(repr(name[:200]) for name in sorted(types))


def _check_estimator(estimator, name):
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(
            f"{name} must be a scikit-learn estimator object, found {type(estimator).__name__}."
        )
