"""Row of the comparison on trial reports that entail or contradict a claim."""

from functools import partial

from benchmarks._report_methods import CLAIM_OURS, CLAIM_PEERS, is_ours
from benchmarks._report_rows_sets import PACKAGES, PARTS
from benchmarks._report_scores import SPREAD, fold_tasks, measure_fold, summarise
from benchmarks._runner import Row

_METHODS = CLAIM_PEERS | CLAIM_OURS

NLI4CT = Row(
    name="nli4ct",
    title="Claims about trial reports",
    text="nli4ct_claim_evidence: does the report entail or contradict the claim of its row, "
    "half and half; 5 folds per repeat, claims on one trial report in the same fold. Ours gets the "
    'claim as a column, threshold .5; "marked sentences" is also told which sentences of the '
    "training part were marked. LR: logistic regression, C = 10, on vectors C = .01, standardised. "
    "Evidence of a sentence: `sentence_evidence` for ours, which in mode `attention` is the "
    "attention; its cosine with the claim for the peers. MiniLM vectors, encoded beforehand. p: "
    "corrected resampled t-test, not adjusted; peers are called best by the same folds, which "
    "favours them.",
    tasks=partial(fold_tasks, methods=_METHODS, limit=150),
    measure=partial(measure_fold, "nli4ct", _METHODS),
    summarise=partial(
        summarise, reference="ours, attention", compared=("accuracy", "auroc", "hit1")
    ),
    spread=SPREAD,
    packages=PACKAGES,
    is_ours=is_ours,
    page="reports",
    parts=PARTS,
)
