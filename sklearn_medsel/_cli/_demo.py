"""The demonstration: genes in real data; made reports, breathing and patients."""

import os

from sklearn_medsel._cli._forecast_job import ForecastSettings, analyse_motion
from sklearn_medsel._cli._forecast_job import plan_steps as plan_forecast_steps
from sklearn_medsel._cli._fuse_job import FuseSettings, analyse_patients
from sklearn_medsel._cli._fuse_job import plan_steps as plan_fuse_steps
from sklearn_medsel._cli._job import Settings, analyse, plan_steps
from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._reports_job import ReportSettings, analyse_reports
from sklearn_medsel._cli._reports_job import plan_steps as plan_report_steps
from sklearn_medsel._cli._roles import Samples
from sklearn_medsel._cli._select import check_plotting

_N_GENES = 20  # no single gene passes a false discovery rate of 0.1 in these data
_REPORTS = "reports"
_N_REPORTS = 200
_FORECAST = "forecast"
_BREATHING = {"n_patients": 3, "duration": 30.0, "rate": 5.0}
_FUSION = "fusion"
_PATIENTS = {"n_patients": 120, "n_genes": 40, "n_informative": 4, "effect": 2.0, "image_size": 32}
_JOBS = {
    "death-within-two-years": ("classification", "death within two years"),
    "survival": ("survival", "survival"),
}


def run(arguments):
    """Do the subcommand ``demo``.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit status.
    """
    from sklearn_medsel._cli._forecast_output import summary as forecast_summary
    from sklearn_medsel._cli._fuse_output import summary as fuse_summary
    from sklearn_medsel._cli._report import summary, write_results
    from sklearn_medsel._cli._reports_output import summary as report_summary

    # A second run may replace what the first one wrote, and nothing else.
    replaceable = (*_JOBS, _REPORTS, _FORECAST, _FUSION)
    folder = check_folder(arguments.out, force=arguments.force, replaceable=replaceable)
    check_plotting()
    steps = {
        f"{outcome}: {step}": share
        for task, outcome in _JOBS.values()
        for step, share in plan_steps(compare=True, survival=task == "survival").items()
    }
    steps |= {f"{_REPORTS}: {step}": share for step, share in plan_report_steps().items()}
    forecast_steps = plan_forecast_steps(_forecast_settings())
    steps |= {f"{_FORECAST}: {step}": share for step, share in forecast_steps.items()}
    steps |= {f"{_FUSION}: {step}": share for step, share in plan_fuse_steps().items()}
    with Progress(steps, mode=arguments.progress) as progress, staged_folder(folder) as stage:
        all_results = {}
        for name, (task, outcome) in _JOBS.items():
            progress.prefix = f"{outcome}: "
            with progress.step("reading the table"):
                samples, settings = _load(task, outcome, arguments.jobs)
            results = analyse(samples, settings, progress=progress)
            with progress.step("drawing the report"):
                (stage / name).mkdir()
                write_results(results, stage / name)
            all_results[name] = results
        progress.prefix = f"{_REPORTS}: "
        reports = _read_reports(progress, stage / _REPORTS)
        progress.prefix = f"{_FORECAST}: "
        forecasts = _forecast_breathing(progress, stage / _FORECAST)
        progress.prefix = f"{_FUSION}: "
        fusion = _fuse_made_patients(progress, stage / _FUSION)
    for results in all_results.values():
        print(f"== DLBCL, {results.samples.outcome} ==\n{summary(results)}\n")
    print(f"== Made reports, each with the one before ==\n{report_summary(reports)}\n")
    print(f"== Made breathing ==\n{forecast_summary(forecasts)}\n")
    print(f"== Made patients ==\n{fuse_summary(fusion)}\n")
    for name in all_results:
        print(f"Report: {folder / name / 'report.html'}")
    print(f"Report: {folder / _REPORTS / 'reports.html'}")
    print(f"Report: {folder / _FORECAST / 'report.html'}")
    print(f"Report: {folder / _FUSION / 'report.html'}")
    return 0


