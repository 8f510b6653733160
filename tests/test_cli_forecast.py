"""The subcommand ``forecast``: what it reads, writes and refuses, and its numbers by hand."""

import json
import os
import re
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_report import Page

from sklearn_medsel import persistence as model_files
from sklearn_medsel.__main__ import main
from sklearn_medsel._cli import _demo, _forecast_job
from sklearn_medsel._cli._forecast_folds import ForecastSettings, draw_folds, follow
from sklearn_medsel._cli._forecast_output import verdict
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._read_motion import motion_from_table, read_motion
from sklearn_medsel._cli._tables import InputError
from sklearn_medsel.datasets import make_breathing, make_cine_phantom
from sklearn_medsel.forecasting import TumourPositionForecaster, forecast_errors
from sklearn_medsel.forecasting._baselines import PersistenceForecaster

SECRET = 7.654321  # a position that no message may show
EVIL = "<b>A&B</b>"
QUICK = ("--no-transformer", "--no-model", "--history", "2")
FILES = {
    "errors.csv",
    "errors.png",
    "forecasts.csv",
    "report.html",
    "run.json",
    "trajectory_middle.png",
    "trajectory_worst.png",
}


def make_table(n_patients=3, duration=12, rate=5):
    """Return a table of positions; patients are called A, B, ..."""
    made = make_breathing(n_patients=n_patients, duration=duration, rate=rate, random_state=0)
    return made.X.assign(patient=[chr(ord("A") + patient) for patient in made.groups])


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """Draw pictures with few pixels."""
    monkeypatch.setattr("sklearn_medsel._pictures._DPI", 30)


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out the pictures, which take the most time."""
    monkeypatch.setattr("sklearn_medsel._cli._forecast_figures.draw_pictures", lambda _: {})


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that writes a table, runs ``forecast`` and gives status, out and err."""

    def call(frame, *arguments, name="table.csv", out="out"):
        path = tmp_path / name
        if name.endswith(".parquet"):
            frame.to_parquet(path)
        elif frame is not None:
            frame.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
        status = main(["forecast", str(path), *arguments, "--out", str(tmp_path / out)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


# --- the whole job ---------------------------------------------------------------------------


def test_positions(run, tmp_path):
    frame = make_table().replace({"patient": {"B": EVIL}})
    frame.loc[30:32, ["x", "y", "z"]] = np.nan
    arguments = (*QUICK, "--horizons", "0.8", "0.4", "--progress", "always")
    status, out, err = run(frame, *arguments, name="table.csv.gz")
    assert status == 0, err
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert sorted(os.listdir(tmp_path)) == ["out", "table.csv.gz"]
    assert "forecasting patients left out" in err
    assert "The position is unknown in 3 of 180 rows." in out
    assert "not saved, as asked for" in out
    assert out.rstrip().endswith("report.html")

    errors = pd.read_csv(tmp_path / "out" / "errors.csv")
    methods = ["TumourPositionForecaster", "persistence", "ridge alone", "LSTM"]
    assert list(errors["method"].unique()) == methods
    assert set(errors["patient"]) == {"A", EVIL, "C", "all", "worst"}
    assert set(errors["horizon"]) == {0.4, 0.8}
    _check_numbers(frame, errors, pd.read_csv(tmp_path / "out" / "forecasts.csv"))

    source = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert "b" not in {name for name, _ in page.elements}
    assert EVIL in page.text
    assert "not a medical device" in source.split("</header>")[0]
    assert str(tmp_path) not in source
    command = "sklearn_medsel forecast table.csv.gz --horizons 0.8 0.4 --no-transformer --no-model"
    assert command in source
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"(?i)https?:|@import|url\(", source)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {a["href"].removeprefix("#") for a in page.all("a")} <= set(identifiers)
    assert all(image["alt"] for image in page.all("img"))

    written = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert command in written["command"]
    assert written["versions"]["sklearn_medsel"]
    assert re.fullmatch("[0-9a-f]{64}", written["sha256"])
    assert sorted(fold["left_out"][0] for fold in written["folds"]) == [EVIL, "A", "C"]


def _check_numbers(frame, errors, forecasts):
    """Do it again by hand: forecasts of one patient, and the errors of two methods."""
    positions = frame[["x", "y", "z"]]
    test = (frame["patient"] == "C").to_numpy()
    model = TumourPositionForecaster(
        (0.4, 0.8), history=2.0, experts=("persistence", "ridge"), random_state=0
    ).fit(frame[~test])
    columns = [f"{axis}_in_{horizon}s" for horizon in (0.4, 0.8) for axis in "xyz"]
    found = forecasts.loc[test, columns].to_numpy()
    np.testing.assert_allclose(found, model.predict(frame[test]), rtol=2e-5, atol=1e-5)
    radius = forecasts.loc[test, ["radius_in_0.4s", "radius_in_0.8s"]].to_numpy()
    np.testing.assert_allclose(radius, model.predict_interval(frame[test]), rtol=2e-5)
    assert forecasts.loc[test, "fold"].nunique() == 1
    persistence = PersistenceForecaster((0.4, 0.8)).fit(frame).predict(frame)
    for method, forecast in (
        ("TumourPositionForecaster", forecasts[columns].to_numpy()),
        ("persistence", persistence),
    ):
        expected = forecast_errors(
            positions, forecast, t=frame["t"], horizons=[0.4, 0.8], patient=frame["patient"]
        )
        got = errors[errors["method"] == method]
        np.testing.assert_allclose(got["rmse"], expected["rmse"], rtol=1e-4)
        assert list(got["n"]) == list(expected["n"])


def test_an_expert_alone_is_what_it_is_by_itself():
    frame = make_table(duration=12)
    test = (frame["patient"] == "C").to_numpy()
    options = {"history": 2.0, "max_epochs": 1, "random_state": 0}
    full = TumourPositionForecaster((0.4,), **options).fit(frame[~test])
    found, radius = follow(full, frame[test])
    assert list(found)[1:] == ["persistence", "ridge alone", "ridge + transformer"]
    ridge = TumourPositionForecaster((0.4,), experts=("ridge",), **options).fit(frame[~test])
    np.testing.assert_allclose(found["ridge alone"], ridge.predict(frame[test]), atol=1e-9)
    np.testing.assert_array_equal(found["persistence"], frame.loc[test, ["x", "y", "z"]])
    ours = found["TumourPositionForecaster"]
    np.testing.assert_allclose(ours, full.predict(frame[test]), atol=1e-9)
    np.testing.assert_allclose(radius, full.predict_interval(frame[test]), atol=1e-9)


def test_other_columns_groups_and_the_model(run, tmp_path, monkeypatch, no_pictures):
    pytest.importorskip("pyarrow")
    frame = make_table(4, 12).rename(columns={"t": "time", "x": "SI", "y": "AP", "patient": "who"})
    frame["date"] = frame["who"].map({"A": 1, "B": 1, "C": 2, "D": 2}).astype(float)
    monkeypatch.setattr(_forecast_job, "can_be_saved", lambda _: True)
    saved = []
    monkeypatch.setattr("sklearn_medsel._cli._forecast_output.can_be_saved", lambda _: True)
    monkeypatch.setattr(model_files, "save", lambda model, path: saved.append((model, path.name)))
    arguments = ("--time", "time", "--position", "SI", "AP", "--patient", "who", "--groups", "date")
    extra = ("--no-transformer", "--no-compare", "--history", "2", "--horizons", "0.4")
    status, out, err = run(frame, *arguments, *extra, name="table.parquet")
    assert status == 0, err
    assert "not seen its date" in out
    assert "left out with --no-compare" in out
    assert "Model: model.skops" in out
    assert saved[0][0].n_dims_ == 2
    assert saved[0][1] == "model.skops"
    forecasts = pd.read_csv(tmp_path / "out" / "forecasts.csv")
    assert list(forecasts.columns)[5:] == ["SI_in_0.4s", "AP_in_0.4s", "radius_in_0.4s"]
    assert (forecasts.groupby("group")["fold"].nunique() == 1).all()
    assert forecasts["fold"].nunique() == 2
    assert list(forecasts["group"].unique()) == [1, 2]
    errors = pd.read_csv(tmp_path / "out" / "errors.csv")
    assert set(errors["method"]) == {"TumourPositionForecaster"}


def test_model_is_not_saved_where_it_could_not_be_loaded(run, monkeypatch, no_pictures):
    monkeypatch.setattr(_forecast_job, "can_be_saved", lambda _: False)
    arguments = ("--no-transformer", "--no-compare", "--history", "2", "--horizons", "0.4")
    status, out, _ = run(make_table(2, 12), *arguments)
    assert status == 0
    assert "Model: not saved" in out


def test_frames_and_their_planes(run, tmp_path, monkeypatch):
    from sklearn_medsel.forecasting import _forecaster

    tracker = partial(_forecaster.ImageTracker, max_epochs=1)
    monkeypatch.setattr(_forecaster, "ImageTracker", tracker)
    folder = tmp_path / "cine"
    folder.mkdir()
    made = make_cine_phantom(
        2,
        9.0,
        4.0,
        planes=("coronal", "axial"),
        size=24,
        pixel_mm=4.0,
        lost=0.0,
        bursts=0,
        random_state=0,
    )
    for patient, name in enumerate(("A", "B")):
        X = made.X[made.groups == patient]
        np.savez(
            folder / f"{name}.npz",
            frames=X.frames,
            t=X.t,
            px=4.0,
            mask=X.mask,
            planes=np.array(X.planes),
            positions=made.y[made.groups == patient],
        )
    np.savez(folder / "notes.npz", other=1)
    arguments = ("--warmup", "4", "--horizons", "0.5")
    status, out, err = run(None, *QUICK, *arguments, name="cine")
    assert status == 0, err
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == FILES - {"trajectory_middle.png"} | {"planes.csv", "planes.png"}
    planes = pd.read_csv(tmp_path / "out" / "planes.csv")
    assert list(planes["planes"].unique()) == ["coronal", "all"]
    errors = pd.read_csv(tmp_path / "out" / "errors.csv")
    methods = ["TumourPositionForecaster", "persistence", "ridge alone"]
    assert list(errors["method"].unique()) == methods
    ours = errors[errors["method"] == methods[0]]["rmse"]
    np.testing.assert_allclose(planes[planes["planes"] == "all"]["rmse"], ours)
    # 36 steps of 9 s: what is known after the 4 s of warm-up, half a second before
    assert set(errors[errors["patient"].isin(["A", "B"])]["n"]) == {20}
    source = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "What each plane brings" in source
    assert "An LSTM reads no frames and is left out." in source
    assert "In the first 4 s of a recording the known positions are shown" in source
    assert "2 patients with 72 steps" in out


# --- reading ---------------------------------------------------------------------------------


def save_recording(path, n_steps=60, **arrays):
    frames = np.zeros((n_steps, 8, 8), np.uint8)
    np.savez(path, **{"frames": frames, "t": np.arange(n_steps) / 5, "px": 2.0, **arrays})


def frame_settings(*data, **options):
    chosen = {"horizons": (0.4,), "history": 2.0, "warmup": 4.0, **options}
    return ForecastSettings(tuple(map(str, data)), **chosen)


def test_positions_of_frames_from_a_table(tmp_path):
    for name in ("one", "two", "three"):
        save_recording(tmp_path / f"{name}.npz")
    t = np.arange(24) / 2  # a fifth of a second lies between; a gap is not filled
    t = t[(t < 5) | (t > 7)]
    parts = [
        pd.DataFrame({"t": t, "x": scale * t, "sequence": name, "patient": who, "date": date})
        for name, who, scale, date in (("one", "P", 1, 1), ("two", "P", 2, 1), ("three", "Q", 3, 2))
    ]
    pd.concat(parts).to_csv(tmp_path / "known.csv", index=False)
    settings = frame_settings(
        tmp_path, planes=("axial",), positions=str(tmp_path / "known.csv"), groups="date"
    )
    motion = read_motion(settings)
    assert motion.planes == ("axial",)
    assert motion.axes == ("SI",)
    whose = pd.DataFrame({"s": motion.sequence, "p": motion.patient, "g": motion.groups})
    assert set(whose.itertuples(index=False, name=None)) == {
        ("one", "P", "1"),
        ("two", "P", "1"),
        ("three", "Q", "2"),
    }
    scale = whose["s"].map({"one": 1, "two": 2, "three": 3}).to_numpy()
    known = ((motion.t <= 4.5) | (motion.t >= 7.5)) & (motion.t <= 11.5)
    np.testing.assert_array_equal(np.isfinite(motion.y[:, 0]), known)
    np.testing.assert_allclose(motion.y[known, 0], (scale * motion.t)[known])
    shown = motion.counted(4.0)
    assert np.isnan(shown[motion.t < 4]).all()
    np.testing.assert_array_equal(shown[motion.t >= 4], motion.y[motion.t >= 4])


def test_recordings_may_be_called_by_numbers(tmp_path):
    for name in ("0001", "0002"):
        save_recording(tmp_path / f"{name}.npz")
    known = pd.DataFrame({"t": np.tile(np.arange(24) / 2, 2), "x": 0.0})
    known["sequence"] = known["patient"] = np.repeat(["0001", "0002"], 24)
    known.to_csv(tmp_path / "known.csv", index=False)
    settings = frame_settings(tmp_path, planes=("axial",), positions=str(tmp_path / "known.csv"))
    motion = read_motion(settings)
    assert set(motion.patient) == set(motion.sequence) == {"0001", "0002"}
    settings = ForecastSettings((str(tmp_path / "known.csv"),), horizons=(0.5,), history=2.0)
    assert set(read_motion(settings).patient) == {"0001", "0002"}


def test_targets_beside_frames(tmp_path):
    names = ("one", "two")
    for scale, name in enumerate(names, start=1):
        save_recording(tmp_path / f"{name}.npz")
        t = np.arange(60) / 5
        np.savez(tmp_path / f"target_{name}.npz", t_s=t, si_mm=scale * t, ap_mm=-t)
    settings = frame_settings(
        *[tmp_path / f"{name}.npz" for name in names],
        planes=("sagittal",),
        targets=tuple(str(tmp_path / f"target_{name}.npz") for name in names),
    )
    motion = read_motion(settings)
    assert list(np.unique(motion.groups)) == ["one", "two"]
    np.testing.assert_allclose(motion.y[60:, 0], 2 * motion.t[60:])


def test_dicom_folders(tmp_path):
    pytest.importorskip("pydicom", reason="reading DICOM needs pydicom (extra 'image')")
    from test_cine_dicom import images, make_dicom

    for number, folder in enumerate(("first", "second", "third")):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for step, image in enumerate(images(30)):
            when = f"202401020900{step // 5:02d}.{step % 5 * 2}"
            ds = make_dicom(image, AcquisitionDateTime=when, PatientID=f"SECRET-{number // 2}")
            ds.save_as(tmp_path / "data" / folder / f"{step}.dcm", enforce_file_format=True)
    t = np.arange(30) / 5
    parts = [
        pd.DataFrame({"t": t, "x": t, "y": -t, "sequence": name})
        for name in ("first", "second", "third")
    ]
    pd.concat(parts).to_csv(tmp_path / "known.csv", index=False)
    settings = frame_settings(tmp_path / "data", positions=str(tmp_path / "known.csv"))
    motion = read_motion(settings)
    assert motion.planes == ("sagittal",)
    assert len(np.unique(motion.groups)) == 2  # two recordings are of one patient
    assert not any("SECRET" in label for label in np.unique(motion.patient))
    np.testing.assert_allclose(motion.y[:30, 1], -t)


def test_folds_leave_out_one_group_or_a_tenth():
    def folds(n_groups):
        groups = np.repeat(np.arange(n_groups), 3)
        found = draw_folds(SimpleNamespace(groups=groups, t=np.zeros(len(groups))))
        assert all(not set(groups[train]) & set(groups[test]) for train, test in found)
        return len(found)

    assert [folds(n) for n in (2, 10, 11, 25)] == [2, 10, 10, 10]


def test_remarks_on_patients_in_several_groups():
    frame = make_table(2, 12)
    frame["sequence"] = np.where(frame["t"] < 6, 1, 2)
    frame["date"] = frame["patient"] + frame["sequence"].astype(str)
    settings = ForecastSettings(("table",), groups="date", history=2.0, horizons=(0.4,))
    motion = motion_from_table(frame, settings)
    assert motion.remarks == [
        "2 patient(s) are in several groups, and so both in training and in testing."
    ]


# --- words -----------------------------------------------------------------------------------


def test_verdict_is_honest():
    rows = [
        {"method": method, "horizon": horizon, "patient": who, "rmse": value}
        for method, values in (
            ("TumourPositionForecaster", (1.0, 2.0, 3.0)),
            ("persistence", (2.0, 2.001, 2.0)),
        )
        for horizon, value in zip((0.2, 0.4, 0.6), values, strict=True)
        for who in ("A", "all", "worst")
    ]
    settings = ForecastSettings(("table",), horizons=(0.2, 0.4, 0.6))
    lines = verdict(SimpleNamespace(settings=settings, errors=pd.DataFrame(rows)))
    assert "0.2 s: 50% below the next best, persistence." in lines[0]
    assert lines[1] == "0.4 s: as good as persistence."
    assert lines[2] == "0.6 s: persistence is better; ours is 50% above it."
    assert "of 3, at which ours is more than 2% worse than: persistence 1." in lines[3]


# --- refusals --------------------------------------------------------------------------------


def cells(column, value, rows=(2,)):
    def change(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[list(rows), column] = value
        return frame

    return change


BAD = {
    "absent time": (None, ("--time", "tt"), ["--time", "no column 'tt'"]),
    "absent axis": (None, ("--position", "x", "yy"), ["--position", "no column 'yy'"]),
    "four axes": (None, ("--position", "x", "y", "z", "t"), ["one to three columns"]),
    "absent patient": (lambda made: made.drop(columns="patient"), (), ["--patient"]),
    "absent positions": (lambda made: made[["t", "patient"]], (), ["--position SI AP LR"]),
    "absent groups": (None, ("--groups", "date"), ["--groups", "no column 'date'"]),
    "one column twice": (None, ("--position", "x", "t"), ["'t' is given twice", "--time"]),
    "text as time": (cells("t", "noon"), (), ["--time", "data row 3", "give seconds"]),
    "dates as time": (
        lambda made: made.assign(t=pd.Timestamp("2024-01-02")),
        (),
        ["--time", "no numbers"],
    ),
    "missing time": (cells("t", np.nan), (), ["--time", "data row 3"]),
    "text as position": (cells("y", "left"), (), ["--position", "data row 3", "mm"]),
    "infinite position": (cells("y", np.inf), (), ["infinite in data row 3"]),
    "no position": (lambda made: made.assign(x=np.nan), (), ["no row has a position"]),
    "missing patient": (cells("patient", np.nan), (), ["'patient'", "data row 3"]),
    "time goes back": (cells("t", 0.0, [7]), (), ["goes back or repeats", "data row 8"]),
    "milliseconds": (lambda made: made.assign(t=made["t"] * 1000), (), ["give seconds"]),
    "micrometres": (
        lambda made: made.assign(x=made["x"] * 1000),
        (),
        ["jump by more than 100 mm", "give mm"],
    ),
    "mixed rows": (
        lambda made: made.sort_values("t", kind="stable"),
        (),
        ["stand apart", "sort the table"],
    ),
    "one patient": (lambda made: made.assign(patient="A"), (), ["goes back or repeats"]),
    "a single patient": (lambda made: made[made["patient"] == "A"], (), ["one patient only"]),
    "a patient called all": (
        lambda made: made.replace({"patient": {"A": "all"}}),
        (),
        ["called 'all'"],
    ),
    "parted recording": (
        lambda made: made.assign(date=made.index % 2),
        ("--groups", "date"),
        ["changes within 3 recording(s)"],
    ),
    "short": (None, ("--history", "20"), ["needs recordings of 20.8 s", "found 0"]),
    "long horizon": (None, ("--horizons", "15"), ["needs recordings of 17 s"]),
    "horizon twice": (None, ("--horizons", "0.4", "0.4"), ["given twice"]),
    "planes of a table": (None, ("--planes", "axial"), ["--planes goes with frames"]),
    "positions for a table": (None, ("--positions", "known.csv"), ["--positions goes with frames"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_table_is_one_line_that_names_the_fix(case, run, tmp_path):
    change, arguments, words = BAD[case]
    frame = make_table()
    frame.loc[4, "x"] = SECRET
    frame = frame if change is None else change(frame)
    defaults = (*QUICK, *(() if "--horizons" in arguments else ("--horizons", "0.4", "0.8")))
    status, out, err = run(frame, *defaults, *arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert "654" not in err
    assert os.listdir(tmp_path) == ["table.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["forecast"], "DATA"),
        (["forecast", "x.csv", "--horizons", "0"], "above 0"),
        (["forecast", "x.csv", "--coverage", "1.5"], "between 0 and 1"),
        (["forecast", "absent.csv"], "no such file or folder"),
    ],
)
def test_bad_arguments(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert words in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def bad_frames(tmp_path, case):
    """Write recordings with one fault; return data and options."""
    t = np.arange(60) / 5
    position = np.column_stack([t, -t])
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    known = {"positions": position}
    save_recording(first, **known)
    save_recording(second, **({} if case == "no positions" else known))
    data, options = [first, second], {"planes": ("axial",)}
    if case == "no positions":
        save_recording(first)
    elif case == "no planes":
        options = {}
    elif case == "not npz":
        second.write_bytes(b"text")
    elif case == "two of a name":
        (tmp_path / "other").mkdir()
        save_recording(tmp_path / "other" / "a.npz", **known)
        data = [first, tmp_path / "other" / "a.npz"]
    elif case == "other targets":
        np.savez(tmp_path / "target.npz", si_mm=t, ap_mm=t)
        options["targets"] = (str(tmp_path / "target.npz"),)
    elif case == "table among frames":
        pd.DataFrame({"t": t}).to_csv(tmp_path / "c.csv")
        data.append(tmp_path / "c.csv")
    elif case == "warm-up":
        options["warmup"] = 30.0
    elif case == "groups":
        options["groups"] = "date"
    elif case.startswith("known"):
        table = pd.DataFrame({"t": t, "x": t, "sequence": "a", "patient": "P"})
        if case == "known without names":
            table = table.drop(columns="sequence")
        elif case == "known of two patients":
            table = pd.concat([table, table.assign(patient="Q"), table.assign(sequence="b")])
        table.to_csv(tmp_path / "known.csv", index=False)
        options["positions"] = str(tmp_path / "known.csv")
    return frame_settings(*data, **options)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no positions", "come without positions"),
        ("no planes", "--planes"),
        ("not npz", "cannot be read as .npz"),
        ("two of a name", "two recordings are called 'a'"),
        ("other targets", "targets"),
        ("table among frames", "DATA is one table"),
        ("warm-up", "--warmup 30"),
        ("groups", "--groups is a column of --positions"),
        ("known of one recording", r"no rows for the recording\(s\) 'b'"),
        ("known without names", "no column 'sequence'"),
        ("known of two patients", "several patients have the recording 'a'"),
    ],
)
def test_bad_frames(case, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read_motion(bad_frames(tmp_path, case))


def test_a_folder_without_recordings(tmp_path, run):
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "a.npz", other=1)
    status, _, err = run(None, name="data")
    assert status == 2
    assert "no .npz file there has 'frames'" in err


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("odd"), 2), (ImportError("extra"), 2), (KeyboardInterrupt(), 130)],
)
def test_error_while_working_leaves_nothing(run, tmp_path, monkeypatch, error, status):
    def fail(*_, **__):
        raise error

    nothing = SimpleNamespace(digest="")
    monkeypatch.setattr("sklearn_medsel._cli._forecast_output.write_forecasts", fail)
    monkeypatch.setattr("sklearn_medsel._cli._forecast.analyse_motion", lambda *_, **__: nothing)
    found, out, err = run(make_table(), *QUICK, "--horizons", "0.4")
    assert found == status
    assert out == ""
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["table.csv"]


def test_horizon_after_which_nothing_is_known():
    errors = pd.DataFrame(
        {"method": "TumourPositionForecaster", "patient": "all", "horizon": [0.4, 0.8]}
    )
    _forecast_job._check_counted(errors.assign(n=[5, 1]))
    with pytest.raises(InputError, match=r"--horizons 0.8: no position is known so long after"):
        _forecast_job._check_counted(errors.assign(n=[5, 0]))


# --- the demonstration -----------------------------------------------------------------------


def test_demo_forecasts(tmp_path, monkeypatch, no_pictures):
    quick = partial(ForecastSettings, history=2.0, transformer=False, compare=False, model=False)
    monkeypatch.setattr(_demo, "ForecastSettings", quick)
    monkeypatch.setattr(_demo, "_BREATHING", {"n_patients": 2, "duration": 12.0, "rate": 5.0})
    results = _demo._forecast_breathing(Progress({}, mode="never"), tmp_path / "forecast")
    assert results.motion.axes == ("SI", "AP", "LR")
    assert (tmp_path / "forecast" / "report.html").is_file()
