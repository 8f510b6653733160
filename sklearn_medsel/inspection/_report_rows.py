"""The table behind a picture of reports: sentences checked, graded, and compared with earlier ones.

No message from here holds the text of a report.
"""

import numpy as np
import pandas as pd

# What a display can show. Evidence is compared with 1, and so means the same in every report.
KINDS = ("evidence", "attention", "contribution")
# Shades of a marked sentence; grade 0 stays unmarked.
GRADES = 5
# So many sentences of a report carry a rank.
RANKED = 3
STATUSES = ("new", "kept", "changed", "gone")


def check_texts(texts):
    """Return the reports as a Series of str, indexed by report number.

    Parameters
    ----------
    texts : sequence of str or Series of str
        The reports. The index of a Series holds the report numbers; otherwise these are positions.

    Returns
    -------
    Series of str

    Raises
    ------
    ValueError
        If a report is no string, or a report number occurs twice.
    """
    texts = texts if isinstance(texts, pd.Series) else pd.Series(list(texts), dtype=object)
    if not texts.index.is_unique:
        raise ValueError("texts: a report number occurs twice in the index; number them uniquely.")
    for number, report in texts.items():
        if not isinstance(report, str):
            raise ValueError(
                f"texts: report {number} must be a str, found {type(report).__name__}; give the "
                f"reports that the sentences were cut from."
            )
    return texts


def check_sentences(sentences, texts):
    """Return the sentences in report order, checked against the reports they are slices of.

    Parameters
    ----------
    sentences : DataFrame
        With columns report, sentence, start, end, value, and class where there are several.
    texts : Series of str
        The reports by number.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If a column is missing or of the wrong type, a report is unknown, a value is not finite, or
        a sentence overlaps another or lies outside its report.
    """
    _check_columns(sentences, "sentences", ("report", "sentence", "start", "end", "value"))
    group = ["report", "class"] if "class" in sentences else ["report"]
    rows = sentences.reset_index(drop=True).astype({"value": float})
    if "class" in rows:
        rows["class"] = np.array([str(name) for name in rows["class"]], dtype=object)
    _check_integers(rows, "sentences", ("sentence", "start", "end"))
    _check_known(rows["report"], texts, "sentences")
    _refuse(rows, ~np.isfinite(rows["value"]), "has a value that is not finite")
    length = rows["report"].map(texts.map(len)).to_numpy(dtype=np.int64)
    start, end = rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64)
    _refuse(
        rows, (start < 0) | (start >= end) | (end > length), "lies outside its report or is empty"
    )
    rows = rows.sort_values([*group, "start"], kind="stable")
    before = rows.groupby(group)["end"].shift()
    _refuse(rows, rows["start"] < before, "overlaps the sentence before it")
    return rows.reset_index(drop=True)


def check_changes(changes, texts):
    """Return the comparison with previous reports, its "kept but changed" as a status of its own.

    Parameters
    ----------
    changes : DataFrame
        With columns report, status, sentence, text, match_text, changed.
    texts : Series of str
        The reports by number.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If a column is missing, a report or status is unknown, or a sentence occurs twice.
    """
    needed = ("report", "status", "sentence", "text", "match_text", "changed")
    _check_columns(changes, "changes", needed)
    rows = changes.reset_index(drop=True)
    _check_integers(rows, "changes", ("sentence",))
    _check_known(rows["report"], texts, "changes")
    # what was found is not shown: columns mixed up, it would be a sentence
    known = rows["status"].isin(["new", "kept", "gone"])
    _refuse(rows, ~known, "has a status other than 'new', 'kept' and 'gone'", "changes")
    has_changed = rows["status"].eq("kept") & rows["changed"].eq(True)
    rows["status"] = rows["status"].mask(has_changed, "changed")
    current = rows["status"].ne("gone")
    twice = current & rows[current].duplicated(["report", "sentence"]).reindex(rows.index).eq(True)
    _refuse(rows, twice, "occurs twice", "changes")
    return rows


def grade_rows(sentences, kind, changes=None):
    """Add to each sentence its grade, its rank, and what became of it since the previous report.

    Parameters
    ----------
    sentences : DataFrame
        From `check_sentences`.
    kind : str
        One of `KINDS`.
    changes : DataFrame or None, default=None
        From `check_changes`.

    Returns
    -------
    DataFrame
        With the columns grade (int, -GRADES to GRADES, 0 unmarked), rank (int, 1 for the largest
        magnitude of its report, 0 for none), status and was (str, "" where unknown).
    """
    rows = sentences.copy()
    group = [rows[name] for name in ("report", "class") if name in rows]
    size = rows["value"].abs()
    if kind == "attention":  # what is left over for one sentence depends on how many there are
        scale = size.groupby(group).transform("max")
    else:
        scale = 1.0 if kind == "evidence" else size.max()
    share = (size / scale).where(size > 0, 0.0).clip(upper=1.0)
    rows["grade"] = (np.sign(rows["value"]) * np.floor(share * GRADES + 0.5)).astype(int)
    rank = size.groupby(group).rank(method="first", ascending=False).astype(int)
    rows["rank"] = rank.where((rank <= RANKED) & rows["grade"].ne(0), 0)
    rows["status"], rows["was"] = "", ""
    if changes is not None:
        current = changes[changes["status"].ne("gone")].set_index(["report", "sentence"])
        key = pd.MultiIndex.from_frame(rows[["report", "sentence"]])
        for column, source in (("status", "status"), ("was", "match_text")):
            rows[column] = current[source].reindex(key).fillna("").to_numpy(dtype=object)
    return rows


def _check_columns(frame, name, needed):
    missing = [column for column in needed if column not in getattr(frame, "columns", ())]
    if missing:
        raise ValueError(
            f"{name} must be a DataFrame with the columns {', '.join(needed)}; missing: "
            f"{', '.join(missing)}."
        )


def _check_integers(rows, name, columns):
    for column in columns:
        found = pd.api.types.infer_dtype(rows[column], skipna=False)
        if found not in ("integer", "empty"):
            raise ValueError(f"{name}: column {column} must hold integers, found {found}.")


def _check_known(numbers, texts, name):
    unknown = ~numbers.isin(texts.index)
    if unknown.any():
        raise ValueError(
            f"{name}: row {int(np.argmax(unknown))} belongs to a report that texts does not have; "
            f"texts has {len(texts)} reports."
        )


def _refuse(rows, is_wrong, what, name="sentences"):
    """Raise for the first wrong row, naming its numbers only."""
    is_wrong = np.asarray(is_wrong, dtype=bool)
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        numbers = rows[["report", "sentence"]].iloc[row]
        raise ValueError(
            f"{name}: sentence {numbers['sentence']} of report {numbers['report']} {what}; give "
            f"the table and the texts of the same reports."
        )
