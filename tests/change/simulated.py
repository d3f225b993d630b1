"""Series whose rate, steps and memory are known, sampled as real records are."""

from __future__ import annotations

import numpy as np

from tests.change.builders import errors_with_memory

PATTERNS = ("monthly", "summer", "summer then 12 days", "gap")


def sampling(pattern, rng, years=6):
    """Days of a record: monthly; summer only; summer, then every 12 days; with a gap like Sentinel-1B."""
    summers = np.concatenate([365.25 * y + np.arange(146, 274, 8) for y in range(years)])
    summers = summers[rng.random(len(summers)) < 0.6]
    if pattern == "monthly":
        return np.arange(0, years * 365.25, 30.4)
    if pattern == "summer":
        return summers
    half = years / 2 * 365.25
    if pattern == "summer then 12 days":
        return np.concatenate([summers[summers < half], np.arange(half + 1, years * 365.25, 12)])
    dense = np.arange(0, years * 365.25, 6)
    sparse = np.arange(half + 200, half + 550, 12)
    return np.sort(np.concatenate([dense[(dense < half) | (dense > half + 556)], sparse]))


def record(pattern, seed, *, tau_years=0.5, rate=0.0, step=0.0, step_year=3.1):
    """Days and positions: a sawtooth of a season, errors of 100 m that remember for `tau_years`, 20 m of noise."""
    rng = np.random.default_rng(seed)
    days = sampling(pattern, rng)
    years = days / 365.25
    phase = (years + 0.2) % 1
    saw = np.where(phase < 0.6, phase / 0.6, (1 - phase) / 0.4)
    noise = 100 * errors_with_memory(days, tau_years, rng) + 20 * rng.standard_normal(len(days))
    return days, 150 * saw + noise + rate * years + step * (years > step_year)
