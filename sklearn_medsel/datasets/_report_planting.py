"""What each made report states: important findings where they are due, among much that is not."""

import numpy as np

from sklearn_medsel.datasets._report_phrases import BENIGN, EXAMS, IMPORTANT, UNSPOKEN, kinds_of
from sklearn_medsel.datasets._report_sentences import Statement

# How often each kind of unimportant statement is drawn, in a first report and in a later one.
_FILLERS = {
    "absent": 0.36, "benign": 0.12, "normal": 0.24, "old": 0.04, "resolved": 0.03,
    "unlikely": 0.04, "asked": 0.05, "technique": 0.04, "summary": 0.03,
}  # fmt: skip
# "Known and unchanged" or "has resolved" of what the previous report does not mention would
# contradict it.
_LATER_FILLERS = {name: p for name, p in _FILLERS.items() if name not in ("old", "resolved")}
_ONCE = ("asked", "technique", "summary")  # at most one each, never carried on

_SHARE_GONE = 0.25  # of the statements of the previous report that the next one no longer has
_SHARE_GROWING = 0.6  # of the important ones in it, where the next report is to be important
_EVIDENCE = (0.4, 0.36, 0.24)  # chance of one, two and three evidence sentences
_LEAST_GROWTH, _LEAST_MM = 0.25, 3


def plan_first(rng, sites, exam, n_sentences, n_important):
    """Plan a report that has no previous one.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    sites : dict of str to tuple
        Sites of each region in the language at hand.
    exam : str
        What was examined.
    n_sentences, n_important : int
        Number of statements, and how many of them are important findings.

    Returns
    -------
    list of Statement
        In the order of the report, not yet worded.
    """
    statements = []
    for _ in range(n_important):
        _add_finding(rng, sites, exam, statements, IMPORTANT, "present")
    _fill(rng, sites, exam, statements, n_sentences, _FILLERS)
    return _ordered(rng, statements)


def plan_next(rng, sites, exam, previous, n_sentences, n_evidence):
    """Plan the report that follows `previous`: parameters and result as in `plan_first`.

    `n_evidence` important findings are new or have grown. All others stay as they are, get
    smaller or are gone.
    """
    growing = [old for old in previous if old.is_important and _can_grow(old)]
    growing = [old for old in growing if rng.random() < _SHARE_GROWING][:n_evidence]
    rest = [old for old in previous if old.act not in _ONCE and old not in growing]
    rest = [old for old in rest if rng.random() > _SHARE_GONE]
    # Leave room for what has to be new.
    room = sorted(rng.permutation(len(rest))[: n_sentences - n_evidence])
    statements = [old.kept(size=_grown(rng, old), text="", compared=False) for old in growing]
    for old in (rest[position] for position in room):
        statements.append(old.kept(size=_carried_size(rng, old), text="", compared=False))
    for _ in range(n_evidence - len(growing)):
        _add_finding(rng, sites, exam, statements, IMPORTANT, "present", avoid=previous)
    _fill(rng, sites, exam, statements, n_sentences, _LATER_FILLERS, avoid=previous)
    return _ordered(rng, statements)


def draw_n_evidence(rng, n_sentences):
    """Draw how many evidence sentences an important report has: one to three."""
    return min(1 + int(rng.choice(3, p=_EVIDENCE)), n_sentences)


def _fill(rng, sites, exam, statements, n_sentences, fillers, avoid=()):
    names, chances = list(fillers), np.array(list(fillers.values()))
    chances = chances / chances.sum()
    attempts = 0
    while len(statements) < n_sentences:
        attempts += 1
        name = names[int(rng.choice(len(names), p=chances))]
        # A very long report has to repeat itself.
        _add_filler(rng, sites, exam, statements, name, avoid, repeat=attempts > 20 * n_sentences)


def _add_filler(rng, sites, exam, statements, name, avoid, repeat):
    if name == "benign":
        _add_finding(rng, sites, exam, statements, BENIGN, "present", avoid=avoid)
        return
    if name == "old":
        ageing = [kind for kind in IMPORTANT if kind.ages]
        _add_finding(rng, sites, exam, statements, ageing, "old", avoid=avoid)
        return
    made = _filler(rng, sites, exam, statements, name)
    if made is None:
        return
    # What only looks new would be in the previous report all the same.
    said = {_signature(statement) for statement in [*statements, *avoid]}
    if repeat or _signature(made) not in said:
        statements.append(made)


