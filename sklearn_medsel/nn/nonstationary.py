"""A Non-stationary Transformer that forecasts where a breathing target moves, a few times a second.

After Liu, Wu, Wang and Long, "Non-stationary Transformers: Exploring the Stationarity in Time
Series Forecasting", NeurIPS 2022 (arXiv:2205.14415): a window is brought to mean 0 and scale 1, and
attention gets back what that took away, as tau and delta. Written from the paper's equations. Ours:
windows are relative to their last value, so that the forecast moves with the patient exactly; one
axis at a time with shared weights; tokens and queries carry a time in seconds, so that any rate and
gaps will do; and the output may be a correction of another forecast.
"""

import math

import torch
from torch import nn
from torch.nn.functional import gelu, relu

from .layers import SeededDropout

_ABSENT = -1e4  # as a logit: no attention to a missing step, and no NaN where all are missing
_FLOOR = 0.01  # mm: the smallest scale, for a target that does not move
_PERIODS = (0.5, 32.0)  # s: shortest and longest of the time encoding
_LARGEST_LOG_TAU = 3.0  # a window unlike all in training must not make exp overflow
_N_SERIES = 3  # numbers a token has besides its age
_N_QUERY = 2  # numbers a query has besides its horizon


class MotionWindows:
    """Inputs of a `NonstationaryTransformer` for n windows; an index takes out a batch.

    Serves as the ``X`` of `Rows`, whose batches are then keyword arguments of the network. The L
    steps run from the oldest to the newest.

    Parameters
    ----------
    window : Tensor of shape (n, n_axes, L)
        Positions minus the newest position in mm. Take the difference in float64: then the
        forecast does not depend on where the origin is. Missing steps may hold anything.
    age : Tensor of shape (n, L)
        Time before now in s, not negative.
    observed : bool Tensor of shape (n, L)
        False where a step is missing.
    base : Tensor of shape (n, n_axes, n_horizons), default=None
        Displacement from now in mm that another method forecasts.
    """

    def __init__(self, window, age, observed, base=None):
        self.window, self.age, self.observed, self.base = window, age, observed, base

    def __len__(self):
        """Return the number of windows."""
        return len(self.window)

    def __getitem__(self, rows):
        """Return what the network takes for some windows, by name."""
        parts = {"window": self.window, "age": self.age, "observed": self.observed}
        if self.base is not None:
            parts["base"] = self.base
        return {name: part[rows] for name, part in parts.items()}


