"""What intervals and tests promise, over series whose truth is known: 95 % cover, few false trends and steps."""

from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.change.breaks import change_points
from icefront_dask.change.kendall import monthly_medians, seasonal_kendall
from icefront_dask.change.trend import annual_theil_sen, fit_joint_model
from tests.change.simulated import PATTERNS, record

RATE = -40.0


def measured(pattern, count, *, first=0, ranks=1):
    """Shares over `count` series without and with a trend, and with a step; the rank test over more of them."""
    joint, annual, false_trend, false_rank, false_step = [], [], [], [], []
    for seed in range(first, first + count):
        days, still = record(pattern, seed)
        years = days / 365.25
        for position, rate in ((still, 0.0), (still + RATE * years, RATE)):
            fit, slope = fit_joint_model(years, position).rate(), annual_theil_sen(years, position)
            joint.append(fit.low <= rate <= fit.high)
            annual.append(slope.low <= rate <= slope.high)
        false_trend.append(not joint[-2])
        false_step.append(len(change_points(years, still)) > 0)
    for seed in range(first, first + ranks * count):
        days, still = record(pattern, seed)
        rank = seasonal_kendall(monthly_medians(days / 365.25, still), min_years=5)
        if rank is not None:
            false_rank.append(rank.p < 0.05)
    return {
        "joint model covers": np.mean(joint),
        "annual Theil-Sen covers": np.mean(annual),
        "false trends": np.mean(false_trend),
        "false trends, seasonal Kendall": np.mean(false_rank),
        "false change points": np.mean(false_step),
    }


def said(pattern, count, shares):
    line = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
    print(f"{pattern}, {count} series: {line}")  # noqa: T201  the figures are the result


@pytest.mark.parametrize("pattern", PATTERNS)
def test_coverage_in_short(pattern):
    """40 series: a share that is 0.95 stays above 0.85, and one that is 0.05 below 0.15, in 99 % of such counts."""
    shares = measured(pattern, 40)
    said(pattern, 40, shares)
    assert shares["joint model covers"] >= 0.87
    assert shares["annual Theil-Sen covers"] >= 0.87
    assert shares["false trends"] <= 0.15
    assert shares["false trends, seasonal Kendall"] <= 0.175
    assert shares["false change points"] <= 0.15


@pytest.mark.soak
@pytest.mark.parametrize("pattern", PATTERNS)
def test_coverage_in_full(pattern):
    shares = measured(pattern, 600, first=10_000, ranks=4)
    said(pattern, 600, shares)
    assert 0.92 <= shares["joint model covers"] <= 0.98
    assert 0.92 <= shares["annual Theil-Sen covers"] <= 0.98
    assert shares["false trends"] <= 0.07
    assert shares["false trends, seasonal Kendall"] <= 0.07
    assert shares["false change points"] <= 0.05


@pytest.mark.parametrize("pattern", PATTERNS)
def test_steps_are_found(pattern):
    found = 0
    for seed in range(8):
        days, position = record(pattern, 500 + seed, step=-800.0)
        years = days / 365.25
        points = change_points(years, position)
        near = [p for p in points if abs(years[p.last_before] - 3.1) < 0.6]
        found += any(p.low_m < -800 < p.high_m for p in near)
    assert found >= 7


def test_a_rank_test_with_power():
    rejected = 0
    for seed in range(10):
        days, position = record("monthly", seed, tau_years=0.1, rate=-150.0)
        rank = seasonal_kendall(monthly_medians(days / 365.25, position), min_years=5)
        assert rank.tau < 0
        rejected += rank.p < 0.05
    assert rejected >= 9
