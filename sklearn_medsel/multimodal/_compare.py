"""Fusions and simple models judged side by side: same folds, all learnt inside the fold."""

from collections.abc import Iterable, Mapping
from numbers import Integral

import pandas as pd
from sklearn.utils.parallel import Parallel, delayed

from sklearn_medsel.feature_selection._compare_input import check_outcome, make_folds
from sklearn_medsel.multimodal._blocks import as_frame, resolve_blocks
from sklearn_medsel.multimodal._classifier import MultimodalClassifier
from sklearn_medsel.multimodal._compare_fold import Setting, evaluate, find_scorers, summarise
from sklearn_medsel.multimodal._compare_models import baseline_fusions
from sklearn_medsel.multimodal._cox import MultimodalCox
from sklearn_medsel.multimodal._fusion import FUSIONS
from sklearn_medsel.multimodal._regressor import MultimodalRegressor

_OURS = {
    "classification": MultimodalClassifier,
    "regression": MultimodalRegressor,
    "survival": MultimodalCox,
}


def compare_fusions(
    X,
    y,
    blocks,
    *,
    base=None,
    cv=5,
    n_repeats=1,
    groups=None,
    fusions=("residual",),
    models=None,
    scoring=None,
    text_encoder=None,
    image_encoder=None,
    image_root=None,
    n_jobs=None,
    random_state=None,
    return_folds=False,
    progress=None,
):
    """Compare fusions of several modalities with simpler models by cross-validation.

    All see the same folds and learn everything, imputation and vocabulary included, from the
    training part of each. The simple models are one LASSO per block, ridge regression and a random
    forest on all blocks side by side, late fusion (the mean score of one ridge model per block)
    and, where `base` names a block, ridge regression on that one alone.

    Parameters
    ----------
    X : DataFrame of shape (n, n_columns)
        One row per patient.
    y : array-like of shape (n,), structured array or DataFrame
        Classes, numbers (with decimals, or more than 20 different whole ones), or event and time.
    blocks : list of (name, modality, columns)
        The modalities, as `MultimodalClassifier` takes them.
    base : str or None, default=None
        Block that the fusions start from, usually the clinical one; also judged alone.
    cv : int, splitter or iterable of (train, test), default=5
        An int gives folds stratified by class or event, which part no group.
    n_repeats : int, default=1
        How often folds are drawn anew when `cv` is an int.
    groups : array-like of shape (n,) or None, default=None
        Rows that must stay together. Also passed to the ``fit`` of the models that take it, to
        steps of a Pipeline and to the splitter of a search.
    fusions : sequence of str, default=("residual",)
        Rules of fusion of `MultimodalClassifier`, `MultimodalRegressor` or `MultimodalCox`.
    models : dict of str to estimator or None, default=None
        Estimators of your own, which get the rows of `X` as they are, by the name they have in the
        table. They come first, before `fusions` (which may be empty then).
    scoring : str, callable or None, default=None
        scikit-learn's scorer. None: AUROC for two classes, balanced accuracy and log loss for
        more, R squared, or Harrell's concordance; survival takes None or a callable
        ``(estimator, X, y) -> float``.
    text_encoder, image_encoder : transformer, dict of str to transformer, or None, default=None
        How text and images become numbers, as in `MultimodalClassifier`; for all models alike.
    image_root : str, Path or None, default=None
        Folder that paths of images are relative to.
    n_jobs : int or None, default=None
        Number of folds at a time, spread by joblib; the scores do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and, where it is an int, of the models; given ones have their own.
    return_folds : bool, default=False
        Whether to return the scores of all folds too.
    progress : callable or None, default=None
        Called as ``progress(done, total, name)`` in this process after each fit.

    Returns
    -------
    table : DataFrame
        One row per model with the columns

        - ``model``
        - the scores, such as ``auroc``: mean over the folds, and each with ``_sd``, the standard
          deviation
        - ``fit_seconds``: mean time of a fit, encoding included
        - ``n_folds``: number of fits
        - each score with ``_difference`` and ``_p_value``: minus that of the first row, and the
          p-value of the corrected resampled t-test of Nadeau and Bengio, two-sided, not adjusted
          for the number of models. A low log loss is good, so there a positive difference is in
          favour of the first row.

        ``table.attrs`` holds the task, scoring, reference and the number of folds.
    folds : DataFrame
        Only with ``return_folds=True``: one row per model and fold with ``model``, ``fold``, the
        scores, ``fit_seconds`` and ``n_test``.

    Raises
    ------
    TypeError
        If `models` is not a dict of estimators, `fusions` no sequence, or `scoring` neither a name
        nor a callable.
    ValueError
        If `X`, `y`, `blocks`, `base`, `fusions` or `groups` cannot be used, a class has too few
        patients for `cv`, or a fold of your own trains on patients it holds out. Also whatever a
        fit raises, with the number of the fold before it.

    See Also
    --------
    stress_missing_modalities : How a fitted model bears missing blocks.
    compare_selectors : The same for feature selectors.

    Notes
    -----
    A score that is not defined in a fold, such as a concordance without an event, is NaN there and
    left out of means. A block that a patient lacks is zero, its mean, to the simple models.
    scikit-learn has no random forest for survival, so there is none in that table.

    References
    ----------
    C. Nadeau, Y. Bengio. Inference for the generalization error. Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn_medsel import make_patients
    >>> from sklearn_medsel.multimodal import compare_fusions
    >>> data = make_patients(
    ...     100, task="survival", n_genes=30, n_informative=3, random_state=0
    ... )
    >>> blocks = [("clin", "table", "clin__*"), ("gene", "table", "gene__*")]
    >>> table = compare_fusions(
    ...     data.X, data.y, blocks, base="clin", cv=2, fusions=["concat"], random_state=0
    ... )
    >>> table["model"].to_list()[:4]
    ['MultimodalCox, concat', 'clin alone', 'LASSO, clin', 'LASSO, gene']
    """
    given, X = X, as_frame(X)
    y, task = check_outcome(y, "auto", len(X))
    names = [block.name for block in resolve_blocks(blocks, X)]
    if base is not None and base not in names:
        raise ValueError(f"base={base!r} is not the name of a block; these are {names}.")
    shared = {
        "base": base,
        "text_encoder": text_encoder,
        "image_encoder": image_encoder,
        "image_root": image_root,
        "random_state": random_state if isinstance(random_state, Integral) else None,
    }
    own = _check_models(models)
    models = _gather(own, fusions, blocks, task, shared)
    reference = next(iter(models))
    groups, folds = make_folds(y, task, cv, n_repeats, groups, random_state)
    _check_folds(folds, y, task)
    scorers = find_scorers(scoring, task, y, models[reference])
    setting = Setting(X, y, groups, models, scorers, dict.fromkeys(own, given))
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(evaluate)(fold, setting, number) for number, fold in enumerate(folds)
    )
    records, total = [], len(folds) * len(models)
    for fold, result in enumerate(results):
        for record in result:
            records.append({"fold": fold, **record})
            if progress is not None:
                progress(len(records), total, record["model"])
    records = pd.DataFrame(records)
    table = summarise(records, list(scorers), reference, folds)
    table.attrs = {
        "task": task,
        "scoring": list(scorers),
        "reference": reference,
        "n_folds": len(folds),
    }
    return (table, records) if return_folds else table


