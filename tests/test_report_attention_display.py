"""The page and the plot of reports: nothing escapes, nothing is lost, no colour is needed."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_medsel._html import _CONTROL
from sklearn_medsel.inspection import _report_drawing as drawing
from sklearn_medsel.inspection._report_attention import ReportAttentionDisplay
from sklearn_medsel.inspection._report_rows import GRADES, KINDS
from sklearn_medsel.inspection._report_style import CSS, colours

ENGLISH = "FINDINGS:\nHeart size is normal. New 9 mm nodule in the right lung.\n\nNo effusion."
JAPANESE = "【所見】\n右肺に結節を認めます。胸水はありません。"
SECRET = "SECRET"


def cut(text, number=0):
    """Cut at full stops and line breaks, as a splitter would."""
    found = [m for m in re.finditer(r"[^\n.。]+[.。]?", text) if m.group().strip()]
    starts = [m.start() + len(m.group()) - len(m.group().lstrip()) for m in found]
    # of type object, as pandas has no str for half a character, which a wrong decoding leaves
    texts = [text[a : m.end()] for a, m in zip(starts, found, strict=True)]
    return pd.DataFrame(
        {
            "report": number,
            "sentence": range(len(found)),
            "text": pd.Series(texts, dtype=object),
            "start": np.array(starts, dtype=int),
            "end": np.array([m.end() for m in found], dtype=int),
        }
    )


def valued(*texts):
    frame = pd.concat([cut(text, i) for i, text in enumerate(texts)], ignore_index=True)
    return frame.assign(value=[0.9 if re.search("nodule|結節", t) else 0.02 for t in frame.text])


def changes_of(*rows):
    columns = ["report", "status", "sentence", "text", "match_text", "changed"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


class Reader(ClassifierMixin, BaseEstimator):
    """Has the methods of a classifier of reports; a nodule is its only finding."""

    def __init__(self, classes=("normal", "important"), slope=1.0):
        self.classes = classes
        self.slope = slope

    def fit(self, X, y=None):
        self.classes_ = np.array(self.classes)
        self.threshold_ = 0.4
        return self

    def _texts(self, X):
        return list(X["current"]) if hasattr(X, "columns") else list(X)

    def predict_proba(self, X):
        found = np.array([0.8 if "nodule" in text else 0.1 for text in self._texts(X)])
        return np.column_stack([1 - found, found])

    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)]

    def sentence_evidence(self, X):
        return valued(*self._texts(X))

    def sentence_attention(self, X):
        frame = valued(*self._texts(X))
        return frame.assign(value=frame.value / frame.groupby("report").value.transform("sum"))

    def sentence_contribution(self, X):
        frame = valued(*self._texts(X))
        return frame.assign(value=frame.value - 0.3)

    def compare(self, X):
        rows = []
        for number, (old, new) in enumerate(zip(X["previous"], X["current"], strict=True)):
            before = [] if not isinstance(old, str) else list(cut(old).text)
            for sentence, text in enumerate(cut(new).text):
                status = "kept" if text in before else "new"
                rows.append((number, status, sentence, text, text, False))
            gone = [(s, t) for s, t in enumerate(before) if t not in set(cut(new).text)]
            rows += [(number, "gone", s, t, None, None) for s, t in gone]
        return changes_of(*rows)


class SeveralReader(Reader):
    """Tells three findings apart, and gives each sentence a value for each."""

    def predict_proba(self, X):
        return np.tile([0.2, 0.7, 0.6], (len(X), 1))

    def sentence_evidence(self, X):
        frame = valued(*self._texts(X))
        return pd.concat([frame.assign(**{"class": name}) for name in self.classes_])


class Page(HTMLParser):
    """Collects elements, attributes and texts as a browser would see them."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.marks = [], [], [], [], []
        self.style = self.all_text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "pre":
            self.texts.append("")
        if tag not in ("meta",):
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        names = [tag for tag, _ in self.open]
        if "style" in names:
            self.style += data
            return
        self.all_text += data
        own = [attrs.get("class", "") for _, attrs in self.open]
        is_added = any(re.search("medsel-(rank|value|badge)", name) for name in own)
        if "pre" in names and not is_added:
            self.texts[-1] += data
            if "mark" in names:
                self.marks.append(data)

    def reports(self):
        """The reports' texts, without the line break that browsers drop."""
        return [text.removeprefix("\n") for text in self.texts]


