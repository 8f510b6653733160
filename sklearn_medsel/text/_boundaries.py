"""Where a sentence ends within a run of text: full stops, list items, headings, spaces."""

# The marks of Chinese and Japanese are meant, not the Latin ones they look like.
# ruff: noqa: RUF001, RUF003

import re
from typing import NamedTuple

from sklearn_medsel.text._headings import INLINE, match_heading
from sklearn_medsel.text._lines import ENDS, LINE_BREAK, list_number, match_marker
from sklearn_medsel.text._script import CJK, is_cjk

_CLOSERS = "\"'”’)\\]}」』】）〕〉》］"
# Every place where a sentence may end, found in one pass.
_CANDIDATE = re.compile(
    rf"(?P<item>(?<=\s)(?:[(（]?\d{{1,2}}[.)．）](?=\s)|[①-⑳]))"
    rf"|(?P<end>[{ENDS}]+[{_CLOSERS}]*)"
    rf"|(?P<gap>(?<=[{CJK})）])[ \t\u3000\xa0]+(?=\S))"
    rf"|(?P<heading>{INLINE})"
)
_SPACE = re.compile(r"\s*")
_MARK = re.compile(rf"[{ENDS}]+[{_CLOSERS}]*")
_WORD_LENGTH = 24  # how far back a word is looked for, so that time stays linear
_DOTTED = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")
_INITIAL = re.compile(r"[A-Z]\.")
_WORD_BEFORE = re.compile(r"[^\W_]+(?:[.-][^\W_]+)*$")


def _words(listed):
    return frozenset(listed.split())


# Abbreviations. A full stop after the first never ends a sentence, after the second not before a
# number, after the third not before a lower-case letter.
_NEVER_LAST = _words("dr mr mrs ms prof vs e.g i.e cf fig figs approx eg ie viz resp")
_BEFORE_NUMBER = _words("no nos vol vols p pp ref refs im img ser se ver art sect")
_SHORT = _words(
    "etc min max hrs sec yrs ant post lat med inf sup bilat mod avg temp abd dept est incl excl "
    "prev neg pos resp circ diam dist prox cont poss prob ext int lig art vert seg st rt lt"
)
_ABBREVIATIONS = _NEVER_LAST | _BEFORE_NUMBER | _SHORT
_TITLES = _words("dr mr mrs ms prof")
# "Grade 2. Stable" is no second item of a list.
_TAKES_NUMBER = _words(
    "level segment seg grade stage type category rads number no series image zone station phase "
    "group class score day week month step part lesion nodule rib digit view figure table "
    "vertebra vertebrae l t c s th of is at to and measures approximately"
)
# "「異常なし。」とのこと" and "結節（？）を認める" go on behind the mark.
_GOES_ON = re.compile(r"[、，,:：;]|[をにはがのへもでと](?:[^ぁ-ん]|の|こと|して|す|い)")
_GOES_ON_LOWER = re.compile(r"(?:and|or|but|nor|than|of|in|with|without|which|as|by|to|for)\b")
# Ends of a Japanese sentence before a space. The first are polite or full-stop-like; the others
# also stand before a noun, so the space must not be the half-width one before "CT" or "10mm".
_POLITE_END = re.compile(r"(?:です|ます|ません|でした|ました|ください|なし|無し)$")
_PLAIN_END = re.compile(
    r"(?:あり|有り|ない|ある|いる|する|認める|認めず|認めた|れる|れず|せず|見える|考える|疑う|疑い|えず|"
    r"みる|った|した|れた|きた|いた|える|めず|らず)$"
)
_NOUN_END = re.compile(r"(?:正常|不変|著変|異常|消失|増大|縮小|改善|悪化|無)$")


class Piece(NamedTuple):
    """A sentence of a block, the headings before it, and whether it ends a line."""

    start: int
    end: int
    headings: list
    ends_line: bool


def cut_block(text, start, end):
    """Yield the sentences of a block of joined lines, a `Piece` each.

    Headings and list markers are outside the offsets; a piece may be empty if there is nothing
    behind them.
    """
    start, headings, number = _open(text, start, end, line_start=True)
    for candidate in _CANDIDATE.finditer(text, start, end):
        if candidate.start() < start:
            continue
        stop = _stop(text, candidate, start, end, number)
        if stop is None:
            continue
        space = _SPACE.match(text, stop, end)
        yield Piece(start, stop, headings, LINE_BREAK.search(space[0]) is not None)
        start, headings, count = _open(text, space.end(), end, line_start=False)
        number = count or number
    if headings or start < end:
        yield Piece(start, end, headings, True)


def _open(text, start, end, *, line_start):
    """Pass over headings and list markers at the start of a sentence."""
    headings = []
    number = None
    while start < end:
        heading = match_heading(text, start, end, line_start=line_start)
        marker = None if heading else match_marker(text, start, end)
        if heading:
            headings.append(heading)
            stop = heading.stop
        elif marker:
            number = list_number(marker[0]) or number
            stop = marker.end()
        else:
            break
        start = _SPACE.match(text, stop, end).end()
    return start, headings, number


