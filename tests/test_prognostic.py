"""The check of prognostic genes: its tests, its random baseline and its input."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_low_rank_matrix

from sklearn_medsel.survival import cox_univariate, logrank_test, make_survival_y, prognostic_check
from sklearn_medsel.survival._prognostic import above_median

GENES = [f"g{i}" for i in range(200)]


def cohort(seed=0, n=120, n_prognostic=3):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, len(GENES))), columns=GENES)
    time = rng.exponential(np.exp(-X.iloc[:, :n_prognostic].sum(axis=1).to_numpy()))
    return X, make_survival_y(rng.random(n) < 0.8, np.ceil(time * 10))


def test_columns_are_those_of_the_single_tests():
    X, y = cohort()
    check = prognostic_check(X, y, ["g5", "g0"], random_state=0)
    assert check.genes["feature"].tolist() == ["g5", "g0"]
    cox = cox_univariate(X[["g5", "g0"]] / X[["g5", "g0"]].std(ddof=0), y)
    for row, name in enumerate(["g5", "g0"]):
        test = logrank_test(y, X[name] > X[name].median())
        found = check.genes.loc[row]
        assert found["logrank_statistic"] == pytest.approx(test.statistic)
        assert found["logrank_pvalue"] == pytest.approx(test.pvalue)
        assert found["hazard_ratio"] == pytest.approx(cox.loc[row, "hazard_ratio"])
        assert found["ci_low"] == pytest.approx(cox.loc[row, "ci_low"])
        assert found["cox_pvalue"] == pytest.approx(cox.loc[row, "pvalue"])
    smallest = check.genes["logrank_pvalue"].min()
    largest = check.genes["logrank_pvalue"].max()
    assert check.genes["logrank_qvalue"].min() == pytest.approx(min(2 * smallest, largest))


def test_rates_count_all_other_genes():
    X, y = cohort()
    tested = ["g0", "g1", "g2", "g3"]
    check = prognostic_check(X, y, tested, alpha=0.1, random_state=0)
    pvalues = pd.Series({name: logrank_test(y, X[name] > X[name].median()).pvalue for name in X})
    assert check.rate == pytest.approx((pvalues[tested] < 0.1).mean())
    assert check.random_rate == pytest.approx((pvalues.drop(tested) < 0.1).mean())
    assert check.enrichment == pytest.approx(check.rate / check.random_rate)
    assert check.n_candidates == 196


def test_true_genes_are_enriched_and_false_ones_are_not():
    X, y = cohort()
    assert prognostic_check(X, y, GENES[:3], random_state=0).enrichment_pvalue < 0.01
    assert prognostic_check(X, y, GENES[50:60], random_state=0).enrichment_pvalue > 0.05


def test_enrichment_pvalue_is_not_too_small_where_random_genes_pass_often():
    rng = np.random.default_rng(0)
    latent = make_low_rank_matrix(150, 300, effective_rank=2, tail_strength=0.5, random_state=0)
    X = latent / latent.std(axis=0)
    axis = X[:, np.argmax(np.abs(np.corrcoef(X.T)).sum(axis=0))]
    y = make_survival_y(np.ones(150), rng.exponential(np.exp(-axis)))
    draws = [rng.choice(300, 8, replace=False) for _ in range(60)]
    checks = [prognostic_check(X, y, draw, n_random=99, random_state=0) for draw in draws]
    assert np.mean([check.random_rate for check in checks]) > 0.09
    pvalues = np.array([check.enrichment_pvalue for check in checks])
    assert (pvalues <= 0.1).mean() <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 60)


def test_pvalue_formula_at_its_bounds():
    X, y = cohort(n=300)
    alone = prognostic_check(X, y, GENES[:3], n_random=49, alpha=1e-4, random_state=0)
    assert alone.rate == 1
    assert alone.random_rate == 0
    assert alone.enrichment == np.inf
    assert alone.enrichment_pvalue == pytest.approx(1 / 50)
    noise = X.drop(columns=GENES[:3])
    none = prognostic_check(noise, y, GENES[60:63], n_random=49, alpha=1e-4, random_state=0)
    assert np.isnan(none.enrichment)
    assert none.enrichment_pvalue == 1


def test_seed_decides_and_global_generator_is_left_alone():
    X, y = cohort()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (prognostic_check(X, y, GENES[40:60], random_state=1) for _ in range(2))
    assert first.enrichment_pvalue == second.enrichment_pvalue
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_names_positions_and_mask_agree():
    X, y = cohort()
    X.iloc[:, 100:] = X.iloc[:, 100:].where(X.iloc[:, 100:] > 0, 0)
    mask = np.isin(GENES, ["g1", "g4"])
    checks = [
        prognostic_check(X, y, ["g1", "g4"], random_state=0),
        prognostic_check(X, y, pd.Index(["g1", "g4"]), random_state=0),
        prognostic_check(X, y, [1, 4], random_state=0),
        prognostic_check(X, y, mask, random_state=0),
        prognostic_check(X.to_numpy(), y, np.array([1, 4]), random_state=0),
        prognostic_check(sp.csr_array(X.to_numpy()), y, mask, random_state=0),
    ]
    for check in checks:
        pd.testing.assert_frame_equal(
            check.genes.drop(columns="feature"), checks[0].genes.drop(columns="feature")
        )
        assert check.random_rate == checks[0].random_rate
    assert checks[4].genes["feature"].tolist() == ["x1", "x4"]
    assert prognostic_check(X, y, "g1", random_state=0).genes["feature"].tolist() == ["g1"]


def test_missing_values_use_the_complete_cases_of_each_gene():
    X, y = cohort()
    X.loc[X.index[:30], "g0"] = np.nan
    X["g9"] = np.nan
    check = prognostic_check(X, y, ["g0", "g1", "g9"], random_state=0)
    assert check.genes["n_samples"].tolist() == [90, 120, 0]
    values = X["g0"].iloc[30:]
    expected = logrank_test(y[30:], values > values.median())
    assert check.genes.loc[0, "logrank_pvalue"] == pytest.approx(expected.pvalue)
    assert np.isnan(check.genes.loc[2, ["logrank_pvalue", "cox_pvalue"]].astype(float)).all()
    assert check.genes["logrank_qvalue"].notna().tolist() == [True, True, False]


def test_constant_genes_are_no_hits_and_are_not_drawn():
    X, y = cohort()
    X[GENES[100:]] = 1.0
    check = prognostic_check(X, y, ["g0", "g150"], random_state=0)
    assert check.rate == 0.5
    assert check.n_candidates == 99
    assert np.isnan(check.genes.loc[1, "hazard_ratio"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(-2, 2), st.none()), min_size=1, max_size=12))
def test_median_split(values):
    column = np.array([np.nan if value is None else value for value in values], float)
    split = above_median(column[:, None])[:, 0]
    known = ~np.isnan(column)
    assert not split[~known].any()
    if known.any():
        median = np.median(column[known])
        assert split[known].any()
        assert np.all(column[split] >= median)
        if np.unique(column[known]).size > 1:
            assert not split[known].all()
            assert column[known & ~split].max() < column[split].min()


def test_shown_as_text_and_html():
    X, y = cohort()
    check = prognostic_check(X, y, ["g0", "g1"], random_state=0)
    assert "2 of 2 genes (100%)" in repr(check)
    assert "of the 198 other genes" in repr(check)
    assert "<table" in check._repr_html_()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["g0", "TP53", "KRAS"], "not among the columns of X: 'TP53', 'KRAS'"),
        ([], "one or more"),
        ([0, 200, -1], "outside 0 to 199: '200', '-1'"),
        ([True, False], "mask of 2 values, but X has 200"),
        (np.zeros(200, bool), "mask is False everywhere"),
        (["g3", "g3"], "repeats 'g3'"),
        (GENES[:150], "only 50 other genes"),
    ],
)
def test_feature_errors(features, message):
    X, y = cohort()
    with pytest.raises(ValueError, match=message):
        prognostic_check(X, y, features)


def test_other_errors():
    X, y = cohort()
    with pytest.raises(TypeError, match=r"positions \(int\)"):
        prognostic_check(X, y, [0.5, 1.5])
    with pytest.raises(ValueError, match="X has no column names"):
        prognostic_check(X.to_numpy(), y, ["g0"])
    with pytest.raises(ValueError, match="y_survival has no events"):
        prognostic_check(X, make_survival_y(np.zeros(len(y)), y["time"]), ["g0"])
    with pytest.raises(ValueError, match="120 rows but y has 119"):
        prognostic_check(X, y[:-1], ["g0"])
    with pytest.raises(ValueError, match="not numbers: 'sex'"):
        prognostic_check(X.assign(sex="f"), y, ["g0"])
    with pytest.raises(ValueError, match="n_random"):
        prognostic_check(X, y, ["g0"], n_random=0)
