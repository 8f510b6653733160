"""Row of the comparison of fusions on radiographs, notes and clinical values."""

from benchmarks._fusion_data import covid_cxr
from benchmarks._fusion_methods import METHODS_TEXT, PARTS, measure_fold
from benchmarks._fusion_scores import SPREAD, by, method_table
from benchmarks._runner import Row

_TARGETS = ("ICU", "died", "COVID-19")
_SINGLE = (
    "ridge, image",
    "ridge, text",
    "ridge, table",
    "random forest, table",
)
_FUSED = ("late fusion", "ours, residual", "ours, residual, no base", "ours, stacked", "ours, late")


def _tasks(options):
    folds = range(1) if options.quick else range(10)
    return [
        {"target": target, "method": method, "fold": fold}
        for target in (_TARGETS[:1] if options.quick else _TARGETS)
        for fold in folds
        for method in (*_SINGLE, *_FUSED)
    ]


def _measure(target, method, fold):
    return measure_fold(covid_cxr(target), method, fold)


def _summarise(records):
    def make(part):
        means = part.groupby("method", sort=False)["auroc"].mean()
        single = means[means.index.isin(_SINGLE)]
        best = single.idxmax() if len(single) else None
        return method_table(part, "auroc", best)

    return by(records, ["target"], make)


COVID_CXR = Row(
    name="covid_cxr",
    title="Radiographs, notes and clinical values",
    text="AUROC on the radiographs of covid_cxr_image_text_table, five folds drawn twice, no "
    "patient in two of them. Words that name the diagnosis or the outcome are taken out of the "
    "notes. Images are described by texture, notes by TF-IDF. Differences are from the best "
    f"single modality, which is chosen on the same folds, in its favour. {METHODS_TEXT}",
    tasks=_tasks,
    measure=_measure,
    summarise=_summarise,
    spread=SPREAD,
    packages=("pillow",),
    page="multimodal",
    parts=(*PARTS, "image"),
)
