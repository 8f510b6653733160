"""What all tests share: one thread, no windows, and real tables where they are at hand."""

import os

# Before the first import of matplotlib: no test opens a window.
os.environ["MPLBACKEND"] = "Agg"

import pytest
import torch
from hypothesis import settings

# Small tensors gain nothing from threads, and rounding depends on their number.
torch.set_num_threads(1)

# The same examples in every run: a test that fails for one change fails for the next as well. To
# look for new counterexamples: pytest --hypothesis-profile=search
settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("seeded")


@pytest.fixture(scope="session")
def omics():
    """Loader of a real table by name, such as ``omics("dma_alon")``.

    The tables lie in ``omics/`` under the folder named by MEDSEL_DATA and are no part of the
    repository; where one is missing, the test is skipped.
    """
    pytest.importorskip("pyarrow", reason="reading the real tables needs pyarrow")
    from sklearn_medsel.datasets import load_medsel_data

    def load(name):
        try:
            return load_medsel_data(name)
        except FileNotFoundError as error:
            pytest.skip(f"real data: {error}")

    return load


@pytest.fixture
def no_open_figures():
    """Fail a test that leaves a matplotlib figure open."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    yield
    left = len(plt.get_fignums())
    plt.close("all")
    assert left == 0, f"{left} figures were left open"


@pytest.fixture(scope="session")
def cine():
    """A forecaster trained on a few frames of two patients, and a third one with known positions.

    It is meant to be quick, not good. Do not fit it again.
    """
    from functools import partial
    from types import SimpleNamespace

    from sklearn_medsel import TumourPositionForecaster
    from sklearn_medsel.datasets import make_cine_phantom
    from sklearn_medsel.forecasting import _forecaster

    data = make_cine_phantom(
        n_patients=3,
        duration=20.0,
        rate=4.0,
        planes=("coronal", "sagittal"),
        size=32,
        pixel_mm=3.5,
        coughs=0.0,
        breath_holds=0.0,
        lost=0.0,
        bursts=0,
        random_state=0,
    )
    seen = data.groups < 2
    forecaster = TumourPositionForecaster(
        horizons=(0.25, 0.5), history=1.0, warmup=8.0, max_epochs=1, random_state=0
    )
    with pytest.MonkeyPatch.context() as patch:
        brief = partial(_forecaster.ImageTracker, max_epochs=1)
        patch.setattr(_forecaster, "ImageTracker", brief)
        forecaster.fit(data.X[seen], data.y[seen])
    X, y = data.X[~seen], data.y[~seen]
    return SimpleNamespace(
        forecaster=forecaster, X=X.with_positions(y), y=y, seen=data.X[seen], y_seen=data.y[seen]
    )