def _stop(text, candidate, start, end, number):
    """Where the sentence from `start` ends because of a candidate, or None if it goes on."""
    kind = candidate.lastgroup
    if kind == "gap":
        return candidate.start() if _is_gap(text, candidate, start) else None
    if kind == "end":
        return candidate.end() if _is_end(text, candidate, start, end) else None
    before = _strip_back(text, start, candidate.start())
    if kind == "heading":
        known = match_heading(text, candidate.start(), end, line_start=False)
        return before if known and before > start else None
    if before > start and _is_item(text, candidate, start, before, number):
        return before
    mark = _MARK.search(text, candidate.start(), candidate.end())
    return mark.end() if mark and _is_end(text, mark, start, end) else None


def _is_item(text, candidate, start, before, number):
    """Whether a number opens the next item of a list although no full stop stands before it."""
    count = list_number(candidate[0])
    if count != (number or 0) + 1:
        return False
    follower = _SPACE.match(text, candidate.end()).end()
    if not text[follower : follower + 1].isupper() and not is_cjk(text[follower : follower + 1]):
        return False
    word = _WORD_BEFORE.search(text, max(start, before - _WORD_LENGTH), before)
    return word is None or word[0].rpartition("-")[2].lower() not in _TAKES_NUMBER


def _is_gap(text, candidate, start):
    """Whether a space in Japanese text stands for a full stop."""
    stop = candidate.start()
    before = text[max(start, stop - 6) : stop]
    space, follower = candidate[0], text[candidate.end()]
    if follower in "、，,)）」』】" or follower in ENDS or _GOES_ON.match(text, candidate.end()):
        return False
    if _POLITE_END.search(before):
        return True
    if space != " " or is_cjk(follower):
        return _PLAIN_END.search(before) is not None or (
            space != " " and _NOUN_END.search(before) is not None
        )
    return False


def _is_end(text, mark, start, end):
    """Whether a sentence ends behind a match of `_MARK`."""
    space = _SPACE.match(text, mark.end(), end)
    if space.end() == end:
        return True
    before = text[mark.start() - 1] if mark.start() > start else ""
    follower = text[space.end()]
    # ". ." and a mark that hangs over into the next line belong to the sentence before them, "?"
    # as in "? pneumonia" to the one behind.
    if not before or (follower in ENDS and (follower not in "?？" or before.isspace())):
        return False
    closed = mark[0][-1] not in ENDS
    if is_cjk(before) or mark[0].strip(".!?")[:1] in set("。．！？｡"):
        return _is_wide_end(text, mark, before, space.end(), closed)
    if not space[0]:
        return _is_end_without_space(text, mark, start, follower)
    if follower.islower() and (len(mark[0]) > 1 or _GOES_ON_LOWER.match(text, space.end())):
        return False
    if mark[0][0] != "." or before.isspace():
        return not follower.islower() or not before.isspace()
    word = _WORD_BEFORE.search(text, max(start, mark.start() - _WORD_LENGTH), mark.start())
    return word is None or _ends_after(text, word, start, space, follower)


def _is_wide_end(text, mark, before, behind, closed):
    follower = text[behind]
    if before.isdigit() and follower.isdigit() and behind == mark.end():
        return False  # a decimal point: １．２
    may_go_on = closed or mark[0][0] in "!?！？"
    return not (may_go_on and _GOES_ON.match(text, behind))


def _is_end_without_space(text, mark, start, follower):
    """Whether "effusion.Heart" or "GGN.胸水" end; "1.5", "ver.2", "e.g.x" and "H.pylori" do not."""
    if mark[0] != ".":
        return is_cjk(follower)
    word = _WORD_BEFORE.search(text, max(start, mark.start() - _WORD_LENGTH), mark.start())
    if word is None or word[0].lower() in _ABBREVIATIONS:
        return False
    if is_cjk(follower):
        return True
    behind = text[mark.end() : mark.end() + 2]
    return len(word[0]) > 2 and word[0][-3:].islower() and behind.istitle() and behind.isalpha()


def _ends_after(text, word, start, space, follower):
    """Whether a sentence ends at a full stop behind a word and before white space."""
    plain = word[0].lower()
    if plain in _NEVER_LAST:
        return False
    if follower.isdigit():
        bare_number = plain.isdigit() and len(plain) < 3  # a broken decimal: "1. 2 cm"
        return not bare_number and plain not in _BEFORE_NUMBER
    if _DOTTED.fullmatch(word[0]):
        return not word[0].isupper() and not follower.islower()  # "p.m." may end, "J.R." not
    if len(plain) == 1 and word[0].isupper() and _is_initial(text, word, start, space.end()):
        return False
    if follower.islower() and not LINE_BREAK.search(space[0]):
        return len(plain) > 2 and plain not in _SHORT
    return True


def _is_initial(text, word, start, behind):
    """Whether a capital is part of a name: "Dr. J. Smith", "J. R. Smith", "A. Smith"."""
    before = text[max(start, word.start() - 8) : word.start()].split()
    return (
        word.start() == start
        or _INITIAL.match(text, behind) is not None
        or (
            before and (before[-1].rstrip(".").lower() in _TITLES or _INITIAL.fullmatch(before[-1]))
        )
    )


def _strip_back(text, start, stop):
    """Offset of the white space before `stop`."""
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return stop