class NonstationaryTransformer(nn.Module):
    """From the motion of the last seconds to the displacement at each horizon.

    Parameters
    ----------
    horizons : sequence of float
        How far ahead each forecast is, in s.
    residual : bool, default=True
        Whether the output corrects a forecast that comes with the input; it is then zero at first.
        Without, the network forecasts alone, as in the paper.
    d_model : int, default=16
        Length of the hidden vectors, a multiple of `n_heads`.
    n_heads : int, default=2
        Number of attention heads.
    n_layers : int, default=1
        Number of encoder layers.
    d_ff : int, default=32
        Width of the feed-forward layers.
    d_hidden : int, default=16
        Width of the two networks that give tau and delta.
    dropout : float, default=0.1
        Dropout rate of what each layer adds.
    token_dropout : float, default=0.0
        Share of the steps that are hidden while training.
    seed : int, default=0
        Seed of the dropout.

    Examples
    --------
    >>> import torch
    >>> from sklearn_medsel.nn.nonstationary import MotionWindows, NonstationaryTransformer
    >>> age = torch.arange(11.0, -1.0, -1.0).repeat(5, 1) * 0.2
    >>> window = torch.randn(5, 3, 12).cumsum(-1)
    >>> X = MotionWindows(window - window[..., -1:], age, age < 2.0, torch.zeros(5, 3, 2))
    >>> NonstationaryTransformer((0.25, 0.5))(**X[:2]).shape
    torch.Size([2, 3, 2])
    """

    def __init__(
        self,
        horizons,
        *,
        residual=True,
        d_model=16,
        n_heads=2,
        n_layers=1,
        d_ff=32,
        d_hidden=16,
        dropout=0.1,
        token_dropout=0.0,
        seed=0,
    ):
        super().__init__()
        self.residual = residual
        self.time = TimeEncoding()
        self.factors = DestationaryFactors(self.time.n_features, d_hidden)
        self.enter_token = nn.Linear(_N_SERIES + self.time.n_features, d_model)
        self.enter_query = nn.Linear(_N_QUERY + self.time.n_features, d_model)
        self.hide = SeededDropout(token_dropout, seed)
        self.dropout = SeededDropout(dropout, seed + 1)
        self.encoder = nn.ModuleList(_Block(d_model, n_heads, d_ff) for _ in range(n_layers))
        self.encoded = nn.LayerNorm(d_model)
        self.decoder = _Block(d_model, n_heads, d_ff)
        self.decoded = nn.LayerNorm(d_model)
        self.leave = nn.Linear(d_model, 1)
        if residual:
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(self.leave.bias)
        horizons = torch.as_tensor(horizons, dtype=torch.get_default_dtype())
        self.register_buffer("horizon_time", self.time(-horizons), persistent=False)

    def forward(self, window, age, observed, base=None):
        """Forecast the displacement from now; see `MotionWindows` for the inputs.

        Returns
        -------
        Tensor of shape (n, n_axes, n_horizons)
            In mm.
        """
        hidden, scale = self.describe(window, age, observed, base)
        # mean and scale are put back onto the newest value, -mean / scale, plus the output:
        # mean + scale * (-mean / scale + output), which the mean cancels from
        moved = scale * self.leave(hidden).squeeze(-1)
        return moved if base is None else base + moved

    def describe(self, window, age, observed, base=None):
        """Give what the last layer reads, and the scale of its output.

        Returns
        -------
        hidden : Tensor of shape (n, n_axes, n_horizons, d_model)
        scale : Tensor of shape (n, 1, 1)
            In mm.
        """
        if self.residual == (base is None):
            raise ValueError(
                "base must be given to a network with residual=True and to no other; "
                f"found residual={self.residual} and base {'missing' if base is None else 'given'}."
            )
        observed = self.hide(observed.to(window.dtype)) > 0
        window = window.masked_fill(~observed[:, None], 0.0)
        age = age.masked_fill(~observed, 0.0)
        series, mean, scale = stationarise(window, observed)
        age_time = self.time(age)
        tau, delta = self.factors(window / scale, mean / scale, scale, age_time, observed)
        bias = delta.masked_fill(~observed[:, None], _ABSENT).flatten(0, 1)[:, None, None]
        tau = tau.flatten(0, 1)[..., None]

        tokens = self._tokens(series, window / scale, age, age_time, observed)
        for block in self.encoder:
            tokens = block(tokens, None, tau, bias, self.dropout)
        # no self-attention among the queries: a horizon's forecast does not depend on the others
        queries = self._queries(-mean / scale, base if base is None else base / scale)
        queries = self.decoder(queries, self.encoded(tokens), tau, bias, self.dropout)
        return self.decoded(queries).unflatten(0, window.shape[:2]), scale

    def _tokens(self, series, relative, age, age_time, observed):
        """Series, position relative to now and speed of each axis with their age: (n * a, L, d)."""
        both = (observed[:, 1:] & observed[:, :-1])[:, None]
        lapse = (age[:, :-1] - age[:, 1:])[:, None].masked_fill(~both, 1.0)
        speed = (relative[..., 1:] - relative[..., :-1]).masked_fill(~both, 0.0) / lapse
        speed = nn.functional.pad(speed, (1, 0))
        numbers = torch.stack([series, relative, speed], -1)
        times = age_time[:, None].expand(-1, series.shape[1], -1, -1)
        return self.enter_token(torch.cat([numbers, times], -1).flatten(0, 1))

    def _queries(self, newest, base):
        """Newest value and base forecast of each axis with the horizon: (n * a, n_horizons, d)."""
        times = self.horizon_time.expand(*newest.shape[:2], -1, -1)
        newest = newest.expand(*times.shape[:3])
        base = torch.zeros_like(newest) if base is None else base
        numbers = torch.stack([newest, base], -1)
        return self.enter_query(torch.cat([numbers, times], -1).flatten(0, 1))


class DestationaryFactors(nn.Module):
    """What stationarisation took away, as tau and delta of the attention of all layers.

    The paper's log tau = MLP(sigma, x) and delta = MLP(mu, x). To suit any rate, x comes in as sums
    over the steps, weighted by waves of their age, and delta goes out as such waves.

    Parameters
    ----------
    n_times : int
        Length of a time encoding.
    d_hidden : int
        Width of both networks.
    """

    def __init__(self, n_times, d_hidden):
        super().__init__()
        self.log_tau = nn.ModuleList(
            [nn.Linear(n_times + 1, d_hidden), nn.Linear(d_hidden, 1, bias=False)]
        )
        self.waves = nn.ModuleList(
            [nn.Linear(n_times + 2, d_hidden), nn.Linear(d_hidden, n_times, bias=False)]
        )
        for _, last in (self.log_tau, self.waves):
            nn.init.zeros_(last.weight)  # ordinary attention at first

    def forward(self, relative, mean, scale, age_time, observed):
        """Give tau and delta.

        Parameters
        ----------
        relative : Tensor of shape (n, n_axes, L)
            Window relative to its last value, over its scale; 0 where a step is missing.
        mean : Tensor of shape (n, n_axes, 1)
            Its mean.
        scale : Tensor of shape (n, 1, 1)
            Its scale in mm.
        age_time : Tensor of shape (n, L, n_times)
            Encoded age of the steps.
        observed : bool Tensor of shape (n, L)
            False where a step is missing.

        Returns
        -------
        tau : Tensor of shape (n, n_axes, 1)
            Positive.
        delta : Tensor of shape (n, n_axes, L)
        """
        count = observed.sum(-1).clamp_min(1)[:, None, None]
        size = scale.log().expand_as(mean)
        raw = torch.cat([relative @ age_time / count, size], -1)  # a series and its unit
        log_tau = self.log_tau[1](relu(self.log_tau[0](raw)))
        tau = log_tau.clamp(-_LARGEST_LOG_TAU, _LARGEST_LOG_TAU).exp()
        waves = self.waves[1](relu(self.waves[0](torch.cat([mean, raw], -1))))
        return tau, waves @ age_time.transpose(1, 2)


