"""Text that is ordered: stages, grades and degrees, read as numbers.

"Stage IIB" lies between "Stage IIA" and "Stage III"; as unordered words that would be lost. Only
what is known to be ordered is read so. Everything else, such as codes, sites and arms, is left as
words, since a wrong order misleads more than a missing one.
"""

import math
import re
import unicodedata

_LEAST_SHARE = 0.8
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}
# a substage is a step within its stage, small beside that from one stage to the next
_LETTER = {"": 0.0, "a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5}

# One of these words before a number makes it a grade. "Type", "group", "arm" and "class" alone do
# not: their numbers are often mere names.
_ORDERED = set(
    [
        "stage",
        "grade",
        "grading",
        "level",
        "score",
        "ecog",
        "asa",
        "nyha",
        "figo",
        "who",
        "isup",
        "gleason",
        "birads",
        "pirads",
        "lirads",
        "tirads",
        "rads",
        "ckd",
        "clark",
        "fuhrman",
        "nottingham",
        "deauville",
        "killip",
        "mrc",
        "mmrc",
        "gold",
        "iss",
        "rai",
        "breslow",
        "kps",
        "ステージ",
        "グレード",
        "病期",
        "悪性度",
    ]
)
_GRADED = re.compile(
    r"(?P<stem>[^\d]*?)[\s:_.\-]*(?P<major>\d{1,2}|x|ix|iv|v?i{1,3}|v)"
    r"(?:(?P<letter>[a-d])(?P<minor>\d)?)?"
)
_TNM = re.compile(
    r"(?:y?[cpra])?(?P<stem>[tnmgr])\s?(?:(?P<major>[0-5x])(?P<letter>[a-e])?(?P<minor>\d|mi)?"
    r"|(?P<early>is|a))"
)
_PLUSES = re.compile(r"(?P<number>\d)\s?(?P<plus>\+?)|(?P<signs>\+{1,4})|-|±|\+/-|neg(?:ative)?")
_TAIL = re.compile(r"[ \-](risk|grade|expression|degree|differentiated|differentiation)$")

_SCALES = {
    "amount": {
        "very low": 0, "low": 1, "intermediate": 2, "medium": 2, "moderate": 2, "high": 3,
        "very high": 4,
    },
    "severity": {
        "none": 0, "absent": 0, "minimal": 0.5, "mild": 1, "moderate": 2, "severe": 3,
        "very severe": 4, "critical": 4,
    },
    "differentiation": {
        "well": 1, "moderate": 2, "moderately": 2, "poor": 3, "poorly": 3, "undifferentiated": 4,
    },
    "size": {"small": 1, "medium": 2, "large": 3},
}  # fmt: skip


def learn_grades(levels, counts):
    """Tell whether words are ordered, and by which scale.

    Parameters
    ----------
    levels : list of str
        Different values of a column, missing ones left out.
    counts : sequence of int
        How many cells hold each.

    Returns
    -------
    str or None
        What `read_grades` takes. A scale is found if at least 80 % of the cells belong to it, and
        these have at least two different grades. None: the words are not ordered.

    Examples
    --------
    >>> from sklearn_medsel.multimodal._grades import learn_grades, read_grades
    >>> learn_grades(["Stage I", "Stage IIB", "Stage X"], [5, 4, 1])
    'stage'
    >>> read_grades(["Stage IIB", "Stage X"], "stage")
    [2.2, nan]
    >>> learn_grades(["A", "B", "C34.1"], [5, 4, 1])
    """
    shares, grades, sure = {}, {}, set()
    for level, count in zip(levels, counts, strict=True):
        for scale, grade, is_sure in _candidates(level):
            shares[scale] = shares.get(scale, 0) + count
            if not math.isnan(grade):
                grades.setdefault(scale, set()).add(grade)
            if is_sure:
                sure.add(scale)
    least = _LEAST_SHARE * sum(counts)
    fit = [s for s in shares if shares[s] >= least and len(grades.get(s, ())) >= 2 and s in sure]
    return max(fit, key=lambda scale: (shares[scale], scale)) if fit else None


def read_grades(levels, scale):
    """Read words as grades.

    Parameters
    ----------
    levels : list
        Values; what is no str or not of this scale is NaN.
    scale : str
        From `learn_grades`.

    Returns
    -------
    list of float
        The number, plus .1 for a letter a, .2 for b, .3 for c, and .02 for each step of a digit
        behind the letter: IIIC2 is 3.34.
    """
    found = []
    for level in levels:
        options = {name: grade for name, grade, _ in _candidates(level)}
        found.append(options.get(scale, math.nan))
    return found


def _candidates(level):
    """Scales that a word may belong to: (scale, grade or NaN, whether it shows what it is)."""
    if not isinstance(level, str):
        return []
    word = " ".join(unicodedata.normalize("NFKC", level).lower().split())
    word = re.sub(r"\s*\([^()]*\)$", "", word)
    graded = [_tnm(word), _graded(word), _pluses(word)]
    return [found for found in graded if found] + _words(word)


def _graded(word):
    """Read "stage iib", "who grade 3", "iib"."""
    match = _GRADED.fullmatch(word)
    if match is None:
        return None
    stem = " ".join(re.sub(r"[\s:_.\-]+", " ", match["stem"]).split())
    major = match["major"]
    bare = not stem
    # without a word before it, only a Roman number, and one alone might be a letter
    if bare and (major not in _ROMAN):
        return None
    if not bare and not (_ORDERED & {*stem.split(), stem.replace(" ", "")}):
        return None
    grade = math.nan if major == "x" else float(_ROMAN.get(major) or major)
    return stem or "roman", grade + _behind(match), not bare or len(major) > 1


def _tnm(word):
    """Read "t2", "pn1a", "g3", "tis"; the prefixes c, p and y do not count."""
    match = _TNM.fullmatch(word)
    if match is None:
        return None
    if match["early"]:
        early = {"is": 0.5, "a": 0.25}[match["early"]]
        return ("tnm t", early, False) if match["stem"] == "t" else None
    grade = math.nan if match["major"] == "x" else float(match["major"])
    return f"tnm {match['stem']}", grade + _behind(match), True


def _behind(match):
    """Give what the letter and digit behind a number add."""
    minor = match["minor"] or 0
    return _LETTER[match["letter"] or ""] + (0.04 if minor == "mi" else 0.02 * min(int(minor), 4))


def _pluses(word):
    """Read "2+", "++", "+/-" and "-"; plain numbers belong to them if some have a plus."""
    match = _PLUSES.fullmatch(word)
    if match is None:
        return None
    if match["number"]:
        return "plus", float(match["number"]), bool(match["plus"])
    if match["signs"]:
        return "plus", float(len(match["signs"])), True
    return "plus", 0.5 if word in ("±", "+/-") else 0.0, False


def _words(word):
    """Read words of degree, such as "high risk" or "poorly differentiated"."""
    tail = _TAIL.search(word)
    stem = word[: tail.start()] if tail else word
    ending = f" {tail[1]}" if tail else ""
    if ending == " differentiation":
        ending = " differentiated"
    if stem == "undifferentiated":
        ending = " differentiated"  # of the scale of "well differentiated"
    return [
        (name + ending, float(scale[stem]), True)
        for name, scale in _SCALES.items()
        if stem in scale
    ]