def as_shown(text):
    return _CONTROL.sub("", text.replace("\r\n", " \n").replace("\r", "\n"))


# --- the page -------------------------------------------------------------------------------


def test_page_shows_each_report_in_full_and_marks_its_sentences():
    display = ReportAttentionDisplay(
        valued(ENGLISH, JAPANESE),
        [ENGLISH, JAPANESE],
        probabilities=[0.8, 0.3],
        threshold=0.4,
        labels=["normal", "important"],
    )
    page = Page(display._repr_html_())
    assert page.reports() == [ENGLISH, JAPANESE]
    assert page.marks == ["New 9 mm nodule in the right lung.", "右肺に結節を認めます。"]
    assert ("lang", "ja") in page.attributes
    assert ("aria-label", "Report 1") in page.attributes
    assert ("title", "sentence 2: evidence 0.900000") in page.attributes
    assert "▲ flagged" in page.all_text
    assert "○ not flagged" in page.all_text
    assert "flagged important: probability 0.80, threshold 0.40" in page.all_text


def test_page_can_be_read_without_colour():
    sentences = cut("Worst. Bad. Poor. Weak. Fine.").assign(value=[0.95, 0.7, 0.5, 0.3, 0.01])
    display = ReportAttentionDisplay(sentences, ["Worst. Bad. Poor. Weak. Fine."])
    page = display.to_html()
    shown = Page(page).all_text
    for written in ("①\u202fWorst.\u202f0.95", "②\u202fBad.\u202f0.70", "③\u202fPoor.\u202f0.50"):
        assert written in shown
    assert "Weak.\u202f0.30" in shown
    assert "Fine.\u202f" not in shown
    assert re.search(r'class="medsel-for-5 medsel-top"', page)
    thickness = [
        float(re.search(rf"medsel-for-{g}\{{[^}}]*thickness:([\d.]+)px", CSS).group(1))
        for g in range(1, GRADES + 1)
    ]
    assert all(np.diff(thickness) > 0)


def test_contributions_say_their_sign_by_figure_and_line():
    sentences = cut("Nodule. Clear.").assign(value=[1.5, -0.75])
    page = ReportAttentionDisplay(
        sentences, ["Nodule. Clear."], value_name="contribution"
    ).to_html()
    assert "+1.50" in page
    assert "−0.75" in page
    assert 'class="medsel-for-5 medsel-top"' in page
    assert re.search(r'class="medsel-against-3 medsel-minus"', page)
    assert "medsel-minus{text-decoration-style:dashed}" in CSS


