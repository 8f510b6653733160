"""Reports as bags of sentences: taking reports, leaving sentences out, sums over reports."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_medsel.text._bags import Bags, sum_by_report
from sklearn_medsel.text._headings import SECTIONS
from sklearn_medsel.text._sentences import Sentence

SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=8).map(lambda sizes: np.array(sizes, int))


def make_bags(sizes):
    """Bags in which everything about sentence i and report r tells i and r."""
    n, n_sentences = len(sizes), int(sizes.sum())
    return Bags(
        sizes,
        [Sentence(i, i + 1, SECTIONS[i % len(SECTIONS)]) for i in range(n_sentences)],
        [[f"term{i}"] for i in range(n_sentences)],
        np.arange(n_sentences, dtype=np.float32)[:, None],
        [[f"gone{r}"] for r in range(n)],
        np.arange(n_sentences),
        np.arange(n, dtype=np.float32)[:, None, None],
    )


def assert_holds(bags, reports, sentences):
    """Check a bag against the reports and the sentences it should hold, one list per report."""
    flat = [i for found in sentences for i in found]
    np.testing.assert_array_equal(bags.sizes, [len(found) for found in sentences])
    assert [sentence.start for sentence in bags.sentences] == flat
    assert bags.terms == [[f"term{i}"] for i in flat]
    np.testing.assert_array_equal(bags.vectors[:, 0], flat)
    np.testing.assert_array_equal(bags.statuses, flat)
    assert bags.extra_terms == [[f"gone{r}"] for r in reports]
    np.testing.assert_array_equal(bags.claims[:, 0, 0], reports)


def sentences_of(sizes):
    ends = np.cumsum(sizes)
    return [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


@given(SIZES)
def test_owner_place_and_sections_belong_to_the_sentences(sizes):
    bags = make_bags(sizes)
    pairs = [(r, p) for r, size in enumerate(sizes) for p in range(size)]
    assert list(zip(bags.owner.tolist(), bags.place.tolist(), strict=True)) == pairs
    assert bags.sections.shape == (sizes.sum(), len(SECTIONS))
    found = bags.sections.argmax(1)
    np.testing.assert_array_equal(found, np.arange(sizes.sum()) % len(SECTIONS))
    np.testing.assert_array_equal(bags.sections.sum(1), 1)


def test_an_unknown_section_counts_as_none():
    bags = Bags(np.array([1]), [Sentence(0, 1, "lungs")], [[]], np.zeros((1, 0)), [[]])
    assert bags.sections[0, SECTIONS.index("")] == 1


@given(SIZES, st.data())
def test_take(sizes, data):
    rows = data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=6))
    known = sentences_of(sizes)
    taken = make_bags(sizes).take(np.array(rows, int))
    assert_holds(taken, rows, [known[r] for r in rows])


@given(SIZES)
def test_take_by_mask_and_without_optional_parts(sizes):
    bags = make_bags(sizes)
    mask = sizes > 1
    known = sentences_of(sizes)
    assert_holds(bags.take(mask), np.flatnonzero(mask), [known[r] for r in np.flatnonzero(mask)])
    plain = Bags(sizes, bags.sentences, bags.terms, bags.vectors, bags.extra_terms).take(mask)
    assert plain.statuses is None
    assert plain.claims is None


@given(SIZES)
def test_without_each(sizes):
    known = sentences_of(sizes)
    owners = [r for r, found in enumerate(known) for _ in found]
    left = [[other for other in found if other != i] for found in known for i in found]
    assert_holds(make_bags(sizes).without_each(), owners, left)


@given(SIZES, st.sampled_from([np.add, np.maximum]), st.sampled_from([(), (2,), (2, 3)]))
def test_sum_by_report_equals_a_loop(sizes, combine, shape):
    values = np.random.default_rng(int(sizes.sum())).standard_normal((sizes.sum(), *shape))
    expected = np.zeros((len(sizes), *shape))
    for report, found in enumerate(sentences_of(sizes)):
        if found:
            expected[report] = combine.reduce(values[found], axis=0)
    np.testing.assert_allclose(sum_by_report(values, sizes, combine), expected, atol=1e-12)


def test_sum_by_report_keeps_the_dtype():
    assert sum_by_report(np.ones((2, 1), np.float32), np.array([0, 2, 0])).dtype == np.float32
