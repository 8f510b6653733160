"""Vocabulary and TF-IDF, the lexical channel, and the evidence head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import check_grad
from scipy.special import expit, logit
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from sklearn_medsel.text._evidence import EvidenceHead, _Objective, pool_log_odds
from sklearn_medsel.text._lexical import LexicalChannel
from sklearn_medsel.text._terms import Vocabulary, inverse_frequency, tfidf

TEXTS = ["a b b c", "b c", "a", "", "d d d", "c e e"]
TERMS = [text.split() for text in TEXTS]


def planted(seed=0, n_reports=120, n_terms=12):
    """Reports that are important if and only if a sentence has term 0, and no term 1 beside it."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, n_reports)
    counts = rng.poisson(0.25, (sizes.sum(), n_terms)).astype(float)
    carries = (counts[:, 0] > 0) & (counts[:, 1] == 0)
    starts = np.cumsum(sizes) - sizes
    target = np.logical_or.reduceat(carries, starts).astype(float)[:, None]
    return sparse.csr_array(counts), sizes, target, carries


# --- terms


def test_counts_are_count_vectorizers():
    vocabulary = Vocabulary(TERMS, np.arange(len(TERMS)))
    reference = CountVectorizer(analyzer=str.split, min_df=2)
    expected = reference.fit_transform(TEXTS)
    assert vocabulary.terms.split("\n") == reference.get_feature_names_out().tolist()
    assert len(vocabulary) == 3
    np.testing.assert_array_equal(vocabulary.count(TERMS).toarray(), expected.toarray())


def test_tfidf_is_scikit_learns():
    counts = Vocabulary(TERMS, np.arange(len(TERMS))).count(TERMS)
    reference = TfidfTransformer(sublinear_tf=True)
    expected = reference.fit_transform(counts).toarray()
    idf = inverse_frequency(counts)
    np.testing.assert_allclose(idf, reference.idf_)
    before = counts.toarray()
    np.testing.assert_allclose(tfidf(counts, idf).toarray(), expected, atol=1e-12)
    np.testing.assert_array_equal(counts.toarray(), before)


def test_terms_of_one_row_weigh_nothing():
    counts = sparse.csr_array(np.array([[1.0, 2.0], [1.0, 0.0]]))
    idf = inverse_frequency(counts)
    assert idf.tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(tfidf(counts, idf).toarray(), [[1, 0], [1, 0]])


def test_the_vocabulary_counts_reports_and_not_sentences():
    vocabulary = Vocabulary([["a", "b"], ["a"], ["b"]], np.array([0, 0, 1]))
    assert vocabulary.terms == "b"


def test_without_terms_or_rows():
    nothing = Vocabulary([["a"], ["b"]], np.array([0, 1]))
    assert (nothing.terms, len(nothing)) == ("", 0)
    assert tfidf(nothing.count(TERMS), np.empty(0)).shape == (6, 0)
    some = Vocabulary([["a"], ["a"]], np.array([0, 1]))
    assert tfidf(some.count([]), np.ones(1)).shape == (0, 1)


# --- lexical channel


def test_lexical_is_a_weighted_logistic_regression():
    counts, _, _, carries = planted()
    rng = np.random.default_rng(0)
    target = np.column_stack([carries, rng.random(len(carries)) < 0.5]).astype(float)
    weight = rng.integers(0, 3, target.shape).astype(float)
    channel = LexicalChannel().fit(counts, target, weight)
    rows = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    for k in range(2):
        model = LogisticRegression(C=10, max_iter=2000)
        model.fit(rows, target[:, k], sample_weight=weight[:, k])
        expected = model.decision_function(rows)
        np.testing.assert_allclose(channel.log_odds(counts)[:, k], expected, atol=1e-2)


def test_lexical_says_nothing_where_there_is_nothing_to_learn():
    counts, _, target, _ = planted()
    n = counts.shape[0]
    same = LexicalChannel().fit(counts, np.ones((n, 1)), np.ones((n, 1)))
    assert not same.log_odds(counts).any()
    half = np.arange(n) % 2
    hidden = LexicalChannel().fit(counts, half[:, None].astype(float), half[:, None].astype(float))
    assert not hidden.log_odds(counts).any()
    empty = counts[: len(target), :0]
    assert not LexicalChannel().fit(empty, target, np.ones_like(target)).log_odds(empty).any()


# --- pooling


@given(st.lists(st.lists(st.floats(-6, 6), max_size=5), min_size=1, max_size=5))
def test_pooling_is_noisy_or(reports):
    sizes = np.array([len(report) for report in reports])
    flat = np.array([one for report in reports for one in report]).reshape(-1, 1)
    pooled = pool_log_odds(flat, sizes)[:, 0]
    for report, found in zip(reports, pooled, strict=True):
        if report:
            expected = logit(1 - np.prod(1 - expit(np.array(report))))
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
        else:
            assert found < -20


def test_pooling_of_extreme_log_odds():
    sizes = np.array([1, 2, 1, 3])
    log_odds = np.array([[800.0], [-800.0], [50.0], [-800.0], [-30.0], [-30.0], [-30.0]])
    with np.errstate(all="raise", under="ignore"):
        pooled = pool_log_odds(log_odds, sizes)[:, 0]
    np.testing.assert_allclose(pooled[:2], [800, 50], atol=1e-8)
    assert np.isfinite(pooled).all()
    # a chance below that of an important report without an important sentence counts as that one
    np.testing.assert_allclose(pooled[2:], np.log(1e-9), atol=1e-3)


