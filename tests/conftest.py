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
