"""The report: escaped, self-contained, readable, and honest about who wins."""

import re
import sys
from functools import partial
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from sklearn_medsel import _html
from sklearn_medsel.__main__ import main
from sklearn_medsel._cli import _demo, _words
from sklearn_medsel._cli._job import BEST, OURS, Results, Settings, gene_table
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._report import comparison_text, render, summary
from sklearn_medsel._cli._roles import Samples
from sklearn_medsel._cli._signature import Signature, out_of_fold_risk
from sklearn_medsel._pictures import Picture
from sklearn_medsel.survival import make_survival_y

EVIL = '<script>alert("x")</script>'
PNG = b"\x89PNG\r\n\x1a\n"


def fake_selector(names, support, *, n_outputs=1, classes=("alive", "dead")):
    """Return what a fitted selector shows of itself."""
    n_genes = len(names)
    strength = np.linspace(1, 0, n_genes)
    selected = np.asarray(names)[support]
    return SimpleNamespace(
        support_=support,
        ranking_=np.arange(1, n_genes + 1),
        feature_importances_=strength,
        selection_frequencies_=strength,
        pvalues_=np.linspace(1e-5, 1, n_genes),
        qvalues_=np.linspace(1e-4, 1, n_genes),
        effects_=-np.squeeze(np.outer(strength, np.ones(n_outputs))),
        classes_=np.array(classes),
        stability_=(0.62, 0.5, 0.74),
        ranked_by_="path",
        nonlinear_used_=False,
        notes_=[f"A note about {EVIL}."],
        clusters_=pd.DataFrame(
            {
                "feature": [*selected, names[-1]] if len(selected) else [],
                "cluster": [*range(len(selected)), 0] if len(selected) else [],
                "representative": [*selected, selected[0]] if len(selected) else [],
                "correlation": [*np.ones(len(selected)), 0.9] if len(selected) else [],
            }
        ),
        interactions_=pd.DataFrame(
            {
                "feature_1": [EVIL],
                "feature_2": ["B"],
                "statistic": [5.0],
                "pvalue": [0.01],
                "selected": [True],
            }
        ),
        path_=pd.DataFrame(),
    )


def comparison(ours=0.7, rival=0.6, *, p=0.01, n_empty=0, error=""):
    """Return a comparison table of the selector, LASSO and all genes."""
    return pd.DataFrame(
        {
            "selector": [OURS, "LASSO", "all genes + ridge"],
            "score_mean": [ours, rival, 0.5],
            "score_std": 0.05,
            "n_scores": 10,
            "n_features_mean": [3, 40, 7399],
            "n_features_std": 1.0,
            "stability": [0.6, 0.2, np.nan],
            "stability_low": [0.5, 0.1, np.nan],
            "stability_high": [0.7, 0.3, np.nan],
            "seconds_mean": [1.5, 0.5, 0.1],
            "difference": [ours - 0.5, rival - 0.5, np.nan],
            "p_value": [0.01, 0.2, np.nan],
            "n_empty": [n_empty, 0, 0],
            "error": ["", error, ""],
            "difference_ours": [np.nan, rival - ours, 0.5 - ours],
            "p_value_ours": [np.nan, p, 0.01],
        }
    )


def make_results(*, n_selected=3, task="classification", n_genes=60, **changes):
    """Return results whose names try to break out of the page."""
    rng = np.random.default_rng(0)
    names = [EVIL, '"><img src=x onerror=y>', "a&b", *[f"G{i}" for i in range(n_genes - 3)]]
    X = pd.DataFrame(rng.normal(size=(20, n_genes)), columns=names)
    X.iloc[3, 5] = np.nan
    survival = np.array(
        [(i % 2 == 0, float(i + 1)) for i in range(20)], dtype=[("event", bool), ("time", float)]
    )
    y = np.repeat([EVIL, "dead"], 10).astype(object) if task == "classification" else survival
    samples = Samples(
        X,
        y,
        task,
        f"outcome {EVIL}",
        survival=survival if task == "survival" else None,
        remarks=[f"A remark about {EVIL}."],
    )
    support = np.arange(n_genes) < n_selected
    selector = fake_selector(names, support, classes=(EVIL, "dead"))
    if task == "survival":
        del selector.classes_
    results = Results(
        Settings(table=f"{EVIL}.csv", target="status", drop=(EVIL,)),
        samples,
        selector,
        gene_table(selector, X),
        comparison(),
        warnings=[f"UserWarning: {EVIL}"],
        digest="ab12",
    )
    if task == "survival":
        results.signature = Signature(np.arange(20) < 10, 0.61, 0.04, 0.2, [3, 4, 10], 1)
        results.prognosis = SimpleNamespace(
            genes=pd.DataFrame(
                {
                    "feature": [EVIL],
                    "hazard_ratio": [1.5],
                    "ci_low": [1.2],
                    "ci_high": [1.9],
                    "cox_pvalue": [0.002],
                    "cox_qvalue": [0.01],
                    "logrank_pvalue": [0.01],
                    "logrank_qvalue": [0.02],
                }
            ),
            rate=0.6,
            random_rate=0.2,
            enrichment=3.0,
            enrichment_pvalue=0.04,
            alpha=0.05,
            n_candidates=57,
        )
    for name, value in changes.items():
        setattr(results, name, value)
    return results


