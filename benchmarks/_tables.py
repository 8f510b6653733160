"""Writes the numbers of a row as markdown and CSV, and all rows as the page the docs include."""

import pandas as pd

from benchmarks._runner import describe_machine

_SPREADS = ("_se", "_sd")
# Options of the command line that decide how many measurements a row has.
_COUNTS = {"fdr": "sims", "ranking": "seeds", "recall": "sims"}
_REPEATED = ("iu408", "iufull", "jmed", "jichi", "nli4ct", "pairs", "ablation")
_COUNTS |= dict.fromkeys(_REPEATED, "repeats")


def write_row(row, records, sources, options):
    """Write ``<row>.md`` and ``<row>.csv`` from all results there are."""
    options.out.mkdir(parents=True, exist_ok=True)
    if not records:
        return
    lines = [f"## {row.title}", "", row.text, ""]
    frames = []
    for caption, frame in row.summarise(records):
        lines += [f"**{caption}**", "", to_markdown(frame), ""]
        frames.append(frame.assign(table=caption))
    lines += [
        f"Mean ± {row.spread}; `runs` is their number. {describe_machine(row.packages, sources)}.",
        "",
        f"`{_command(row, options)}`",
        "",
    ]
    (options.out / f"{row.file}.md").write_text("\n".join(lines), encoding="utf-8")
    pd.concat(frames).to_csv(options.out / f"{row.file}.csv", index=False)


def write_summary(names, folder, page="selection"):
    """Put the rows (their files) that were measured one after another into ``<page>.md``."""
    parts = [folder / f"{name}.md" for name in names]
    text = "\n".join(part.read_text(encoding="utf-8") for part in parts if part.exists())
    (folder / f"{page}.md").write_text(text or "*Not measured yet: run `make compare`.*\n")


def to_markdown(frame):
    """Markdown table; a column ``x_se`` or ``x_sd`` joins ``x`` behind a plus-minus sign."""
    shown = [c for c in frame if not (c.endswith(_SPREADS) and c[:-3] in frame)]
    lines = ["| " + " | ".join(shown) + " |", "|" + " --- |" * len(shown)]
    for _, entry in frame.iterrows():
        cells = []
        for column in shown:
            cell = _format(entry[column])
            for spread in (column + ending for ending in _SPREADS):
                if spread in frame and cell and _format(entry[spread]):
                    cell += f" ± {_format(entry[spread])}"
            cells.append(cell.replace("|", "/"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _format(value):
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    if float(value).is_integer():
        return f"{value:.0f}"
    decimals = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{decimals}f}"


def _command(row, options):
    count = _COUNTS.get(row.name)
    extra = f" --{count} {getattr(options, count)}" if count else ""
    return f"python benchmarks/compare_{row.page}.py --rows {row.name}{extra}" + (
        " --quick" if options.quick else ""
    )


def mean_and_error(values):
    """Mean, standard error (NaN for one value)."""
    values = pd.Series(values, dtype=float).dropna()
    return values.mean(), values.sem() if len(values) > 1 else float("nan")
