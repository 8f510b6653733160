"""The comparison of classifiers of reports: no leak, same folds, right scores, clear refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import KFold

from sklearn_medsel.datasets import make_reports
from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest
from sklearn_medsel.text import ReportAttentionClassifier
from sklearn_medsel.text._baselines import ReportTfidf, baseline_report_classifiers
from sklearn_medsel.text._classifier_folds import (
    METRICS,
    class_scores,
    draw_folds,
    group_reports,
    measure,
)
from sklearn_medsel.text._compare_classifiers import compare_report_classifiers
from sklearn_medsel.text._reports import check_reports

SECRET = "Zephyrine Quillfeather has a mass."  # no message may show it


def lexical(**options):
    return ReportAttentionClassifier(mode="lexical", random_state=0, **options)


def quick_baselines():
    found = baseline_report_classifiers(random_state=0)
    del found["TF-IDF + random forest"]
    return found


class Recorder(ClassifierMixin, BaseEstimator):
    """Predicts the most frequent class; says what it was given through the list `seen`."""

    seen = []

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        Recorder.seen.append((list(X), np.asarray(y), groups))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def seen():
    Recorder.seen.clear()
    return Recorder.seen


@pytest.fixture(scope="module")
def data():
    return make_reports(80, important_fraction=0.4, random_state=0)


# --- baselines -------------------------------------------------------------------------------


def test_baselines_read_english_and_japanese():
    for language, script in (("en", "word"), ("ja", "char")):
        made = make_reports(60, language=language, random_state=0)
        for name, model in baseline_report_classifiers(random_state=0).items():
            model.fit(made.X, made.y)
            assert model[0].script_ == script, name
            assert set(model.predict(list(made.X[:5]))) <= {0, 1}
    assert ReportTfidf("char").fit(["No mass."] * 2).script_ == "char"
    with pytest.raises(ValueError, match="script must be one of"):
        baseline_report_classifiers(script="kana")


def test_previous_report_has_terms_of_its_own():
    X = pd.DataFrame({"previous": ["old mass", "old mass", None], "current": ["clear lungs"] * 3})
    tfidf = ReportTfidf().fit(X)
    terms = {name: set(one.vocabulary_) for name, one in tfidf.vectorizers_.items()}
    assert terms == {
        "current": {"clear", "lungs", "clear lungs"},
        "previous": {"old", "mass", "old mass"},
    }
    rows = tfidf.transform(X)
    assert rows.shape == (3, 6)
    assert rows[[2]].nnz == 3, "a first examination has no previous terms"
    with pytest.raises(ValueError, match="no column 'previous'"):
        tfidf.transform(list(X["current"]))


def test_without_previous_terms_the_current_ones_do():
    X = pd.DataFrame({"previous": [None, None], "current": ["clear lungs"] * 2})
    assert ReportTfidf().fit(X).transform(X).shape == (2, 3)


def test_reports_without_common_terms_are_refused():
    with pytest.raises(ValueError, match="no term occurs in two reports") as caught:
        ReportTfidf().fit([SECRET, "clear lungs"])
    assert "Quillfeather" not in str(caught.value)


# --- folds -----------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.sampled_from("abcdefghijklmnop"), min_size=24, max_size=40),
    seed=st.integers(0, 100),
)
def test_the_same_text_is_never_on_both_sides(texts, seed):
    y = np.arange(len(texts)) % 2
    together = group_reports(check_reports(texts), np.arange(len(texts)) // 2)
    try:
        folds = draw_folds(y, together, 3, 2, seed)
    except ValueError as error:
        assert "fewer than cv=3" in str(error)  # noqa: PT017
        return
    assert len(folds) == 6
    for train, test in folds:
        assert not {texts[i] for i in train} & {texts[i] for i in test}
        assert not set(train // 2) & set(test // 2)
    for draw in (folds[:3], folds[3:]):
        assert sorted(np.concatenate([test for _, test in draw])) == list(range(len(texts)))


def test_empty_reports_have_nothing_in_common():
    together = group_reports(check_reports(["", "mass", " ", "mass"]), None)
    assert together[1] == together[3]
    assert len(set(together)) == 3


def test_folds_are_the_same_for_all_and_groups_reach_fit(data, seen):
    groups = np.arange(80) // 2
    table = compare_report_classifiers(
        data.X,
        data.y,
        {"one": Recorder(), "two": Recorder()},
        cv=4,
        groups=groups,
        random_state=0,
    )
    assert len(seen) == 8
    for one, two in zip(seen[::2], seen[1::2], strict=True):
        assert one[0] == two[0]
        assert len(one[2]) == len(one[0])
    assert table["auroc"].isna().all(), "a classifier without scores has no AUROC"
    assert (table["recall"] == 0).all()


# --- scores ----------------------------------------------------------------------------------


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    y, predicted, chance = rng.integers(2, size=50), rng.integers(2, size=50), rng.random(50)
    names = np.array(["calm", "urgent"])
    for positive in (0, 1):
        score = np.column_stack([1 - chance, chance])
        found = measure(names[y], names[predicted], score, names, names[positive])
        expected = {"pos_label": positive}
        assert found["accuracy"] == np.mean(y == predicted)
        assert found["recall"] == pytest.approx(recall_score(y, predicted, **expected))
        assert found["precision"] == pytest.approx(precision_score(y, predicted, **expected))
        assert found["f1"] == pytest.approx(f1_score(y, predicted, **expected))
        assert found["auroc"] == pytest.approx(roc_auc_score(y, chance))


def test_several_classes_are_averaged():
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(3, size=60), rng.integers(3, size=60)
    score = rng.dirichlet(np.ones(3), size=60)
    found = measure(y, predicted, score, np.arange(3), None)
    assert found["f1"] == pytest.approx(f1_score(y, predicted, average="macro"))
    assert found["recall"] == pytest.approx(recall_score(y, predicted, average="macro"))
    area = roc_auc_score(y, score, multi_class="ovr", average="macro")
    assert found["auroc"] == pytest.approx(area)


def test_undefined_scores_are_missing():
    half = np.full((4, 2), 0.5)
    found = measure(np.zeros(4, int), np.zeros(4, int), half, np.array([0, 1]), 1)
    assert found["accuracy"] == 1
    assert found["precision"] == 0
    assert all(np.isnan(found[name]) for name in ("recall", "f1", "auroc"))


def test_class_scores_leave_out_classes_never_seen(data):
    model = quick_baselines()["TF-IDF + linear SVM"].fit(data.X, data.y)
    score = class_scores(model, data.X, np.array([0, 1, 2]))
    assert np.array_equal(score[:, 1], -score[:, 0])
    assert np.isnan(score[:, 2]).all()


# --- the table -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(data):
    return compare_report_classifiers(
        data.X,
        data.y,
        {"ours": lexical(), **quick_baselines()},
        cv=4,
        n_repeats=2,
        random_state=0,
        return_folds=True,
    )


def test_table_sums_up_the_folds(data, compared):
    table, folds = compared
    pairs = [name for metric in METRICS for name in (metric, f"{metric}_sd")]
    tests = [f"{m}_{what}" for m in ("f1", "auroc") for what in ("difference", "p_value")]
    assert list(table.columns) == ["classifier", *pairs, "fit_seconds", "n_folds", *tests]
    assert list(table["classifier"]) == [
        "ours",
        "TF-IDF + logistic regression",
        "TF-IDF + linear SVM",
    ]
    assert (table["n_folds"] == 8).all()
    assert table.attrs == {"positive": 1, "n_folds": 8}
    assert table.loc[0, tests].isna().all()
    wide = folds.pivot(index="fold", columns="classifier", values="f1")
    svm = wide["TF-IDF + linear SVM"]
    assert table.loc[2, "f1"] == pytest.approx(svm.mean())
    assert table.loc[2, "f1_sd"] == pytest.approx(svm.std())
    mean, p = corrected_paired_ttest((svm - wide["ours"]).to_numpy(), 1 / 3)
    assert table.loc[2, "f1_difference"] == pytest.approx(mean)
    assert table.loc[2, "f1_p_value"] == pytest.approx(p)


def test_predictions_of_the_folds_give_the_scores(data, compared):
    _, folds = compared
    for record in folds.itertuples():
        truth = data.y[record.rows]
        assert record.f1 == pytest.approx(f1_score(truth, record.predicted))
        assert record.auroc == pytest.approx(roc_auc_score(truth, record.score[:, 1]))
    assert "estimator" not in folds


def test_same_seed_gives_the_same_table_whatever_runs_it(data, compared):
    table, _ = compared
    done = []
    again = compare_report_classifiers(
        list(data.X),
        data.y,
        {"ours": lexical(), **quick_baselines()},
        cv=4,
        n_repeats=2,
        random_state=0,
        progress=lambda *told: done.append(told),
    )
    without = ["fit_seconds"]
    pd.testing.assert_frame_equal(table.drop(columns=without), again.drop(columns=without))
    assert done[-1] == (24, 24, "TF-IDF + linear SVM")


def test_noise_scores_like_noise():
    made = make_reports(100, important_fraction=0.5, random_state=3)
    y = np.random.default_rng(0).permutation(made.y)
    table = compare_report_classifiers(made.X, y, quick_baselines(), random_state=0)
    assert (table["auroc"] - 0.5).abs().max() < 0.15


def test_pairs_text_labels_and_pos_label():
    made = make_reports(60, pairs=True, important_fraction=0.4, random_state=0)
    y = np.where(made.y, "urgent", "calm")
    models = {"ours": lexical(), **quick_baselines()}
    tables = {
        label: compare_report_classifiers(
            made.X, y, models, groups=made.groups, cv=3, pos_label=label, random_state=0
        )
        for label in (None, "urgent", "calm")
    }
    assert tables[None].attrs["positive"] == "urgent"
    assert tables["urgent"]["recall"].equals(tables[None]["recall"])
    assert not tables["calm"]["recall"].equals(tables[None]["recall"])
    assert tables["calm"]["accuracy"].equals(tables[None]["accuracy"])


def test_several_classes_and_a_splitter():
    made = make_reports(90, task="multiclass", important_fraction=0.6, random_state=0)
    table = compare_report_classifiers(
        made.X, made.y, quick_baselines(), cv=KFold(3, shuffle=True, random_state=0)
    )
    assert table["n_folds"].to_list() == [3, 3]
    assert table["auroc"].between(0, 1).all()
    assert table.attrs["positive"] is None


def test_the_global_generator_is_left_alone(data):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    compare_report_classifiers(data.X, data.y, {"one": Recorder()}, cv=2)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"classifiers": []}, TypeError, "dict from a name"),
        ({"classifiers": {"a": "svm"}}, TypeError, r"classifiers\['a'\]"),
        ({"y": np.zeros(80)}, ValueError, "one class only"),
        ({"y": np.eye(4, dtype=int)[np.arange(80) % 4]}, ValueError, "several labels"),
        ({"y": [0, 1]}, ValueError, "inconsistent numbers"),
        ({"y": np.arange(80) < 3}, ValueError, "3 different reports .* cv=5"),
        ({"cv": 1}, ValueError, "cv must be"),
        ({"n_repeats": 0}, ValueError, "n_repeats must be"),
        ({"pos_label": 7}, ValueError, "pos_label=7 is no class"),
        ({"groups": [1, 2]}, ValueError, "one value per report, 80"),
        ({"groups": [np.nan] * 80}, ValueError, "groups has missing"),
        ({"X": [SECRET] * 79 + [None]}, ValueError, "missing at row 79"),
        ({"X": [SECRET] * 80}, ValueError, "1 different reports"),
    ],
)
def test_bad_input_is_refused_without_quoting_a_report(data, changes, error, words):
    arguments = {"X": data.X, "y": data.y, "classifiers": {"one": Recorder()}, **changes}
    with pytest.raises(error, match=words) as caught:
        compare_report_classifiers(**arguments)
    assert "Quillfeather" not in str(caught.value)


def test_pos_label_is_for_two_classes():
    with pytest.raises(ValueError, match="pos_label is for two classes"):
        compare_report_classifiers(
            list("abcdef"), [0, 1, 2] * 2, {"one": Recorder()}, cv=2, pos_label=1
        )


def test_default_compares_ours_with_the_baselines(data, monkeypatch):
    monkeypatch.setattr(
        "sklearn_medsel.text._compare_classifiers.ReportAttentionClassifier",
        lambda random_state: lexical(),
    )
    table = compare_report_classifiers(data.X, data.y, cv=2, random_state=0)
    assert table["classifier"].to_list() == [
        "ReportAttentionClassifier",
        *baseline_report_classifiers(),
    ]
