"""What was done, and with which settings: two sections of the page of ``fuse``."""

from sklearn_medsel._cli._settings_section import notes_and_settings
from sklearn_medsel._html import section, tag

_RULES = {
    "residual": "first {base}, then from the other blocks what {base} leaves over",
    "late": "one model per block, and the mean of their scores",
    "stacked": "one model per block, and a weighted sum of their scores",
    "gated": "a joint network of all blocks",
    "concat": "one model of all blocks side by side",
}
_WEIGHTS = {
    "residual": (
        "Weights are chosen by cross-validation inside the training patients and drawn towards "
        "zero, so that a block without information changes little."
    ),
    "stacked": "Weights are chosen by cross-validation inside the training patients.",
}


def disclaimer(patients):
    """Say what the page is not, and what it holds."""
    words = "may hold words of reports; it " if patients.have_reports else ""
    return (
        "This page is for research. It is not a medical device and must not guide the treatment of "
        f"a patient. It {words}holds no patient's row and no identifiers."
    )


def done_section(results, note):
    """Say how the numbers were made, and which command repeats it."""
    settings, patients = results.settings, results.patients
    rule = _RULES[settings.fusion].format(base=patients.base)
    if settings.fusion == "residual" and patients.base is None:
        rule = "each block by itself, then what they say together (no block is the base)"
    together = f"; rows of one {patients.grouped_by} stayed together" if patients.grouped_by else ""
    features = "" if settings.n_features is None else f" It keeps {settings.n_features} features."
    return section(
        "done",
        "What was done",
        tag(
            "p",
            f"{results.ours}, was fitted on {patients.n_patients:,} patients: {rule}.{features} "
            f"{_WEIGHTS.get(settings.fusion, '')}",
        ),
        tag(
            "p",
            f"For the score, patients were divided into {settings.cv} folds{together}. In each, "
            "everything was learnt anew on the others: imputation, vocabulary, image features, "
            "selection and weights. Modalities, interactions and factors are those of the model of "
            "all patients, measured on its own inner folds.",
        ),
        tag("p", note),
        tag("p", "The command that repeats it:", class_="muted"),
        tag("pre", tag("code", settings.command)),
    )


def settings_section(results):
    """List notes, settings, blocks and versions."""
    settings, patients = results.settings, results.patients
    is_survival = patients.task == "survival"
    listed = [
        ("table", settings.table),
        ("SHA-256 of the table", results.digest),
        ("blocks", ", ".join(f"{name} ({kind})" for name, kind, _ in patients.blocks)),
        ("base", patients.base or "none"),
        ("outcome", patients.outcome),
        ("task", patients.task),
        ("groups", patients.grouped_by or "none"),
        ("fusion", settings.fusion),
        ("features wanted", settings.n_features or "all"),
        ("risk groups", f"{settings.n_groups}, by {settings.cut}" if is_survival else ""),
        ("cross-validation", f"{settings.cv} folds"),
        ("seed", settings.seed),
    ]
    notes = [*patients.remarks, *results.remarks]
    return notes_and_settings(results, notes, listed, warned="Warnings")
