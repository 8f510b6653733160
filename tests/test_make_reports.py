"""Made reports: labels, evidence and changes are true; real sets load."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from sklearn_medsel.datasets._report_english import ENGLISH
from sklearn_medsel.datasets._report_japanese import JAPANESE
from sklearn_medsel.datasets._report_phrases import BENIGN, EXAMS, GROUPS, IMPORTANT, UNSPOKEN
from sklearn_medsel.datasets._report_series import ReportMaker
from sklearn_medsel.datasets._reports import load_reports, make_reports

DATA = Path(os.environ.get("MEDSEL_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "reports").is_dir(), reason="MEDSEL_DATA has no folder 'reports'"
)
LANGUAGES = ["en", "ja"]
NAMES = {
    language: {
        kind.name: [name.removeprefix("~") for name in phrases.names[kind.name]]
        for kind in IMPORTANT
    }
    for language, phrases in (("en", ENGLISH), ("ja", JAPANESE))
}


def _cross_validated_auroc(texts, y, language):
    if language == "en":
        vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    else:
        vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    model = make_pipeline(vectors, LogisticRegression(C=10, class_weight="balanced"))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    score = cross_val_predict(model, np.asarray(texts), y, cv=folds, method="decision_function")
    return roc_auc_score(y, score)


@settings(max_examples=40, deadline=None)
@given(
    language=st.sampled_from(LANGUAGES),
    pairs=st.booleans(),
    fraction=st.sampled_from([0.0, 0.25, 1.0]),
    lengths=st.sampled_from([(1, 1), (1, 3), (4, 10), (25, 30)]),
    first=st.sampled_from([0.0, 0.3, 1.0]),
    headings=st.sampled_from([False, 0.5, True]),
    hard_wrap=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_fields_agree(language, pairs, fraction, lengths, first, headings, hard_wrap, seed):
    data = make_reports(
        8, language=language, pairs=pairs, important_fraction=fraction, n_sentences=lengths,
        first_examination_fraction=first, headings=headings, hard_wrap=hard_wrap,
        random_state=seed,
    )  # fmt: skip
    texts = data.X["current"] if pairs else data.X
    assert data.y.dtype == np.int64
    assert data.y.sum() == round(8 * fraction)
    for text, sentences, spans, evidence, y in zip(
        texts, data.sentences, data.spans, data.sentence_y, data.y, strict=True
    ):
        assert lengths[0] <= len(sentences) <= lengths[1]
        assert [text[a:b] for a, b in spans] == sentences
        assert all(s == s.strip() and s for s in sentences)
        assert np.all(spans[1:, 0] >= spans[:-1, 1])
        assert not re.search(r"[{}\[\]<>|~]", text)
        assert evidence.shape == (len(sentences),)
        assert bool(evidence.any()) == bool(y)
        assert evidence.sum() <= 3
    if pairs:
        assert data.X["previous"].isna().sum() == round(first * 8)
        _check_changes(data)


def _check_changes(data):
    changes = data.changes
    for number, after in enumerate(data.sentences):
        before = data.previous_sentences[number]
        rows = changes[changes["report"] == number]
        now = rows[rows["status"] != "gone"]
        assert now["sentence"].tolist() == list(range(len(after)))
        assert now["text"].tolist() == after
        gone = rows.loc[rows["status"] == "gone", "sentence"].tolist()
        kept = rows.loc[rows["status"] == "kept", "match"].tolist()
        assert sorted(gone + kept) == list(range(len(before)))
        assert (rows.loc[rows["status"] != "kept", "match"] == -1).all()
        assert not rows.loc[rows["status"] != "kept", "worse"].any()
        evidence = now["important"] & ((now["status"] == "new") | now["worse"])
        np.testing.assert_array_equal(evidence, data.sentence_y[number])


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_seed_gives_the_same_reports_and_global_generators_stay(language, pairs):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002

    def make(random_state):
        return make_reports(20, language=language, pairs=pairs, random_state=random_state)

    first, second, other, unseeded = make(5), make(5), make(6), make(None)
    assert first.X.equals(second.X)
    assert first.sentences == second.sentences
    np.testing.assert_array_equal(first.y, second.y)
    assert not first.X.equals(other.X)
    assert not first.X.equals(unseeded.X)
    assert make(np.random.RandomState(5)).X.equals(make(np.random.RandomState(5)).X)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_help_but_do_not_decide(language):
    """A bag of words is of use and can be beaten; sentence labels make nearly all of it clear."""
    data = make_reports(400, language=language, random_state=0)
    assert 0.8 < _cross_validated_auroc(data.X, data.y, language) < 0.95
    sentences = [sentence for report in data.sentences for sentence in report]
    assert len(set(sentences)) > 0.75 * len(sentences)
    assert _cross_validated_auroc(sentences, np.concatenate(data.sentence_y), language) > 0.95


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_current_report_alone_is_not_enough(language):
    data = make_reports(
        400, language=language, pairs=True, first_examination_fraction=0.0, random_state=0
    )
    assert _cross_validated_auroc(data.X["current"], data.y, language) < 0.85
    # Most unimportant reports still name important findings: those that were there before.
    changes = data.changes[data.changes["status"] != "gone"]
    named = changes[changes["important"]].groupby("report").size()
    named = named.reindex(np.arange(400), fill_value=0)
    assert (named[data.y == 0] > 0).mean() > 0.4
    assert data.changes["status"].value_counts(normalize=True).min() > 0.1
    kept = changes[changes["status"] == "kept"]
    assert kept.loc[kept["important"], "worse"].mean() > 0.1
    assert kept.loc[~kept["important"] & kept["finding"], "worse"].any()


@pytest.mark.parametrize("language", LANGUAGES)
def test_important_findings_are_also_named_where_nothing_is_important(language):
    data = make_reports(400, language=language, random_state=1)
    unimportant = " ".join(data.X[data.y == 0])
    for names in NAMES[language].values():
        assert sum(unimportant.count(name) for name in names) >= 5
    evidence = [
        sentence
        for report, marks in zip(data.sentences, data.sentence_y, strict=True)
        for sentence, mark in zip(report, marks, strict=True)
        if mark
    ]
    lowered = [sentence.lower() for sentence in evidence]
    every_name = [name.lower() for names in NAMES[language].values() for name in names]
    assert all(any(name in sentence for name in every_name) for sentence in lowered)
    negation = r"^no\b|\bnot seen|unlikely|resolved" if language == "en" else "否定的|考えにくい"
    assert not any(re.search(negation, sentence) for sentence in lowered)


@pytest.mark.parametrize("phrases", [ENGLISH, JAPANESE])
def test_a_report_does_not_contradict_itself(phrases):
    """No report denies a kind of finding that it states, or calls its place normal."""
    maker = ReportMaker(np.random.default_rng(0), phrases, (4, 14), 0.5, 0.0)
    _, _, reports = maker.series(np.arange(300) % 3 == 0, 0.2)
    for report in reports:
        stated = [s for s in report.statements if s.is_finding]
        kinds, places = {s.kinds[0].name for s in stated}, {s.region for s in stated}
        assert len({(s.kinds[0].name, s.region, s.site) for s in stated}) == len(stated)
        for other in report.statements:
            if other.act in ("absent", "unlikely", "resolved"):
                assert not kinds & {kind.name for kind in other.kinds}
            assert other.act != "normal" or other.region not in places
            assert other.act != "summary" or other.besides or not stated


def test_sizes_are_larger_where_it_says_so():
    data = make_reports(300, pairs=True, headings=False, random_state=3)
    checked = 0
    for row in data.changes[data.changes["worse"]].itertuples():
        sizes = [
            [float(n) * (10 if unit == "cm" else 1) for n, unit in found]
            for found in (
                re.findall(r"(\d+(?:\.\d)?) (?:x \d+\.\d )?(mm|cm)\b", text)
                for text in (row.text, data.previous_sentences[row.report][row.match])
            )
        ]
        if sizes[0] and sizes[1]:
            checked += 1
            assert max(sizes[0]) >= sizes[1][0] + 3
    assert checked > 20


def test_rows_of_a_patient_follow_each_other():
    data = make_reports(200, pairs=True, random_state=0)
    same = data.groups[1:] == data.groups[:-1]
    assert same.sum() > 50
    previous, current = data.X["previous"].to_numpy(object), data.X["current"].to_numpy(object)
    assert (previous[1:] == current[:-1])[same].all()
    assert data.X["previous"].isna().sum() == 20
    assert not data.X["previous"].isna().to_numpy()[1:][same].any()
    assert make_reports(30, random_state=0).groups.tolist() == list(range(30))


def test_multiclass_is_the_most_urgent_and_multilabel_the_groups():
    plain = make_reports(200, random_state=4)
    classes = make_reports(200, task="multiclass", random_state=4)
    labels = make_reports(200, task="multilabel", random_state=4)
    np.testing.assert_array_equal(classes.y != "routine", plain.y == 1)
    assert set(classes.y) == set(classes.target_names)
    np.testing.assert_array_equal(labels.y.any(axis=1), plain.y == 1)
    assert labels.target_names == list(GROUPS)
    assert labels.y.shape == (200, len(GROUPS))
    assert labels.y.sum(axis=0).min() > 0
    urgent = labels.y[:, [labels.target_names.index(n) for n in ("bleeding", "fracture")]]
    assert (classes.y[urgent.any(axis=1)] == "urgent").all()


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_label_noise_changes_labels_only(task):
    clean = make_reports(400, task=task, random_state=0)
    noisy = make_reports(400, task=task, label_noise=0.2, random_state=0)
    assert clean.X.equals(noisy.X)
    assert np.mean(clean.y != noisy.y) == pytest.approx(0.2, abs=0.05)
    for a, b in zip(clean.sentence_y, noisy.sentence_y, strict=True):
        np.testing.assert_array_equal(a, b)


def test_layout():
    headed = make_reports(30, headings=True, random_state=0)
    assert headed.X.str.contains("findings:", case=False).mean() > 0.9
    inside = " ".join(s for report in headed.sentences for s in report)
    assert "FINDINGS" not in inside
    bare = make_reports(30, headings=False, random_state=0)
    assert not bare.X.str.contains("findings:", case=False).any()
    for language, width in (("en", 80), ("ja", 60)):
        wrapped = make_reports(30, language=language, hard_wrap=True, random_state=0)
        assert max(len(line) for text in wrapped.X for line in text.split("\n")) <= width
        assert any("\n" in s for report in wrapped.sentences for s in report)


@pytest.mark.parametrize("phrases", [ENGLISH, JAPANESE])
def test_a_language_has_words_for_everything(phrases):
    regions = {region for exam in EXAMS.values() for region in exam}
    kinds = {kind.name for kind in IMPORTANT + BENIGN}
    assert set(phrases.sites) == regions
    assert set(phrases.normal) == regions - set(UNSPOKEN)
    assert set(phrases.names) == kinds
    assert set(phrases.looks) <= kinds
    assert set(phrases.exams) == set(phrases.symptoms) == set(EXAMS)
    assert {kind.group for kind in IMPORTANT} == set(GROUPS)
    assert set(ENGLISH.templates) == set(phrases.templates)
    assert {k: len(v) for k, v in ENGLISH.sites.items()} == {
        k: len(v) for k, v in phrases.sites.items()
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_sentences": (5, 2)}, "n_sentences"),
        ({"n_sentences": (0, 2)}, "n_sentences"),
        ({"n_sentences": (3,)}, "n_sentences"),
        ({"n_sentences": 4}, "n_sentences"),
        ({"language": "de"}, "language"),
        ({"important_fraction": 1.5}, "important_fraction"),
        ({"task": "regression"}, "task"),
        ({"n_reports": 0}, "n_reports"),
    ],
)
def test_bad_parameters_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        make_reports(**changes)


@needs_data
def test_real_chest_reports():
    data = load_reports("iu_xray_reports", data_home=DATA)
    assert data.X.shape == (2218,)
    assert len(data.sentences) == len(data.sentence_y) == len(data.y) == len(data.frame) == 2218
    assert not data.X.duplicated().any()
    assert set(data.y) == {0, 1}
    whole = load_reports("iu_xray_reports", drop_duplicates=False, data_home=DATA)
    assert whole.X.shape == (2744,)
    assert (pd.Series(whole.groups).groupby(whole.X.to_numpy()).nunique() == 1).all()
    assert len(set(whole.groups)) < 2300
    _check_real(data)


@needs_data
def test_real_japanese_reports():
    data = load_reports("jichi_ja_counterfactual", data_home=DATA)
    assert data.X.shape == (639,)
    assert len(set(data.groups)) == data.frame["group"].nunique()
    _check_real(data)
    lung = load_reports("jmed_rrtnm_ja_reports", data_home=DATA)
    assert lung.X.shape == (78,)
    assert lung.y.sum() == 27
    assert lung.sentences is None
    assert lung.sentence_y is None
    assert lung.groups is None


@needs_data
def test_real_claims():
    data = load_reports("nli4ct_claim_evidence", data_home=DATA)
    assert list(data.X.columns) == ["claim", "current"]
    assert data.X.shape == (1700, 2)
    assert set(data.y) == {"Entailment", "Contradiction"}
    assert (data.X["current"][0]) == "\n".join(data.sentences[0])
    assert data.X["current"].groupby(data.groups).nunique().max() == 1
    _check_real(data)


def _check_real(data):
    for sentences, evidence in zip(data.sentences, data.sentence_y, strict=True):
        assert evidence.shape == (len(sentences),)
        assert evidence.dtype == np.int64


def test_missing_sets_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="MEDSEL_DATA"):
        load_reports("iu_xray_reports", data_home=tmp_path)
    (tmp_path / "reports").mkdir()
    with pytest.raises(FileNotFoundError, match="iu_xray_reports"):
        load_reports("iu_xray_reports", data_home=tmp_path)
    with pytest.raises(ValueError, match="jichi_ja_counterfactual"):
        load_reports("other", data_home=tmp_path)