def _filler(rng, sites, exam, statements, name):
    """Make a statement that finds nothing, or None if it would contradict the others."""
    if name in _ONCE:
        found = any(statement.is_finding for statement in statements)
        kinds = (_pick(rng, kinds_of(exam, IMPORTANT)),) if name == "asked" else ()
        return Statement(name, kinds, besides=found)
    stated = [statement for statement in statements if statement.is_finding]
    if name == "normal":
        taken = {statement.region for statement in stated}
        return _normal(rng, [region for region in EXAMS[exam] if region not in taken])
    free = [
        kind
        for kind in kinds_of(exam, IMPORTANT)
        if not any(_alike(kind, statement.kinds[0]) for statement in stated)
    ]
    if not free:
        return None
    if name == "absent" and rng.random() < 0.7:
        chosen = rng.permutation(len(free))[: int(rng.integers(1, 4))]
        return Statement(name, tuple(free[i] for i in chosen))
    kind = _pick(rng, free)
    region, site = _pick(rng, _places(sites, exam, kind))
    return Statement(name, (kind,), region, site)


def _normal(rng, regions):
    regions = [region for region in regions if region not in UNSPOKEN]
    return Statement("normal", region=_pick(rng, regions)) if regions else None


def _add_finding(rng, sites, exam, statements, pool, act, avoid=()):
    """Add a finding at a free place and drop what it contradicts."""
    taken = {(s.kinds[0].name, s.region, s.site) for s in [*statements, *avoid] if s.is_finding}
    free = [
        (kind, region, site)
        for kind in kinds_of(exam, pool)
        for region, site in _places(sites, exam, kind)
        if (kind.name, region, site) not in taken
    ]
    if not free:
        return
    # First the kind, then its place, or else kinds with many places would prevail.
    name = _pick(rng, sorted({kind.name for kind, _, _ in free}))
    kind, region, site = _pick(rng, [place for place in free if place[0].name == name])
    size = None
    if kind.graded:
        size = int(rng.integers(3))
    elif kind.size is not None:
        size = int(rng.integers(kind.size[0], kind.size[1] + 1))
    made = Statement(act, (kind,), region, site, size)
    statements[:] = [other for other in statements if not _contradicts(other, made)]
    statements.append(made)


def _contradicts(other, finding):
    if other.act == "normal":
        return other.region == finding.region
    if other.is_finding or other.act == "asked":
        return False
    if other.act == "summary":
        return True
    return any(_alike(kind, finding.kinds[0]) for kind in other.kinds)


def _alike(kind, other):
    """Whether denying one kind would deny the other: any bleeding is a haemorrhage."""
    return kind is other or kind.group == other.group == "bleeding"


def _places(sites, exam, kind):
    shown = [region for region in kind.regions if region in EXAMS[exam]]
    return [(region, site) for region in shown for site in range(len(sites[region]))]


def _signature(statement):
    if statement.act in _ONCE:
        return (statement.act,)
    names = tuple(sorted(kind.name for kind in statement.kinds))
    return statement.act, names, statement.region, statement.site


def _can_grow(statement):
    if statement.size is None:
        return False
    kind = statement.kinds[0]
    return statement.size < (2 if kind.graded else kind.size[1])


def _grown(rng, statement):
    if statement.kinds[0].graded:
        return statement.size + 1
    more = max(_LEAST_MM, round(statement.size * rng.uniform(_LEAST_GROWTH, 0.9)))
    return statement.size + more


def _carried_size(rng, statement):
    """Size of a finding that is no evidence: mostly as before; benign ones may also grow."""
    if statement.act != "present" or statement.size is None:
        return statement.size
    draw = rng.random()
    if statement.kinds[0].group is None and draw < 0.25:
        return _grown(rng, statement) if _can_grow(statement) else statement.size
    if draw < 0.75:
        return statement.size
    if statement.kinds[0].graded:
        return max(statement.size - 1, 0)
    return max(2, round(statement.size * rng.uniform(0.5, 0.8)))


def _ordered(rng, statements):
    """Question and technique first, the summary last, everything else as it comes."""
    rank = {"asked": 0, "technique": 1, "summary": 3}
    order = rng.permutation(len(statements))
    return sorted((statements[i] for i in order), key=lambda s: rank.get(s.act, 2))


def _pick(rng, options):
    return options[int(rng.integers(len(options)))]
