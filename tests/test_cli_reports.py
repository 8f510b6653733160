"""The subcommand ``reports``: what it writes, what it refuses, and where report texts may be."""

import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from test_report import Page

from sklearn_medsel import persistence
from sklearn_medsel.__main__ import main
from sklearn_medsel._cli import _reports_job
from sklearn_medsel._cli._reports_output import comparison_text, verdict
from sklearn_medsel.datasets import make_reports

SECRET = "Zephyrine Quillfeather"  # a patient whom no message may name
EVIL = '<script>alert("x")</script>'
COLUMNS = ("--text", "report", "--target", "important")
QUICK = ("--mode", "evidence", "--encoder", "hashing", "--cv", "2")
FILES = {"comparison.csv", "comparison.png", "model.skops", "predictions.csv", "reports.html"}


def make_table(n_reports=60, **options):
    """Return a table of reports with a target, and patients; pairs have a column before."""
    made = make_reports(n_reports, important_fraction=0.4, random_state=0, **options)
    is_pair = isinstance(made.X, pd.DataFrame)
    frame = pd.DataFrame({"report": made.X["current"] if is_pair else made.X})
    if is_pair:
        frame.insert(0, "before", made.X["previous"])
    return frame.assign(important=made.y, patient=made.groups)


@pytest.fixture
def few_baselines(monkeypatch):
    """Compare with the linear baselines only."""
    from sklearn_medsel.text import _baselines

    every = _baselines.baseline_report_classifiers

    def two(**options):
        return {name: model for name, model in every(**options).items() if "forest" not in name}

    monkeypatch.setattr(_baselines, "baseline_report_classifiers", two)


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that writes a table, runs ``reports`` and gives status, out and err."""

    def call(frame, *arguments, name="table.csv", out="out"):
        path = tmp_path / name
        if isinstance(frame, str):
            path.write_text(frame, encoding="utf-8")
        elif name.endswith(".parquet"):
            frame.to_parquet(path)
        elif frame is not None:
            frame.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
        status = main(["reports", str(path), *arguments, "--out", str(tmp_path / out)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def page_of(tmp_path, out="out"):
    return (tmp_path / out / "reports.html").read_text(encoding="utf-8")


# --- the whole job ---------------------------------------------------------------------------


def test_english_reports(run, tmp_path, few_baselines):
    frame = make_table()
    frame.loc[7, "report"] = f"{EVIL}\n{SECRET}: large new mass in the left lung."
    frame.loc[9, "report"] = np.nan
    frame.loc[11, "important"] = np.nan
    status, out, err = run(frame, *COLUMNS, *QUICK, "--progress", "always", name="table.csv.gz")
    assert status == 0, err
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert sorted(os.listdir(tmp_path)) == ["out", "table.csv.gz"]
    assert "cross-validating" in err
    assert "1 row left out: no value in 'important'." in out
    assert "1 report without text" in out
    assert "model.skops" in out
    assert out.rstrip().endswith("reports.html (contains report texts)")

    comparison = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert list(comparison["classifier"]) == [
        "ReportAttentionClassifier",
        "TF-IDF + logistic regression",
        "TF-IDF + linear SVM",
    ]
    assert comparison[["accuracy", "recall", "precision", "auroc"]].notna().all(axis=None)
    page = page_of(tmp_path)
    assert "script" not in {name for name, _ in Page(page).elements}
    assert "1 row left out: no value in &#x27;important&#x27;." in page
    assert str(tmp_path) not in page
    command = "sklearn_medsel reports table.csv.gz --text report --target important --encoder"
    assert command in page


def test_predictions_come_from_models_that_did_not_see_the_report(run, tmp_path):
    frame = make_table().assign(important=lambda made: np.where(made["important"], "yes", "no"))
    frame.loc[[3, 20], "important"] = None
    status, out, err = run(frame, *COLUMNS, *QUICK, "--no-compare", "--no-model")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert list(found.columns) == ["row", "label", "important", "probability", "flagged", "fold"]
    assert list(found["row"]) == [row for row in range(1, 61) if row not in (4, 21)]
    assert (found["important"] == (found["label"] == "yes")).all()
    assert set(found["fold"]) == {1, 2}
    # the numbers again, by hand
    from sklearn_medsel.text import ReportAttentionClassifier

    kept = frame.loc[found["row"] - 1].reset_index(drop=True)
    test = (found["fold"] == 1).to_numpy()
    model = ReportAttentionClassifier("hashing", mode="evidence", random_state=0)
    model.fit(kept["report"][~test], found["important"][~test].astype(int))
    expected = model.predict_proba(kept["report"][test])[:, 1]
    assert found["probability"][test].to_numpy() == pytest.approx(expected, rel=1e-4)
    assert (found["flagged"][test].to_numpy() == (expected >= model.threshold_)).all()
    n_found = int((found["flagged"] & found["important"]).sum())
    assert f"{n_found} of them were flagged" in out
    assert "not saved, as asked for" in out
    assert not (tmp_path / "out" / "model.skops").exists()


def test_page_shows_flagged_and_missed_reports(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_reports_job, "_MAX_SHOWN", 120)
    frame = make_table()
    assert run(frame, *COLUMNS, *QUICK, "--no-compare")[0] == 0
    found = pd.read_csv(tmp_path / "out" / "predictions.csv")
    source = page_of(tmp_path)
    flagged, missed = source.split('id="flagged"')[1].split('id="missed"')
    order = found[found["flagged"]].sort_values("probability", ascending=False)["row"]
    shown = list(map(int, re.findall(r"<h3>Report in row (\d+),", flagged)))
    assert shown == list(order)
    lost = found[found["important"] & ~found["flagged"]]["row"]
    assert sorted(map(int, re.findall(r"<h3>Report in row (\d+),", missed))) == list(lost)
    assert f"Flagged reports ({len(order)})" in source
    assert "medsel-for-5" in flagged
    text = Page(source).text
    for row in (*order, *lost):
        end_of_sentence = frame["report"][row - 1].split(".")[0][-12:]
        assert end_of_sentence in text
    page = Page(source)
    header = source.split("</header>")[0]
    assert "This page contains report texts: treat it as patient data." in header
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"(?i)https?:|@import|url\(", source)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= set(identifiers)
    assert all(image["alt"] for image in page.all("img"))


def test_pairs_show_what_is_new(run, tmp_path):
    frame = make_table(pairs=True)
    arguments = ("--previous", "before", "--groups", "patient", "--no-compare", *QUICK)
    status, out, err = run(frame, *COLUMNS, *arguments, name="table.tsv")
    assert status == 0, err
    assert "without a previous one: first examinations." in out
    page = page_of(tmp_path)
    assert "Since the previous report:" in page
    assert "medsel-gone" in page
    assert "No previous report to compare with." in page
    assert "--previous before --groups patient" in page
    assert "reports of one patient" in page
    found = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert (frame.assign(fold=found["fold"]).groupby("patient")["fold"].nunique() == 1).all()


def test_japanese_parquet_and_an_unusual_positive(run, tmp_path):
    pytest.importorskip("pyarrow")
    frame = make_table(language="ja")
    frame["important"] = np.where(frame["important"], "A", np.where(frame.index % 2, "B", "C"))
    arguments = ("--positive", "A", "--mode", "lexical", "--cv", "3", "--no-compare")
    status, out, err = run(frame, *COLUMNS, *arguments, name="table.parquet")
    assert status == 0, err
    assert "24 of 60 reports are important (important = A)." in out
    page = page_of(tmp_path)
    assert "important = A: probability" in page
    assert 'lang="ja"' in page


def test_no_report_text_outside_the_page(run, tmp_path):
    frame = make_table()
    frame["report"] += f"\n{SECRET}." + frame.index.astype(str)
    status, out, err = run(frame, *COLUMNS, *QUICK, "--no-compare", "--progress", "always")
    assert status == 0, err
    assert "Quillfeather" in page_of(tmp_path)
    first_sentences = [text.split(".")[0] for text in frame["report"]]
    for written in (
        out,
        err,
        *[(tmp_path / "out" / name).read_text() for name in ("comparison.csv", "predictions.csv")],
    ):
        assert "Quillfeather" not in written
        assert not any(sentence in written for sentence in first_sentences)
    with zipfile.ZipFile(tmp_path / "out" / "model.skops") as archive:
        stored = "".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    assert not any(sentence in stored for sentence in first_sentences if len(sentence) > 30)


def test_model_reads_new_reports_elsewhere(run, tmp_path):
    frame = make_table()
    assert run(frame, *COLUMNS, *QUICK, "--no-compare")[0] == 0
    model = persistence.load(tmp_path / "out" / "model.skops")
    assert list(model.classes_) == [0, 1]
    assert model.predict_proba(["New 3 cm mass in the left lung."]).shape == (1, 2)


def test_without_skops_the_model_is_not_saved(run, tmp_path, monkeypatch):
    def fail(*_):
        raise ImportError("no skops")

    monkeypatch.setattr(persistence, "save", fail)
    status, out, _ = run(make_table(), *COLUMNS, *QUICK, "--no-compare")
    assert status == 0
    assert 'not saved, which needs skops: pip install "sklearn-medsel[share]"' in out
    assert not (tmp_path / "out" / "model.skops").exists()


def test_recall_target(run, tmp_path):
    frame = make_table(80)
    status, out, err = run(frame, *COLUMNS, *QUICK, "--no-compare", "--recall-target", "0.8")
    assert status == 0, err
    assert "for a recall of at least 0.8 on reports to come" in out
    status, _, err = run(frame, *COLUMNS, *QUICK, "--recall-target", "0.95", out="two")
    assert status == 2
    assert "--recall-target 0.95 needs 45 important reports in each" in err
    assert err.count("\n") == 1


def test_at_most_fifty_reports_are_shown(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_reports_job, "_MAX_SHOWN", 6)
    assert run(make_table(), *COLUMNS, *QUICK, "--no-compare")[0] == 0
    found = pd.read_csv(tmp_path / "out" / "predictions.csv")
    n_flagged = int(found["flagged"].sum())
    n_missed = int((found["important"] & ~found["flagged"]).sum())
    source = page_of(tmp_path)
    flagged, missed = source.split('id="flagged"')[1].split('id="missed"')
    shown = flagged.count("<h3>Report"), missed.count("<h3>Report")
    assert sum(shown) == 6
    assert f"{n_flagged - shown[0]} more reports are not shown." in flagged
    if n_missed > shown[1]:
        assert f"{n_missed - shown[1]} more reports are not shown." in missed


@pytest.mark.parametrize(
    ("flags", "important", "expected"),
    [
        ([1] * 60 + [0] * 60, [1] * 60 + [0] * 60, (50, 0)),
        ([0] * 60, [1] * 60, (0, 50)),
        ([1] * 40 + [0] * 40, [1] * 80, (25, 25)),
        ([1] * 10 + [0] * 90, [1] * 100, (10, 40)),
        ([1] * 90 + [0] * 10, [1] * 100, (40, 10)),
        ([0, 0], [0, 0], (0, 0)),
    ],
)
def test_places_on_the_page(flags, important, expected):
    table = pd.DataFrame({"flagged": flags, "important": important}).astype(bool)
    table["probability"] = np.linspace(1, 0, len(table))
    chosen = _reports_job._choose(table)
    assert (len(chosen["flagged"]), len(chosen["missed"])) == expected
    assert table.loc[chosen["flagged"], "flagged"].all()
    assert table.loc[chosen["missed"], "important"].all()


# --- words -----------------------------------------------------------------------------------


def compared(ours, rival, p):
    table = pd.DataFrame({"classifier": ["ReportAttentionClassifier", "SVM"]})
    for metric in ("accuracy", "recall", "precision", "f1", "auroc"):
        table[metric], table[f"{metric}_sd"] = [ours, rival], [0.01, np.nan]
    return table.assign(fit_seconds=1.0, f1_p_value=[np.nan, p], auroc_p_value=[np.nan, 0.5])


def test_verdict_is_honest():
    assert "has the highest mean F1, 0.800" in verdict(compared(0.8, 0.7, 0.01))
    assert "(a clear difference, corrected p 0.010)" in verdict(compared(0.8, 0.7, 0.01))
    assert "A baseline wins" in verdict(compared(0.7, 0.8, 0.3))
    assert "no clear difference" in verdict(compared(0.7, 0.8, 0.3))
    assert "--no-compare" in verdict(compared(0.7, 0.8, 0.3).head(1))


def test_a_threshold_for_recall_is_not_judged_by_f1():
    table = compared(0.7, 0.8, 0.01)
    table["auroc"] = [0.9, 0.8]
    words = verdict(table, "auroc")
    assert "has the highest mean AUROC, 0.900" in words
    assert "corrected p 0.50" in words
    assert "only AUROC can be compared" in words
    assert comparison_text(table, "auroc").splitlines()[1].startswith("> Report")


def test_comparison_text_marks_ours_and_sorts():
    lines = comparison_text(compared(0.7, 0.8, 0.3)).splitlines()
    assert lines[1].startswith("  SVM")
    assert lines[2].startswith("> ReportAttentionClassifier")
    assert "0.700 ± 0.010" in lines[2]
    assert len({len(line) for line in lines}) == 1


# --- refusals --------------------------------------------------------------------------------


def with_cell(column, value, row=2):
    def change(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return change


TARGET = ("--target", "important")
BAD = {
    "absent text": (None, ("--text", "reprot", *TARGET), ["--text", "did you mean 'report'"]),
    "absent target": (
        None,
        ("--text", "report", "--target", "zzz"),
        ["--target", "'report', 'important'"],
    ),
    "absent previous": (None, (*COLUMNS, "--previous", "x9"), ["--previous", "columns begin"]),
    "absent groups": (None, (*COLUMNS, "--groups", "x9"), ["--groups", "columns begin"]),
    "text as target": (None, ("--text", "patient", "--target", "report"), ["different values"]),
    "one column twice": (
        None,
        ("--text", "report", "--target", "report"),
        ["given twice", "--text and --target"],
    ),
    "numbers as text": (None, ("--text", "patient", *TARGET), ["no text", "data rows 1, 2"]),
    "no text": (lambda made: made.assign(report=""), COLUMNS, ["no row has a report"]),
    "no target": (lambda made: made.assign(important=np.nan), COLUMNS, ["no value in any row"]),
    "one class": (lambda made: made.assign(important=1), COLUMNS, ["one value only"]),
    "three classes": (
        lambda made: made.assign(important=made.index % 3),
        COLUMNS,
        ["3 classes", "'0', '1', '2'", "--positive"],
    ),
    "long classes": (
        lambda made: made.assign(
            important=np.array([f"{SECRET} {i} " + "x" * 30 for i in range(3)])[made.index % 3]
        ),
        COLUMNS,
        ["3 classes;", "--positive"],
    ),
    "absent positive": (None, (*COLUMNS, "--positive", "yes"), ["--positive", "'0', '1'"]),
    "too few": (
        lambda made: made.assign(important=(made.index < 2).astype(int)),
        (*COLUMNS, "--cv", "5"),
        ["2 important reports", "--cv 2"],
    ),
    "one important": (
        lambda made: made.assign(important=(made.index < 1).astype(int)),
        COLUMNS,
        ["1 important report,", "more reports are needed"],
    ),
    "missing group": (
        with_cell("patient", np.nan),
        (*COLUMNS, "--groups", "patient"),
        ["'patient'", "data row 3"],
    ),
    "few groups": (
        lambda made: made.assign(patient=made.index % 2),
        (*COLUMNS, "--groups", "patient"),
        ["2 different reports (or groups of them)"],
    ),
    "groups that are alike as numbers": (
        lambda made: made.assign(patient=np.array(["1", "01"])[made.index % 2]),
        (*COLUMNS, "--groups", "patient"),
        ["2 different reports (or groups of them)"],
    ),
    "no header": (
        lambda made: made.rename(columns={"patient": f"{SECRET} has a mass. " * 6}),
        COLUMNS,
        ["first line has to name the columns"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_table_is_one_line_that_names_the_fix(case, run, tmp_path):
    change, arguments, words = BAD[case]
    frame = make_table()
    frame["report"] = SECRET + " " + frame["report"]
    status, out, err = run(frame if change is None else change(frame), *arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert "Quillfeather" not in err
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_missing_row_name_in_a_left_out_row_does_not_matter(run):
    frame = make_table()
    frame.loc[2, ["important", "patient"]] = np.nan
    status, _, err = run(frame, *COLUMNS, *QUICK, "--no-compare", "--groups", "patient")
    assert status == 0, err


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("odd"), 2), (ImportError("extra"), 2), (KeyboardInterrupt(), 130)],
)
def test_error_while_working_leaves_nothing(run, tmp_path, monkeypatch, error, status):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("sklearn_medsel._cli._reports_page.render", fail)
    found, out, err = run(make_table(), *COLUMNS, *QUICK, "--no-compare", "--no-model")
    assert found == status
    assert out == ""
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_folder_in_use_is_refused_before_the_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_medsel._cli._read_reports.analyse_reports", None)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("years of work")
    status, _, err = run(make_table(), *COLUMNS)
    assert status == 2
    assert "--force" in err


@pytest.mark.parametrize(
    "arguments",
    [["--recall-target", "2"], ["--mode", "magic"], ["--cv", "1"], ["--jobs", "0"]],
)
def test_bad_argument_is_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["reports", "table.csv", *COLUMNS, *arguments])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert arguments[0] in err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom sklearn_medsel.__main__ import main\n"
        "try:\n    main(['reports', '--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'sklearn', 'pandas', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "treat it as patient data" in " ".join(done.stdout.split())
