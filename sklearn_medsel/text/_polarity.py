"""Terms of a sentence that know whether they were denied.

"No pleural effusion" and "pleural effusion" share their words and say opposite things. Terms under
a negation get a mark, as in NegEx (Chapman et al., J Biomed Inform 2001;34:301), so that a linear
model can tell them apart: words and word pairs in alphabetic script, runs of one to three
characters in Chinese and Japanese script. Rules, not learnt; their errors are the price.
"""

import itertools
import re
import unicodedata

from sklearn_medsel.text._script import cjk_share

MARK = "¬"
"""What stands before a term that is denied."""

_CJK_FROM = 0.2  # share of characters from which a sentence counts as Chinese or Japanese
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_NGRAMS = (1, 2, 3)

# English. A cue denies what follows in its clause, which a semicolon or a turning word ends.
_DENIES = {"no", "not", "without", "negative", "absence", "denies", "denied", "nor", "never"}
_CLAUSE = re.compile(r";|\b(?=(?:but|however|although|though|except|aside)\b)")
_NOT_A_DENIAL = re.compile(
    r"\b(?:no|not|without)\s+(?:(?:significant|interval|definite|appreciable|substantial)\s+)*"
    r"(?:chang(?:e[ds]?|ing)|longer|excluded|ruled|certain|only)\b"
)
# These follow what they deny: the whole clause is denied.
_DENIED_BEFORE = re.compile(
    r"\b(?:(?:is|are|was|were|has been|have been)\s+(?:no longer|not)\s+(?:\w+\s+)?"
    r"(?:seen|identified|evident|visuali[sz]ed|present|demonstrated|noted|visible|apparent)"
    r"|(?:has|have|had)\s+(?:(?!not\b|never\b|part|incompletely\b|nearly\b|almost\b)\w+\s+)?"
    r"(?:resolved|cleared|disappeared)|(?:is|are)\s+resolved"
    r"|(?:is|are|was|were|(?<!not\s)been)\s+ruled\s+out)\b"
)

# Chinese and Japanese. The predicate ends the clause; clauses before it without one share its fate.
_CJK_CLAUSE = re.compile(r"(?<=[、，,;；。．])")  # noqa: RUF001
_CJK_DENIES = re.compile(
    "(?<!少)ない(?!し)|(?<!少)なく|なし|無し|無く|認めず|認めぬ|せん|られず|指摘できず|されず|消失|否定的"
    "|未见|未見|未发现|未發現|无明显|無明顯|没有|沒有|无异常"
)
_CJK_NOT_A_DENIAL = re.compile("(?:否定|除外)(?:は|も|し)?(?:でき|きれ)(?:ない|ません|ず)")
_CJK_STATES = re.compile(
    "認め|みられ|見られ|あり|有り|ある|ます|です|疑|呈し|示し|存在|伴|考え|可见|可見|考虑|考慮"
)


def is_cjk(text):
    """Tell whether a text is mostly in Chinese or Japanese script."""
    return cjk_share(text) >= _CJK_FROM


def sentence_terms(sentence):
    """Split a sentence into terms, those under a negation with a mark before them.

    Parameters
    ----------
    sentence : str
        One sentence; upper and lower case, full and half width are one.

    Returns
    -------
    list of str
        Words and pairs of neighbouring words; for Chinese and Japanese, runs of one to three
        characters within a clause.

    Examples
    --------
    >>> from sklearn_medsel.text._polarity import sentence_terms
    >>> sentence_terms("No effusion but edema.")
    ['no', '¬effusion', 'but', 'edema', 'no ¬effusion', '¬effusion but', 'but edema']
    """
    sentence = unicodedata.normalize("NFKC", sentence).lower()
    return _character_runs(sentence) if is_cjk(sentence) else _words(sentence)


def denied_words(sentence):
    """Give the single words or characters of a sentence, each with its mark.

    The unit in which two sentences are compared: as `sentence_terms`, without pairs and longer
    runs for words, and with pairs of characters for Chinese and Japanese.
    """
    sentence = unicodedata.normalize("NFKC", sentence).lower()
    return _character_runs(sentence, (2,)) if is_cjk(sentence) else _marked_words(sentence)


def _words(sentence):
    marked = _marked_words(sentence)
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(marked)]
    return marked + pairs


def _marked_words(sentence):
    marked = []
    for clause in _CLAUSE.split(sentence):
        whole = bool(_DENIED_BEFORE.search(clause))
        pardoned = [match.span() for match in _NOT_A_DENIAL.finditer(clause)]
        denied = False
        for match in _WORD.finditer(clause):
            word = match.group()
            turns = match.start() == 0 and _CLAUSE.match(clause)
            marked.append(MARK + word if (denied or whole) and not turns else word)
            if word in _DENIES and not any(a <= match.start() < b for a, b in pardoned):
                denied = True
    return marked


def _character_runs(sentence, lengths=_NGRAMS):
    clauses = [clause for clause in _CJK_CLAUSE.split(sentence) if clause.strip()]
    denied = False
    marks = []
    for clause in reversed(clauses):
        if _CJK_NOT_A_DENIAL.search(clause):
            denied = False
        elif _CJK_DENIES.search(clause):
            denied = True
        elif _CJK_STATES.search(clause):
            denied = False
        marks.append(MARK if denied else "")
    runs = []
    for clause, mark in zip(clauses, reversed(marks), strict=True):
        letters = "".join(character for character in clause if character.isalnum())
        runs += [
            mark + letters[start : start + length]
            for length in lengths
            for start in range(len(letters) - length + 1)
        ]
    return runs