@given(st.lists(st.floats(-800, 800), min_size=2, max_size=6))
def test_a_sentence_more_never_makes_a_report_less_important(log_odds):
    flat = np.array(log_odds)[:, None]
    fewer = pool_log_odds(flat[:-1], np.array([len(flat) - 1]))
    assert pool_log_odds(flat, np.array([len(flat)])) >= fewer


# --- evidence head


def make_objective(seed=0, *, labels=True, scale=1.0):
    counts, sizes, target, carries = planted(seed, n_reports=15, n_terms=5)
    rng = np.random.default_rng(seed)
    vectors = scale * rng.standard_normal((len(carries), 3))
    weight = rng.random(15)
    known = None
    if labels:
        known = np.where(rng.random(len(carries)) < 0.4, carries.astype(float), np.nan)
    rows = tfidf(counts, inverse_frequency(counts))
    return _Objective(rows, vectors, sizes, target[:, 0], weight, known), vectors.shape


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("size", [0.1, 3.0])
def test_gradient_against_finite_differences(labels, size):
    objective, _ = make_objective(labels=labels)
    coef = size * np.random.default_rng(1).standard_normal(9)
    error = check_grad(lambda c: objective(c)[0], lambda c: objective(c)[1], coef)
    assert error < 1e-6 * max(1, np.linalg.norm(objective(coef)[1]))


@pytest.mark.parametrize("intercept", [-1000.0, 1000.0])
def test_the_loss_is_finite_everywhere(intercept):
    objective, _ = make_objective()
    with np.errstate(all="raise", under="ignore"):
        loss, gradient = objective(np.r_[intercept, np.zeros(8)])
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


def test_the_loss_is_that_of_the_pooled_report():
    objective, _ = make_objective(labels=False)
    coef = np.random.default_rng(1).standard_normal(9)
    log_odds = coef[0] + objective.rows @ coef[1:6] + objective.vectors @ coef[6:]
    chance = expit(pool_log_odds(log_odds[:, None], objective.sizes)[:, 0])
    cross = -np.where(objective.target > 0, np.log(chance), np.log1p(-chance))
    expected = (
        objective.weight @ cross + 3e-5 * (coef[1:6] ** 2).sum() + 1e-2 * (coef[6:] ** 2).sum()
    )
    assert objective(coef)[0] == pytest.approx(expected, rel=1e-6)


def test_planted_evidence_is_found():
    counts, sizes, target, _ = planted(0)
    none = np.zeros((counts.shape[0], 0))
    head = EvidenceHead().fit(counts, none, sizes, target, np.ones_like(target))
    coef = head.term_coef[0]
    assert coef.argmax() == 0
    assert coef.argmin() == 1
    fresh, sizes, target, carries = planted(1)
    log_odds = head.sentence_log_odds(fresh, np.zeros((fresh.shape[0], 0)))[:, 0]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    hits = [
        carries[owner == report][log_odds[owner == report].argmax()]
        for report in np.flatnonzero(target[:, 0])
    ]
    assert np.mean(hits) > 0.95


def test_evidence_in_the_vectors_is_found():
    counts, sizes, target, carries = planted(0)
    vectors = np.random.default_rng(0).standard_normal((len(carries), 4))
    vectors[:, 2] += 4 * carries
    head = EvidenceHead().fit(counts[:, :0], vectors, sizes, target, np.ones_like(target))
    assert np.abs(head.vector_coef[0]).argmax() == 2
    log_odds = head.sentence_log_odds(counts[:, :0], vectors)[:, 0]
    assert log_odds[carries].min() > np.median(log_odds[~carries])


def test_labelled_sentences_teach_what_reports_cannot():
    # every report is important, so that only the sentences' labels can tell
    counts, sizes, target, carries = planted(0)
    target = np.ones_like(target)
    none = np.zeros((len(carries), 0))
    blind = EvidenceHead().fit(counts, none, sizes, target, np.ones_like(target))
    labels = carries[:, None].astype(float)
    taught = EvidenceHead().fit(counts, none, sizes, target, np.ones_like(target), labels)
    gap = [
        head.sentence_log_odds(counts, none)[carries].mean()
        - head.sentence_log_odds(counts, none)[~carries].mean()
        for head in (blind, taught)
    ]
    assert gap[1] > gap[0] + 2


def test_reports_of_weight_zero_teach_nothing():
    counts, sizes, target, _ = planted(0)
    none = np.zeros((counts.shape[0], 0))
    weight = np.ones_like(target)
    weight[:30] = 0
    turned = target.copy()
    turned[:30] = 1 - turned[:30]
    one = EvidenceHead().fit(counts, none, sizes, target, weight)
    other = EvidenceHead().fit(counts, none, sizes, turned, weight)
    np.testing.assert_array_equal(one.term_coef, other.term_coef)


def test_outputs_are_fitted_one_by_one():
    counts, sizes, target, _ = planted(0)
    none = np.zeros((counts.shape[0], 0))
    both = np.hstack([target, 1 - target])
    head = EvidenceHead().fit(counts, none, sizes, both, np.ones_like(both))
    alone = EvidenceHead().fit(counts, none, sizes, 1 - target, np.ones_like(target))
    np.testing.assert_array_equal(head.term_coef[1], alone.term_coef[0])
    assert head.intercept.shape == (2,)
    assert head.sentence_log_odds(counts, none).shape == (counts.shape[0], 2)
