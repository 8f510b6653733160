"""The networks of the forecasting comparison: an LSTM, and the authors' Non-stationary Transformer.

Both learn from single objects of the other groups and forecast one object at a time. The first 85 %
of every track train, the rest says when to stop. With ``tune=True`` the net takes some more steps
on the patient's own first minute.

The authors' code is imported, not copied: MEDSEL_NONSTATIONARY names a clone of
https://github.com/thuml/Nonstationary_Transformers (MIT). Without it that row is left out.
"""

import copy
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from benchmarks._forecast_windows import n_known, spread

LENGTH = 24  # steps of history
_OFFICIAL = "MEDSEL_NONSTATIONARY"


class LSTM:
    """Two layers of 64 on positions relative to the last one and on velocities.

    Parameters
    ----------
    tune : bool
        Whether to go on training on the patient's own first minute.
    epochs : int
        Most passes over the training windows.
    random_state : int
    """

    lr = 2e-3

    def __init__(self, *, tune=False, epochs=30, random_state=0):
        self.tune, self.epochs, self.random_state = tune, epochs, random_state

    def fit(self, train, steps):
        """Train on the other groups."""
        self.steps = steps
        parts = [_split(track, single, steps) for track in train for single in track.singles()]
        X, Y, X_check, Y_check = (torch.cat(part) for part in zip(*parts, strict=True))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net = self.build(X.shape[2], steps)
            _train(self.net, X, Y, X_check, Y_check, self.epochs, self.lr)
        return self

    def build(self, n_dims, steps):
        """An untrained net."""
        return _RelativeLSTM(n_dims, len(steps))

    def forecast(self, track):
        """The forecasts of all objects."""
        n_own, singles = n_known(track, self.steps), track.singles()
        # Every object in its own units, as in training.
        places = [_standardise(single.joint, n_own) for single in singles]
        net = self.net
        if self.tune:
            own = [_windows(scaled[:n_own], self.steps) for scaled, _, _ in places]
            net = _fine_tuned(net, *(torch.cat(part) for part in zip(*own, strict=True)))
        forecasts = []
        for scaled, centre, scale in places:
            found = np.full((len(scaled), len(self.steps), track.n_dims), np.nan)
            found[LENGTH - 1 :] = _predict(net, _histories(scaled)) * scale + centre
            forecasts.append(found)
        forecasts = np.concatenate(forecasts, axis=2)
        forecasts[: n_own - 1] = np.nan
        return forecasts

    def latest(self, scaled):
        """The forecast of the last row alone, in the units of its history."""
        return _predict(self.net, _histories(scaled[-LENGTH:]))[0]


class OfficialTransformer(LSTM):
    """The authors' code, small: 2 + 1 layers of width 32, 4 heads, projectors of 2 x 32.

    Its window statistics and projectors see coordinates that are centred on the patient's first
    minute, in units of its spread. The larger default (width 512) has more weights than the tracks
    have numbers.
    """

    lr = 1e-3

    def build(self, n_dims, steps):
        """An untrained net."""
        return _Official(n_dims, steps)


def official_reason():
    """Why the authors' code cannot be run, or None."""
    folder = os.environ.get(_OFFICIAL)
    if not folder:
        return f"{_OFFICIAL} is not set: no clone of thuml/Nonstationary_Transformers to import"
    if not (Path(folder) / "ns_models" / "ns_Transformer.py").exists():
        return f"{_OFFICIAL} names a folder without ns_models/ns_Transformer.py"
    return None


class _RelativeLSTM(torch.nn.Module):
    def __init__(self, n_dims, n_horizons):
        super().__init__()
        self.shape = (-1, n_horizons, n_dims)
        self.recurrent = torch.nn.LSTM(2 * n_dims, 64, 2, batch_first=True)
        self.out = torch.nn.Linear(64, n_horizons * n_dims)

    def forward(self, x):
        """Last position and a displacement."""
        last = x[:, -1:]
        # Per step, a velocity is about a fifth of a displacement.
        velocity = 5 * torch.diff(x, dim=1, prepend=x[:, :1])
        hidden = self.recurrent(torch.cat([x - last, velocity], dim=-1))[0][:, -1]
        return last + self.out(hidden).view(self.shape)


