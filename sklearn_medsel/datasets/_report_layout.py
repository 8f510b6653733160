"""Puts the sentences of a made report on the page: headings, lines, and where each stands."""

from dataclasses import dataclass

import numpy as np

from sklearn_medsel.datasets._report_sentences import Statement

# Nothing of Japanese typography stands at the start of a line.
_NOT_FIRST = "。、，．）」・ー：っゃゅょ"  # noqa: RUF001


@dataclass(frozen=True, eq=False)
class Report:
    """A written report: what was examined, what it says, and where each sentence stands."""

    exam: str
    statements: list[Statement]
    text: str
    spans: np.ndarray

    @property
    def sentences(self):
        """The sentences, as they stand in the text."""
        return [self.text[start:end] for start, end in self.spans]

    @property
    def evidence(self):
        """1 for each sentence without which the report would not be important."""
        return np.array([statement.is_evidence for statement in self.statements], dtype=np.int64)


def lay_out(statements, writer, *, headings, hard_wrap):
    """Write a report.

    Parameters
    ----------
    statements : list of Statement
        What it says, in order; each gets its `text`.
    writer : Writer
        Words them.
    headings, hard_wrap : bool
        Whether sections have headings, and whether lines are broken at a fixed width.

    Returns
    -------
    Report
        With the statements in the order given.
    """
    rng, phrases = writer.rng, writer.phrases
    joint = phrases.joints[int(rng.integers(len(phrases.joints)))]
    # Some Japanese writers end a sentence with the line, without a full stop.
    bare = joint == "\n" and phrases.stop == "。" and rng.random() < 0.2
    sections = _sections(rng, statements) if headings else [None] * len(statements)
    names = {part: names[int(rng.integers(len(names)))] for part, names in phrases.headings.items()}
    text, spans, current = "", [], None
    for statement, section in zip(statements, sections, strict=True):
        if section != current:
            text += ("\n" if text else "") + names[section] + ("\n" if joint == "\n" else " ")
            current = section
        elif text:
            text += joint
        sentence = writer.write(statement, as_heading=headings)
        sentence = sentence.removesuffix(phrases.stop) if bare else sentence
        spans.append((len(text), len(text) + len(sentence)))
        text += sentence
    spans = np.array(spans, dtype=np.int64).reshape(-1, 2)
    if hard_wrap:
        text, spans = _wrap(rng, text, spans, phrases)
    return Report(writer.exam, statements, text, spans)


def _sections(rng, statements):
    """Name the section of each statement; the last one or two make the impression."""
    first = {"asked": "asked", "technique": "technique"}
    sections = [first.get(statement.act, "body") for statement in statements]
    body = sections.count("body")
    if body > 2:
        for position in range(len(sections) - int(rng.integers(1, 3)), len(sections)):
            sections[position] = "impression"
    return sections


def _wrap(rng, text, spans, phrases):
    """Break lines at a width, in English at spaces, in Japanese between any two characters."""
    width = int(rng.integers(*phrases.width))
    if phrases.stop == ".":
        return _wrap_at_spaces(text, width), spans
    breaks = _breaks(text, width)
    pieces = np.split(np.array(list(text), dtype=object), breaks)
    wrapped = "\n".join("".join(piece) for piece in pieces)
    # A break at the start of a sentence moves it; one at its end stands behind it.
    starts = spans[:, 0] + np.searchsorted(breaks, spans[:, 0], side="right")
    ends = spans[:, 1] + np.searchsorted(breaks, spans[:, 1], side="left")
    return wrapped, np.column_stack([starts, ends])


def _wrap_at_spaces(text, width):
    characters, line, space = list(text), 0, None
    for position, character in enumerate(text):
        if character == "\n":
            line, space = position + 1, None
            continue
        if position - line >= width and space is not None:
            characters[space] = "\n"
            line, space = space + 1, None
        if character == " ":
            space = position
    return "".join(characters)


def _breaks(text, width):
    breaks, line = [], 0
    for position in range(1, len(text)):
        before, after = text[position - 1], text[position]
        if before.isascii() and after.isascii() and "\n" not in before + after:
            continue  # numbers and Latin words stay whole
        if after == "\n" or before == "\n":
            line = position + (after == "\n")
        elif position - line >= width and after not in _NOT_FIRST:
            breaks.append(position)
            line = position
    return np.array(breaks, dtype=np.int64)
