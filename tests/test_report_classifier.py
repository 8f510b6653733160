"""ReportAttentionClassifier: labels, explanations, the promise, and what users plug it into."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_medsel import ReportAttentionClassifier, persistence, split_sentences
from sklearn_medsel.datasets import make_reports
from sklearn_medsel.text._channels import MODES

CHANNELS = list(MODES)


def make(mode="hybrid", **parameters):
    settings = {"max_epochs": 4, "n_members": 2, "cv": 3, "random_state": 0} | parameters
    return ReportAttentionClassifier("hashing", mode=mode, **settings)


@pytest.fixture(scope="module")
def data():
    return make_reports(n_reports=160, random_state=3)


@pytest.fixture(scope="module")
def models(data):
    # the attention network by itself needs its epochs
    return {
        mode: make(mode, max_epochs=25 if mode == "attention" else 4).fit(
            data.X[:120], data.y[:120]
        )
        for mode in CHANNELS
    }


@pytest.fixture(scope="module")
def held_out(data):
    return data.X[120:].reset_index(drop=True)


@pytest.mark.parametrize("mode", CHANNELS)
def test_learns(models, data, held_out, mode):
    probability = models[mode].predict_proba(held_out)
    assert probability.shape == (40, 2)
    np.testing.assert_allclose(probability.sum(1), 1)
    assert roc_auc_score(data.y[120:], probability[:, 1]) > 0.7


@pytest.mark.parametrize("mode", CHANNELS)
def test_predict_follows_the_threshold(models, held_out, mode):
    model = models[mode]
    flagged = model.predict_proba(held_out)[:, 1] >= model.threshold_
    np.testing.assert_array_equal(model.predict(held_out), model.classes_[flagged.astype(int)])
    assert 0 < model.expected_flag_rate_ < 1


def test_stack_has_a_weight_per_channel(models):
    assert list(models["hybrid"].channel_weights_) == ["attention", "evidence", "lexical"]
    assert models["hybrid"].n_folds_ == 3


@pytest.mark.parametrize("mode", CHANNELS)
def test_state_is_plain_and_survives(models, held_out, mode, tmp_path):
    pytest.importorskip("skops", reason="saving needs the extra 'share'")
    model = models[mode]
    expected = model.predict_proba(held_out)
    persistence.save(model, tmp_path / "model.skops")
    for copy in (pickle.loads(pickle.dumps(model)), persistence.load(tmp_path / "model.skops")):
        np.testing.assert_array_equal(copy.predict_proba(held_out), expected)
        pd.testing.assert_frame_equal(
            copy.sentence_evidence(held_out[:3]), model.sentence_evidence(held_out[:3])
        )


def test_no_report_is_kept(models, data):
    stored = pickle.dumps(models["hybrid"])
    for report in data.X[:120]:
        for start, end, _ in split_sentences(report):
            sentence = report[start:end]
            if len(sentence.split()) > 4:
                assert sentence.encode() not in stored


def test_same_seed_same_numbers_and_global_state_is_left(data, held_out):
    import torch

    np.random.seed(7)  # noqa: NPY002 - the global generator is what must be left alone
    torch.manual_seed(7)
    drawn = np.random.random(), torch.rand(1)  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    first, second = (make().fit(data.X[:60], data.y[:60]) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(held_out), second.predict_proba(held_out))
    assert (np.random.random(), torch.rand(1)) == drawn  # noqa: NPY002


def test_prediction_does_not_depend_on_the_other_reports(models, held_out):
    together = models["hybrid"].predict_proba(held_out)
    alone = np.vstack([models["hybrid"].predict_proba(held_out[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, together[:5], atol=1e-6)


@pytest.mark.parametrize("form", [list, np.array, pd.Series, lambda X: pd.DataFrame({"r": X})])
def test_forms_of_reports(models, held_out, form):
    expected = models["evidence"].predict_proba(held_out)
    np.testing.assert_array_equal(models["evidence"].predict_proba(form(list(held_out))), expected)


def test_labels_may_be_strings(data):
    y = np.where(data.y, "urgent", "routine")
    model = make("lexical").fit(data.X, y)
    assert model.classes_.tolist() == ["routine", "urgent"]
    assert set(model.predict(data.X)) <= {"routine", "urgent"}


@pytest.mark.parametrize("mode", CHANNELS)
def test_more_than_two_classes(mode):
    data = make_reports(n_reports=120, task="multiclass", random_state=0)
    model = make(mode, max_epochs=15).fit(data.X, data.y)
    probability = model.predict_proba(data.X)
    np.testing.assert_allclose(probability.sum(1), 1)
    np.testing.assert_array_equal(model.predict(data.X), model.classes_[probability.argmax(1)])
    assert roc_auc_score(data.y, probability, multi_class="ovr") > 0.8
    evidence = model.sentence_evidence(data.X[:2])
    assert evidence["class"].unique().tolist() == model.classes_.tolist()


def test_several_labels():
    data = make_reports(n_reports=150, task="multilabel", random_state=0)
    y = pd.DataFrame(data.y, columns=data.target_names)
    model = make("evidence", cv=2).fit(data.X, y)
    assert model.classes_.tolist() == list(data.target_names)
    assert model.predict(data.X).shape == y.shape
    assert model.threshold_.shape == model.expected_flag_rate_.shape == (y.shape[1],)


@pytest.mark.parametrize("mode", CHANNELS)
def test_table_of_sentences(models, held_out, mode):
    model = models[mode]
    methods = [model.sentence_evidence, model.sentence_contribution]
    methods += [model.sentence_attention] if mode in ("hybrid", "attention") else []
    for method in methods:
        table = method(held_out)
        assert list(table) == ["report", "sentence", "text", "start", "end", "value"]
        for row in table.itertuples():
            assert held_out[row.report][row.start : row.end] == row.text
    if mode in ("hybrid", "attention"):
        attention = model.sentence_attention(held_out)
        np.testing.assert_allclose(attention.groupby("report")["value"].sum(), 1, atol=1e-6)


@pytest.mark.parametrize("mode", ["evidence", "lexical"])
def test_no_attention_without_the_network(models, mode):
    assert not hasattr(models[mode], "sentence_attention")


def test_contribution_is_the_change_without_the_sentence(models):
    model = models["hybrid"]
    report = "Large right pneumothorax.\nNo pleural effusion.\nHeart size is normal."
    lines = report.split("\n")

    def log_odds(text):
        probability = model.predict_proba([text])[0, 1]
        return np.log(probability / (1 - probability))

    expected = [
        log_odds(report) - log_odds("\n".join(lines[:i] + lines[i + 1 :])) for i in range(3)
    ]
    found = model.sentence_contribution([report])["value"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_evidence_finds_marked_sentences(models, data):
    scores = models["hybrid"].evidence_score(data.X[120:], data.sentence_y[120:])
    assert scores["n_reports"] == sum(sum(marks) > 0 for marks in data.sentence_y[120:])
    chance = np.mean([np.mean(marks) for marks in data.sentence_y[120:] if sum(marks)])
    assert scores["hit@1"] > chance + 0.3
    assert 0 < scores["average_precision"] <= 1


def test_evidence_score_is_right_on_a_case_by_hand(models):
    model = models["evidence"]
    reports = ["Large pneumothorax. The heart is normal.", "One sentence only."]
    value = model.sentence_evidence(reports[:1])["value"].to_numpy()
    best = [int(i == value.argmax()) for i in range(2)]
    worst = [1 - mark for mark in best]
    assert model.evidence_score(reports, [best, [1]])["hit@1"] == 1
    scored = model.evidence_score(reports, [worst, None])
    assert scored == {"hit@1": 0.0, "average_precision": 0.5, "n_reports": 1}


def test_marks_as_offsets_are_the_same(models, data):
    passages = [
        [span for span, mark in zip(spans, marks, strict=True) if mark]
        for spans, marks in zip(data.spans, data.sentence_y, strict=True)
    ]
    model = models["evidence"]
    by_mark = model.evidence_score(data.X, data.sentence_y)
    assert model.evidence_score(data.X, passages) == by_mark


@pytest.mark.parametrize("mode", ["evidence", "attention"])
def test_labelled_sentences_help_to_find_them(data, mode):
    plain = make(mode, max_epochs=15).fit(data.X[:80], data.y[:80])
    taught = clone(plain).fit(data.X[:80], data.y[:80], sentence_y=data.sentence_y[:80])
    rest = data.X[80:], data.sentence_y[80:]
    gain = taught.evidence_score(*rest)["average_precision"]
    assert gain > plain.evidence_score(*rest)["average_precision"]


def test_promise_on_recall():
    data = make_reports(n_reports=600, important_fraction=0.3, random_state=5)
    model = make("evidence", recall_target=0.9).fit(data.X[:300], data.y[:300])
    plain = make("evidence").fit(data.X[:300], data.y[:300])
    flagged = model.predict(data.X[300:])
    assert flagged[data.y[300:] == 1].mean() >= 0.9
    assert model.threshold_ < plain.threshold_
    assert flagged.mean() == pytest.approx(model.expected_flag_rate_, abs=0.1)


def test_promise_needs_enough_positives(data):
    few = np.flatnonzero(data.y)[:20]
    rows = np.concatenate([few, np.flatnonzero(data.y == 0)])
    with pytest.raises(ValueError, match=r"needs at least 45 positive reports .* has 20"):
        make("lexical", recall_target=0.95).fit(data.X.iloc[rows], data.y[rows])


def test_promise_is_for_one_finding_at_a_time():
    data = make_reports(n_reports=60, task="multiclass", random_state=0)
    with pytest.raises(ValueError, match="two classes or several labels"):
        make("lexical", recall_target=0.5).fit(data.X, data.y)


@pytest.fixture(scope="module")
def pairs():
    return make_reports(n_reports=160, pairs=True, random_state=1)


def test_previous_report_counts(pairs):
    train, test = slice(0, 110), slice(110, 160)
    model = make("evidence").fit(pairs.X[train], pairs.y[train])
    alone = make("evidence").fit(pairs.X["current"][train], pairs.y[train])
    both = roc_auc_score(pairs.y[test], model.predict_proba(pairs.X[test])[:, 1])
    assert both > roc_auc_score(pairs.y[test], alone.predict_proba(pairs.X["current"][test])[:, 1])
    current = model.predict_proba(pairs.X["current"][test])  # taken for first examinations
    first = pairs.X[test].assign(previous=None)
    np.testing.assert_array_equal(model.predict_proba(first), current)


def test_compare_lists_every_sentence_once(pairs):
    model = make("lexical").fit(pairs.X, pairs.y)
    table = model.compare(pairs.X[:20].reset_index(drop=True))
    for report, rows in table.groupby("report"):
        current = pairs.X["current"].iloc[report]
        stays = rows[rows["status"] != "gone"]
        assert stays["sentence"].tolist() == list(range(len(split_sentences(current))))
        for row in stays.itertuples():
            assert current[row.start : row.end] == row.text
    with pytest.raises(ValueError, match="no column 'previous'"):
        model.compare(pairs.X["current"])


@pytest.mark.parametrize("mode", CHANNELS)
def test_claim_for_each_row(data, mode):
    X = pd.DataFrame({"current": data.X[:80], "claim": "There is a new important finding."})
    model = make(mode).fit(X, data.y[:80])
    assert model.predict_proba(X[:5]).shape == (5, 2)
    with pytest.raises(ValueError, match="no column 'claim'"):
        model.predict(data.X[:5])


@pytest.mark.parametrize("claims", ["An important finding.", ["no", "yes"], {0: "no", 1: "yes"}])
def test_claims_by_the_user(data, claims):
    model = make("attention", claims=claims).fit(data.X[:60], data.y[:60])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(data.X), model.predict_proba(data.X))


def test_empty_reports_get_the_frequency_of_the_labels(data):
    X = [*data.X[:60], "", "  \n "]
    y = [*data.y[:60], 0, 1]
    model = make("evidence").fit(X, y)
    np.testing.assert_allclose(model.predict_proba(["", "\t"])[:, 1], np.mean(y))
    assert model.sentence_evidence([""]).empty
    assert model.sentence_contribution(["", "No effusion."])["report"].tolist() == [1]


def test_very_long_report(models):
    report = "No effusion. " * 1600
    assert len(report) > 20_000
    assert np.isfinite(models["hybrid"].predict_proba([report])).all()


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (["a", None], "missing at row 1"),
        (["a", float("nan")], "missing at row 1"),
        (["a", 3], "got int at row 1"),
        (["a", b"secret"], "got bytes at row 1; decode"),
        ([], "is empty"),
        ("secret", "single str"),
        (pd.DataFrame({"before": ["secret"], "now": ["b"]}), "no column 'current'"),
        (pd.DataFrame({"previous": ["a"], "current": [None]}), "'current' of X is missing"),
        (np.array([["a", "b"]]), "shape"),
        (5, "is a int"),
    ],
)
def test_bad_reports(models, X, match):
    with pytest.raises(ValueError, match=match) as error:
        models["lexical"].predict(X)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (None, "y is None"),
        ([1] * 60, "one class only"),
        ([0.5, 1.5] * 30, "must hold classes"),
        ([0, 1] * 29 + [0, None], "missing at row 59"),
        ([0, 1], "inconsistent numbers"),
    ],
)
def test_bad_labels(data, y, match):
    with pytest.raises(ValueError, match=match):
        make("lexical").fit(data.X[:60], y)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"mode": "magic"}, "mode"),
        ({"n_members": 0}, "n_members"),
        ({"recall_target": 1.5}, "recall_target"),
        ({"class_weight": {7: 1}}, "names 7"),
        ({"mode": "lexical", "finetune_layers": 1}, "has none"),
        ({"finetune_layers": 1}, "Hugging Face"),
        ({"device": "abacus"}, "device"),
        ({"mode": "attention", "claims": ["a", "b", "c"]}, "3 texts"),
    ],
)
def test_bad_parameters(data, parameters, match):
    with pytest.raises(ValueError, match=match):
        make(**parameters).fit(data.X[:60], data.y[:60])


class BadEncoder:
    """Gives whatever it is told to."""

    def __init__(self, result):
        self.result = result

    def encode(self, sentences):
        return self.result(len(sentences))


@pytest.mark.parametrize(
    "result",
    [
        lambda n: np.full((n, 4), np.nan),
        lambda n: np.zeros((n + 1, 4)),
        lambda n: np.zeros(n),
        lambda n: None,
    ],
)
def test_bad_encoder(data, result):
    model = ReportAttentionClassifier(BadEncoder(result), mode="evidence", cache=False)
    with pytest.raises(ValueError, match="BadEncoder") as error:
        model.fit(data.X[:60], data.y[:60])
    assert data.X[0][:20] not in str(error.value)


def test_missing_model_folder(data, tmp_path):
    with pytest.raises(ValueError, match="not"):
        ReportAttentionClassifier(str(tmp_path / "nothing")).fit(data.X[:60], data.y[:60])


def test_unfitted(data):
    with pytest.raises(NotFittedError):
        make().predict(data.X)


def test_arguments_are_left_alone(data):
    X, y, weight = data.X[:60].copy(), data.y[:60].copy(), np.ones(60)
    model = make("evidence")
    before = clone(model).get_params()
    model.fit(X, y, sample_weight=weight)
    pd.testing.assert_series_equal(X, data.X[:60])
    np.testing.assert_array_equal(y, data.y[:60])
    assert model.get_params() == before


def test_weight_zero_is_left_out(data):
    weight = np.ones(100)
    weight[60:] = 0
    weighted = make("evidence").fit(data.X[:100], data.y[:100], sample_weight=weight)
    shorter = make("evidence").fit(data.X[:60], data.y[:60])
    np.testing.assert_allclose(
        weighted.predict_proba(data.X), shorter.predict_proba(data.X), atol=1e-8
    )


def test_balanced_classes_flag_more(data):
    plain = make("lexical").fit(data.X, data.y)
    balanced = make("lexical", class_weight="balanced").fit(data.X, data.y)
    assert (balanced.predict_proba(data.X) > plain.predict_proba(data.X))[:, 1].all()
    # three times the weight of the important reports is three times their odds, roughly
    dict_weight = make("lexical", class_weight={0: 1, 1: 3}).fit(data.X, data.y)
    np.testing.assert_allclose(
        dict_weight.predict_proba(data.X), balanced.predict_proba(data.X), atol=0.02
    )


def test_groups_stay_in_one_fold(data):
    # each report twice with small changes: without groups, its twin would give it away
    X = [*data.X[:60], *(f"{report} End of report." for report in data.X[:60])]
    groups = np.tile(np.arange(60), 2)
    leaking, honest = [], []
    for seed in range(4):
        y = np.tile(np.random.default_rng(seed).permutation(data.y[:60]), 2)  # nothing to learn
        leaking += [make("lexical").fit(X, y).channel_weights_["lexical"][0]]
        honest += [make("lexical").fit(X, y, groups=groups).channel_weights_["lexical"][0]]
    assert np.mean(leaking) > 1
    assert np.mean(honest) < np.mean(leaking) / 3


def test_single_report_of_a_class(data):
    rows = np.concatenate([np.flatnonzero(data.y == 1)[:1], np.flatnonzero(data.y == 0)[:20]])
    model = make().fit(data.X.iloc[rows], data.y[rows])
    assert model.n_folds_ == 0
    assert np.isnan(model.expected_flag_rate_)
    assert model.threshold_ == 0.5
    assert np.isfinite(model.predict_proba(data.X)).all()


def test_grid_search_is_the_ablation_table(data):
    search = GridSearchCV(
        make(max_epochs=2), {"mode": CHANNELS}, scoring="roc_auc", cv=2, error_score="raise"
    )
    search.fit(data.X[:80], data.y[:80])
    assert sorted(search.cv_results_["param_mode"]) == sorted(CHANNELS)
    assert search.predict(data.X).shape == (160,)


def test_cross_validate_pipeline_and_tuned_threshold(data):
    upper = FunctionTransformer(lambda X: X)
    scores = cross_validate(
        make_pipeline(upper, make("lexical")),
        data.X,
        data.y,
        scoring=["accuracy", "recall", "precision"],
        cv=StratifiedKFold(3),
        error_score="raise",
    )
    assert scores["test_recall"].shape == (3,)
    tuned = TunedThresholdClassifierCV(make("lexical"), scoring="balanced_accuracy", cv=2)
    tuned.fit(data.X, data.y)
    assert tuned.predict(data.X).shape == (160,)


@pytest.mark.parametrize("splitter", ["lines", lambda text: text.split("; ")])
def test_own_splitter(data, splitter):
    model = make("evidence", splitter=splitter).fit(data.X[:60], data.y[:60])
    assert len(model.sentence_evidence(["No effusion. Heart normal."])) == 1


def test_progress_bar_reaches_its_end(data, capsys):
    model = make("hybrid").set_callbacks(ProgressBar())
    model.fit(data.X[:60], data.y[:60])
    assert model.n_folds_ == 3
