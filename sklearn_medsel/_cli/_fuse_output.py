"""What the subcommand ``fuse`` writes: tables, model, pages, and the words on the terminal."""

import json
import warnings
from dataclasses import asdict

import pandas as pd

from sklearn_medsel._cli._job import _unique_messages
from sklearn_medsel._html import p_value

CLEAR = 0.05
LATE = "late fusion"


def write_fusion(results, folder):
    """Write the tables, pictures, run.json, model.skops, report.html and stratification.html.

    Parameters
    ----------
    results : FuseResults
    folder : Path
        An existing, empty folder.

    Returns
    -------
    str
        What became of the model, in words.
    """
    from sklearn_medsel._cli._fuse_figures import draw_pictures
    from sklearn_medsel._cli._fuse_page import render

    model = results.model
    features = model.feature_importances_.sort_values("importance", ascending=False, kind="stable")
    tables = {
        "features": features,
        "modalities": model.modality_importances_,
        "interactions": interaction_rows(model.interactions_),
        "comparison": results.comparison,
        "folds": results.by_fold,
        "scores": results.scores,
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    pictures = draw_pictures(results)
    for picture in pictures.values():
        (folder / f"{picture.name}.png").write_bytes(picture.light)
    if results.stratifier is not None:
        from sklearn_medsel.survival._stratification_report import stratification_report

        stratification_report(
            results.stratifier,
            results.patients.X,
            results.patients.y,
            folder / "stratification.html",
            title=f"Risk groups for {results.patients.outcome}",
            time_unit=results.settings.time,
        )
    note = save_model(results, folder)
    run = json.dumps(describe_run(results), indent=2, ensure_ascii=False)
    (folder / "run.json").write_text(run + "\n", encoding="utf-8")
    (folder / "report.html").write_text(render(results, pictures, note), encoding="utf-8")
    return note


def interaction_rows(interactions):
    """Write the pairs of features behind each pair of blocks in rows of their own."""
    rows = [
        {
            **{name: row[name] for name in ("block_a", "block_b", "strength", "pvalue")},
            "feature_a": a,
            "feature_b": b,
            "pair_strength": strength,
        }
        for _, row in interactions.iterrows()
        for a, b, strength in row["top_pairs"] or [(None, None, None)]
    ]
    columns = ["block_a", "block_b", "strength", "pvalue", "feature_a", "feature_b"]
    return pd.DataFrame(rows, columns=[*columns, "pair_strength"])


def save_model(results, folder):
    """Save the model that was fitted on all patients, if it is wanted and can be; say which."""
    if not results.settings.model:
        return "Model: not saved, as asked for with --no-model."
    from sklearn_medsel import persistence

    path = folder / "model.skops"
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            persistence.save(results.model, path)
    except ImportError:
        return 'Model: not saved, which needs skops: pip install "sklearn-medsel[share]".'
    except TypeError:
        return "Model: not saved, since persistence.save does not know this kind of model."
    results.warnings += _unique_messages(caught)
    words = ", and words of their reports" if results.patients.have_reports else ""
    return (
        "Model: model.skops, fitted on all patients, for persistence.load. It holds the scores of "
        f"the patients it was fitted on{words}."
    )


def describe_run(results):
    """Describe the run as plain containers: command, versions, settings, blocks and folds."""
    from sklearn_medsel._cli._report import versions

    settings, patients = results.settings, results.patients
    availability = results.model.availability_
    left = ("command", "jobs", "base")
    shown = {name: value for name, value in asdict(settings).items() if name not in left}
    return {
        "command": settings.command,
        "created": f"{results.created:%Y-%m-%dT%H:%M:%S}",
        "sha256": results.digest,
        "patients": patients.n_patients,
        "rows": len(patients.y),
        "task": patients.task,
        "settings": shown,
        "base": patients.base,
        "blocks": [
            {
                "name": name,
                "modality": modality,
                "columns": columns,
                "available": round(float(availability[name]), 6),
            }
            for name, modality, columns in patients.blocks
        ],
        "metric": results.metric,
        "scores": {
            model: part[results.measure].round(6).tolist()
            for model, part in results.by_fold.groupby("model", sort=False)
        },
        "versions": versions(),
        "remarks": [*patients.remarks, *results.remarks],
        "warnings": results.warnings,
    }


def summary(results):
    """Write what the terminal shows; it holds no patient's values.

    Parameters
    ----------
    results : FuseResults

    Returns
    -------
    str
    """
    lines = [headline(results), *results.patients.remarks, *results.remarks]
    lines += ["", comparison_text(results), "", *verdict(results)]
    table = results.model.modality_importances_.sort_values("importance", ascending=False)
    shares = [f"{row['block']} {row['importance']:.3f}" for _, row in table.iterrows()]
    lines.append(f"Shares of the modalities: {', '.join(shares)}.")
    return "\n".join(lines)


def signed(value):
    """Write a difference with its sign; one that is missing as a dash."""
    # adding zero turns -0.000 into +0.000
    return "–" if value != value else f"{round(value, 3) + 0.0:+.3f}".replace("-", "−")


def headline(results):
    """Say how well the fusion predicts patients left out, beside the base alone."""
    ours, patients = results.judged(results.ours), results.patients
    words = (
        f"From {', '.join(patients.names[:-1])} and {patients.names[-1]} together, "
        f"{patients.outcome} is predicted with a{'n' if results.metric in ('AUROC', 'R²') else ''} "
        f"{results.metric} of {ours['score']:.3f} ± {ours['sd']:.3f} in {patients.n_patients:,} "
        "patients that the model had not seen"
    )
    base = results.judged(f"{patients.base} alone")
    if base is None:
        return f"{words}."
    return f"{words}; {base['model']}, with {base['score']:.3f} ± {base['sd']:.3f}."


def verdict(results):
    """Say how the fusion stands to the base alone, to late fusion and to the best of the others.

    Parameters
    ----------
    results : FuseResults

    Returns
    -------
    list of str
    """
    table = results.table
    others = table[table["model"] != results.ours]
    best = others.loc[others["score"].idxmax()]
    rivals = {name: results.judged(name) for name in (f"{results.patients.base} alone", LATE)}
    rivals = {name: row for name, row in rivals.items() if row is not None}
    rivals.setdefault(best["model"], best)
    words = []
    for rival, row in rivals.items():
        gain = -row["difference"]
        found = "not clearly different from"
        if row["p_value"] < CLEAR:
            found = "better than" if gain > 0 else "worse than"
        is_best = ", the best of the simpler models" if rival == best["model"] else ""
        words.append(
            f"The fusion is {found} {rival}{is_best}: {signed(gain)} on the same folds (corrected "
            f"p {p_value(row['p_value'])})."
        )
    return words


def comparison_text(results):
    """Write the comparison as plain text, the best first; an arrow marks the fusion."""
    shown = results.table.sort_values("score", ascending=False, kind="stable")
    columns = {
        "method": [("> " if name == results.ours else "  ") + name for name in shown["model"]],
        results.metric: [f"{row['score']:.3f} ± {row['sd']:.3f}" for _, row in shown.iterrows()],
        "difference": [
            "-" if row["model"] == results.ours else f"{row['difference']:+.3f}"
            for _, row in shown.iterrows()
        ],
        "p": [p_value(value).replace("–", "-") for value in shown["p_value"]],
    }
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    lines = []
    for cells in [list(columns), *map(list, zip(*columns.values(), strict=True))]:
        first, *others = zip(cells, widths.values(), strict=True)
        lines.append("  ".join([first[0].ljust(first[1]), *[c.rjust(w) for c, w in others]]))
    return "\n".join(lines)
