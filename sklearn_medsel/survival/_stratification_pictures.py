"""The pictures of a stratification report: survival of the groups, and the AUC over time."""

import numpy as np


def draw_pictures(stratifier, time_unit):
    """Draw the pictures, each for a light and for a dark page.

    Parameters
    ----------
    stratifier : RiskStratifier
        Fitted.
    time_unit : str
        Unit of the times.

    Returns
    -------
    dict of str to Picture
        ``kaplan_meier``, and ``auc`` where it is defined at any time.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'stratification_report needs matplotlib: pip install "sklearn-medsel[plot]".'
        ) from error
    from sklearn_medsel._pictures import _draw

    plans = [_survival(stratifier, time_unit), _auc(stratifier, time_unit)]
    return {plan["name"]: _draw(**plan) for plan in plans if plan is not None}


def _survival(stratifier, time_unit):
    from sklearn_medsel.inspection import KaplanMeierDisplay

    display = KaplanMeierDisplay(
        stratifier.curves_, logrank=stratifier.logrank_, time_unit=time_unit
    )
    counts = [
        f"{int(curve['at_risk'].iloc[0])} patients at {name}"
        for name, curve in stratifier.curves_.items()
    ]
    return {
        "name": "kaplan_meier",
        "title": "Survival of the risk groups",
        "alt": (
            f"Kaplan-Meier curves of {', '.join(counts)}, with the numbers at risk; log-rank p "
            f"{stratifier.logrank_.pvalue:.2g}."
        ),
        "caption": (
            "Each patient was put into a group by a model and cut points that had not seen that "
            "patient. Shaded: 95 % intervals. Ticks: censored."
        ),
        "plot": lambda ax: display.plot(ax),
        "size": (5.8, 4.3 + 0.2 * len(stratifier.group_names_)),
    }


def _auc(stratifier, time_unit):
    table = stratifier.auc_.dropna(subset="auc")
    if table.empty:
        return None
    worst, best = table["auc"].min(), table["auc"].max()

    def plot(ax):
        spread = table["sd"].fillna(0)
        ax.axhline(0.5, color="C1", linestyle=(0, (4, 2)), linewidth=1)
        ax.fill_between(
            table["time"],
            np.clip(table["auc"] - spread, 0, 1),
            np.clip(table["auc"] + spread, 0, 1),
            color="C0",
            alpha=0.18,
            linewidth=0,
        )
        ax.plot(table["time"], table["auc"], marker="o", markersize=4, color="C0")
        low = min(0.4, float((table["auc"] - spread).min()) - 0.03)
        ax.set_ylim(max(low, 0), 1.0)
        ax.set_xlim(left=0)
        ax.annotate(
            "chance",
            (1.0, 0.5),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),  # beside the axes, where no curve gets
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
        ax.set_xlabel(f"Time ({time_unit})")
        ax.set_ylabel("Time-dependent AUC")
        ax.grid(axis="y")
        ax.set_axisbelow(True)

    return {
        "name": "auc",
        "title": "Discrimination over time",
        "alt": (
            f"Time-dependent AUC of the held-out patients, between {worst:.2f} and {best:.2f}; 0.5 "
            "is chance."
        ),
        "caption": (
            "How often a patient who has had the event by a time was given a higher risk than one "
            "who has not. Mean and standard deviation over the folds."
        ),
        "plot": plot,
        "size": (5.8, 4.3 + 0.2 * len(stratifier.group_names_)),
    }
