"""The command line: what it writes, what it refuses, and that it leaves nothing half-written."""

import gzip
import os
import pickle
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.callback import CallbackSupportMixin, with_callbacks

from sklearn_medsel.__main__ import main
from sklearn_medsel._cli import _select
from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import FitProgress, Progress
from sklearn_medsel._cli._roles import assign_roles
from sklearn_medsel._cli._tables import InputError, read_table

SECRET = 7.654321  # a patient's value that no message may show


def make_table(n_samples=40, n_genes=12, seed=0):
    """Return a table with a class, survival, pairs, an identifier and a few genes."""
    rng = np.random.default_rng(seed)
    genes = rng.normal(size=(n_samples, n_genes)).round(3)
    label = np.repeat([0, 1], n_samples // 2)
    genes[:, 0] += 3 * label
    frame = pd.DataFrame(genes, columns=[f"GENE{i}" for i in range(n_genes)])
    frame.loc[2, "GENE3"] = SECRET
    frame.insert(0, "sample_id", [f"patient-{i}" for i in range(n_samples)])
    frame["status"] = np.where(label, "tumour", "normal")
    frame["months"] = (rng.exponential(size=n_samples) * np.where(label, 5, 20)).round(2)
    frame["death"] = (rng.random(n_samples) < 0.7).astype(int)
    frame["pair"] = np.tile(np.arange(n_samples // 2), 2)
    return frame


META = ["sample_id", "status", "months", "death", "pair"]


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that writes a table, runs ``select`` and gives status, out and err."""

    def call(frame, *arguments, name="table.csv", out="out", drop=META):
        path = tmp_path / name
        if isinstance(frame, bytes):
            path.write_bytes(frame)
        elif isinstance(frame, str):
            path.write_text(frame, encoding="utf-8")
        elif frame is not None:
            frame.to_csv(path, index=False)
        left_out = [column for column in drop if column not in arguments]
        dropped = ["--drop", *left_out] if left_out else []
        status = main(["select", str(path), *arguments, "--out", str(tmp_path / out), *dropped])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def cells(column, value, row=2, **others):
    """Return a function that puts a value into a cell, and others with it."""

    def change(frame):
        for name, new in {column: value, **others}.items():
            if isinstance(new, str) or not float(new).is_integer():
                frame[name] = frame[name].astype(object)
            frame.loc[row, name] = new
        return frame

    return change


def columns(**new):
    """Return a function that replaces whole columns."""
    return lambda frame: frame.assign(**new)


STATUS = ("--target", "status")
SURVIVAL = ("--time", "months", "--event", "death")
BAD = {
    "absent target": (
        None,
        ("--target", "statsu"),
        ["--target", "'statsu'", "did you mean 'status'"],
    ),
    "absent, unlike all": (None, ("--target", "zzzzzz"), ["'zzzzzz'", "columns begin with"]),
    "transposed": (None, ("--target", "patient-3"), ["name of a row", "transpose"]),
    "absent time": (None, ("--time", "month", "--event", "death"), ["--time", "'months'"]),
    "absent groups": (None, (*STATUS, "--groups", "pairs"), ["--groups", "'pair'"]),
    "column twice": (None, (*STATUS, "--groups", "status"), ["'status'", "--target and --groups"]),
    "no target": (None, (), ["--target COLUMN"]),
    "time alone": (None, ("--time", "months"), ["--event is not given"]),
    "survival of a target": (None, (*STATUS, "--task", "survival"), ["--time and --event"]),
    "infinity": (cells("GENE4", np.inf, 6), STATUS, ["'GENE4'", "data row 7", "log2(x + 1)"]),
    "a text cell": (cells("GENE4", "n.d.", 6), STATUS, ["'GENE4'", "data row 7", "--drop GENE4"]),
    "decimal comma in some": (
        columns(GENE4=np.where(np.arange(40) % 3, "2", "1,5")),
        STATUS,
        ["decimal comma", "'GENE4'"],
    ),
    "decimal comma": (columns(GENE4="1,5"), STATUS, ["decimal comma", "'GENE4'"]),
    "one class": (columns(status="tumour"), STATUS, ["'status'", "one value only"]),
    "class too small": (
        lambda frame: frame.iloc[17:],
        STATUS,
        ["'status'", "'normal'", "3 of 23", "--cv 3"],
    ),
    "identifier": (None, ("--target", "sample_id"), ["'sample_id'", "identifier"]),
    "missing target": (cells("status", np.nan, 4), STATUS, ["'status'", "data row 5"]),
    "fractions as classes": (
        None,
        ("--target", "months", "--task", "classification"),
        ["'months'", "--task regression"],
    ),
    "text as numbers": (None, (*STATUS, "--task", "regression"), ["'status'", "needs numbers"]),
    "infinite target": (
        cells("months", np.inf),
        ("--target", "months"),
        ["'months'", "data row 3"],
    ),
    "no events": (columns(death=0), SURVIVAL, ["'death'", "no events"]),
    "few events": (columns(death=np.arange(40) < 3), SURVIVAL, ["3 events", "--cv 3"]),
    "event coded 1 and 2": (
        columns(death=np.tile([1, 2], 20)),
        SURVIVAL,
        ["'death'", "0 (censored)"],
    ),
    "event as words": (columns(death="dead"), SURVIVAL, ["'death'", "data rows 1, 2, 3"]),
    "missing event": (cells("death", np.nan), SURVIVAL, ["'death'", "data row 3"]),
    "negative time": (cells("months", -1.5), SURVIVAL, ["'months'", "negative", "data row 3"]),
    "missing time": (cells("months", np.nan), SURVIVAL, ["'months'", "data row 3"]),
    "infinite time": (cells("months", np.inf), SURVIVAL, ["'months'", "infinite", "data row 3"]),
    "text time": (cells("months", "long"), SURVIVAL, ["'months'", "numbers"]),
    "split pair": (
        lambda frame: frame.drop(7),
        (*STATUS, "--groups", "pair"),
        ["'pair'", "data row 27"],
    ),
    "one class in a pair": (
        lambda frame: frame.assign(pair=[1, 1, *range(2, 20), 0, 0, *range(2, 20)]),
        (*STATUS, "--groups", "pair"),
        ["'pair'", "one class", "data rows 1, 2, 21, 22"],
    ),
    "few groups": (
        columns(pair=np.arange(40) % 3),
        (*STATUS, "--groups", "pair"),
        ["3 groups", "--cv 3"],
    ),
    "groups that are alike as numbers": (
        columns(pair=np.array(["1", "01", "001"])[np.arange(40) % 3]),
        (*STATUS, "--groups", "pair"),
        ["3 groups"],
    ),
    "missing group": (
        cells("pair", np.nan),
        (*STATUS, "--groups", "pair"),
        ["'pair'", "data row 3"],
    ),
    "no genes": (lambda frame: frame[META], STATUS, ["no gene columns"]),
    "empty genes": (lambda frame: frame[META].assign(GENE1=np.nan), STATUS, ["every gene"]),
    "empty row": (
        lambda frame: frame.mask(
            frame.columns.str.startswith("GENE") & (frame.index == 3)[:, None]
        ),
        STATUS,
        ["data row 4", "remove"],
    ),
    "drop absent": (None, (*STATUS, "--drop", "sample_idd"), ["--drop", "'sample_id'"]),
    "drop pattern absent": (None, (*STATUS, "--drop", "clin_*"), ["--drop", "'clin_*'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_table_is_one_line_that_names_the_fix(case, run, tmp_path):
    change, arguments, words = BAD[case]
    frame = make_table() if change is None else change(make_table())
    status, out, err = run(frame, *arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("sklearn_medsel: error: ")
    for word in words:
        assert word in err
    assert str(SECRET) not in err
    assert sorted(os.listdir(tmp_path)) == ["table.csv"]


TEXT_FILES = {
    "empty file": ("table.csv", b"", ["the file is empty"]),
    "blank file": ("table.csv", b"\n\n", ["the file is empty"]),
    "header only": ("table.csv", b"a,b,c\n", ["no rows"]),
    "same name twice": ("table.csv", b"y,TP53,KRAS,TP53\n1,2,3,4\n", ["same name", "'TP53'"]),
    "same name, quoted": ("table.tsv", b'y\t"TP53"\tTP53 \n1\t2\t3\n', ["same name", "'TP53'"]),
    "column without name": ("table.csv", b"y,a,,c\n1,2,3,4\n", ["column 3", "no name"]),
    "header too short": ("table.csv", b"a,b\n1,2,3,4\n", ["2 columns", "4"]),
    "row too long": ("table.csv", b"a,b\n1,2\n1,2,3\n", ["cannot be read as a table", "line 3"]),
    "row too short": ("table.csv", b"a,b,c\n1,2,3\n4,5\n", ["line 3", "2 of 3", "cut off"]),
    "short after quotes": (
        "table.csv",
        b'a,b,c\n"x, y",1,2\n"two\n\nlines",3,4\n"z, k",3\n"u",4,5\n',
        ["line 6", "2 of 3", "cut off"],
    ),
    "short in quotes": (
        "table.tsv",
        b'"a"\t"b"\t"c"\n"1"\t"2"\t"3"\n"4"\t"5\t6"\n',
        ["line 3", "2 of 3"],
    ),
    "too long at the end": ("table.csv", b"a,b\n1,2,\n1,2,,\n", ["line 3"]),
    "binary": ("table.csv", b"\x89PNG\xff\xfe\x00", ["not UTF-8"]),
    "not gzip": ("table.csv.gz", b"a,b\n1,2\n", ["cannot be read as a table"]),
    "not parquet": ("table.parquet", b"a,b\n1,2\n", ["cannot be read as parquet"]),
    "spreadsheet": ("table.xlsx", b"PK", ["'.xlsx'", ".csv"]),
    "text among genes": (
        "table.csv",
        b"y,age group,gene\n" + b"0,old,1\n1,old,2\n" * 9,
        ["'age group'", "--drop 'age group'"],
    ),
}


@pytest.mark.parametrize("case", TEXT_FILES)
def test_unreadable_file_is_one_line(case, run, tmp_path):
    name, content, words = TEXT_FILES[case]
    status, _, err = run(content, "--target", "y", name=name, drop=[])
    assert status == 2
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert os.listdir(tmp_path) == [name]


def test_absent_file_and_folder(run, tmp_path):
    assert "no such file" in run(None, *STATUS)[2]
    (tmp_path / "table.csv").mkdir()
    assert "folder" in run(None, *STATUS)[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fdr", "1.5"],
        ["--fdr", "x"],
        ["--cv", "1"],
        ["--n-features", "0"],
        ["--n-features", "some"],
        ["--seed", "-1"],
        ["--jobs", "0"],
        ["--task", "clustering"],
        ["--unknown"],
    ],
)
def test_bad_argument_is_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["select", "table.csv", "--target", "y", *arguments])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert arguments[0] in err


# --- reading ---------------------------------------------------------------------------------


def test_read_table_accepts_what_spreadsheets_and_r_write(tmp_path):
    plain = pd.DataFrame({"y": [0, 1], "TP53": [1.5, 2.5], "KRAS": [np.nan, 3.0]})
    variants = {
        "plain.csv": "y,TP53,KRAS\n0,1.5,\n1,2.5,3\n",
        "bom.csv": "\ufeffy,TP53,KRAS\r\n0,1.5,NA\r\n1,2.5,3\r\n",
        "semicolon.csv": "y;TP53;KRAS\n0;1.5;\n1;2.5;3\n",
        "tab.tsv": "y\tTP53\tKRAS\n0\t1.5\t\n1\t2.5\t3\n",
        "write_csv.csv": '"","y","TP53","KRAS"\n"a",0,1.5,NA\n"b",1,2.5,3\n',
        "write_table.txt": "y\tTP53\tKRAS\na\t0\t1.5\tNA\nb\t1\t2.5\t3\n",
    }
    for name, content in variants.items():
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8"))
        frame = read_table(path)
        pd.testing.assert_frame_equal(frame.reset_index(drop=True), plain)
    with gzip.open(tmp_path / "plain.csv.gz", "wt") as file:
        file.write(variants["plain.csv"])
    pd.testing.assert_frame_equal(read_table(tmp_path / "plain.csv.gz"), plain)


@pytest.mark.parametrize(
    "content",
    [
        "a,b,c\nx,1,2,\nz,3,4,\n",
        'a,b,c\n"x",1,2,\n"z",3,4,""\n',
        "a;b;c\nx;1;2; \nz;3;4;\n\n",
        ",a,b,c\n1,x,1,2,\n2,z,3,4,\n",
    ],
)
def test_a_delimiter_at_the_end_of_every_row_is_no_column(tmp_path, content):
    (tmp_path / "table.csv").write_text(content)
    frame = read_table(tmp_path / "table.csv").reset_index(drop=True)
    expected = pd.DataFrame({"a": ["x", "z"], "b": [1, 3], "c": [2, 4]})
    pd.testing.assert_frame_equal(frame, expected)


def test_names_of_rows_need_no_name_where_some_row_ends_with_a_value(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\nr1,1,\nr2,2,3\n")
    frame = read_table(tmp_path / "table.csv")
    assert list(frame.index) == ["r1", "r2"]
    assert frame["a"].tolist() == [1, 2]


def test_labels_are_read_as_they_stand(tmp_path):
    (tmp_path / "table.csv").write_text("id,site,a\n0012,1,01\n012,1.0,02\n,NA,03\n")
    frame = read_table(tmp_path / "table.csv", labels=["id", "site", "absent", None])
    assert frame["id"].tolist()[:2] == ["0012", "012"]
    assert frame["site"].tolist()[:2] == ["1", "1.0"]
    assert frame.loc[2].isna().tolist() == [True, True, False]
    assert frame["a"].tolist() == [1, 2, 3]


def test_long_cells_are_read(tmp_path):
    (tmp_path / "table.csv").write_text('a,b\n1,2\n"' + "x, " * 70_000 + '",3\n')
    assert len(read_table(tmp_path / "table.csv").loc[1, "a"]) == 210_000


def test_parquet_with_patients_in_the_index_and_decimal_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame({"a": [Decimal("1.5"), None], "b": [1, 2]}, index=["P1", "P2"])
    frame.rename_axis("patient").to_parquet(path)
    found = read_table(path, labels=["patient", None])
    assert list(found) == ["patient", "a", "b"]
    assert found["patient"].tolist() == ["P1", "P2"]
    assert found["a"].dtype == float
    assert list(read_table(path)) == ["a", "b"]  # where nobody asks for it


def test_read_table_parquet(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    frame = make_table()
    frame.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), frame)
    digits = frame.assign(GENE1=frame["GENE1"].astype(str))
    with pytest.raises(InputError, match="text among the genes in column 'GENE1'"):
        assign_roles(digits, _select.Settings("t", target="status", drop=("sample_id",)))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"sklearn-medsel\[demo\]"):
        read_table(tmp_path / "table.parquet")


# --- output ----------------------------------------------------------------------------------


def test_staged_folder_appears_whole(tmp_path):
    with staged_folder(tmp_path / "new" / "out") as stage:
        (stage / "a").write_text("1")
        assert not (tmp_path / "new" / "out").exists()
    assert os.listdir(tmp_path / "new") == ["out"]
    assert (tmp_path / "new" / "out" / "a").read_text() == "1"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_staged_folder_leaves_nothing_after_an_error(tmp_path, error):
    with pytest.raises(error), staged_folder(tmp_path / "new" / "out") as stage:  # noqa: PT012
        (stage / "a").write_text("1")
        raise error
    assert os.listdir(tmp_path) == []


def test_staged_folder_keeps_what_was_there(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "a").write_text("old")
    with staged_folder(out) as stage:
        (stage / "a").write_text("new")
        (stage / "b").write_text("new")
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "mine.txt": "mine",
        "a": "new",
        "b": "new",
    }
    assert os.listdir(tmp_path) == ["out"]


def test_staged_folder_needs_nothing_but_the_folder_that_is_there(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    before = out.stat()
    monkeypatch.chdir(out)
    places = []
    mkdir = Path.mkdir

    def spy(self, *args, **options):
        places.append(self.parent)
        mkdir(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", spy)
    with staged_folder(check_folder(".")) as stage:
        (stage / "a").write_text("new")
        (stage / "deep").mkdir()
    assert (out.stat().st_ino, out.stat().st_mode) == (before.st_ino, before.st_mode)
    assert sorted(os.listdir(".")) == ["a", "deep"]
    # a read-only parent or a mount point would refuse a folder beside it
    assert tmp_path.resolve() not in places


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_staged_folder_leaves_an_empty_folder_empty_after_an_error(tmp_path, monkeypatch, error):
    rename = Path.rename

    def failing(self, target):
        if self.name == "b":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(error), staged_folder(tmp_path) as stage:  # noqa: PT012
        (stage / "a").write_text("1")
        (stage / "b").write_text("1")
    assert os.listdir(tmp_path) == []


def test_check_folder_asks_whether_it_may_write(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    for path in (tmp_path, tmp_path / "absent" / "deep"):
        with pytest.raises(InputError, match="no permission to write in"):
            check_folder(path)
    assert asked == [(tmp_path.resolve(), os.W_OK | os.X_OK)] * 2


def test_staged_folder_undoes_a_swap_that_fails(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("old")
    rename = Path.rename

    def failing(self, target):
        if Path(target) == out / "b":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="disk full"), staged_folder(out) as stage:  # noqa: PT012
        (stage / "a").write_text("new")
        (stage / "b").write_text("new")
    assert [path.name for path in out.iterdir()] == ["a"]
    assert (out / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_check_folder_refuses_what_it_could_destroy(tmp_path):
    (tmp_path / "file").write_text("1")
    with pytest.raises(InputError, match="this is a file"):
        check_folder(tmp_path / "file")
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / "file" / "deeper")
    with pytest.raises(InputError, match="not empty"):
        check_folder(tmp_path)
    assert check_folder(tmp_path, force=True) == tmp_path.resolve()
    (tmp_path / "report").mkdir()
    with pytest.raises(InputError, match="not an earlier report"):
        check_folder(tmp_path, force=True, replaceable=["report"])
    assert check_folder(tmp_path / "absent" / "deep") == (tmp_path / "absent" / "deep").resolve()


def test_select_refuses_a_folder_in_use_before_it_works(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_select, "analyse", None)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("years of work")
    status, _, err = run(make_table(), *STATUS)
    assert status == 2
    assert "--force" in err
    assert os.listdir(tmp_path / "out") == ["thesis.doc"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("fdr is odd"), 2), (KeyboardInterrupt(), 130), (OSError("disk full"), 1)],
)
def test_error_while_working_leaves_nothing(run, tmp_path, monkeypatch, error, status):
    def analyse(*_, **__):
        raise error

    monkeypatch.setattr(_select, "analyse", analyse)
    found, _, err = run(make_table(), *STATUS)
    assert found == status
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["table.csv"]


def test_traceback_on_request(run, monkeypatch):
    def analyse(*_, **__):
        raise ValueError("odd")

    monkeypatch.setattr(_select, "analyse", analyse)
    with pytest.raises(ValueError, match="odd"):
        run(make_table(), *STATUS, "--traceback")


# --- progress --------------------------------------------------------------------------------


class Terminal:
    """A stream that says it is a terminal and keeps what is written."""

    def __init__(self, is_terminal=True):
        self.text = ""
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        """Keep everything."""


def test_progress_writes_only_where_somebody_looks():
    for mode, is_terminal, expected in [
        ("auto", False, ""),
        ("never", True, ""),
        ("always", False, "  0%  0:00  reading\n 25%  0:00  selecting\n"),
    ]:
        stream = Terminal(is_terminal)
        with Progress({"reading": 1, "selecting": 3}, mode=mode, stream=stream) as progress:
            with progress.step("reading"):
                pass
            with progress.step("selecting"):
                pass
        assert stream.text == expected


def test_progress_line_on_a_terminal_is_wiped():
    stream = Terminal()
    with Progress({"selecting": 1}, stream=stream) as progress, progress.step("selecting"):
        progress.update(0.5)
        progress.update(0.3)  # never backwards
        deadline = time.monotonic() + 5
        while "50%" not in stream.text and time.monotonic() < deadline:
            time.sleep(0.02)
    assert " 50%  0:0" in stream.text
    assert stream.text.endswith("\r\x1b[2K")


class Trainer(CallbackSupportMixin):
    """Two repeats of two epochs."""

    @with_callbacks
    def fit(self):
        context = self._init_callback_context(max_subtasks=2)
        context.call_on_fit_task_begin(estimator=self)
        for _ in range(2):
            outer = context.subcontext("repeat", max_subtasks=2)
            for _ in range(2):
                outer.subcontext("epoch").call_on_fit_task_end(estimator=self)
            outer.call_on_fit_task_end(estimator=self)
        context.call_on_fit_task_end(estimator=self)


def test_fit_progress_counts_nested_tasks():
    seen = []
    trainer = Trainer().set_callbacks(FitProgress(seen.append))
    trainer.fit()
    assert seen == [0.25, 0.5, 0.5, 0.75, 1, 1, 1, 1]
    pickle.loads(pickle.dumps(trainer)).fit()
    assert len(seen) == 8, "a copy, as in a worker process, reports nowhere"


# --- the whole job ---------------------------------------------------------------------------

QUICK = ("--cv", "2", "--repeats", "1")
FILES = {
    "genes.csv", "interactions.csv", "report.html", "comparison.csv",
    "importance.png", "stability.png", "path.png", "comparison.png",
}  # fmt: skip


@pytest.fixture
def few_baselines(monkeypatch):
    """Compare with the quick baselines only."""
    from sklearn_medsel import feature_selection

    def two(task, **options):
        baselines = feature_selection._baselines.baseline_selectors(task, **options)
        return {name: baselines[name] for name in list(baselines)[2:]}

    monkeypatch.setattr(feature_selection, "baseline_selectors", two)


@pytest.fixture
def no_pictures(monkeypatch):
    """Draw nothing."""
    monkeypatch.setattr("sklearn_medsel._cli._report.draw_all", lambda _: {})


def test_select_classification_in_pairs(run, tmp_path, few_baselines):
    frame = make_table(n_genes=30)
    frame.loc[3, "GENE5"] = np.nan
    frame["EMPTY"] = np.nan
    status, out, err = run(frame, *STATUS, "--groups", "pair", *QUICK, "--progress", "always")
    assert status == 0, err
    assert os.listdir(tmp_path / "out") != []
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert sorted(os.listdir(tmp_path)) == ["out", "table.csv"]
    genes = pd.read_csv(tmp_path / "out" / "genes.csv")
    assert genes["gene"][0] == "GENE0"
    assert genes["selected"][0]
    assert len(genes) == 30
    assert genes.set_index("gene").loc["GENE5", "missing"] == 1
    comparison = pd.read_csv(tmp_path / "out" / "comparison.csv")
    names = ["DeepFeatureSelector", "DeepFeatureSelector, best 20", "ANOVA + BH"]
    assert list(comparison["selector"]) == [*names, "all genes + ridge"]
    assert comparison["error"].isna().all()
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Left out because they hold no value at all: &#x27;EMPTY&#x27;" in report
    assert "Warnings of other libraries" not in report
    assert "patient-3" not in report
    assert str(tmp_path) not in report
    assert "sklearn_medsel select table.csv --target status --groups pair --drop" in report
    assert "comparing with other selectors" in err
    assert "DeepFeatureSelector" in out
    assert out.rstrip().endswith("report.html")
    # a second run must not touch the first one's results, unless told to
    assert run(frame, *STATUS, *QUICK)[0] == 2
    (tmp_path / "out" / "mine.txt").write_text("mine")
    status, _, err = run(frame, *STATUS, "--no-compare", "--n-features", "3", "--force")
    assert status == 0, err
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert pd.read_csv(tmp_path / "out" / "genes.csv")["selected"].sum() == 3


def test_select_survival(run, tmp_path):
    status, out, err = run(make_table(n_genes=30), *SURVIVAL, "--cv", "2", "--no-compare")
    assert status == 0, err
    found = {path.name for path in (tmp_path / "out").iterdir()}
    comparison = {"comparison.csv", "comparison.png"}
    assert found == {*FILES, "prognostic.csv", "kaplan_meier.png"} - comparison
    assert "false discovery rate" in out
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Warnings of other libraries" not in report
    assert "Risk groups were predicted out of fold" in report
    assert "other genes of the table" in report


def test_select_target_and_survival_regression(run, tmp_path, no_pictures):
    frame = make_table(n_genes=15)
    frame["score"] = frame["GENE1"] * 2 + frame["GENE2"]
    status, _, err = run(frame, "--target", "score", *SURVIVAL, "--no-compare", "--cv", "2")
    assert status == 0, err
    genes = pd.read_csv(tmp_path / "out" / "genes.csv")
    assert set(genes["gene"][:2]) == {"GENE1", "GENE2"}
    assert (tmp_path / "out" / "prognostic.csv").exists()
    assert not (tmp_path / "out" / "comparison.csv").exists()


def test_same_seed_gives_the_same_files(run, tmp_path, no_pictures):
    for out in ("one", "two"):
        assert run(make_table(), *STATUS, "--no-compare", "--seed", "3", out=out)[0] == 0
    first, second = ((tmp_path / out / "genes.csv").read_bytes() for out in ("one", "two"))
    assert first == second


# --- the program -----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["select", "--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(arguments):
    code = (
        "import sys\nfrom sklearn_medsel.__main__ import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sklearn_medsel" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_while_writing_leaves_nothing(run, tmp_path, monkeypatch, number, status):
    def write_results(_, folder):
        (folder / "genes.csv").write_text("half")
        assert len(os.listdir(tmp_path)) == 2
        os.kill(os.getpid(), number)
        time.sleep(5)

    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(_select, "analyse", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr("sklearn_medsel._cli._report.write_results", write_results)
    if number == signal.SIGTERM:
        with pytest.raises(SystemExit) as caught:
            run(make_table(), *STATUS)
        found = caught.value.code
    else:
        found = run(make_table(), *STATUS)[0]
    assert found == status
    assert os.listdir(tmp_path) == ["table.csv"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
