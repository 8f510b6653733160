"""Samples that depend on each other: variances summed over clusters, against three other ways."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from sklearn_medsel.survival import cox_regression, kaplan_meier, logrank_test, make_survival_y
from sklearn_medsel.survival._clusters import check_clusters
from sklearn_medsel.survival._cox_likelihood import CoxLikelihood
from sklearn_medsel.survival._risk_sets import RiskSets


def cohort(n=200, seed=0, effect=0.7, ties=True):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.standard_normal((n, 2)), columns=["a", "b"])
    time = rng.exponential(np.exp(-effect * X["a"])) + 0.01
    time = np.ceil(8 * time) if ties else time
    return X, make_survival_y(rng.random(n) < 0.7, time)


def standard_errors(table):
    return np.log(table["ci_high"] / table["ci_low"]).to_numpy() / (2 * norm.isf(0.025))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_score_residuals_are_the_slope_of_each_sample(ties):
    X, y = cohort()
    model = CoxLikelihood(X.to_numpy(), RiskSets(y["event"], y["time"]), ties, np.zeros(2))
    coefficient = np.array([0.3, -0.2])
    residuals = model.score_residuals(coefficient)
    np.testing.assert_allclose(residuals.sum(axis=0), model(coefficient)[1], atol=1e-9)
    # a sample that is censored before the first event says nothing
    early = make_survival_y(np.append(y["event"], False), np.append(y["time"], 0.5))
    more = CoxLikelihood(
        np.vstack([X, [[9.0, 9.0]]]), RiskSets(early["event"], early["time"]), ties, np.zeros(2)
    ).score_residuals(coefficient)
    np.testing.assert_allclose(more, np.vstack([residuals, [[0, 0]]]), atol=1e-9)


def test_errors_of_a_cox_model_are_those_of_leaving_clusters_out():
    X, y = cohort(300)
    clusters = np.arange(300) // 3
    X["a"] += np.random.default_rng(1).standard_normal(100)[clusters]
    left_out = [
        cox_regression(X[clusters != c], y[clusters != c])["coefficient"] for c in range(100)
    ]
    jackknife = np.sqrt(99 * np.var(left_out, axis=0))
    robust = standard_errors(cox_regression(X, y, clusters=clusters))
    np.testing.assert_allclose(robust, jackknife, rtol=0.1)


def test_copies_of_patients_tell_nothing_new():
    X, y = cohort()
    group, patient = X["a"].to_numpy() > 0, np.arange(200)
    patient[0] = 1  # so that variances are summed over patients in both

    def found(rows):
        cox = cox_regression(X.iloc[rows], y[rows], ties="breslow", clusters=patient[rows])
        test = logrank_test(y[rows], group[rows], clusters=patient[rows])
        curve = kaplan_meier(y[rows], clusters=patient[rows])[["ci_low", "ci_high"]]
        return cox, test, curve

    once, twice = found(np.arange(200)), found(np.arange(200).repeat(2))
    pd.testing.assert_frame_equal(twice[0], once[0])
    assert twice[1].statistic == pytest.approx(once[1].statistic)
    pd.testing.assert_frame_equal(twice[2], once[2])
    rows = np.arange(200).repeat(2)
    assert logrank_test(y[rows], group[rows]).statistic > 1.5 * once[1].statistic


def test_greenwood_is_the_sum_over_samples():
    _, y = cohort()
    usual = kaplan_meier(y)
    pairs = np.arange(200)
    pairs[-1] = pairs[-2]  # nearly every sample a cluster of its own
    clustered = kaplan_meier(y, clusters=pairs)
    for bound in ("ci_low", "ci_high"):
        np.testing.assert_allclose(clustered[bound], usual[bound], atol=0.02)


def test_levels_hold_where_rows_of_patients_agree():
    """Twenty percent of tests by rows, but five by patients, call noise a difference."""
    pvalues = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        patient = np.arange(60).repeat(4)
        time = rng.exponential(size=60)[patient] * rng.exponential(size=240) ** 0.3
        y = make_survival_y(np.ones(240, bool), time)
        high = (rng.standard_normal(60) > 0)[patient]
        columns = pd.DataFrame({"high": high.astype(float)})
        pvalues.append(
            [
                logrank_test(y, high).pvalue,
                logrank_test(y, high, clusters=patient).pvalue,
                cox_regression(columns, y, clusters=patient)["pvalue"][0],
            ]
        )
    by_row, by_patient, of_cox = np.mean(np.array(pvalues) < 0.05, axis=0)
    assert by_row > 0.2
    assert by_patient < 0.11
    assert of_cox < 0.11


def test_clusters_of_one_change_nothing():
    X, y = cohort(40)
    names = [f"patient {i}" for i in range(40)]
    assert check_clusters(names, 40) is None
    pd.testing.assert_frame_equal(cox_regression(X, y), cox_regression(X, y, clusters=names))
    pd.testing.assert_frame_equal(kaplan_meier(y), kaplan_meier(y, clusters=names))


def test_bad_clusters():
    _, y = cohort(10)
    with pytest.raises(ValueError, match="clusters has 9 values but y has 10 samples"):
        kaplan_meier(y, clusters=np.arange(9))
    with pytest.raises(ValueError, match=r"clusters is missing at .*3"):
        logrank_test(y, np.arange(10) > 4, clusters=[*"abc", None, *"abcabc"])
