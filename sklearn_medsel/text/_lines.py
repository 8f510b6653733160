"""Lines of a report: which are joined, because a sentence was only wrapped, and list markers."""

# The marks of Chinese and Japanese are meant, not the Latin ones they look like.
# ruff: noqa: RUF001

import re
from itertools import pairwise
from typing import NamedTuple

from sklearn_medsel.text._headings import match_heading
from sklearn_medsel.text._script import display_width, is_cjk

ENDS = ".!?。．！？｡"
LINE_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")

_NUMBER = re.compile(
    r"[(（]?(?P<digits>\d{1,2})(?:[.)．）](?=\s|[^\W\d_]|$)|、(?=\D))"
    r"|(?P<circled>[①-⑳])|[(（]?[a-h][)）](?=\s|$)"
)
_BULLET = re.compile(r"[・•●◯◎◆◇■□▪▫▶▷►‣※·]+|○(?!○)|[*–—](?=\s|$)|[-−](?=\s|$|[A-Z\u3040-\u9fff])")
_RULE = re.compile(r"[-=_*#~–—─━―＝－]{3,}$")
# A line that ends in one of these, or begins with one of those, belongs to its neighbour.
_OPEN_END = re.compile(
    r"(?:[、，,(（「『【〔・:：/／]|[はがをにへとのでもやらまよせれめえてっゃゅょ]"
    r"|(?<![^\W\d_])(?:a|an|the|and|or|of|with|without|in|on|at|to|from|by|for|is|are|was|were|be|"
    r"has|have|no|as|than|that|which|this|these|within|between|into|versus|vs))$"
)
_OPEN_START = re.compile(
    r"[、。，．,.;:!?！？｡)）\]］」』】〕%％ゃゅょっぁぃぅぇぉーんを]|[にはがのへもでと](?=[^ぁ-ん]|、)"
    r"|(?:し|り|く|れ|き)[、,]|(?:す|る|い|た|り|し)[。．]|ます|ません|せん|ました|した|られ|れる|すい|ない"
)
# Japanese that may stand last: the line was ended on purpose.
_JAPANESE_END = re.compile(r"(?:[るたいすんずうむ]|あり|なし|[有無]り?|正常|不変|著変)$")
_WORD = re.compile(r"\S{1,30}")
_TAIL, _WRAP_WIDTH, _SENTENCE_WIDTH = 24, 40, 60


def match_marker(text, start, end):
    """Match what opens a list item, a number or a bullet, or a ruled line, at an offset."""
    return (
        _NUMBER.match(text, start, end)
        or _RULE.match(text, start, end)
        or _BULLET.match(text, start, end)
    )


def list_number(marker):
    """The number in a list marker such as "2.", "(2)" or "②", or None."""
    found = _NUMBER.match(marker)
    if found is None:
        return None
    if found["circled"]:
        return ord(found["circled"]) - ord("①") + 1
    return int(found["digits"]) if found["digits"] else None


def split_blocks(text):
    """Yield ``(start, end)`` of every run of lines that belong together.

    A heading alone on its line, and a line that opens with a heading or a list marker, begin a
    new one, as does a blank line. Lines without a word but with a mark stay in.
    """
    lines = list(_lines(text))
    wrapped = _wrapped(text, lines)
    start = None
    for index, line in enumerate(lines):
        if start is not None and _joins(text, lines[index - 1], line, wrapped[index - 1], start):
            continue
        if start is not None:
            yield start, lines[index - 1].end
        start = line.start
    if start is not None:
        yield start, lines[-1].end


class _Line(NamedTuple):
    """Offsets of a line without outer white space, and what it is."""

    start: int
    end: int
    after_blank: bool
    opens: bool  # begins with a heading or a list marker
    closed: bool  # is nothing else
    width: int


def _lines(text):
    """Yield the lines that are not blank."""
    last = 0
    for found in LINE.finditer(text):
        part = found[0]
        start = found.start() + len(part) - len(part.lstrip())
        end = found.start() + len(part.rstrip())
        if start >= end:
            continue
        breaks = text[last : found.start()].replace("\r\n", "\n")
        heading = match_heading(text, start, end)
        marker = None if heading else match_marker(text, start, end)
        stop = heading.stop if heading else marker.end() if marker else start
        yield _Line(
            start,
            end,
            sum(map(breaks.count, "\n\r")) > 1,
            stop > start,
            stop == end,
            display_width(text[start:end]),
        )
        last = end


def _joins(text, previous, line, wrapped, start):
    """Whether a line goes on with the sentence of the one before; their block began at `start`."""
    if line.after_blank or line.opens or previous.closed:
        return False
    last = text[previous.end - 1]
    if last in ENDS:
        return True  # one block; whether the sentence ends there is decided with the others
    tail = max(previous.start, previous.end - _TAIL)
    if _OPEN_START.match(text, line.start, line.end):
        return True
    if _OPEN_END.search(text, tail, previous.end):
        return True
    if is_cjk(last) or is_cjk(text[line.start]):
        if _JAPANESE_END.search(text, tail, previous.end):
            return False
        # Somebody who writes 。 in these lines would have ended this sentence with it, too.
        writes_stops = text.find("。", previous.start, line.end) >= 0
        return wrapped or (writes_stops and previous.width >= _SENTENCE_WIDTH)
    if text[line.start].islower():
        # Short lines that all begin in lower case are a list of findings.
        return wrapped or previous.width >= _WRAP_WIDTH or not text[start].islower()
    return wrapped


def _wrapped(text, lines):
    """Whether each line is as full as its report's width allows, in a report wrapped to a width.

    One full line proves nothing, as there is always a longest; two without a full stop do.
    """
    width = max((line.width for line in lines), default=0)
    full = []
    for line, following in pairwise(lines):
        if is_cjk(text[following.start]):
            needed = 4  # one character, and one that may not begin a line
        else:
            needed = 1 + _WORD.match(text, following.start, following.end).end() - following.start
        broken = not (following.opens or following.after_blank or text[line.end - 1] in ENDS)
        full.append(broken and line.width + needed > width >= _WRAP_WIDTH)
    return full if sum(full) > 1 else [False] * len(full)
