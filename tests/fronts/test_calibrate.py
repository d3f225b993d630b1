"""The uncertainty of fronts against errors drawn from known distributions."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from icefront_dask.errors import InputError
from icefront_dask.fronts.calibrate import LEVELS, TracedErrors, coverage, fit_uncertainty, uncertainty_px
from icefront_dask.fronts.options import resolve
from icefront_dask.fronts.status import Status

OPTIONS = resolve({"accept_confidence": 0.6, "pixel_error_px": 0.3})


def drawn(count, scale, *, status=Status.ACCEPTED, tails="normal", seed=0):
    """Fronts whose errors have the standard deviation `scale` (spread, confidence)."""
    rng = np.random.default_rng(seed)
    fronts = []
    for _ in range(count):
        spread = float(np.exp(rng.uniform(-1, 1.5)))
        confidence = float(rng.uniform(0.6, 0.95) if status == Status.ACCEPTED else rng.uniform(0.3, 0.6))
        sigma = scale(spread, confidence)
        errors = rng.normal(0, sigma, 300) if tails == "normal" else rng.laplace(0, sigma / math.sqrt(2), 300)
        fronts.append(TracedErrors(np.abs(errors), spread, confidence, status))
    return fronts


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.0])
def test_factor_of_normal_errors_is_found(factor):
    fronts = drawn(80, lambda spread, _: math.hypot(factor * spread, 0.3))
    fit = fit_uncertainty(fronts, OPTIONS)
    assert fit.uncertainty_factor == pytest.approx(factor, rel=0.05)
    assert fit.uncertainty_doubt == 0


def test_growth_with_doubt_is_found_on_fronts_in_review():
    def scale(spread, confidence):
        return math.hypot(0.8 * spread * math.exp(6.0 * max(0.6 - confidence, 0)), 0.3)

    fit = fit_uncertainty(drawn(60, scale) + drawn(80, scale, status=Status.REVIEW, seed=1), OPTIONS)
    assert fit.uncertainty_factor == pytest.approx(0.8, rel=0.05)
    assert fit.uncertainty_doubt == pytest.approx(6.0, abs=0.5)


@pytest.mark.parametrize("tails", ["normal", "laplace"])
def test_intervals_cover_what_they_say_on_fronts_that_the_fit_has_not_seen(tails):
    def scale(spread, _):
        return math.hypot(0.6 * spread, 0.3)

    fit = fit_uncertainty(drawn(80, scale, tails=tails), OPTIONS)
    options = dataclasses.replace(OPTIONS, **dataclasses.asdict(fit))
    found = coverage(drawn(80, scale, tails=tails, seed=9), options)
    assert all(abs(found[number] - LEVELS[number]) <= 0.05 for number in LEVELS)


def test_uncertainty_grows_with_spread_and_doubt_and_never_falls_below_the_pixel():
    options = dataclasses.replace(OPTIONS, uncertainty_factor=0.5, uncertainty_doubt=4.0)
    assert uncertainty_px(0.0, 0.9, options) == pytest.approx(0.3)
    assert uncertainty_px(4.0, 0.9, options) == pytest.approx(math.hypot(2.0, 0.3))
    assert uncertainty_px(4.0, 0.6, options) == uncertainty_px(4.0, 0.9, options)
    assert uncertainty_px(4.0, 0.35, options) == pytest.approx(math.hypot(2.0 * math.e, 0.3))
    assert math.isnan(uncertainty_px(math.inf, 0.9, options))
    assert math.isfinite(uncertainty_px(4.0, 0.0, dataclasses.replace(options, uncertainty_doubt=1e6)))


def test_too_few_fronts_are_refused():
    fronts = drawn(9, lambda spread, _: spread)
    with pytest.raises(InputError, match="9 accepted fronts are too few"):
        fit_uncertainty(fronts + drawn(50, lambda spread, _: spread, status=Status.REVIEW), OPTIONS)
    assert all(math.isnan(value) for value in coverage([], OPTIONS).values())