class _Official(torch.nn.Module):
    def __init__(self, n_dims, steps):
        super().__init__()
        reason = official_reason()
        if reason:
            raise RuntimeError(reason)
        folder = os.environ[_OFFICIAL]
        if folder not in sys.path:
            sys.path.insert(0, folder)
        from ns_models.ns_Transformer import Model

        self.places, self.ahead, self.label = [step - 1 for step in steps], max(steps), LENGTH // 2
        shape = {"seq_len": LENGTH, "label_len": self.label, "pred_len": self.ahead}
        width = {"d_model": 32, "d_ff": 64, "n_heads": 4, "e_layers": 2, "d_layers": 1}
        shared = {"dropout": 0.05, "factor": 1, "activation": "gelu", "output_attention": False}
        columns = dict.fromkeys(("enc_in", "dec_in", "c_out"), n_dims)
        projectors = {"p_hidden_dims": [32, 32], "p_hidden_layers": 2}
        settings = shape | width | shared | columns | projectors
        self.model = Model(SimpleNamespace(embed="timeF", freq="h", **settings))

    def forward(self, x):
        """The horizons out of all steps ahead; there is no calendar to embed."""
        n_decoded = self.label + self.ahead
        blank = torch.zeros(len(x), self.ahead, x.shape[2])
        decoded = torch.cat([x[:, -self.label :], blank], dim=1)
        marks = [torch.zeros(len(x), length, 4) for length in (LENGTH, n_decoded)]
        return self.model(x, marks[0], decoded, marks[1])[:, self.places]


def _standardise(positions, n_own):
    """Centre and scale by the first steps; also give both."""
    centre, scale = positions[:n_own].mean(axis=0), spread(positions, n_own)
    return (positions - centre) / scale, centre, scale


def _histories(scaled):
    """The last `LENGTH` positions of each row that has them."""
    view = np.lib.stride_tricks.sliding_window_view(scaled, LENGTH, axis=0)
    return torch.tensor(view.swapaxes(1, 2), dtype=torch.float32)


def _windows(scaled, steps):
    """Histories, and positions at the horizons."""
    origin = np.arange(LENGTH - 1, len(scaled) - max(steps))
    targets = scaled[origin[:, None] + np.array(steps)]
    return _histories(scaled)[: len(origin)], torch.tensor(targets, dtype=torch.float32)


def _split(track, single, steps):
    """Every other window of the first 85 % of a track, every sixth of the rest."""
    scaled = _standardise(single.joint, track.n_first)[0]
    cut = int(0.85 * len(scaled))
    X, Y = _windows(scaled[:cut], steps)
    X_check, Y_check = _windows(scaled[cut:], steps)
    return X[::2], Y[::2], X_check[::6], Y_check[::6]


def _train(net, X, Y, X_check, Y_check, epochs, lr, patience=5, batch=64):
    """Adam on the mean squared error; the epoch with the smallest one on the checks is kept."""
    optimiser, best, waited = torch.optim.Adam(net.parameters(), lr=lr), None, 0
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(len(X)).split(batch):
            _step(net, optimiser, X[rows], Y[rows])
        error = float(np.mean((_predict(net, X_check) - Y_check.numpy()) ** 2))
        if best is None or error < best[0]:
            best, waited = (error, copy.deepcopy(net.state_dict())), 0
        else:
            waited += 1
        if waited == patience:
            break
    net.load_state_dict(best[1])


def _fine_tuned(net, X, Y, n_steps=40, batch=64):
    """A copy of the net after some steps on a patient's own windows."""
    net, generator = copy.deepcopy(net).train(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # dropout of the authors' code
        for _ in range(n_steps):
            rows = torch.randint(len(X), (batch,), generator=generator)
            _step(net, optimiser, X[rows], Y[rows])
    return net


def _step(net, optimiser, X, Y):
    optimiser.zero_grad()
    torch.nn.functional.mse_loss(net(X), Y).backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()


def _predict(net, X):
    net.eval()
    with torch.inference_mode():
        return torch.cat([net(part) for part in X.split(512)]).double().numpy()