def _check_folds(folds, y, task):
    """Refuse training parts of the user's own folds that have nothing to learn."""
    if task == "regression":
        return
    kind = "event" if task == "survival" else "second class"
    for number, (train, _) in enumerate(folds):
        if not (y["event"][train].any() if task == "survival" else (y[train] != y[train[0]]).any()):
            raise ValueError(
                f"fold {number} of cv has no {kind} among its {len(train)} training patients; use "
                "other folds, or an int, which spreads them evenly."
            )


def _check_models(models):
    if models is None:
        return {}
    if not isinstance(models, Mapping):
        raise TypeError(
            f"models must be a dict from a name to an estimator, found {type(models).__name__}."
        )
    for name, model in models.items():
        if not all(hasattr(model, part) for part in ("fit", "predict", "get_params")):
            raise TypeError(
                f"models[{name!r}] must be an estimator that predicts, found "
                f"{type(model).__name__}."
            )
    return dict(models)


def _gather(models, fusions, blocks, task, shared):
    """Give all models by name: those given, the fusions, the simple ones."""
    ours = _fusions(fusions, blocks, task, shared)
    if not models and not ours:
        raise ValueError("fusions is empty and models is None; name a fusion or give a model.")
    others = ours | baseline_fusions(blocks, task=task, **shared)
    taken = [name for name in models if name in others]
    if taken:
        raise ValueError(f"models has {taken[0]!r}, the name of another row; choose a new one.")
    return models | others


def _fusions(fusions, blocks, task, shared):
    """Give our estimator for each rule of fusion."""
    if not isinstance(fusions, Iterable):
        raise TypeError(f"fusions must be a sequence of names, found {type(fusions).__name__}.")
    found = {}
    for fusion in [fusions] if isinstance(fusions, str) else fusions:
        if fusion not in FUSIONS:
            raise ValueError(
                f"fusions has {fusion!r}; it may hold {', '.join(map(repr, FUSIONS))}."
            )
        model = _OURS[task](blocks, fusion=fusion, **shared)
        found[f"{type(model).__name__}, {fusion}"] = model
    return found