tricky = st.lists(
    st.sampled_from(
        ["<script>alert(1)</script>", "</pre>", "</style>", "<!--", "&amp;", "&", '"', "'", "<b ",
         "onload=x", "]]>", "\n", "\r\n", "\r", ".", " ", "。", "所見", "結節", "\x00", "\x85",
         "\u202e", "\ud800", "é", "{name}", "javascript:", "nodule", "\\", "`", "😀"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    texts=st.lists(tricky | st.text(max_size=40), min_size=1, max_size=3),
    label=tricky,
    full_page=st.booleans(),
    kind=st.sampled_from(KINDS),
)
@settings(max_examples=150)
def test_whatever_is_written_stays_text(texts, label, full_page, kind):
    sentences = valued(*texts)
    gone = changes_of((0, "gone", 0, texts[0], None, False))
    display = ReportAttentionDisplay(
        sentences,
        texts,
        probabilities=np.full(len(texts), 0.5),
        threshold=0.5,
        labels=["normal", label],
        value_name=kind,
        changes=gone,
    )
    page = display.to_html(full_page=full_page)
    seen = Page(page)
    assert seen.reports() == [as_shown(text) for text in texts if text.strip()]
    assert as_shown(label).strip() in seen.all_text.replace("\r", "\n") or "\r" in label
    assert seen.style == CSS
    assert set(seen.tags) <= {
        "html", "head", "meta", "title", "body", "main", "div", "style", "section", "h3", "h4", "p",
        "pre", "mark", "span", "sup", "ol", "li", "del", "q",
    }  # fmt: skip
    names = {name for name, _ in seen.attributes}
    assert names <= {
        "class", "title", "lang", "aria-label", "role", "style", "charset", "http-equiv", "content",
        "name",
    }  # fmt: skip
    styles = [value for name, value in seen.attributes if name == "style"]
    assert all(re.fullmatch(r"(width|left):\d+\.\d%", value) for value in styles)
    page.encode("utf-8")


def test_class_names_of_sentences_are_escaped():
    evil = "<img src=x onerror=alert(1)>"
    sentences = valued(ENGLISH).assign(**{"class": evil})
    display = ReportAttentionDisplay(sentences, [ENGLISH])
    assert "img" not in Page(display.to_html()).tags
    assert evil in Page(display.to_html()).all_text


def test_page_loads_nothing_and_runs_nothing():
    page = ReportAttentionDisplay(valued(ENGLISH), [ENGLISH]).to_html(full_page=True)
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in Page(page).all_text + str(Page(page).attributes)
    assert not re.search(r"<script|<link|@import|url\(|https?:|src=|href=", page)
    assert ("charset", "utf-8") in Page(page).attributes


def rules_of(css):
    """Selectors of a style sheet with their declarations, those within @media too."""
    flat = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", css)
    return re.findall(r"([^{}]+)\{([^{}]*)\}", flat)


def test_style_touches_nothing_outside_the_page():
    rules = rules_of(CSS)
    assert len(rules) > 40
    for selectors, _ in rules:
        # commas within :is() part no selectors
        for selector in re.sub(r":is\([^)]*\)", "", selectors).split(","):
            assert selector.strip().startswith(".medsel-reports"), selector
    classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", "".join(s for s, _ in rules)))
    assert all(name.startswith(("medsel-", "vscode-")) for name in classes)


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_on_every_background(mode):
    found = colours(mode)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    backgrounds = [found[f"{s}-{g}"] for s in ("for", "against") for g in range(1, GRADES + 1)]
    # small figures stand on the shades too; WCAG AA asks for 4.5
    assert min(contrast(found["ink"], ground) for ground in backgrounds) >= 4.5
    for ground in ("paper", "ground"):
        assert contrast(found["ink"], found[ground]) >= 4.5
        assert contrast(found["muted"], found[ground]) >= 4.5
    for part in ("accent", "second", "muted"):  # bars and borders: 3
        assert contrast(found[part], found["paper"]) >= 3
    strength = [contrast(found["paper"], found[f"for-{g}"]) for g in range(1, GRADES + 1)]
    assert strength[0] > 1.05
    assert all(np.diff(strength) > 0)
    assert all(value in CSS for value in found.values())


def test_dark_and_light_follow_the_notebook_before_the_system():
    order = [CSS.index(part) for part in ("prefers-color-scheme", "data-jp-theme", "media print")]
    assert order == sorted(order)
    assert "forced-colors:active" in CSS


# --- values and pairs -----------------------------------------------------------------------


def test_evidence_is_compared_with_one_and_attention_with_the_largest():
    text = "A. B. C."
    weak = cut(text).assign(value=[0.2, 0.1, 0.02])
    evidence = ReportAttentionDisplay(weak, [text])
    assert list(evidence.rows_["grade"]) == [1, 1, 0]
    assert list(evidence.rows_["rank"]) == [1, 2, 0]
    attention = ReportAttentionDisplay(weak, [text], value_name="attention")
    assert list(attention.rows_["grade"]) == [5, 3, 1]
    zero = ReportAttentionDisplay(weak.assign(value=0.0), [text], value_name="contribution")
    assert not zero.rows_["grade"].any()
    assert not zero.rows_["rank"].any()


def test_pairs_show_new_kept_changed_and_gone():
    text = "Nodule 9 mm. No effusion. Fracture."
    changes = changes_of(
        (0, "kept", 0, "Nodule 9 mm.", "Nodule 6 mm.", True),
        (0, "kept", 1, "No effusion.", "No effusion.", False),
        (0, "new", 2, "Fracture.", None, False),
        (0, "gone", 3, "Old <drain>.", None, None),
    )
    sentences = cut(text).assign(value=0.5)
    display = ReportAttentionDisplay(sentences, [text], changes=changes)
    assert list(display.rows_["status"]) == ["changed", "kept", "new"]
    assert list(display.rows_["was"]) == ["Nodule 6 mm.", "No effusion.", ""]
    page = display.to_html()
    shown = Page(page).all_text
    for badge in ("+ NEW 1", "= KEPT 1", "~ CHANGED 1", "− GONE 1"):
        assert badge in re.sub(r"\s+", " ", shown)
    assert "<del>Old &lt;drain&gt;.</del>" in page
    assert "<q>Nodule 6 mm.</q>" in page
    assert Page(page).reports() == [text]


def test_first_examination_has_nothing_to_compare_with():
    display = ReportAttentionDisplay(valued(ENGLISH), [ENGLISH], changes=changes_of())
    assert "No previous report to compare with." in display.to_html()
    assert "NEW" not in display.to_html()


def test_empty_reports_and_reports_without_sentences():
    sentences = pd.DataFrame(columns=["report", "sentence", "start", "end", "value"])
    display = ReportAttentionDisplay(sentences, ["", "\n", "***"], probabilities=[0.1, 0.1, 0.1])
    page = Page(display.to_html())
    assert page.all_text.count("This report is empty.") == 2
    assert page.reports() == ["***"]
    pytest.importorskip("matplotlib")
    display.plot().figure_.canvas.draw()
    assert len(display.bars_) == 0


def test_a_probability_that_rounds_to_the_threshold_is_written_out():
    display = ReportAttentionDisplay(
        valued(ENGLISH), [ENGLISH], probabilities=[0.39996], threshold=0.4
    )
    assert "probability 0.39996, threshold 0.40000" in display.to_html()
    assert "not flagged" in display.to_html()


# --- wrong input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"end": [9, 400]}, "sentence 1 of report 0 lies outside"),
        ({"start": [-1, 10]}, "sentence 0 of report 0 lies outside"),
        ({"start": [0, 19]}, "sentence 1 of report 0 lies outside"),
        ({"start": [0, 8]}, "sentence 1 of report 0 overlaps"),
        ({"value": [0.1, np.nan]}, "sentence 1 of report 0 has a value that is not finite"),
        ({"value": [0.1, np.inf]}, "not finite"),
        ({"report": [0, 3]}, "row 1 belongs to a report"),
        ({"start": [0.5, 10.0]}, "column start must hold integers"),
    ],
)
def test_sentences_that_do_not_fit_are_named_without_their_text(edit, message):
    text = f"{SECRET} a. {SECRET} b."
    sentences = cut(text).assign(value=0.5).assign(**edit)
    with pytest.raises(ValueError, match=message) as error:
        ReportAttentionDisplay(sentences, [text])
    assert SECRET not in str(error.value)


