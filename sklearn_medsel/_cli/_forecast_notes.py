"""The last sections of the page of ``forecast``: safety, notes and settings."""

from sklearn_medsel._cli._forecast_folds import OURS
from sklearn_medsel._cli._settings_section import notes_and_settings
from sklearn_medsel._html import section, tag

SAFETY = (
    "This page is for research. It is not a medical device: no beam may be steered, held or "
    "released by these forecasts."
)


def safety_section(results):
    """Say what the numbers do not show, and that this is no medical device."""
    settings = results.settings
    worst = (
        results.errors[
            (results.errors["method"] == OURS)
            & ~results.errors["patient"].isin(["all", "worst"])
            & results.errors["coverage"].notna()
        ]
        .sort_values("coverage")
        .iloc[0]
    )
    said = [
        f"The radius is to hold the truth {settings.coverage:.0%} of the time. The least for one "
        f"patient was {worst['coverage']:.0%} ({worst['patient']}, {worst['horizon']:g} s ahead). "
        "Coughs and breath-holds are where it fails: look at the largest errors, not at means.",
        "Errors are those on recordings. The time that a scanner, a network and a beam need is not "
        "in them: choose the horizon that covers it, and measure it on the machine.",
        "Other patients, machines and body regions than those of the data may have larger errors.",
        "Where frames are lost for long, a session says HOLD. Whoever watches it must see that "
        "status, the radius and the age of each plane, beside the forecast.",
    ]
    return section(
        "safety",
        "Safety",
        tag("p", tag("strong", SAFETY)),
        tag("ul", [tag("li", words) for words in said]),
    )


def settings_section(results):
    """List notes, settings, data and versions."""
    settings, motion = results.settings, results.motion
    listed = [
        ("data", ", ".join(settings.names)),
        ("SHA-256 of the data", results.digest),
        ("coordinates", ", ".join(motion.axes)),
        ("planes", ", ".join(motion.planes)),
        ("left out together", settings.groups or "patient"),
        ("folds", int(results.fold.max())),
        ("horizons", ", ".join(f"{horizon:g} s" for horizon in settings.horizons)),
        ("history", f"{settings.history:g} s"),
        ("warm-up", f"{settings.warmup:g} s" if motion.planes else ""),
        ("coverage", f"{settings.coverage:g}"),
        ("seed", settings.seed),
        ("seconds of one fit", _seconds(results)),
    ]
    return notes_and_settings(results, motion.remarks, listed)


def _seconds(results):
    return ", ".join(
        f"{'+'.join(name) if isinstance(name, tuple) else name} {value:.1f}"
        for name, value in results.seconds.items()
    )
