"""ReportEncoder: columns, names, missing reports, and no leak of labels or of other rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_medsel import ReportEncoder, SentenceCache, persistence
from sklearn_medsel.datasets import make_reports


@pytest.fixture(scope="module")
def data():
    return make_reports(n_reports=120, random_state=0)


@pytest.fixture(scope="module")
def encoder(data):
    return ReportEncoder("hashing", n_components=5).fit(data.X)


def test_columns_and_their_names(encoder, data):
    features = encoder.transform(data.X)
    names = encoder.get_feature_names_out()
    assert features.shape == (120, encoder.n_features_out_) == (120, len(names))
    assert names.tolist()[::5] == ["mean0", "max0", "n_sentences"]
    assert names[-1] == "share_denied"
    frame = clone(encoder).set_output(transform="pandas").fit(data.X).transform(data.X)
    assert frame.columns.tolist() == names.tolist()
    assert frame.index.equals(data.X.index)


def test_pooling_is_that_of_the_sentences(data):
    encoder = ReportEncoder("hashing", n_components=None).fit(data.X)
    one, two, both = encoder.transform(["No mass.", "Heart is large.", "No mass. Heart is large."])
    d = (len(both) - 2) // 2
    np.testing.assert_allclose(both[:d], (one[:d] + two[:d]) / 2)
    np.testing.assert_allclose(both[d : 2 * d], np.maximum(one[:d], two[:d]))
    assert both[-2:].tolist() == [2, 0.5]


def test_missing_reports_are_empty_ones(encoder):
    features = encoder.transform(pd.Series([None, "", float("nan"), "Heart is normal."]))
    assert (features[:3] == 0).all()
    assert features[3, -2] == 1


def test_a_batch_without_any_sentence(encoder):
    features = encoder.transform([None, ""])
    assert features.shape == (2, encoder.n_features_out_)
    assert (features == 0).all()


@pytest.mark.parametrize("reports", [["Large mass.", None], ["Large mass."] * 3])
def test_sentences_all_alike_show_no_direction(reports):
    encoder = ReportEncoder("hashing", n_components=2).fit(reports)
    features = encoder.transform([*reports, "Heart is normal."])
    assert features.shape == (len(reports) + 1, encoder.n_features_out_)
    assert (features[:, :-2] == 0).all()


def test_frames_asked_of_all_of_scikit_learn(encoder, data):
    with config_context(transform_output="pandas"):
        frame = clone(encoder).fit_transform(data.X)
    assert frame.columns.tolist() == encoder.get_feature_names_out().tolist()
    np.testing.assert_array_equal(frame, encoder.transform(data.X))


@pytest.mark.parametrize("form", [list, np.array, lambda X: pd.DataFrame({"r": X})])
def test_forms(encoder, data, form):
    expected = encoder.transform(data.X)
    np.testing.assert_array_equal(encoder.transform(form(list(data.X))), expected)


def test_rows_do_not_depend_on_each_other(encoder, data):
    order = np.random.default_rng(0).permutation(120)
    shuffled = encoder.transform(data.X.iloc[order])
    np.testing.assert_allclose(shuffled, encoder.transform(data.X)[order], atol=1e-6)


def test_labels_are_not_used(encoder, data):
    taught = clone(encoder).fit(data.X, data.y)
    np.testing.assert_array_equal(taught.transform(data.X), encoder.transform(data.X))


def test_in_a_column_transformer(data):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"report": data.X, "age": rng.integers(30, 90, 120)})
    columns = make_column_transformer(
        (ReportEncoder("hashing"), "report"), ("passthrough", ["age"])
    ).set_output(transform="pandas")
    assert "reportencoder__n_sentences" in columns.fit_transform(X)
    model = make_pipeline(columns, LogisticRegression(max_iter=2000))
    assert cross_val_score(model, X, data.y, scoring="roc_auc", cv=4).mean() > 0.6


def test_grid_search_encodes_each_sentence_once(data, tmp_path):
    class Counting:
        fingerprint = "counting"
        seen = 0

        def encode(self, sentences):
            Counting.seen += len(sentences)
            return np.array([[len(text), text.count("e"), 1] for text in sentences], float)

    cache = SentenceCache(tmp_path)
    model = make_pipeline(ReportEncoder(Counting(), cache=cache), LogisticRegression())
    search = GridSearchCV(
        model, {"reportencoder__n_components": [1, 2]}, cv=3, error_score="raise"
    ).fit(data.X, data.y)
    assert Counting.seen == len({sentence for report in data.sentences for sentence in report})
    search.predict(data.X)
    assert Counting.seen == len(cache)


def test_survives(encoder, data, tmp_path):
    pytest.importorskip("skops", reason="saving needs the extra 'share'")
    persistence.save(encoder, tmp_path / "encoder.skops")
    for copy in (
        pickle.loads(pickle.dumps(encoder)),
        persistence.load(tmp_path / "encoder.skops"),
    ):
        np.testing.assert_array_equal(copy.transform(data.X), encoder.transform(data.X))
    persistence.save(clone(encoder).set_params(cache=tmp_path / "c"), tmp_path / "encoder.skops")
    assert persistence.load(tmp_path / "encoder.skops").cache == str(tmp_path / "c")


def test_unfitted(data):
    with pytest.raises(NotFittedError):
        ReportEncoder().transform(data.X)


@pytest.mark.parametrize(
    ("parameters", "X", "match"),
    [
        ({"pooling": ("median",)}, ["a"], "median"),
        ({"pooling": ()}, ["a"], "pooling"),
        ({"n_components": 0}, ["a"], "n_components"),
        ({}, ["", None], "no report with a sentence"),
        ({}, [b"secret"], "bytes at row 0"),
        ({}, pd.Series(["a", 3], name="note"), "column 'note' of X must hold .* int at row 1"),
        ({}, pd.DataFrame({"current": ["a"], "previous": ["b"]}), "X must be one column .* got 2"),
        ({}, "secret", "single str"),
    ],
)
def test_bad_input(parameters, X, match):
    with pytest.raises(ValueError, match=match) as error:
        ReportEncoder("hashing", **parameters).fit(X)
    assert "secret" not in str(error.value)