def _read_reports(progress, folder):
    """Classify made reports with their previous ones; write what came out to a new folder."""
    from sklearn_medsel._cli._report_roles import assign_report_roles
    from sklearn_medsel._cli._reports_output import write_reports
    from sklearn_medsel.datasets import make_reports

    settings = ReportSettings(
        table="made reports",
        text="current",
        target="important",
        previous="previous",
        groups="patient",
        command="python -m sklearn_medsel demo",
    )
    with progress.step("reading the table"):
        data = make_reports(_N_REPORTS, pairs=True, random_state=settings.seed)
        frame = data.X.assign(important=data.y, patient=data.groups)
        table = assign_report_roles(frame, settings)
    results = analyse_reports(table, settings, progress=progress)
    with progress.step("writing the page"):
        folder.mkdir()
        write_reports(results, folder)
    return results


def _forecast_settings():
    return ForecastSettings(
        ("made breathing",), position=("SI", "AP", "LR"), command="python -m sklearn_medsel demo"
    )


def _forecast_breathing(progress, folder):
    """Forecast made breathing of patients left out; write what came out to a new folder."""
    from sklearn_medsel._cli._forecast_output import write_forecasts
    from sklearn_medsel._cli._read_motion import motion_from_table
    from sklearn_medsel.datasets import make_breathing

    settings = _forecast_settings()
    with progress.step("reading the data"):
        data = make_breathing(**_BREATHING, random_state=settings.seed)
        axes = dict(zip(("x", "y", "z"), settings.position, strict=True))
        motion = motion_from_table(data.X.rename(columns=axes), settings)
    results = analyse_motion(motion, settings, progress=progress)
    with progress.step("writing the page"):
        folder.mkdir()
        write_forecasts(results, folder)
    return results


def _fuse_made_patients(progress, folder):
    """Fuse image, genes, report and clinical data of made patients; write it to a new folder."""
    from sklearn_medsel._cli._fuse_output import write_fusion
    from sklearn_medsel._cli._fuse_patients import assign_patients
    from sklearn_medsel._cli._read_blocks import Blocks
    from sklearn_medsel.datasets._patients import make_patients

    settings = FuseSettings(
        table="made patients",
        blocks="made blocks",
        time="months",
        event="death",
        cv=3,
        command="python -m sklearn_medsel demo",
    )
    with progress.step("reading the table"):
        data = make_patients(**_PATIENTS, task="survival", random_state=settings.seed)
        frame = data.X.assign(death=data.y["event"].astype(int), months=data.y["time"])
        patients = assign_patients(frame, Blocks(data.blocks, data.base), settings, None)
    results = analyse_patients(patients, settings, progress=progress)
    with progress.step("writing the page"):
        folder.mkdir()
        write_fusion(results, folder)
    return results


def _load(task, outcome, n_jobs):
    from sklearn_medsel.datasets import load_dlbcl

    data = load_dlbcl(task=task)
    y, survival = data.y, None
    remarks = ["Diffuse large B-cell lymphoma (Rosenwald et al. 2002), from the package SurvSet; "
               "times in years."]  # fmt: skip
    if task == "classification":
        y = data.y.astype(object)
        y[data.y == 1], y[data.y == 0] = "dead", "alive"
        remarks.append(
            f"{data.n_excluded} patients whose follow-up ended before two years are left out."
        )
    else:
        survival = data.y
    samples = Samples(data.X, y, task, outcome, None, survival, remarks)
    return samples, Settings(
        table="DLBCL (SurvSet)",
        target=outcome if survival is None else None,
        time=None if survival is None else "years",
        event=None if survival is None else "death",
        n_features=_N_GENES,
        repeats=1,
        command="python -m sklearn_medsel demo",
        jobs=n_jobs if n_jobs is not None else min(2, os.cpu_count() or 1),
    )