def test_sentences_may_touch_and_come_in_any_order():
    sentences = cut("Clear.No nodule.").assign(value=[0.1, 0.7])
    display = ReportAttentionDisplay(sentences[::-1], ["Clear.No nodule."])
    assert list(display.rows_["sentence"]) == [0, 1]
    assert Page(display.to_html()).reports() == ["Clear.No nodule."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": [None]}, "report 0 must be a str, found NoneType"),
        ({"texts": pd.Series(["a", "b"], index=[0, 0])}, "occurs twice"),
        ({"sentences": pd.DataFrame({"report": [0]})}, "missing: sentence, start, end, value"),
        ({"probabilities": [0.1, 0.2]}, "one row for each of the 1 reports"),
        ({"probabilities": [1.2]}, "between 0 and 1"),
        ({"probabilities": [[0.1, 0.2, 0.7]], "labels": ["a", "b"]}, "found 2 names"),
        ({"value_name": SECRET}, "value_name must be one of"),
        ({"changes": changes_of((0, SECRET, 0, "", "", False))}, "has a status other than"),
        ({"changes": changes_of((0, "new", SECRET, "", "", False))}, "must hold integers"),
        ({"changes": changes_of((7, "new", 0, "", "", False))}, "row 0 belongs to a report"),
        ({"changes": changes_of(*[(0, "new", 0, "", "", False)] * 2)}, "occurs twice"),
        ({"changes": pd.DataFrame({"report": [0]})}, "missing: status"),
    ],
)
def test_wrong_arguments_are_named_without_text(arguments, message):
    good = {"sentences": cut(ENGLISH).assign(value=0.5), "texts": [ENGLISH]}
    with pytest.raises(ValueError, match=message) as error:
        ReportAttentionDisplay(**(good | arguments))
    assert SECRET not in str(error.value)


