"""The transformer exported to ONNX: the same forecasts, and clear errors."""

import numpy as np
import pytest

from sklearn_medsel import TumourPositionForecaster
from sklearn_medsel.datasets import make_breathing

pytest.importorskip("onnxscript", reason="export needs the extra 'onnx'")
pytest.importorskip("onnxruntime", reason="export needs the extra 'onnx'")


def test_session_with_exported_networks_forecasts_the_same(tmp_path):
    breathing = make_breathing(n_patients=2, duration=30, rate=5, random_state=0)
    forecaster = TumourPositionForecaster(
        horizons=(0.4, 1.0), experts=("ridge", "transformer"), max_epochs=1, random_state=0
    ).fit(breathing.X)
    paths = forecaster.export_onnx(tmp_path / "networks")
    assert [path.suffix for path in paths] == [".onnx"] * len(paths)
    ours = forecaster.start_session()
    theirs = forecaster.start_session(onnx=tmp_path / "networks")
    for row in range(60):
        a, b = (s.update(0.2 * row, position=breathing.y[row]) for s in (ours, theirs))
        for horizon in forecaster.horizons:
            np.testing.assert_allclose(a.position[horizon], b.position[horizon], atol=1e-4)
    with pytest.raises(FileNotFoundError, match="export_onnx"):
        forecaster.start_session(onnx=tmp_path)


def test_without_a_transformer_there_is_nothing_to_export(tmp_path):
    breathing = make_breathing(n_patients=2, duration=30, rate=5, random_state=0)
    forecaster = TumourPositionForecaster(horizons=(0.4,), experts=("ridge",), random_state=0)
    with pytest.raises(ValueError, match="transformer"):
        forecaster.fit(breathing.X).export_onnx(tmp_path)