class DestationaryAttention(nn.Module):
    """Several heads of softmax((tau Q K' + 1 delta') / sqrt(d)) V.

    Parameters
    ----------
    d_model : int
        Length of the vectors.
    n_heads : int
        Number of heads.
    """

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(d_model, d_model)
        self.key_value = nn.Linear(d_model, 2 * d_model)
        self.leave = nn.Linear(d_model, d_model)

    def forward(self, queries, tokens, tau, delta):
        """Let ``queries`` (n, n_queries, d_model) take in ``tokens`` (n, L, d_model).

        Parameters
        ----------
        queries, tokens : Tensor
            As above.
        tau : Tensor of shape (n, 1, 1)
            Factor of the logits.
        delta : Tensor of shape (n, 1, 1, L)
            Summand of the logits.
        """
        query = self._heads(self.query(queries) * tau)
        key, value = map(self._heads, self.key_value(tokens).chunk(2, -1))
        # written out: torch's fused attention is no faster at this size and does not export
        logits = (query @ key.transpose(2, 3) + delta) / math.sqrt(query.shape[-1])
        taken = logits.softmax(-1) @ value
        return self.leave(taken.transpose(1, 2).flatten(2))

    def _heads(self, vectors):
        """Cut vectors (n, L, d_model) into heads (n, n_heads, L, d)."""
        return vectors.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


class TimeEncoding(nn.Module):
    """Sines and cosines of a time in seconds, their periods evenly spaced on a log scale.

    Parameters
    ----------
    n_periods : int, default=7
        Number of periods, from 0.5 to 32 s.
    """

    def __init__(self, n_periods=7):
        super().__init__()
        self.n_features = 2 * n_periods
        shortest, longest = map(math.log, _PERIODS)
        periods = torch.linspace(shortest, longest, n_periods).exp()
        self.register_buffer("rates", 2 * math.pi / periods, persistent=False)

    def forward(self, seconds):
        """Encode times of any shape: (..., n_features)."""
        angles = seconds[..., None] * self.rates
        return torch.cat([angles.sin(), angles.cos()], -1)


class _Block(nn.Module):
    """Attention and a feed-forward layer, each added to what came in."""

    def __init__(self, d_model, n_heads, d_ff):
        super().__init__()
        self.before_attention = nn.LayerNorm(d_model)
        self.attention = DestationaryAttention(d_model, n_heads)
        self.before_feed = nn.LayerNorm(d_model)
        self.widen = nn.Linear(d_model, d_ff)
        self.narrow = nn.Linear(d_ff, d_model)

    def forward(self, vectors, context, tau, delta, dropout):
        """Let vectors take in a context, or each other where that is None."""
        queries = self.before_attention(vectors)
        tokens = queries if context is None else context
        vectors = vectors + dropout(self.attention(queries, tokens, tau, delta))
        return vectors + dropout(self.narrow(gelu(self.widen(self.before_feed(vectors)))))


def stationarise(window, observed):
    """Bring each window to mean 0 on every axis and to scale 1 over all of them.

    One scale for all axes, so that a small motion across is not taken for a large one.

    Parameters
    ----------
    window : Tensor of shape (n, n_axes, L)
        Positions in mm; 0 where a step is missing.
    observed : bool Tensor of shape (n, L)
        False where a step is missing.

    Returns
    -------
    series : Tensor of shape (n, n_axes, L)
        The stationary window; 0 where a step is missing.
    mean : Tensor of shape (n, n_axes, 1)
        Mean of the steps that are there, in mm.
    scale : Tensor of shape (n, 1, 1)
        Their standard deviation in mm, the root of its mean square over the axes.
    """
    observed = observed[:, None]
    count = observed.sum(-1, keepdim=True).clamp_min(1)
    mean = window.sum(-1, keepdim=True) / count
    centred = (window - mean).masked_fill(~observed, 0.0)
    variance = centred.square().mean(1, keepdim=True).sum(-1, keepdim=True) / count
    scale = (variance + _FLOOR**2).sqrt()
    return centred / scale, mean, scale