# --- from an estimator ----------------------------------------------------------------------


REPORTS = [ENGLISH, "Lungs are clear.", "Small nodule. Scar.", "No change."]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [list, np.array, pd.Series])
def test_from_estimator_keeps_the_numbers_of_the_reports(kind, make):
    X = make(REPORTS)
    reader = Reader().fit(X)
    display = ReportAttentionDisplay.from_estimator(reader, X, kind=kind, reports=[2, 1])
    page = Page(display.to_html())
    assert page.reports() == [REPORTS[2], REPORTS[1]]
    assert [int(n) for n in re.findall(r"Report (\d)", page.all_text)] == [2, 1]
    assert set(display.rows_["report"]) == {1, 2}
    assert "important: probability 0.80, threshold 0.40" in page.all_text
    assert not hasattr(display, "ax_")


def test_from_estimator_says_how_many_it_left_out():
    reader = Reader().fit(REPORTS)
    display = ReportAttentionDisplay.from_estimator(reader, REPORTS, max_reports=3)
    assert "1 more reports are not shown." in display.to_html()
    assert "not shown" not in ReportAttentionDisplay.from_estimator(reader, REPORTS).to_html()


def test_from_estimator_compares_pairs_that_have_a_previous_report():
    X = pd.DataFrame(
        {"previous": ["Scar. Tube.", None, " "], "current": ["Scar. New nodule.", "A.", "B."]},
        index=["x", "y", "z"],
    )
    display = ReportAttentionDisplay.from_estimator(Reader().fit(X), X)
    assert list(display.rows_["status"]) == ["kept", "new", "", ""]
    page = display.to_html()
    assert page.count("No previous report to compare with.") == 2
    assert "<del>Tube.</del>" in page


def test_from_estimator_shows_the_classes_that_were_predicted():
    reader = SeveralReader(("lung", "heart", "bone")).fit(REPORTS)
    del reader.threshold_
    display = ReportAttentionDisplay.from_estimator(reader, REPORTS, reports=[0])
    shown = Page(display.to_html()).all_text
    assert "Sentences for heart" in shown
    assert "Sentences for bone" in shown
    assert "Sentences for lung" not in shown
    assert "lung: probability 0.20" in shown
    assert "flagged" not in shown
    reader.threshold_ = [0.1, 0.9, 0.9]
    display = ReportAttentionDisplay.from_estimator(reader, REPORTS, reports=[0])
    shown = Page(display.to_html()).all_text
    assert "Sentences for lung" in shown
    assert "Sentences for heart" not in shown
    assert shown.count("not flagged") == 2