def pictures(*names):
    """Return pictures without content."""
    return {
        name: Picture(name, name, f"alt of {name} {EVIL}", "caption", PNG, PNG) for name in names
    }


class Page(HTMLParser):
    """Elements, attributes and text of a page whose elements must be closed in order."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "source"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return "".join(self.texts)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


ALL_PICTURES = ("importance", "stability", "path", "comparison", "kaplan_meier")


@pytest.mark.parametrize("task", ["classification", "survival"])
@pytest.mark.parametrize("n_selected", [0, 1, 60])
def test_names_from_the_table_never_become_markup(task, n_selected):
    page = Page(render(make_results(task=task, n_selected=n_selected), pictures(*ALL_PICTURES)))
    names = {name for name, _ in page.elements}
    assert "script" not in names
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert EVIL in page.text  # shown as text
    if n_selected:
        assert '"><img src=x onerror=y>' in page.text or n_selected == 1


def test_page_is_self_contained():
    source = render(make_results(task="survival"), pictures(*ALL_PICTURES))
    assert not re.search(r"(?i)https?:|//[a-z]|@import|url\(", source)
    page = Page(source)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {
        e for e, _ in page.elements
    }
    resources = [a.get(key) for _, a in page.elements for key in ("src", "srcset") if key in a]
    assert resources
    assert all(resource.startswith("data:image/png;base64,") for resource in resources)
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'")


def test_page_is_accessible_and_readable_on_a_phone():
    page = Page(render(make_results(task="survival"), pictures(*ALL_PICTURES)))
    assert page.all("html")[0]["lang"] == "en"
    assert any(a.get("name") == "viewport" for a in page.all("meta"))
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(header["scope"] in ("col", "row") for header in page.all("th"))
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= set(identifiers)
    style = page.text
    assert "prefers-color-scheme:dark" in style
    assert "max-width:40rem" in style


@pytest.mark.parametrize(
    "words",
    [
        "20",
        "60",
        "1 missing value",
        "How to read this",
        "not a medical device",
        "A note about",
        "A remark about",
        "SHA-256 of the tableab12",
        "seed",
        "scikit-learn",
        "0.62",
        "0.50 to 0.74",
        "Selected genes",
        f"{EVIL} × B",
        "G56 (0.90)",
        "Concordance 0.610",
        "In 1 of 3 folds no gene was selected",
        "60% of these genes",
        "20% of the 57 other genes",
        "3.0 times as many",
        "flatters",
    ],
)
def test_page_tells(words):
    assert words in Page(render(make_results(task="survival"), {})).text


def test_page_without_selection_and_comparison():
    page = Page(render(make_results(n_selected=0, comparison=None), {}))
    assert "None of these genes is selected." in page.text
    assert "Left out with --no-compare." in page.text
    assert "Survival" not in page.text


def test_long_selection_is_cut_with_a_pointer_to_the_file():
    page = render(make_results(n_selected=60), {})
    assert "50 of 60; all genes are in genes.csv" in page
    assert "<strong>G46</strong>" in page
    assert "<strong>G47</strong>" not in page


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            comparison(0.7, 0.6),
            f"{OURS} has the highest mean score, 0.700; next is LASSO with 0.600 (a clear",
        ),
        (comparison(0.7, 0.69, p=0.7), "(no clear difference, corrected p 0.70)"),
        (comparison(0.6, 0.7), f"A baseline wins: LASSO scores 0.700, {OURS} 0.600 (a clear"),
        (comparison(0.6, 0.7, p=np.nan), f"{OURS} 0.600."),
        (comparison(n_empty=4), "In 4 of 10 folds nothing passed"),
        (comparison(np.nan), "has no score"),
    ],
)
def test_verdict_names_the_winner(table, words):
    assert words in _words.verdict(make_results(comparison=table))


def test_verdict_judges_the_best_20_where_there_is_such_a_row():
    table = comparison(0.5, 0.7)
    extra = table.iloc[[0]].assign(selector=BEST, score_mean=0.8)
    words = _words.verdict(make_results(comparison=pd.concat([extra, table])))
    assert words.startswith(f"{BEST} has the highest mean score, 0.800; next is LASSO")


def test_failed_fits_are_reported():
    page = Page(render(make_results(comparison=comparison(error="2 of 10 fits failed")), {}))
    assert "LASSO: 2 of 10 fits failed" in page.text


@pytest.mark.parametrize(
    ("n_features", "n_selected", "words"),
    [
        (None, 0, "None of 60 genes passes"),
        (None, 1, "1 gene of 60 passes"),
        (None, 3, "3 genes of 60 pass the false discovery rate of 0.1: on average at most 10%"),
        ("auto", 3, "3 genes of 60 are enough"),
        (20, 20, "The 20 genes ranked best of 60"),
    ],
)
def test_headline(n_features, n_selected, words):
    settings = Settings(table="t.csv", target="y", n_features=n_features)
    assert words in _words.headline(make_results(n_selected=n_selected, settings=settings))


@pytest.mark.parametrize(
    ("estimate", "words"),
    [(0.2, "poor"), (0.5, "good"), (0.9, "excellent"), (np.nan, "not defined")],
)
def test_stability_words(estimate, words):
    assert words in _words.stability_words((estimate, 0, 1))


def test_summary_and_plain_table():
    text = summary(make_results(comparison=comparison(0.6, 0.7)))
    assert "A baseline wins" in text
    lines = comparison_text(make_results()).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith(f"> {OURS}")


def test_gene_table_has_every_gene_the_best_first():
    results = make_results()
    table = results.genes
    assert list(table["rank"]) == list(range(1, 61))
    assert list(table.columns) == [
        "rank", "gene", "selected", "importance", "frequency", "p_value", "q_value", "effect",
        "cluster", "representative", "missing",
    ]  # fmt: skip
    assert table["missing"].sum() == 1
    assert table["selected"].sum() == 3


def test_gene_table_has_one_effect_per_class():
    names = [f"G{i}" for i in range(5)]
    selector = fake_selector(names, np.arange(5) < 2, n_outputs=3, classes=("a", "b", "c"))
    table = gene_table(selector, pd.DataFrame(np.ones((4, 5)), columns=names))
    assert [c for c in table if c.startswith("effect")] == ["effect[a]", "effect[b]", "effect[c]"]


# --- risk groups -----------------------------------------------------------------------------


class Correlated(BaseEstimator):
    """Select the genes that go best with the time: in noise, they look prognostic in-sample."""

    def __init__(self, n_genes=20):
        self.n_genes = n_genes

    def fit(self, X, y):
        score = np.abs(np.corrcoef(X.to_numpy(), np.log(y["time"]), rowvar=False)[-1, :-1])
        self.ranking_ = np.argsort(np.argsort(-score)) + 1
        self.support_ = self.ranking_ <= self.n_genes
        return self


def noise(n_samples=90, n_genes=600, signal=0.0):
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(n_samples, n_genes)))
    time = rng.exponential(np.exp(-signal * X[0].to_numpy()))
    y = make_survival_y(rng.random(n_samples) < 0.8, time)
    return Samples(X, y, "survival", "death", survival=y)


def test_risk_groups_of_noise_do_not_differ():
    signature = out_of_fold_risk(Correlated(), noise(), cv=5, random_state=0)
    assert abs(signature.concordance - 0.5) < 0.1  # 0.77 on the samples of the selection
    assert signature.logrank_pvalue > 0.05
    assert signature.n_genes == [20] * 5


def test_risk_groups_of_a_signal_differ():
    signature = out_of_fold_risk(Correlated(1), noise(signal=2), cv=3, random_state=0)
    assert signature.concordance > 0.7
    assert signature.logrank_pvalue < 0.01


def test_risk_groups_take_the_best_ranked_where_none_is_selected():
    done = []
    signature = out_of_fold_risk(Correlated(0), noise(), cv=3, random_state=0, on_fold=done.append)
    assert signature.n_fallback == 3
    assert signature.n_genes == [10] * 3
    assert done == [1 / 3, 2 / 3, 1]


# --- the demonstration -----------------------------------------------------------------------


def test_demo_writes_all_reports_and_may_run_again(tmp_path, capsys, monkeypatch):
    def analyse(samples, settings, *, progress):
        assert samples.X.shape == (20, 4)
        assert settings.table == "DLBCL (SurvSet)"
        assert (samples.survival is None) == (samples.task == "classification")
        results = make_results(task=samples.task)
        results.samples.outcome = samples.outcome
        return results

    def load(*, task):
        X = pd.DataFrame(np.ones((20, 4)))
        return SimpleNamespace(X=X, y=np.arange(20) % 2, n_excluded=6)

    def read_reports(progress, folder):
        folder.mkdir()
        (folder / "reports.html").write_text("page")

    def forecast(progress, folder):
        folder.mkdir()
        (folder / "report.html").write_text("page")

    monkeypatch.setattr(_demo, "analyse", analyse)
    monkeypatch.setattr(_demo, "_read_reports", read_reports)
    monkeypatch.setattr(_demo, "_forecast_breathing", forecast)
    monkeypatch.setattr(_demo, "_fuse_made_patients", forecast)
    monkeypatch.setattr("sklearn_medsel._cli._fuse_output.summary", lambda _: "fuse")
    monkeypatch.setattr("sklearn_medsel._cli._forecast_output.summary", lambda _: "forecast")
    monkeypatch.setattr("sklearn_medsel._cli._reports_output.summary", lambda _: "read")
    monkeypatch.setattr("sklearn_medsel.datasets.load_dlbcl", load)
    monkeypatch.setattr("sklearn_medsel._cli._report.draw_all", lambda _: {})
    for _ in range(2):
        assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
        out = capsys.readouterr().out
        assert out.count("balanced accuracy") == out.count("concordance") == 1
        for name in ("death-within-two-years", "survival"):
            path = tmp_path / "demo" / name / "report.html"
            assert path.exists()
            assert f"Report: {path}" in out
        assert (tmp_path / "demo" / "reports" / "reports.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    (tmp_path / "demo" / "thesis.doc").write_text("years of work")
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2


def test_demo_reads_reports(tmp_path, monkeypatch):
    quick = partial(_demo.ReportSettings, mode="lexical", cv=2)
    monkeypatch.setattr(_demo, "ReportSettings", quick)
    monkeypatch.setattr(_demo, "_N_REPORTS", 60)
    results = _demo._read_reports(Progress({}, mode="never"), tmp_path / "reports")
    assert len(results.predictions) == 60
    assert "previous" in (tmp_path / "reports" / "reports.html").read_text()


def test_demo_names_the_extra_it_needs(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "SurvSet", None)
    monkeypatch.setitem(sys.modules, "SurvSet.data", None)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert 'pip install "sklearn-medsel[demo]"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- the builder -----------------------------------------------------------------------------


def test_tag_escapes_text_and_attributes_but_not_markup():
    inner = _html.tag("b", "<&>")
    assert inner == "<b>&lt;&amp;&gt;</b>"
    assert _html.tag("p", inner, None, ["x", 1], title='"<') == (
        '<p title="&quot;&lt;"><b>&lt;&amp;&gt;</b>x1</p>'
    )
    assert _html.text("a\x00b\u202ec\ud800") == "abc"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (None, "–"),
        (np.nan, "–"),
        (0.4, "0.400"),
        (-1.5, "−1.50"),
        (7399, "7,399"),
        (300, "300"),
    ],
)
def test_number(value, words):
    assert _html.number(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(1e-6, "<0.001"), (0.0432, "0.043"), (0.5, "0.50"), (np.nan, "–")]
)
def test_p_value(value, words):
    assert _html.p_value(value) == words
