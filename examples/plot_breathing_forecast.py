"""
Forecast breathing, and say how sure that is
============================================

Where will a tumour be in a quarter of a second, in half a second, in one? Positions of four
patients come from a generator, each is forecast by what was learnt from others, and the errors
stand beside those of the methods that have to be beaten. At the end a patient is followed live, and
the signal is lost.
"""

# %%
# The traces
# ----------
# One row per moment: time, patient, and the measured position in mm. ``y`` holds the exact one, and
# ``events`` what happened. For your own, make a table with these columns.
from sklearn_medsel.datasets import make_breathing

data = make_breathing(4, duration=60, rate=4, coughs=0.7, random_state=3)
data.X.head(3).round(2)

# %%
data.events.round(1).head()

# %%
# Patients that were not trained on
# ---------------------------------
# ``GroupKFold`` leaves patients out: every forecast below comes from a model that has not seen its
# patient before, and has only that patient's past to adapt to. The study that this follows used the
# Transformer alone; the default mixes all three experts. So few patients and epochs are for a quick
# page.
import numpy as np
from sklearn.model_selection import GroupKFold

from sklearn_medsel import TumourPositionForecaster, forecast_errors

horizons = (0.25, 0.5, 1.0)
folds = list(GroupKFold(2).split(data.X, groups=data.groups))


def fit_all(experts):
    """Fit a forecaster on the training patients of each fold."""
    return [
        TumourPositionForecaster(horizons, experts=experts, max_epochs=3, random_state=0).fit(
            data.X.iloc[train]
        )
        for train, _ in folds
    ]


def predict_unseen(fitted, method="predict"):
    """Put the predictions for the patients left out together."""
    parts = [
        getattr(forecaster, method)(data.X.iloc[test])
        for forecaster, (_, test) in zip(fitted, folds, strict=True)
    ]
    return np.concatenate(parts)[np.argsort(np.concatenate([test for _, test in folds]))]


fitted = {
    "ridge": fit_all(["ridge"]),
    "transformer alone": fit_all(["transformer"]),
    "all three": fit_all(["persistence", "ridge", "transformer"]),
}
# Without a forecast, the beam goes where the target is now.
forecasts = {"persistence": np.tile(data.X[["x", "y", "z"]].to_numpy(), len(horizons))}
forecasts |= {name: predict_unseen(models) for name, models in fitted.items()}
radius = predict_unseen(fitted["all three"], "predict_interval")

# %%
# How far off
# -----------
# :func:`~sklearn_medsel.forecasting.forecast_errors` holds each forecast against the position at
# its own time plus the horizon: per patient, over all, and for the worst patient.
import pandas as pd

truth = {"t": data.X["t"], "horizons": horizons, "patient": data.groups}
errors = {
    name: forecast_errors(data.y, forecast, radius=radius if name == "all three" else None, **truth)
    for name, forecast in forecasts.items()
}
table = pd.concat(errors, names=["method"]).reset_index(0)
table[table["patient"].isin(["all", "worst"])].pivot(
    index="method", columns=["patient", "horizon"], values="rmse"
).loc[list(errors)].round(2)

# %%
# RMSE in mm. Nearly all that is gained over persistence is gained by the ridge, which becomes the
# patient's own while it follows. What the Transformer adds to it is what the last two lines differ
# by; read little into that on four patients. :doc:`/benchmarks` has real traces, longer and more of
# them.
#
# The bars run from the best patient to the worst:
import matplotlib.pyplot as plt

from sklearn_medsel.inspection import HorizonErrorDisplay, TrajectoryDisplay

_, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
_ = HorizonErrorDisplay.from_errors(errors, ax=ax)

# %%
# One patient over time
# ---------------------
# Each forecast is drawn at the time that it is for; the band is the radius. A sigh and a cough
# cannot be foreseen. The truth leaves the band there, and the radius is wider afterwards.
patient = int(data.events.loc[data.events["kind"] == "cough", "patient"].iloc[0])
rows = data.groups == patient
display = TrajectoryDisplay.from_predictions(
    data.X["t"][rows],
    data.y[rows],
    forecasts["all three"][rows],
    horizons=horizons,
    horizon=0.5,
    radius=radius[rows],
    events=data.events,
    axis_names=data.axes,
    patient=patient,
)

# %%
# Is the radius kept?
# -------------------
# Nine truths in ten should lie inside. The radius is the patient's own: it grows with the errors
# that were made, and shrinks again.
table = errors["all three"]
table[table["patient"] != "worst"].pivot(
    index="patient", columns="horizon", values=["coverage", "radius"]
).round(2)

# %%
# On average over a recording, that is: the ones outside come together, when the breath is
# irregular.
#
# Live, and the signal is lost
# ----------------------------
# A session takes one position after the other and gives what ``predict`` gives. Here nothing comes
# for a second and a half.
train, test = folds[0]
forecaster = fitted["ridge"][0]
stream = data.X.iloc[test][data.groups[test] == data.groups[test][0]]
session = forecaster.start_session()
seen = []
for row in stream[stream["t"] < 32].itertuples():
    lost = 30 <= row.t < 31.5
    update = session.update(row.t, position=None if lost else [row.x, row.y, row.z])
    seen.append(
        {
            "t": update.t,
            "status": update.status,
            "reason": update.reason,
            "radius at 0.5 s": update.radius[0.5],
        }
    )
seen = pd.DataFrame(seen).set_index("t").round(1)
seen.loc[29.5:]

# %%
# After one missing position the forecast is carried on with a larger radius, after two nothing may
# rest on it. The first seconds are not to be trusted either, since the patient is not known yet:
seen["status"].value_counts()

# %%
# What a session has learnt can be kept, and gone on with in another process:
snapshot = session.snapshot()
again = forecaster.start_session().restore(snapshot)
position = stream.loc[stream["t"] == 32, ["x", "y", "z"]].to_numpy()[0]
one, other = (s.update(32.0, position=position) for s in (session, again))
bool((one.position[0.5] == other.position[0.5]).all())

# %%
# :doc:`/user_guide/forecasting_safety` says what the status means, and what has to be checked
# before anything may rest on a forecast.