def test_from_estimator_looks_into_pipelines_and_tuned_thresholds():
    y = np.array(["important", "normal", "important", "normal"])
    reader = Reader().fit(REPORTS)
    upper = FunctionTransformer(lambda X: [text.replace("Small", "Large") for text in X])
    pipeline = make_pipeline(upper, reader).fit(REPORTS, y)
    display = ReportAttentionDisplay.from_estimator(pipeline, REPORTS, reports=[2])
    assert Page(display.to_html()).reports() == ["Large nodule. Scar."]
    tuned = TunedThresholdClassifierCV(reader, scoring="accuracy", cv="prefit", refit=False)
    tuned.fit(np.array(REPORTS), y)
    display = ReportAttentionDisplay.from_estimator(tuned, REPORTS)
    assert display.threshold == tuned.best_threshold_
    fixed = FixedThresholdClassifier(reader, threshold=0.05).fit(np.array(REPORTS), y)
    display = ReportAttentionDisplay.from_estimator(fixed, REPORTS)
    assert "not flagged" not in display.to_html()


def test_from_estimator_refuses_what_it_cannot_show():
    reader = Reader().fit(REPORTS)
    show = ReportAttentionDisplay.from_estimator
    with pytest.raises(NotFittedError):
        show(Reader(), REPORTS)
    with pytest.raises(TypeError, match="sentence_evidence"):
        show(FunctionTransformer().fit([[1]]), REPORTS)
    with pytest.raises(ValueError, match="kind must be one of"):
        show(reader, REPORTS, kind="saliency")
    with pytest.raises(ValueError, match="max_reports must be an int"):
        show(reader, REPORTS, max_reports=0)
    with pytest.raises(ValueError, match="from 0 to 3"):
        show(reader, REPORTS, reports=[4])
    with pytest.raises(ValueError, match="from 0 to 3"):
        show(reader, REPORTS, reports=[-1])
    with pytest.raises(ValueError, match="flatnonzero"):
        show(reader, REPORTS, reports=[True, False, True, False])


# --- the plot -------------------------------------------------------------------------------


@pytest.fixture
def mpl():
    mpl = pytest.importorskip("matplotlib")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    yield mpl
    plt.close("all")


def drawn(display):
    display.figure_.canvas.draw()
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_plot_draws_the_sentences_in_the_order_of_the_report(mpl):
    display = ReportAttentionDisplay.from_estimator(Reader().fit(REPORTS), REPORTS)
    names = drawn(display.plot())
    assert names == [
        "FINDINGS:",
        "Heart size is normal.",
        "New 9 mm nodule in the right lung.",
        "No effusion.",
    ]
    assert display.ax_.yaxis_inverted()
    assert [bar.get_width() for bar in display.bars_] == [0.02, 0.02, 0.9, 0.02]
    assert [bar.get_hatch() for bar in display.bars_] == [None, None, "////", None]
    assert [text.get_text() for text in display.ax_.texts] == ["0.02", "0.02", "0.90", "0.02"]
    title = "Report 0: important 0.80, flagged (threshold 0.40)"
    assert display.ax_.get_title(loc="left") == title
    assert drawn(display.plot(1)) == ["Lungs are clear."]
    assert "not flagged" in display.ax_.get_title(loc="left")


def test_plot_uses_given_axes_and_keeps_the_strongest(mpl):
    figure, (_, right) = mpl.pyplot.subplots(1, 2)
    text = "A. B. C. D."
    sentences = cut(text).assign(value=[0.5, -0.9, 0.1, 0.7])
    display = ReportAttentionDisplay(sentences, [text], value_name="contribution")
    shown = display.plot(ax=right, max_sentences=3)
    assert shown is display
    assert (shown.ax_, shown.figure_) == (right, figure)
    assert drawn(shown) == ["A.", "B.", "D."]
    assert [text.get_text() for text in right.texts] == ["+0.50", "−0.90", "+0.70"]
    low, high = right.get_xlim()
    assert low < -0.9
    assert high > 0.7
    reader = Reader().fit(REPORTS)
    assert ReportAttentionDisplay.from_estimator(reader, REPORTS, ax=right).ax_ is right


