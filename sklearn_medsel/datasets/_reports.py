"""Radiology reports whose important sentences and changes are known, and loaders of real ones."""

import os
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_medsel.datasets._real import _DATA_VARIABLE, _DEFAULT_FOLDER
from sklearn_medsel.datasets._report_english import ENGLISH
from sklearn_medsel.datasets._report_japanese import JAPANESE
from sklearn_medsel.datasets._report_series import ReportMaker, changes_table, outcome

_LANGUAGES = {"en": ENGLISH, "ja": JAPANESE}
_NAMES = {"en": "English", "ja": "Japanese"}

# The sets that can be loaded, and the column that says which reports belong together.
_SETS = {
    "iu_xray_reports": "text",
    "jichi_ja_counterfactual": "group",
    "jmed_rrtnm_ja_reports": None,
    "nli4ct_claim_evidence": None,
}


@validate_params(
    {
        "n_reports": [Interval(Integral, 1, None, closed="left")],
        "language": [StrOptions(set(_LANGUAGES))],
        "pairs": ["boolean"],
        "important_fraction": [Interval(Real, 0, 1, closed="both")],
        "n_sentences": [tuple],
        "task": [StrOptions({"binary", "multiclass", "multilabel"})],
        "first_examination_fraction": [Interval(Real, 0, 1, closed="both")],
        "headings": ["boolean", Interval(Real, 0, 1, closed="both")],
        "label_noise": [Interval(Real, 0, 1, closed="both")],
        "hard_wrap": ["boolean", Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_reports(
    n_reports=200,
    *,
    language="en",
    pairs=False,
    important_fraction=0.25,
    n_sentences=(4, 10),
    task="binary",
    first_examination_fraction=0.1,
    headings=0.5,
    label_noise=0.0,
    hard_wrap=0.0,
    random_state=None,
):
    """Make radiology reports whose important sentences and changes are known.

    Each report is about the chest, the abdomen or the head. An important one says in one to three
    sentences that something important is there: a nodule, pneumothorax, fracture, embolus and
    so on, some of it hedged ("suspicious for"). All reports also deny such findings, ask for
    them, call them known and unchanged for years, resolved or unlikely, and state benign findings
    at the same places, in the same words and of the same sizes. So no single word decides.

    Parameters
    ----------
    n_reports : int, default=200
        Number of reports; of pairs with ``pairs=True``.
    language : {"en", "ja"}, default="en"
        English or Japanese.
    pairs : bool, default=False
        Whether each row has the previous report as well. Then a report is important if an
        important finding is new or has grown since; one that stays as it was does not count, so
        the current report alone is not enough. A patient may have several rows, each of which
        starts from the report that the last one ended with.
    important_fraction : float, default=0.25
        Part of the reports that is important; rounded to whole reports.
    n_sentences : tuple of two int, default=(4, 10)
        Fewest and most sentences of a report.
    task : {"binary", "multiclass", "multilabel"}, default="binary"
        What `y` holds. ``"binary"``: 1 for important. ``"multiclass"``: ``"routine"``,
        ``"follow-up"`` or ``"urgent"``, after the most urgent important finding.
        ``"multilabel"``: one column for each group of important findings.
    first_examination_fraction : float, default=0.1
        Part of the rows without a previous report, for ``pairs=True``. There every finding is new.
    headings : float or bool, default=0.5
        Part of the reports with section headings such as "FINDINGS:"; True is all of them.
    label_noise : float, default=0.0
        Chance that a label is replaced by another one; each entry on its own for
        ``task="multilabel"``. Sentence labels stay true.
    hard_wrap : float or bool, default=0.0
        Part of the reports whose lines are broken at a fixed width, also inside sentences.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random here. An int gives the same reports in every call. The global
        generators are never drawn from.

    Returns
    -------
    Bunch
        With the fields

        X : Series of str of shape (n_reports,), or DataFrame of shape (n_reports, 2)
            The texts, named "report"; with ``pairs=True`` the columns ``previous`` (missing for
            first examinations) and ``current``.
        y : ndarray of shape (n_reports,) or (n_reports, n_labels)
            int64 labels, or strings for ``task="multiclass"``.
        target_names : list of str
            Meaning of the classes, or of the columns of `y`.
        sentences : list of list of str
            Sentences of each (current) report, in order, without headings.
        spans : list of ndarray of shape (n_sentences, 2), int64
            Start and end of each sentence in the text.
        sentence_y : list of ndarray of shape (n_sentences,), int64
            1 for evidence: sentences without which the report would not be important.
        groups : ndarray of shape (n_reports,), int64
            Patient of each report.
        previous_sentences : list of list of str, or None
            Sentences of the previous reports; an empty list for first examinations.
        changes : DataFrame or None
            For ``pairs=True``, one row for each sentence of a current report, and for each of the
            previous one that is gone, with the columns ``report``, ``status`` ("new", "kept" or
            "gone"), ``sentence`` (its position in the current report; for "gone" in the previous
            one), ``text``, ``match`` (position of the same statement in the other report, or -1),
            ``worse`` (a kept finding that grew), ``finding`` (whether it states one) and
            ``important``.
        DESCR : str
            One line about these reports.

    Raises
    ------
    ValueError
        If `n_sentences` is not a pair of rising positive numbers.

    Notes
    -----
    The texts imitate the form of reports, not their medicine: findings are drawn independently.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_reports
    >>> data = make_reports(40, random_state=0)
    >>> data.X.shape, int(data.y.sum())
    ((40,), 10)
    >>> first = data.y.argmax()
    >>> data.sentence_y[first]
    array([0, 0, 0, 1, 1, 0, 0, 0, 0])
    >>> data.sentences[first][3]
    'There is a 27 mm ischaemic lesion in the left parietal region.'
    """
    shortest, longest = _check_lengths(n_sentences)
    rng = _generator(random_state)
    important = np.zeros(n_reports, dtype=bool)
    important[rng.permutation(n_reports)[: round(important_fraction * n_reports)]] = True
    maker = ReportMaker(rng, _LANGUAGES[language], (shortest, longest), headings, hard_wrap)
    groups, previous = np.arange(n_reports), None
    if pairs:
        groups, previous, reports = maker.series(important, first_examination_fraction)
    else:
        reports = [maker.first(flag) for flag in important]

    y, names = outcome(rng, reports, task, label_noise)
    texts = pd.Series([report.text for report in reports], dtype="str", name="report")
    if pairs:
        before = [None if report is None else report.text for report in previous]
        texts = pd.DataFrame({"previous": pd.Series(before, dtype="str"), "current": texts})
    return Bunch(
        X=texts,
        y=y,
        target_names=names,
        sentences=[report.sentences for report in reports],
        spans=[report.spans for report in reports],
        sentence_y=[report.evidence for report in reports],
        groups=groups,
        previous_sentences=[r.sentences if r else [] for r in previous] if pairs else None,
        changes=changes_table(previous, reports) if pairs else None,
        DESCR=f"{n_reports} made {_NAMES[language]} reports, {task}; none is about a real patient.",
    )


def _check_lengths(n_sentences):
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in n_sentences)
    if len(n_sentences) != 2 or not whole or not 1 <= n_sentences[0] <= n_sentences[1]:
        raise ValueError(
            "n_sentences must be the fewest and the most sentences of a report, such as (4, 10), "
            f"found {n_sentences!r}."
        )
    return n_sentences


def _generator(random_state):
    # An int seeds numpy's Generator directly; None never touches numpy's global generator.
    if random_state is None or isinstance(random_state, Integral):
        return np.random.default_rng(random_state)
    return np.random.default_rng(check_random_state(random_state).randint(0, 2**31, size=4))


def load_reports(name, *, drop_duplicates=True, data_home=None):
    """Load one of the real sets of reports that this project is developed on.

    The sets are not part of the package, since their licences do not all allow that. This
    function only reads a folder that is already there; it fetches nothing.

    Parameters
    ----------
    name : {"iu_xray_reports", "jichi_ja_counterfactual", "jmed_rrtnm_ja_reports", \
            "nli4ct_claim_evidence"}
        Name of the set.
    drop_duplicates : bool, default=True
        Whether to leave out reports that repeat an earlier one, nearly or word for word, where
        the set marks them.
    data_home : str, path or None, default=None
        Folder that holds ``reports/<name>.parquet``. None takes the environment variable
        ``MEDSEL_DATA``, and where that is not set ``../shared/data`` of the current folder.

    Returns
    -------
    Bunch
        With the fields

        X : Series of str of shape (n_reports,), or DataFrame of shape (n_reports, 2)
            The texts; for claims the columns ``claim`` and ``current``, the sentences of the trial
            report joined by new lines.
        y : ndarray of shape (n_reports,)
            int64 with 1 for important, or "Entailment" and "Contradiction" for claims.
        sentences : list of list of str, or None
            Sentences of each report, where the set has them.
        sentence_y : list of ndarray of shape (n_sentences,), int64, or None
            1 for evidence, where the set has it.
        groups : ndarray of shape (n_reports,), int64, or None
            Reports that must not be parted into training and test: versions of one source
            report, the same words (numbers and case aside), claims on the same trial report.
        frame : DataFrame
            All columns of the set.

    Raises
    ------
    ValueError
        If `name` is none of these sets.
    FileNotFoundError
        If the folder or the table is not there.

    Examples
    --------
    >>> from sklearn_medsel.datasets import load_reports
    >>> data = load_reports("iu_xray_reports")  # doctest: +SKIP
    >>> data.X.shape, int(data.y.sum())  # doctest: +SKIP
    ((2218,), 573)
    """
    if name not in _SETS:
        raise ValueError(f"name must be one of {', '.join(_SETS)}; found {name!r}.")
    frame = _read(name, data_home)
    if drop_duplicates and "duplicate" in frame:
        frame = frame[~frame["duplicate"]].reset_index(drop=True)
    sentences = [list(row) for row in frame["sentences"]] if "sentences" in frame else None
    evidence = None
    if "evidence" in frame:
        evidence = [np.asarray(row, dtype=np.int64) for row in frame["evidence"]]
    if "claim" in frame:
        current = pd.Series(["\n".join(row) for row in sentences], dtype="str")
        X = pd.DataFrame({"claim": frame["claim"].astype("str"), "current": current})
        y, same = frame["label"].to_numpy(dtype=str), current
    else:
        X = frame["text"].astype("str").rename("report")
        y, same = frame["important"].to_numpy(np.int64), frame.get(_SETS[name])
    if _SETS[name] == "text":
        same = frame["text"].str.lower().str.replace(r"[^a-z]+", " ", regex=True)
    groups = None if same is None else pd.factorize(same)[0].astype(np.int64)
    return Bunch(X=X, y=y, sentences=sentences, sentence_y=evidence, groups=groups, frame=frame)


def _read(name, data_home):
    home = Path(data_home or os.environ.get(_DATA_VARIABLE) or _DEFAULT_FOLDER)
    folder = home / "reports"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"No folder of reports at {str(folder)!r}; set the environment variable "
            f"{_DATA_VARIABLE} to the folder that holds 'reports', or pass data_home."
        )
    path = folder / f"{name}.parquet"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.parquet")))
        raise FileNotFoundError(f"No set {name!r} in {_DATA_VARIABLE}; there are: {known}.")
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            'Reading parquet needs pyarrow: pip install "sklearn-medsel[demo]"'
        ) from error
    return pq.read_table(path).to_pandas()
