"""Cut reports into sentences, each a slice of its report, with the section it stands in."""

# The marks of Chinese and Japanese are meant, not the Latin ones they look like.
# ruff: noqa: RUF002

import operator
from functools import partial
from typing import NamedTuple

from sklearn_medsel.text._boundaries import cut_block
from sklearn_medsel.text._headings import SECTIONS
from sklearn_medsel.text._lines import LINE, split_blocks

# These go on below their heading's line; a history or a comparison seldom does.
_LASTING = ("findings", "impression", "recommendation")


class Sentence(NamedTuple):
    """A sentence of a report, a named tuple.

    Attributes
    ----------
    start, end : int
        Offsets: ``report[start:end]`` is the sentence.
    section : str
        One of `SECTIONS`: what the last heading opened, "" before the first.
    """

    start: int
    end: int
    section: str


def split_sentences(text):
    r"""Cut a report into sentences: English, Japanese, Chinese, or mixed.

    A sentence ends at 。．！？ and at .!? where these are no part of a number or an abbreviation,
    at a blank line, before a list item, and, where full stops are not written, at the end of a
    line or at a space behind a Japanese predicate. Lines that were only wrapped are joined.

    Parameters
    ----------
    text : str
        The report.

    Returns
    -------
    list of Sentence
        In order, without overlap, each non-empty and without outer white space. Every other
        character of the text lies in exactly one, except those of known headings ("FINDINGS:",
        "【所見】"), of list markers at the start of a sentence ("1.", "(2)", "①", "・", "-") and of
        ruled lines ("-----"). A text without any other character gives an empty list.

    Raises
    ------
    TypeError
        If `text` is not a str.

    Notes
    -----
    A heading that opens findings, an impression or a recommendation, and every heading alone on
    its line, holds until the next heading. Others, such as "COMPARISON: None.", hold for the
    sentences of their line, since many reports go on to the findings without a heading. Time is
    linear in the length of the text.

    Examples
    --------
    >>> from sklearn_medsel.text import split_sentences
    >>> report = "FINDINGS: Nodule of 1.2 cm. No effusion.\n【診断】\n肺癌疑い　胸水なし"
    >>> for start, end, section in split_sentences(report):
    ...     print(section, "|", report[start:end])
    findings | Nodule of 1.2 cm.
    findings | No effusion.
    impression | 肺癌疑い
    impression | 胸水なし
    """
    _check_text(text)
    found = []
    lasting = ""
    for start, end in split_blocks(text):
        section = lasting
        for piece in cut_block(text, start, end):
            for heading in piece.headings:
                section = heading.section
                if section in _LASTING or heading.stop == end:
                    lasting = section
            if piece.start < piece.end:
                found.append(Sentence(piece.start, piece.end, section))
            if piece.ends_line:
                section = lasting
    return found


def resolve_splitter(splitter):
    """Turn the parameter `splitter` of an estimator into a function.

    Parameters
    ----------
    splitter : {"auto", "lines"} or callable
        ``"auto"`` is `split_sentences`; ``"lines"`` takes every line that is not blank as a
        sentence. A callable gets the report and returns its sentences in order: as strings that
        occur in the report, or as pairs ``(start, end)`` of offsets.

    Returns
    -------
    callable
        Takes a report, returns a list of `Sentence`. It can be pickled if `splitter` can. Outer
        white space is cut off; the section is "" unless a callable returned a `Sentence`.

    Raises
    ------
    ValueError
        If `splitter` is none of these. The function returned raises it if a sentence is blank,
        not found behind the one before, or has offsets outside the report or out of order.
    TypeError
        Raised by the function returned if the report is not a str, or the callable returned
        something that is no list of strings or of pairs of integers.

    Examples
    --------
    >>> from sklearn_medsel.text._sentences import resolve_splitter
    >>> split = resolve_splitter(lambda report: report.split("; "))
    >>> split("no mass; no effusion")
    [Sentence(start=0, end=7, section=''), Sentence(start=9, end=20, section='')]
    """
    if isinstance(splitter, str) and splitter == "auto":
        return split_sentences
    if isinstance(splitter, str) and splitter == "lines":
        return _split_lines
    if callable(splitter):
        return partial(_split_by, splitter)
    found = repr(splitter) if isinstance(splitter, str) else type(splitter).__name__
    raise ValueError(f"splitter must be 'auto', 'lines' or a callable, found {found}.")


def _split_lines(text):
    _check_text(text)
    spans = (_strip(text, *line.span()) for line in LINE.finditer(text))
    return [Sentence(start, end, "") for start, end in spans if start < end]


def _split_by(splitter, text):
    """Sentences of a user's own function, each checked. Messages count from 1 and show no text."""
    _check_text(text)
    result = splitter(text)
    if isinstance(result, str | bytes) or not hasattr(result, "__iter__"):
        raise TypeError(
            f"splitter returned {type(result).__name__}; return a list of str, or of pairs of int."
        )
    found = []
    position = 0
    for count, item in enumerate(result, start=1):
        start, end = _locate(text, item, position, count)
        section = item.section if isinstance(item, Sentence) else ""
        if section not in SECTIONS:
            raise ValueError(f"splitter: sentence {count} has an unknown section.")
        found.append(Sentence(start, end, section))
        position = end
    return found


def _locate(text, item, position, count):
    """Offsets of one sentence that a user's function returned, not before `position`."""
    if isinstance(item, str):
        words = item.strip()
        start = text.find(words, position)
        if start < 0:
            raise ValueError(
                f"splitter: sentence {count} was not found in the report behind the sentence "
                "before it; return sentences as they stand there, in order."
            )
        end = start + len(words)
    else:
        start, end = _pair(item, count)
        if not position <= start <= end <= len(text):
            raise ValueError(
                f"splitter: sentence {count} has offsets ({start}, {end}); they must be in order, "
                f"not before {position} and not above {len(text)}."
            )
        start, end = _strip(text, start, end)
    if start == end:
        raise ValueError(f"splitter: sentence {count} is blank; leave it out.")
    return start, end


def _pair(item, count):
    try:
        start, end = item[:2] if isinstance(item, Sentence) else item
        return operator.index(start), operator.index(end)
    except (TypeError, ValueError):
        raise TypeError(
            f"splitter: sentence {count} must be a str or a pair of int, "
            f"found {type(item).__name__}."
        ) from None


def _strip(text, start, end):
    """Offsets without the outer white space."""
    part = text[start:end]
    end = start + len(part.rstrip())
    return min(start + len(part) - len(part.lstrip()), end), end


def _check_text(text):
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, found {type(text).__name__}.")