def test_plot_of_pairs_and_of_one_class(mpl):
    text = "Scar. Nodule."
    changes = changes_of((0, "new", 1, "", None, False), (0, "kept", 0, "", "", False))
    display = ReportAttentionDisplay(cut(text).assign(value=0.5), [text], changes=changes)
    assert drawn(display.plot()) == ["= Scar.", "+ Nodule."]
    reader = SeveralReader(("lung", "heart", "bone")).fit(REPORTS)
    display = ReportAttentionDisplay.from_estimator(reader, REPORTS)
    display.plot(2)
    assert "Report 2: heart 0.70" in display.ax_.get_title(loc="left")
    display.plot(2, label="lung")
    assert "Report 2: lung 0.20" in display.ax_.get_title(loc="left")
    with pytest.raises(ValueError, match="lung, heart, bone"):
        display.plot(2, label="liver")


@pytest.mark.parametrize("arguments", [{"report": 9}, {"max_sentences": 0}, {"label": "x"}])
def test_plot_refuses_what_it_does_not_have(mpl, arguments):
    display = ReportAttentionDisplay(valued(ENGLISH), [ENGLISH])
    with pytest.raises(ValueError, match=next(iter(arguments))):
        display.plot(**arguments)


def test_hatch_stands_out_on_dark_paper(mpl):
    display = ReportAttentionDisplay(valued(ENGLISH), [ENGLISH])
    with mpl.pyplot.style.context("dark_background"):
        drawn(display.plot())
        bar = display.bars_[2]
    difference = np.abs(np.array(bar.get_edgecolor()[:3]) - bar.get_facecolor()[:3])
    assert difference.max() > 0.4


def test_dollar_signs_and_markup_are_drawn_as_they_are(mpl):
    text = "Costs $x^$ <b>. Other \x07 line."
    display = ReportAttentionDisplay(cut(text).assign(value=0.5), [text], labels=["a", "$\\frac$"])
    assert drawn(display.plot())[0] == "Costs $x^$ <b>."


def test_without_a_font_japanese_sentences_are_named_by_position(mpl, monkeypatch):
    monkeypatch.setattr(drawing, "_CJK_FONTS", ())
    monkeypatch.setitem(mpl.rcParams, "font.family", ["DejaVu Sans"])
    display = ReportAttentionDisplay(
        valued(JAPANESE), [JAPANESE], labels=["正常", "要注意"], probabilities=[0.9]
    )
    assert drawn(display.plot()) == ["sentence 0", "sentence 1", "sentence 2"]
    assert display.ax_.get_title(loc="left") == "Report 0: the class 0.90"


def test_a_font_that_has_the_characters_is_added_only_where_needed(mpl, monkeypatch):
    # Computer Modern has no Cyrillic letters, and stands in for a font without Japanese ones
    monkeypatch.setattr(drawing, "_CJK_FONTS", ("No Such Font", "DejaVu Sans"))
    monkeypatch.setitem(mpl.rcParams, "font.family", ["cmss10"])
    assert drawing.find_family("Plain") == []
    assert drawing.find_family("\u0436") == ["cmss10", "DejaVu Sans"]
    assert drawing.find_family("\U000e0fff") is None
    figure = mpl.pyplot.figure()
    drawing.fit_text(figure.text(0.5, 0.5, ""), "\u0436")
    figure.canvas.draw()


@pytest.mark.parametrize("text", [JAPANESE, "肺結節。" * 40])
def test_japanese_sentences_draw_without_a_warning_in_whatever_is_installed(mpl, text):
    assert len(drawn(ReportAttentionDisplay(valued(text), [text]).plot()))


@given(text=st.text(max_size=120), width=st.integers(4, 40), n_lines=st.integers(1, 3))
def test_wrapped_lines_fit_and_lose_only_the_end(text, width, n_lines):
    lines = drawing.wrap(text, width, n_lines).split("\n")
    assert len(lines) <= n_lines
    for line in lines:
        assert drawing._fitting(line, width) == len(line)
    kept = "".join(lines).removesuffix("…")
    plain = "".join(c for c in text if c.isprintable())
    assert re.sub(r"\s", "", plain).startswith(re.sub(r"\s", "", kept))


def test_page_needs_no_matplotlib(monkeypatch):
    import sys

    display = ReportAttentionDisplay(valued(ENGLISH), [ENGLISH])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert display.to_html()
    with pytest.raises(ImportError, match=r"sklearn-medsel\[plot\]"):
        display.plot()
