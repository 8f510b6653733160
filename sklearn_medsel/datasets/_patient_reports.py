"""Reports of made patients: a chest examination that states, denies or leaves out one finding."""

from sklearn_medsel.datasets._report_english import ENGLISH
from sklearn_medsel.datasets._report_layout import lay_out
from sklearn_medsel.datasets._report_phrases import IMPORTANT
from sklearn_medsel.datasets._report_planting import _add_finding, _ordered, plan_first
from sklearn_medsel.datasets._report_sentences import Statement, Writer

FINDING = "effusion"
_N_SENTENCES = (5, 9)
_SHARE_OTHER = 0.5  # of the reports that also state an important finding which means nothing here
_SHARE_DENIED = 0.3  # of those without the finding that say so; the others say nothing of it

_KINDS = {kind.name: kind for kind in IMPORTANT}
# Not the lesion of the image, whose presence every patient shares.
_OTHERS = [_KINDS[name] for name in ("consolidation", "pneumothorax", "fracture", "embolus")]


def write_report(rng, has_finding):
    """Write the English report of one patient, with or without the finding.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of everything random.
    has_finding : bool
        Whether the report says that the finding is there.

    Returns
    -------
    str
        The report.
    """
    kind = _KINDS[FINDING]
    n_sentences = int(rng.integers(_N_SENTENCES[0], _N_SENTENCES[1] + 1))
    statements = plan_first(rng, ENGLISH.sites, "chest", n_sentences, 0)
    if rng.random() < _SHARE_OTHER:
        _add_finding(rng, ENGLISH.sites, "chest", statements, _OTHERS, "present")
    if has_finding:
        # One that is known for years would say the same twice, or the opposite.
        statements = [s for s in statements if not (s.act == "old" and kind in s.kinds)]
        _add_finding(rng, ENGLISH.sites, "chest", statements, [kind], "present")
    elif rng.random() < _SHARE_DENIED and not any(
        kind in s.kinds for s in statements if s.is_finding or s.act == "absent"
    ):
        statements.append(Statement("absent", (kind,)))
    headings = bool(rng.random() < 0.5)
    writer = Writer(ENGLISH, rng, "chest")
    return lay_out(_ordered(rng, statements), writer, headings=headings, hard_wrap=False).text
