"""The Transformer as ONNX files: a session that is given them needs no torch for it."""

import warnings
from pathlib import Path

import numpy as np
import torch

_NAMES = ("window", "age", "observed", "base")


class _Describe(torch.nn.Module):
    """What the last layer reads, as the forward of a module: exporters know no other method."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, window, age, observed, base=None):
        return self.module.describe(window, age, observed, base)


def export_networks(expert, n_dims, folder):
    """Write each network of an expert to ``transformer_<number>.onnx``; list of paths.

    Parameters
    ----------
    expert : LearnedExpert
    n_dims : int
        Axes of a position; the files are for this number.
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    list of Path

    Raises
    ------
    ImportError
        If the extra ``onnx`` is not installed.
    """
    _need("onnxscript")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    n_tokens = len(expert.ages)
    inputs = [
        torch.zeros(1, n_dims, n_tokens),
        torch.as_tensor(expert.ages[None], dtype=torch.float32),
        torch.ones(1, n_tokens, dtype=torch.bool),
    ]
    if expert.residual:
        inputs.append(torch.zeros(1, n_dims, len(expert.horizons)))
    paths = []
    for number, module in enumerate(expert.modules()):
        path = folder / f"transformer_{number}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
            program = torch.onnx.export(
                _Describe(module).eval(),
                tuple(inputs),
                input_names=_NAMES[: len(inputs)],
                output_names=["hidden", "scale"],
                dynamo=True,
                verbose=False,
            )
        program.save(path)
        paths.append(path)
    return paths


def load_networks(folder):
    """Read what `export_networks` wrote; list of `OnnxNetwork`.

    Raises
    ------
    FileNotFoundError
        If the folder has no such file.
    ImportError
        If the extra ``onnx`` is not installed.
    """
    paths = sorted(Path(folder).glob("transformer_*.onnx"))
    if not paths:
        raise FileNotFoundError(
            "onnx: the folder has no transformer_*.onnx. Write them by export_onnx(folder)."
        )
    return [OnnxNetwork(path) for path in paths]


class OnnxNetwork:
    """One network, run by onnxruntime on one thread; `describe` as that of the module.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path):
        onnxruntime = _need("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def describe(self, window, age, observed, base=None):
        """What the last layer reads, and the scale of its output, as tensors."""
        parts = (window, age, observed, base)
        feed = {
            name: part.numpy() for name, part in zip(_NAMES, parts, strict=True) if part is not None
        }
        hidden, scale = self._session.run(None, feed)
        return torch.from_numpy(hidden), torch.from_numpy(np.asarray(scale))


def _need(module):
    """Import a package of the extra ``onnx``."""
    try:
        return __import__(module)
    except ImportError as error:
        raise ImportError(f'{module} is needed: pip install "sklearn-medsel[onnx]".') from error
