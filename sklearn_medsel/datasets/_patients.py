"""`make_patients`: image, genes, report and clinical data of the same patients, truth known."""

import os
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_medsel.datasets._expression import _generator
from sklearn_medsel.datasets._patient_images import (
    SUFFIXES,
    draw_chest,
    import_pillow,
    write_images,
)
from sklearn_medsel.datasets._patient_reports import FINDING, write_report
from sklearn_medsel.datasets._patient_tables import (
    clinical_table,
    drop_cells,
    gene_table,
)
from sklearn_medsel.datasets._patient_truth import (
    INTERACTIONS,
    by_block,
    check_genes,
    coefficients_of,
    draw_y,
    planted_interaction,
    truth_table,
)

_MODALITIES = {"clin": "table", "gene": "table", "image": "image", "report": "text"}


@validate_params(
    {
        "n_patients": [Interval(Integral, 2, None, closed="left")],
        "task": [StrOptions({"classification", "regression", "survival"})],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "n_genes": [Interval(Integral, 1, None, closed="left")],
        "n_informative": [Interval(Integral, 0, None, closed="left")],
        "n_clinical": [Interval(Integral, 4, None, closed="left")],
        "correlation": [Interval(Real, -1, 1, closed="neither")],
        "effect": [Interval(Real, None, None, closed="neither"), Mapping],
        "interaction": [StrOptions(set(INTERACTIONS)), None],
        "interaction_size": [Interval(Real, None, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "censoring": [Interval(Real, 0, 1, closed="left")],
        "missing": [Interval(Real, 0, 1, closed="left"), Mapping],
        "missing_values": [Interval(Real, 0, 1, closed="left")],
        "image_size": [Interval(Integral, 16, None, closed="left")],
        "image_format": [StrOptions(set(SUFFIXES))],
        "as_paths": [str, os.PathLike, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_patients(
    n_patients=200,
    *,
    task="classification",
    n_classes=2,
    n_genes=200,
    n_informative=8,
    n_clinical=8,
    correlation=0.5,
    effect=1.0,
    interaction="gene*image",
    interaction_size=1.2,
    noise=1.0,
    censoring=0.3,
    missing=0.0,
    missing_values=0.0,
    image_size=64,
    image_format="png",
    as_paths=None,
    random_state=None,
):
    """Make patients with image, genes, report and clinical data, and a known cross-modal effect.

    Each patient has clinical columns, an expression profile, a slice through the chest with a
    lesion, and an English report of the examination. The outcome depends on a score,

    ``score = clin + gene + image + report + interaction_size * gene_1 * partner``

    where ``clin`` is the sum of age, stage and log CRP, ``gene`` that of the informative genes
    (signs alternate, starting with plus), ``image`` the lesion's factor (its size, brightness and
    roughness go with it), ``report`` whether an effusion is stated, ``gene_1`` the first
    informative gene, and ``partner`` the lesion's factor or the age. Genes and partner are
    standardised. Nothing else has an effect: neither sex and the other clinical columns, nor the
    further genes of a block, the place of the lesion, or other findings of the report.

    Parameters
    ----------
    n_patients : int, default=200
        Number of patients.
    task : {"classification", "regression", "survival"}, default="classification"
        ``"classification"``: the score plus logistic noise, cut at 0; for more than two classes
        cut at its quantiles, so that classes are ordered and of equal size.
        ``"regression"``: the score plus normal noise.
        ``"survival"``: exponential times with hazard ratio ``exp(score / 2)``, independently
        censored; the median time at score 0 is 24 months.
    n_classes : int, default=2
        Number of classes for classification.
    n_genes : int, default=200
        Number of genes. They come in blocks of ten; within a block neighbours are correlated.
    n_informative : int, default=8
        Number of genes with an effect, each in a block of its own.
    n_clinical : int, default=8
        Number of clinical columns, at least four: age, sex, stage, CRP, then albumin,
        haemoglobin, LDH, smoking, and further laboratory values without effect.
    correlation : float, default=0.5
        Correlation of neighbours in a block of genes, between -1 and 1.
    effect : float or dict of str to float, default=1.0
        Multiplies the effect of every block, or of those named (``{"image": 0.0}`` for an image
        without an effect of its own); others keep 1. The interaction is not changed.
    interaction : {"gene*image", "gene*clin"} or None, default="gene*image"
        With which factor the first informative gene acts through its product.
    interaction_size : float, default=1.2
        Effect of that product on the score.
    noise : float, default=1.0
        Scale of the noise around the score; not used for survival.
    censoring : float, default=0.3
        Expected part of censored patients, for survival.
    missing : float or dict of str to float, default=0.0
        Part of the patients that lacks the genes, the image and the report each, or by block
        (``{"image": 0.3}``); rounded to whole patients, completely at random. Clinical data are
        never missing altogether.
    missing_values : float, default=0.0
        Part of the clinical cells that is missing, completely at random; at least one cell of each
        patient stays.
    image_size : int, default=64
        Height and width of the images in pixels, at least 16.
    image_format : {"png", "jpeg", "tiff"}, default="png"
        How the 8-bit grey images are encoded.
    as_paths : str, path or None, default=None
        Folder to write the images to, made if it is not there. The column then holds file names
        relative to it. None keeps the encoded images in the column, as bytes.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random here. An int gives the same patients in every call. The global
        generators are never drawn from.

    Returns
    -------
    Bunch
        With the fields

        X : DataFrame of shape (n_patients, n_columns)
            Columns ``clin__age`` (years), ``clin__sex``, ``clin__stage`` ("I" to "IV"),
            ``clin__crp`` (mg/l) and so on; ``gene__g000``, ... (log2 expression, float32);
            ``image__ct`` (bytes or file names); ``report__text``. The index is ``P000``, ...
        y : ndarray of shape (n_patients,)
            int64 class, float64 value, or structured array with the fields ``event`` (bool)
            and ``time`` (float64, months).
        blocks : list of tuple
            Name, modality ("table", "image" or "text") and list of columns of each block.
        base : str
            Name of the clinical block.
        truth : DataFrame of shape (n_factors, 4)
            What has an effect of its own: ``block``, ``feature``, ``effect`` (of one standard
            deviation on the score; of the finding's presence) and ``direction`` (1 or -1).
            For the image and the report, ``feature`` is the column and stands for the lesion's
            factor and the finding.
        factors : DataFrame of shape (n_patients, n_factors)
            The value of each factor, whether or not it has an effect: standardised clinical and
            gene values, the lesion's factor, and 0.5 or -0.5 for the finding.
        interaction : dict or None
            ``block_a``, ``feature_a``, ``block_b``, ``feature_b`` and ``effect`` of the planted
            product.
        score : ndarray of shape (n_patients,), float64
            The noiseless score.
        availability : ndarray of shape (n_patients, n_blocks), bool
            Which patient has which block, in the order of `blocks`.
        lesions : DataFrame of shape (n_patients, 3)
            ``row``, ``column`` and ``radius`` of each lesion in the image, in pixels.
        finding : str
            What the report says: "effusion".
        DESCR : str
            One line about these patients.

    Raises
    ------
    ValueError
        If a parameter is out of its range, there are fewer patients than classes or fewer blocks of
        genes than informative genes, an interaction is asked for without an informative gene, or
        `effect` or `missing` names a block that is not there.
    ImportError
        If Pillow is not installed; it is in the extra ``image``.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_patients
    >>> data = make_patients(60, n_genes=40, n_informative=2, random_state=0)
    >>> data.X.shape, int(data.y.sum())
    ((60, 50), 33)
    >>> [(name, modality, len(columns)) for name, modality, columns in data.blocks]
    [('clin', 'table', 8), ('gene', 'table', 40), ('image', 'image', 1), ('report', 'text', 1)]
    >>> data.truth[["feature", "direction"]].to_records(index=False).tolist()[:4]
    [('clin__age', 1), ('clin__stage', 1), ('clin__crp', 1), ('gene__g00', 1)]
    >>> data.interaction["feature_a"], data.interaction["feature_b"]
    ('gene__g00', 'image__ct')
    """
    if n_classes > 2 and task != "classification":
        raise ValueError(f"n_classes={n_classes} is for task='classification', not {task!r}.")
    if n_classes > n_patients:
        raise ValueError(f"n_classes={n_classes} is more than n_patients={n_patients}.")
    check_genes(n_genes, n_informative, interaction)
    effect = by_block(effect, "effect", tuple(_MODALITIES), other=1.0)
    missing = by_block(missing, "missing", ("gene", "image", "report"), other=0.0)
    import_pillow()

    # One stream for each part: more genes or missing cells leave images and outcomes as they are.
    streams = _generator(random_state).spawn(6)
    for_clin, for_genes, for_images, for_reports, for_y, for_missing = streams
    clin, clin_factors = clinical_table(for_clin, n_patients, n_clinical)
    genes, gene_factors = gene_table(for_genes, n_patients, n_genes, n_informative, correlation)
    lesion = for_images.standard_normal(n_patients)
    found = for_reports.random(n_patients) < 0.5
    factors = pd.concat(
        [clin_factors.add_prefix("clin__"), gene_factors.add_prefix("gene__")], axis=1
    ).assign(image__ct=lesion, report__text=found - 0.5)

    coefficients = coefficients_of(list(factors.columns), effect)
    planted = planted_interaction(interaction, gene_factors, interaction_size)
    score = factors.to_numpy() @ coefficients
    if planted is not None:
        product = factors[planted["feature_a"]] * factors[planted["feature_b"]]
        score = score + interaction_size * product.to_numpy()
    y = draw_y(for_y, score, task, n_classes, noise, censoring)

    drawn = [draw_chest(for_images, factor, image_size) for factor in lesion]
    names = [f"P{i:0{max(3, len(str(n_patients - 1)))}d}" for i in range(n_patients)]
    images = write_images([picture for picture, _ in drawn], names, image_format, as_paths)
    reports = [write_report(for_reports, has_finding) for has_finding in found]

    parts = {
        "clin": drop_cells(for_missing, clin, missing_values),
        "gene": genes,
        "image": pd.DataFrame({"ct": pd.Series(images, dtype=object)}),
        "report": pd.DataFrame({"text": pd.Series(reports, dtype="str")}),
    }
    available = _available(for_missing, n_patients, missing)
    X = _join(parts, available)
    X.index = factors.index = pd.Index(names, name="patient")
    return Bunch(
        X=X,
        y=y,
        blocks=[
            (block, modality, [name for name in X.columns if name.startswith(f"{block}__")])
            for block, modality in _MODALITIES.items()
        ],
        base="clin",
        truth=truth_table(factors.columns, coefficients),
        factors=factors,
        interaction=planted,
        score=score,
        availability=available,
        lesions=pd.DataFrame(
            [place for _, place in drawn], columns=["row", "column", "radius"], index=X.index
        ),
        finding=FINDING,
        DESCR=f"{n_patients} made patients, {task}; none is about a real patient.",
    )


def _available(rng, n_patients, missing):
    available = np.ones((n_patients, len(_MODALITIES)), dtype=bool)
    for place, block in enumerate(_MODALITIES):
        lacking = rng.permutation(n_patients)[: round(missing.get(block, 0.0) * n_patients)]
        available[lacking, place] = False
    return available


def _join(parts, available):
    """Put the blocks side by side, and take out those that a patient lacks."""
    joined = []
    for (block, part), has in zip(parts.items(), available.T, strict=True):
        part = part.add_prefix(f"{block}__")
        part.loc[~has] = None  # which is NaN in numbers and texts
        joined.append(part)
    return pd.concat(joined, axis=1)
