"""Statements of a made report, and the writer that puts each into a sentence."""

import re
from dataclasses import dataclass, replace

from sklearn_medsel.datasets._report_phrases import Kind

# Ways to say that something is there. "old" says so too, but of what has been there for years.
PRESENT = ("present", "old")

_SHARE_COMPARED = 0.3  # of kept findings whose sentence itself says how they changed
_SHARE_SUSPECTED = 0.4
_SHARE_TAIL = 0.5
_SHARE_REWRITTEN = 0.6  # of kept statements that are worded anew though nothing changed


@dataclass(eq=False)
class Statement:
    """One thing that a report says.

    `size` is in mm, or a grade of 0, 1, 2, or None; `before` is the same statement in the previous
    report, `text` the sentence as written. `compared` says that the text itself tells the
    change, `besides` that a summary has to say "other", since there is a finding.
    """

    act: str
    kinds: tuple[Kind, ...] = ()
    region: str = ""
    site: int = 0
    size: int | None = None
    before: "Statement | None" = None
    text: str = ""
    compared: bool = False
    besides: bool = False

    @property
    def is_finding(self):
        """Whether something is said to be there."""
        return self.act in PRESENT

    @property
    def is_important(self):
        """Whether an important finding is said to be there that is not known for years."""
        return self.act == "present" and self.kinds[0].group is not None

    @property
    def grew(self):
        """Whether the finding is larger than in the previous report."""
        return self.before is not None and self.size is not None and self.size > self.before.size

    @property
    def is_evidence(self):
        """Whether this makes the report important: an important finding, new or grown."""
        return self.is_important and (self.before is None or self.grew)

    def kept(self, **changes):
        """Return the same statement for the next report."""
        return replace(self, before=self, **changes)


class Writer:
    """Words statements in one language; one writer, with one style, for each report."""

    def __init__(self, phrases, rng, exam):
        self.phrases = phrases
        self.rng = rng
        self.exam = exam
        self.style = int(rng.integers(phrases.n_styles))
        # A department names the size in one way, another one in another.
        self.sizes = phrases.sizes if rng.random() < 0.3 else (self._pick(phrases.sizes),)
        self.year = int(rng.integers(2009, 2024))

    def write(self, statement, *, as_heading=False):
        """Word a statement; `as_heading` leaves out the "Clinical history:" before a question."""
        same = statement.before is not None and statement.size == statement.before.size
        if same and not statement.before.compared and self.rng.random() > _SHARE_REWRITTEN:
            statement.text = statement.before.text
            return statement.text
        template = self._pick(self._templates(statement))
        text = self._fill(template, statement)
        if statement.act == "asked" and not as_heading:
            text = self._pick(self.phrases.prefix) + text
        statement.text = text
        return text

    def _templates(self, statement):
        act, templates = statement.act, self.phrases.templates
        if act == "normal":
            return self.phrases.normal[statement.region]
        if act == "absent" and statement.region:
            return templates["absent_at"]
        if act != "present":
            return templates[act]
        if statement.before is not None and self.rng.random() < _SHARE_COMPARED:
            statement.compared = True
            return templates[_change(statement)]
        if statement.is_important and self.rng.random() < _SHARE_SUSPECTED:
            return templates["suspected"]
        return templates["present"]

    def _fill(self, template, statement):
        phrases = self.phrases
        name, bare = "", True
        if statement.kinds:
            name = self._pick(phrases.names[statement.kinds[0].name])
            name, bare = name.removeprefix("~"), name.startswith("~")
        site = self._site(statement) if statement.region and statement.kinds else ""
        noun = self._noun_phrase(statement, name)
        values = {
            "name": name,
            "a_name": phrases.article(name, bare) if name else "",
            "np": noun,
            "a_np": phrases.article(noun, bare) if noun else "",
            "site": site,
            "place": phrases.place(site),
            "tail": self._tail(statement),
            "size": self._size(statement.size, statement.kinds),
            "was": self._size(statement.before.size, statement.kinds) if statement.before else "",
            "list": self._list(statement),
            "year": phrases.year.format(self.year - int(self.rng.integers(1, 9))),
            "exam": phrases.exams[self.exam],
            "symptom": phrases.symptoms[self.exam],
            "other": self._other(statement, "other"),
            "place_other": self._other(statement, "place_other"),
        }
        filled = self._expand(self._expand(template).format(**values))
        return filled[0].upper() + filled[1:]

    def _expand(self, text):
        text = re.sub(r"<([^<>]*)>", lambda found: found[1].split("|")[self.style], text)
        return re.sub(r"\[([^\[\]]*)\]", lambda found: self._pick(found[1].split("|")), text)

    def _noun_phrase(self, statement, name):
        if not statement.kinds:
            return ""
        kind = statement.kinds[0]
        size = self._size(statement.size, statement.kinds)
        if kind.graded and size:
            return self.phrases.graded.format(size=size, name=name)
        looks = self.phrases.looks.get(kind.name, ())
        look = self._pick(looks) + self.phrases.gap if looks and self.rng.random() < 0.5 else ""
        look = "" if look and name.startswith(look) else look
        if not size:
            return look + name
        return self._pick(self.phrases.sized).format(size=size, look=look, name=name)

    def _size(self, size, kinds):
        if size is None:
            return ""
        if kinds[0].graded:
            return self.phrases.grades[size]
        second = max(2, round(size * self.rng.uniform(0.6, 0.95)))
        form = self._pick(self.sizes)
        return form.format(mm=size, mm2=second, cm=size / 10, cm2=second / 10)

    def _site(self, statement):
        return self._pick(self.phrases.sites[statement.region][statement.site].split("|"))

    def _tail(self, statement):
        if not statement.is_finding or self.rng.random() > _SHARE_TAIL:
            return ""
        tails = self.phrases.tails
        if not statement.is_important:
            return self._pick(tails["benign"])
        return self._pick(tails["important"] + tails.get(statement.kinds[0].group, ()))

    def _list(self, statement):
        names = [self._pick(self.phrases.names[k.name]).removeprefix("~") for k in statement.kinds]
        return self.phrases.listing(names, "or") if names else ""

    def _other(self, statement, form):
        if not statement.besides and self.rng.random() < 0.5:
            return ""
        return self._pick(self.phrases.templates[form])

    def _pick(self, options):
        return options[int(self.rng.integers(len(options)))]


def _change(statement):
    if statement.size == statement.before.size:
        return "same"
    return "grown" if statement.grew else "shrunk"
