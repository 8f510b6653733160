"""The demonstration: the main job on real data that comes with an ordinary package."""

import os

from sklearn_medsel._cli._job import Settings, analyse, plan_steps
from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._roles import Samples
from sklearn_medsel._cli._select import check_plotting

_N_GENES = 20  # no single gene passes a false discovery rate of 0.1 in these data
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
    from sklearn_medsel._cli._report import summary, write_results

    # A second run may replace what the first one wrote, and nothing else.
    folder = check_folder(arguments.out, force=arguments.force, replaceable=_JOBS)
    check_plotting()
    steps = {
        f"{outcome}: {step}": share
        for task, outcome in _JOBS.values()
        for step, share in plan_steps(compare=True, survival=task == "survival").items()
    }
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
    for results in all_results.values():
        print(f"== DLBCL, {results.samples.outcome} ==\n{summary(results)}\n")
    for name in all_results:
        print(f"Report: {folder / name / 'report.html'}")
    return 0


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
