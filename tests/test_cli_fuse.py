"""The subcommand ``fuse``: what it reads, writes and refuses, and its numbers by hand."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_report import Page

from sklearn_medsel import concordance_index, make_survival_y
from sklearn_medsel.__main__ import main
from sklearn_medsel._cli import _demo, _fuse_job
from sklearn_medsel._cli._fuse_folds import KnownScores
from sklearn_medsel._cli._fuse_job import FuseSettings
from sklearn_medsel._cli._fuse_notes import disclaimer
from sklearn_medsel._cli._fuse_output import save_model
from sklearn_medsel._cli._fuse_patients import Patients, assign_patients
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._read_blocks import Blocks, read_blocks
from sklearn_medsel._cli._tables import InputError
from sklearn_medsel.datasets._patients import make_patients

SECRET = "Doe, Jane"
BLOCKS = """
base = "clin"
[blocks.clin]
modality = "table"
columns = ["clin__age", "clin__stage", "clin__crp", "clin__albumin"]
[blocks.gene]
modality = "table"
columns = "gene__*"
"""
ALL_BLOCKS = (
    BLOCKS
    + """
[blocks.ct]
modality = "image"
columns = "image__ct"
[blocks.report]
modality = "text"
columns = ["report__text"]
"""
)
TABLES = {"comparison.csv", "features.csv", "folds.csv", "interactions.csv", "modalities.csv"}
FILES = TABLES | {"scores.csv", "report.html", "run.json", "comparison.png", "interactions.png"}


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Draw pictures with few pixels, train the joint network shortly, permute little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_medsel._pictures._DPI", 30)
        make = _fuse_job.make_estimator
        patch.setattr(
            _fuse_job,
            "make_estimator",
            lambda *args: make(*args).set_params(max_epochs=2, n_permutations=19, cv=3),
        )
        patch.setattr("sklearn_medsel.multimodal._compare_models._PENALTIES", 3)
        yield


@pytest.fixture(scope="module")
def survival(tmp_path_factory):
    """Run ``fuse`` once on all four modalities; give the folder, the table and the output."""
    root = tmp_path_factory.mktemp("survival")
    data = make_patients(
        60,
        task="survival",
        n_genes=20,
        n_informative=2,
        effect={"clin": 4.0},
        interaction_size=0.0,
        missing={"image": 0.2, "report": 0.1},
        image_size=16,
        as_paths=root / "images",
        random_state=0,
    )
    frame = data.X.assign(death=data.y["event"].astype(int), months=data.y["time"])
    frame["image__ct"] = ("images/" + frame["image__ct"]).where(frame["image__ct"].notna())
    frame.insert(0, "patient", [f"{SECRET} {i}" for i in range(60)])
    frame.to_csv(root / "patients.csv", index=False)
    (root / "blocks.toml").write_text(ALL_BLOCKS)
    status = main(
        [
            *["fuse", str(root / "patients.csv"), "--blocks", str(root / "blocks.toml")],
            *["--time", "months", "--event", "death", "--id", "patient", "--cv", "3"],
            *["--out", str(root / "out")],
        ]
    )
    assert status == 0
    return root / "out", frame


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that writes table and blocks, runs ``fuse`` and gives status, out, err."""

    def call(frame, *arguments, blocks=BLOCKS, name="table.csv"):
        path = tmp_path / name
        if name.endswith(".parquet"):
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False)
        (tmp_path / "blocks.toml").write_text(blocks, encoding="utf-8")
        options = ["--blocks", str(tmp_path / "blocks.toml"), "--out", str(tmp_path / "out")]
        status = main(["fuse", str(path), *options, *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def patients():
    data = make_patients(48, n_genes=10, n_informative=1, random_state=0, image_size=16)
    X = data.X.drop(columns=["image__ct", "report__text"])
    return X.assign(response=np.where(data.y == 1, "yes", "no"))


def assign(frame, more=(), **settings):
    """Return the patients of a table, with the blocks clin and gene and more."""
    blocks = [("clin", "table", ["clin__*"]), ("gene", "table", ["gene__*"]), *more]
    return assign_patients(frame, Blocks(blocks, "clin"), FuseSettings("t", "b", **settings), None)


# --- the whole job ---------------------------------------------------------------------------


def test_survival_writes_everything(survival):
    folder, _ = survival
    written = {path.name for path in folder.iterdir()} - {"model.skops"}
    pictures = {"modalities.png", "patients.png", "kaplan_meier.png"}
    assert written == FILES | pictures | {"stratification.html"}
    assert [path.name for path in folder.parent.iterdir() if ".partial" in path.name] == []
    modalities = pd.read_csv(folder / "modalities.csv").set_index("block")
    assert list(modalities.index) == ["clin", "gene", "ct", "report"]
    assert modalities.loc["ct", "available"] == pytest.approx(0.8)
    assert (
        len(pd.read_csv(folder / "interactions.csv").drop_duplicates(["block_a", "block_b"])) == 6
    )
    features = pd.read_csv(folder / "features.csv")
    assert {"block", "feature", "importance", "stability", "direction"} < set(features)
    assert features["importance"].is_monotonic_decreasing


def test_scores_are_those_of_the_comparison(survival):
    folder, frame = survival
    scores = pd.read_csv(folder / "scores.csv")
    assert list(scores) == ["row", "id", "fold", "risk", "group"]
    assert list(scores["row"]) == list(range(1, 61))
    assert list(scores["id"]) == list(frame["patient"])
    y = make_survival_y(frame["death"].astype(bool).to_numpy(), frame["months"].to_numpy())
    by_hand = [
        concordance_index(y[(scores["fold"] == fold).to_numpy()], part["risk"].to_numpy())
        for fold, part in scores.groupby("fold")
    ]
    folds = pd.read_csv(folder / "folds.csv")
    ours = folds[folds["model"] == "MultimodalCox, residual"]["concordance"]
    assert list(ours) == pytest.approx(by_hand, abs=2e-3)
    comparison = pd.read_csv(folder / "comparison.csv").set_index("model")
    assert comparison.iloc[0]["concordance"] == pytest.approx(np.mean(by_hand), abs=2e-3)
    assert {"clin alone", "late fusion", "LASSO, ct"} < set(comparison.index)
    gain = comparison.loc["clin alone", "concordance"] - comparison.iloc[0]["concordance"]
    assert comparison.loc["clin alone", "concordance_difference"] == pytest.approx(gain, abs=1e-4)


def test_pages_load_nothing_and_name_nobody(survival):
    folder, _ = survival
    for name in ("report.html", "stratification.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert SECRET not in text
        assert not re.search(r"(?:src|href|srcset)=\"(?!#|data:|stratification\.html)", text)
        assert "<script" not in text
    assert SECRET not in (folder / "run.json").read_text()
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    for words in ("Risk groups", "log-rank p", "clin alone", "adjusted ratio", "base"):
        assert words in page.text
    assert 'href="stratification.html"' in (folder / "report.html").read_text()


def test_run_json_says_what_was_done(survival):
    folder, _ = survival
    found = json.loads((folder / "run.json").read_text())
    assert found["task"] == "survival"
    assert found["base"] == "clin"
    assert [block["modality"] for block in found["blocks"]] == ["table", "table", "image", "text"]
    assert found["settings"]["cv"] == 3
    assert "--time months --event death" in found["command"]
    assert str(folder) not in json.dumps(found)
    assert len(found["scores"]["clin alone"]) == 3


def test_classes(run, patients, tmp_path):
    frame = patients.assign(
        number=[f"{i:04d}" for i in range(48)],
        clin__date=pd.date_range("2020-01-01", periods=48).astype(str),
    )
    status, out, _ = run(
        frame,
        *["--target", "response", "--id", "number", "--cv", "2", "--n-features", "5", "--no-model"],
        blocks=BLOCKS.replace("clin__crp", "clin__date"),
    )
    assert status == 0
    assert "AUROC" in out
    assert "clin alone" in out
    assert "8 columns are in no block" not in out
    assert "5 columns are in no block and not used." in out
    assert out.count("block 'clin': no value in column 'clin__date' is shared by enough") == 1
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert any("clin__date" in words for words in told["remarks"])
    assert not any("clin__date" in words for words in told["warnings"])
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", dtype={"id": str})
    assert list(scores) == ["row", "id", "fold", "probability[yes]", "predicted"]
    assert list(scores["id"]) == list(frame["number"])
    assert ((scores["probability[yes]"] > 0.5) == (scores["predicted"] == "yes")).all()
    features = pd.read_csv(tmp_path / "out" / "features.csv")
    assert features["selected"].sum() == 5
    assert "no-model" in (tmp_path / "out" / "report.html").read_text()
    assert not (tmp_path / "out" / "model.skops").exists()


def test_groups_stay_together_and_base_may_be_chosen(run, patients, tmp_path):
    frame = patients.assign(
        dose=np.random.default_rng(0).normal(size=48), site=np.arange(48) // 4
    ).drop(columns="response")
    status, out, _ = run(
        frame,
        *["--target", "dose", "--groups", "site", "--id", "site", "--cv", "2"],
        *["--base", "gene", "--fusion", "late", "--no-model"],
        name="table.parquet",
    )
    assert status == 0
    assert "gene alone" in out
    assert "in 12 patients that the model had not seen" in out  # of four rows each
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert list(scores) == ["row", "id", "fold", "prediction"]
    assert (scores.groupby("id")["fold"].nunique() == 1).all()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["base"] == "gene"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "one model per block, and the mean of their scores." in page
    assert "drawn towards zero" not in page  # a mean has no weights to draw


def test_that_availability_tells_the_outcome_is_said_once(run, patients, tmp_path):
    frame = patients.copy()
    lacking = (frame["response"] == "no") & (np.arange(48) % 12 > 0)
    frame.loc[lacking, [name for name in frame if name.startswith("gene")]] = np.nan
    status, out, _ = run(frame, "--target", "response", "--cv", "2", "--no-model")
    assert status == 0
    words = "whether a patient has the block 'gene' predicts y by itself"
    assert out.count(words) == 1  # not of each fold anew, where the numbers are others
    page = (tmp_path / "out" / "report.html").read_text()
    assert f'<p class="note warn">{words.replace(chr(39), "&#x27;")}' in page


def test_rows_of_one_id_stay_together(run, patients, tmp_path):
    frame = patients.assign(number=np.arange(48) // 4, site=np.arange(48) // 16)
    settings = {"target": "response", "id": "number", "cv": 2}
    found = assign(frame, **settings)
    assert found.groups.tolist() == frame["number"].tolist()
    assert found.grouped_by == "number"
    assert found.remarks[0] == (
        "12 patients have 48 rows by --id number: the rows of one patient stay in one fold, as "
        "with --groups."
    )
    assert assign(frame, **settings, groups="site").groups.tolist() == frame["site"].tolist()
    assert assign(frame.assign(number=np.arange(48)), **settings).groups is None
    joined = assign(frame.assign(site=np.append(np.arange(47) // 8, 0)), **settings, groups="site")
    assert joined.groups.tolist() == [0] * 8 + [*np.repeat([1, 2, 3, 4], 8)] + [0] * 8
    assert joined.remarks[0] == (
        "Some patients (--id number) are in several groups of --groups site. Groups with a patient "
        "in common stay in one fold, so there are 5 and not 6."
    )
    arguments = ["--target", "response", "--cv", "2", "--id", "number"]
    status, _, err = run(frame.assign(number="P1"), *arguments)
    assert status == 2
    assert "--id column 'number' has 1 group, fewer than the 2 folds; name a column" in err


@pytest.mark.parametrize("modality", ["table", "text"])
def test_words_of_reports_are_told_where_there_are_reports(modality, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_medsel.persistence.save", lambda *_: None)
    patients = Patients(None, None, "regression", "y", [("a", modality, ["b"])], None)
    settings = FuseSettings("t", "b", target="y")
    results = SimpleNamespace(patients=patients, settings=settings, model=None, warnings=[])
    for words in (save_model(results, tmp_path), disclaimer(patients)):
        assert ("words of" in words) == (modality == "text")
        assert words.endswith(("fitted on.", "reports.", "identifiers."))


def test_known_scores_follow_the_rows():
    found = pd.DataFrame({"a": [0.9, 0.2, 0.4], "b": [0.1, 0.8, 0.6]}, index=[1, 2, 3])
    model = KnownScores(found).fit(None, None)
    X = pd.DataFrame(index=[3, 1])
    assert list(model.predict(X)) == ["b", "a"]
    assert model.predict_proba(X)[:, 1].tolist() == [0.6, 0.1]


def test_risks_that_cannot_be_cut_leave_the_rest(run, patients, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("the risks cannot be cut into 2 groups.")

    monkeypatch.setattr("sklearn_medsel.survival._stratified_fold.find_cuts", refuse)
    rng = np.random.default_rng(0)
    frame = patients.assign(t=rng.exponential(size=48), died=rng.random(48) < 0.8)
    status, out, _ = run(frame, "--time", "t", "--event", "died", "--cv", "2", "--no-model")
    assert status == 0
    assert "There are no risk groups: " in out
    assert not (tmp_path / "out" / "stratification.html").exists()
    assert "group" not in pd.read_csv(tmp_path / "out" / "scores.csv")


def test_patients_with_several_rows_have_risk_groups(run, patients, tmp_path):
    rng = np.random.default_rng(0)
    times = rng.exponential(np.repeat(np.exp(rng.normal(size=24)), 2))
    frame = patients.assign(t=times, died=rng.random(48) < 0.8, person=np.arange(48) // 2)
    arguments = ["--time", "t", "--event", "died", "--groups", "person", "--cv", "2"]
    status, _, err = run(frame, *arguments, "--no-model")
    assert status == 0, err
    assert (tmp_path / "out" / "stratification.html").exists()


def test_risk_groups_where_the_base_is_wider_than_the_events(run, patients, tmp_path):
    rng = np.random.default_rng(0)
    frame = patients.assign(t=rng.exponential(size=48), died=np.arange(48) % 6 == 0)
    options = ["--time", "t", "--event", "died", "--cv", "2", "--no-model", "--base", "gene"]
    status, out, _ = run(frame, *options)
    assert status == 0
    assert "hazard ratios are not adjusted for the base of the estimator: base has" in out
    assert (tmp_path / "out" / "stratification.html").exists()


# --- what it refuses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ("base = ", "cannot be read as TOML"),
        ("", "there is no block"),
        ("blocks = 3", "there is no block"),
        ("[blocks]\nclin = 3", "blocks.clin is no table"),
        ("bas = 1\n" + BLOCKS, "unknown key 'bas'"),
        (BLOCKS.replace("columns", "column"), "block 'clin': unknown key 'column'"),
        (BLOCKS.replace('modality = "table"', ""), "block 'clin': the key 'modality' is missing"),
        (BLOCKS.replace('"table"', '"tabel"'), "block 'clin': modality must be one of"),
        (BLOCKS.replace('"table"', "3"), "found int"),
        (BLOCKS.replace('"gene__*"', "7"), "block 'gene': columns must be a list of names"),
        (BLOCKS.replace('"gene__*"', '["a", 1]'), "block 'gene': columns must be names in quotes"),
        (BLOCKS.replace('"gene__*"', "[]"), "block 'gene': columns is empty"),
        (BLOCKS.replace('base = "clin"', 'base = "clinic"'), "base: 'clinic' is not the name"),
        (BLOCKS.replace('base = "clin"', "base = 1"), "base: an entry of type int is not the name"),
        (BLOCKS[: BLOCKS.index("[blocks.gene]")], "there is one block"),
    ],
)
def test_blocks_that_cannot_be_read(tmp_path, blocks, words):
    path = tmp_path / "blocks.toml"
    path.write_text(blocks)
    with pytest.raises(InputError, match=re.escape(words)) as error:
        read_blocks(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("blocks", "arguments", "words"),
    [
        (BLOCKS.replace("clin__age", "clin__agee"), [], "block 'clin': there is no column"),
        (BLOCKS.replace("gene__*", "rna__*"), [], "block 'gene': no column of the table fits"),
        (BLOCKS.replace("gene__*", "*"), [], "is in two blocks"),
        (BLOCKS.replace("clin__age", "response"), [], "block 'clin' takes column 'response', "),
        (BLOCKS.replace('"table"', '"text"', 1), [], "block 'clin' holds text data in 4 columns"),
        (BLOCKS.replace("gene__*", "ge*01"), [], "block 'gene': there is no column 'ge*01'"),
        (BLOCKS, ["--base", "image"], "--base: 'image' is not the name of a block"),
        (BLOCKS, ["--id", "nobody"], "--id: there is no column 'nobody'"),
        (BLOCKS, ["--image-root", "nowhere"], "there is no such folder"),
        (BLOCKS, ["--n-groups", "2"], "--n-groups is for risk groups"),
        (BLOCKS, ["--cv", "40"], "fewer than the 40 folds"),
        (BLOCKS, ["--n-features", "4000"], "n_features_to_select=4000"),
        (BLOCKS, ["--time", "t"], "--event is not given"),
    ],
)
def test_bad_input_ends_with_one_line(run, patients, tmp_path, blocks, arguments, words):
    status, out, err = run(patients, "--target", "response", *arguments, blocks=blocks)
    assert status == 2
    assert words in err
    assert err.count("\n") == 1
    assert out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks.toml", "table.csv"]


def test_a_single_event_is_told(run, patients):
    frame = patients.assign(one=(np.arange(len(patients)) == 3) * 1, weeks=1.0)
    status, _, err = run(frame, "--time", "weeks", "--event", "one", "--cv", "2")
    assert status == 2
    assert "'one' has 1 event, fewer than the 2 folds; add patients who had the event" in err


def test_what_lacks_in_a_fold_is_told_with_the_fold(run, patients, tmp_path):
    frame = patients.assign(response=np.where(np.arange(48) < 3, "rare", patients["response"]))
    status, _, err = run(frame, "--target", "response", "--cv", "2")
    assert status == 2
    assert re.search(r"error: Fold [12]: y has a class that is too rare", err)
    assert not (tmp_path / "out").exists()


def test_decimal_commas_are_no_words(run, patients):
    frame = patients.assign(clin__age=[f"{i}" + ",5" * (i % 2) for i in range(48)])
    status, _, err = run(frame, "--target", "response")
    assert status == 2
    assert err == (
        "sklearn_medsel: error: numbers are written with a decimal comma, e.g. in column "
        "'clin__age'; save the table with decimal points\n"
    )
    report = [("report", "text", ["note"])]  # where commas are none of our business
    found = assign(patients.assign(note="1,5"), report, target="response", cv=2)
    assert found.names == ["clin", "gene", "report"]


def test_absent_blocks(run, patients, tmp_path):
    status, _, err = run(patients, "--target", "response", "--blocks", str(tmp_path / "no.toml"))
    assert status == 2
    assert "no.toml: there is no such file" in err


def test_absent_image_names_block_and_row(run, patients, tmp_path):
    frame = patients.assign(image__ct="nothing.png")
    blocks = BLOCKS + '[blocks.ct]\nmodality = "image"\ncolumns = "image__ct"\n'
    status, _, err = run(frame, "--target", "response", "--cv", "2", blocks=blocks)
    assert status == 2
    assert "'ct'" in err
    assert "row" in err
    assert not (tmp_path / "out").exists()


def test_an_error_while_writing_leaves_nothing(run, patients, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(_fuse_job, "compare_methods", lambda *_: (None, None))
    monkeypatch.setattr("sklearn_medsel._cli._fuse_output.write_fusion", fail)
    status, _, err = run(patients, "--target", "response", "--cv", "2")
    assert status == 1
    assert "disk full" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks.toml", "table.csv"]


# --- the demonstration -----------------------------------------------------------------------


def test_demo_fuses(tmp_path, monkeypatch):
    small = {"n_patients": 40, "n_genes": 10, "n_informative": 1, "image_size": 16}
    monkeypatch.setattr(_demo, "_PATIENTS", small)
    results = _demo._fuse_made_patients(Progress({}, mode="never"), tmp_path / "fusion")
    assert len(results.scores) == 40
    assert "image" in (tmp_path / "fusion" / "report.html").read_text()
