"""Tables of the forecasting comparison, from one row per method, recording and horizon."""

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

_SHOWN = {
    "p95": "95th percentile",
    "within_2mm": "within 2 mm",
    "within_3mm": "within 3 mm",
    "within_5mm": "within 5 mm",
}


def overview(frame, skipped):
    """RMSE by horizon, and cost, of each method; why some were not run.

    Parameters
    ----------
    frame : DataFrame
        Columns method, group, track, horizon (text), rmse, fit_s, ms and looks_ahead_mm.
    skipped : dict of str to str
        Methods without measurements, and the reason.

    Returns
    -------
    DataFrame
    """
    rows = []
    for method, part in _by(frame, "method"):
        entry = {"method": method, "runs": part["track"].nunique()}
        for horizon, at in _by(part, "horizon"):
            entry |= {f"{horizon}": at["rmse"].mean(), f"{horizon}_sd": at["rmse"].std()}
        entry["fit, CPU-s"] = part.groupby("group")["fit_s"].first().mean()
        entry["forecast, CPU-ms"] = part.groupby("track")["ms"].first().mean()
        entry["looks ahead"] = round(part["looks_ahead_mm"].max(), 3)
        rows.append(entry)
    rows += [
        {"method": method, "not run": reason or "not measured yet"}
        for method, reason in skipped.items()
    ]
    return pd.DataFrame(rows)


def at_horizon(frame):
    """All measures of each method at one horizon, mean over recordings.

    Parameters
    ----------
    frame : DataFrame
        Rows of one horizon; columns method, track, and those of `forecast_errors`.

    Returns
    -------
    DataFrame
        ``max`` and the worst RMSE are the largest over recordings, coverage counts all forecasts.
    """
    rows = []
    for method, part in _by(frame, "method"):
        entry = {"method": method, "runs": part["track"].nunique()}
        entry |= {"RMSE": part["rmse"].mean(), "RMSE_sd": part["rmse"].std()}
        entry["worst RMSE"] = part["rmse"].max()
        entry |= {column: part[key].mean() for key, column in _SHOWN.items()}
        entry["max"] = part["max"].max()
        if part["coverage"].notna().any():
            entry["coverage"] = np.average(part["coverage"], weights=part["n"])
            entry["lowest coverage"] = part["coverage"].min()
            entry["radius"] = part["radius"].mean()
        rows.append(entry)
    return pd.DataFrame(rows)


def against(frame):
    """Each of ours beside the best peer, and the worst ratios to persistence and ridge.

    Parameters
    ----------
    frame : DataFrame
        Columns method, group, track, horizon and rmse.

    Returns
    -------
    DataFrame
        One row per method of ours and horizon.
    """
    methods = list(frame["method"].unique())
    peers = [method for method in methods if not method.startswith("ours")]
    references = {"persistence": ["persistence"], "own ridge": ["ours, ridge alone"]}
    references["best ridge peer"] = [method for method in peers if "ridge" in method]
    rows = []
    for method in (one for one in methods if one not in peers):
        for horizon, at in _by(frame, "horizon"):
            tracks = at.pivot(index="track", columns="method", values="rmse")
            groups = at.groupby(["group", "method"])["rmse"].mean().unstack()
            entry = {"method": method, "horizon": horizon, "RMSE": tracks[method].mean()}
            if peers:
                entry |= _paired(tracks, method, tracks[peers].mean().idxmin())
            for name, columns in references.items():
                known = [column for column in columns if column in groups]
                if known:
                    ratio = groups[method] / groups[known].min(axis=1)
                    entry[f"worst ratio to {name}"] = ratio.max()
            rows.append(entry)
    return pd.DataFrame(rows)


def _paired(tracks, method, best):
    """One method beside another on the recordings that both have."""
    both = tracks[[method, best]].dropna()
    ours, peer = both[method], both[best]
    entry = {"best peer": best, "its RMSE": peer.mean(), "ratio": ours.mean() / peer.mean()}
    entry["better in"] = f"{int((ours < peer).sum())} of {len(both)}"
    if len(both) > 1:
        entry["p"] = wilcoxon(ours, peer).pvalue
    return entry


def _by(frame, column):
    """Parts of a table, in the order of first appearance."""
    return frame.groupby(column, sort=False)
