"""
Follow a tumour in cine MR: one plane or three
==============================================

Frames of an abdomen that breathes, a lesion in the liver, and the question of the study that this
follows: is a coronal plane enough, or do three planes tell better where the lesion will be? A
phantom makes the frames, so that the position is known exactly. The forecast is then shown on the
frames, and at the end a patient is followed live until all planes are lost.
"""

# %%
# The phantom
# -----------
# Four patients, three planes at once, small frames so that this page is quick. Now and then a frame
# is lost, and once in each recording a plane for some seconds. ``acquisition="interleaved"`` would
# take the planes in turn.
import matplotlib.pyplot as plt

from sklearn_medsel.datasets import make_cine_phantom

data = make_cine_phantom(
    4,
    duration=40,
    rate=5,
    size=32,
    pixel_mm=3.4,
    coughs=0,
    breath_holds=0,
    bursts=1,
    random_state=0,
)
X, y = data.X, data.y
X

# %%
# Patient 0 at rest; the lesion is the dark spot in the middle:
figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.8), layout="constrained")
for ax, plane, frame in zip(axes, X.planes, data.rest[0], strict=True):
    ax.imshow(frame, cmap="gray")
    ax.set(title=plane, xticks=[], yticks=[])

# %%
# Coronal, or all planes
# ----------------------
# Two patients to learn from, two that were not seen. In the first 15 s of a recording the position
# is known, so that the forecaster learns what this patient's images mean; afterwards it has nothing
# but the images, and that is where errors are counted. The Transformer is left out to save time.
import numpy as np
import pandas as pd

from sklearn_medsel import TumourPositionForecaster, forecast_errors

warmup, horizon = 15, 0.4
seen = data.groups < 2
labelled = X.with_positions(y)  # predict looks at those of the warm-up, and at no others
fitted, errors = {}, []
for planes in [("coronal",), ("coronal", "sagittal", "axial")]:
    forecaster = TumourPositionForecaster(
        (horizon,),
        planes=planes,
        experts=("persistence", "ridge"),
        warmup=warmup,
        random_state=0,
    )
    forecast = forecaster.fit(X[seen], y[seen]).predict(labelled[~seen])
    fitted[planes] = forecaster
    later = X.t[~seen] >= warmup
    table = forecast_errors(
        y[~seen],
        np.where(later[:, None], forecast, np.nan),
        t=X.t[~seen],
        horizons=horizon,
        patient=data.groups[~seen],
    )
    errors.append(table.assign(planes="all" if len(planes) == 3 else "coronal"))
errors = pd.concat(errors)
errors.set_index(["planes", "patient"])[["rmse", "p95", "max", "within_3mm"]].round(2)

# %%
from sklearn_medsel.inspection import PlaneAblationDisplay, TrajectoryDisplay, animate_cine

_ = PlaneAblationDisplay.from_table(errors)

# %%
# A coronal frame shows motion towards the back only as a change of the picture. Two patients decide
# nothing; for that see :doc:`/benchmarks`. Here is one of the two over time, with all planes:
forecaster = fitted["coronal", "sagittal", "axial"]
patient = labelled[data.groups == 3]
truth = y[data.groups == 3]
forecast, radius = forecaster.predict(patient), forecaster.predict_interval(patient)
options = {"horizons": horizon, "radius": radius, "events": data.events, "patient": 3}
_ = TrajectoryDisplay.from_predictions(
    patient.t, truth, forecast, axis_names=data.axes, start=warmup, **options
)

# %%
# On the frames
# -------------
# The cross is where the lesion is; the dot is where it was said to be, 0.4 s before, in the circle
# of the radius. A plane that was not acquired is dimmed, and says how old it is.
lost = data.events[(data.events["patient"] == 3) & (data.events["kind"] == "plane lost")].iloc[0]
film = animate_cine(
    patient, truth, forecast, start=lost["start"] - 3, stop=lost["start"] + 5, zoom=1.3, **options
)

# %%
# Live
# ----
# The same patient, frame by frame. Positions are given in the warm-up, and at 30 s all planes are
# lost for a second.
session = forecaster.start_session()
seen = []
for row, t in enumerate(patient.t[patient.t < 33]):
    frames = dict(zip(patient.planes, patient.read(row)[0], strict=True))
    acquired = {plane: frames[plane] for plane in np.array(patient.planes)[patient.mask[row]]}
    if 30 <= t < 31:
        acquired = {}
    update = session.update(t, position=truth[row] if t < warmup else None, **acquired)
    seen.append(
        {
            "t": t,
            "status": update.status,
            "reason": update.reason,
            "radius": update.radius[horizon],
            "oldest plane": max(update.plane_age.values()),
            "strangeness": update.out_of_distribution,
        }
    )
seen = pd.DataFrame(seen).set_index("t").round(2)
seen.loc[29.5:31.5]

# %%
# HOLD from the second update on: nothing may rest on these forecasts, although there are some. All
# in all, where DEGRADED includes the warm-up and the seconds without one of the planes:
seen["status"].value_counts()

# %%
# :doc:`/user_guide/forecasting_safety` says what to do then, and :doc:`/user_guide/forecasting` how
# your own frames are read.
