"""The breaths of `make_breathing`: their lengths, depths and shapes, and the curve through them."""

import numpy as np

_SIGHS = 0.05  # per breath, at irregularity 1
_REGIMES = 0.08  # changes of depth and period per breath, at irregularity 1
_EPISODES = 0.03  # starts of irregular breathing per breath, at irregularity 1


def breathing_cycles(rng, start, stop, *, period, irregularity, breath_holds):
    """Draw breaths that cover start to stop (s); with their events (start, stop, kind).

    Lengths are in s and levels in units of the patient's mean depth. Breath k leaves exhale
    level k at its start, peaks, and arrives at exhale level k + 1.
    """
    period = period * np.exp(0.22 * rng.standard_normal())
    irregularity = irregularity * np.exp(0.4 * rng.standard_normal())
    shape = dict(
        power=np.clip(1.6 * np.exp(0.4 * rng.standard_normal()), 0.6, 3.5),
        peak=np.clip(0.46 + 0.05 * rng.standard_normal(), 0.35, 0.6),
    )
    memory = rng.uniform(0.0, 0.8, 2)
    spread = irregularity * np.array([0.42, 0.5]) * np.exp(0.25 * rng.standard_normal(2))

    rows, events = [], []
    now = start - period * rng.random()
    state, regime, exhale = np.zeros(2), np.zeros(2), 0.0
    episode, recovery = 0, 1.0
    while now < stop:
        if rng.random() < _REGIMES * irregularity:
            regime = rng.standard_normal(2) * np.array([0.5, 1.0]) * irregularity
        if episode == 0 and rng.random() < _EPISODES * irregularity:
            episode = int(rng.integers(3, 7))
            events.append([now, now, "irregular"])
        wild = 2.2 if episode else 1.0
        fresh = rng.standard_normal(2) * np.sqrt(1 - memory**2)
        state = memory * state + fresh * spread
        log_period, log_depth = regime + wild * state
        length = period * np.exp(np.clip(log_period, -0.9, 0.9))
        depth = recovery * np.exp(np.clip(log_depth, -1.6, 0.8))
        recovery = 1.0
        hold_peak = hold_exhale = 0.0
        if rng.random() < _SIGHS * irregularity:
            depth, length = depth * rng.uniform(1.5, 2.1), length * rng.uniform(1.2, 1.5)
            events.append([now, now + length, "sigh"])
        elif rng.random() < 1 - np.exp(-breath_holds * length / 60):
            hold = rng.uniform(4.0, 12.0)
            if rng.random() < 0.3:
                hold_peak, depth = hold, depth * rng.uniform(1.0, 1.4)
                begin = now + length * shape["peak"]
            else:
                hold_exhale, begin = hold, now + length
            events.append([begin, begin + hold, "breath-hold"])
            recovery = rng.uniform(1.1, 1.5)
        # Deep breaths are less pointed than shallow ones; exhale is the steadier end.
        power = shape["power"] * np.exp(0.3 * irregularity * rng.standard_normal())
        peak = shape["peak"] + 0.1 * irregularity * rng.standard_normal()
        next_exhale = 0.12 * irregularity * wild * rng.standard_normal()
        rows.append(
            {
                "start": now,
                "period": length,
                "peak": np.clip(peak, 0.25, 0.7),
                "power": np.clip(power, 0.6, 4.0),
                "exhale": exhale,
                "next_exhale": next_exhale,
                "inhale": max(depth, exhale + 0.05, next_exhale + 0.05),
                "hold_peak": hold_peak,
                "hold_exhale": hold_exhale,
            }
        )
        now += length + hold_peak + hold_exhale
        exhale = next_exhale
        if episode:
            episode -= 1
            events[_last(events, "irregular")][1] = now
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return table, [tuple(event) for event in events]


def waveform(cycles, t):
    """Level at times t, in units of the mean depth: 0 is exhale, about 1 is inhale."""
    k = np.clip(np.searchsorted(cycles["start"], t, side="right") - 1, 0, None)
    c = {name: values[k] for name, values in cycles.items()}
    since = t - c["start"]
    rise = c["period"] * c["peak"]
    after = np.maximum(since - rise - c["hold_peak"], 0.0)
    half = np.where(since < rise, since / rise, 1.0 + after / (c["period"] - rise))
    half = np.clip(half, 0.0, 2.0)
    base = np.where(half < 1, c["exhale"], c["next_exhale"])
    return base + (c["inhale"] - base) * np.sin(0.5 * np.pi * half) ** (2 * c["power"])


def _last(events, kind):
    """Row of the last event of a kind."""
    return max(k for k, event in enumerate(events) if event[2] == kind)
