"""Fronts of months, seasons and years: half of the time, never the mean of lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely

from icefront_dask.change import front_products, front_series
from icefront_dask.change.products import time_weights, weighted_median
from icefront_dask.errors import InputError
from tests.change.builders import frame, front_at, straight_flowline

FLOW = {"flowlines": straight_flowline(), "width_m": 3_000.0}


def record(positions, dates, **columns):
    lines = [front_at(p, bumps=40.0, seed=1) for p in positions]
    return frame(lines, dates, uncertainty_m=20.0, pixel_size_m=20.0, **columns)


def test_half_of_the_time_and_not_the_mean():
    # calving on the 9th: the front is inland for most of the month
    table = record([6_000, 5_000, 5_000], ["2020-06-02", "2020-06-14", "2020-06-26"])
    month = front_products(table, **FLOW)
    alone = front_products(table.iloc[1:], **FLOW)
    assert len(month) == 1
    assert month["position_m"].item() == pytest.approx(alone["position_m"].item())
    assert shapely.hausdorff_distance(month.geometry[0], alone.geometry[0]) < 1e-6
    clipped = table.geometry[1].intersection(shapely.buffer(month.geometry[0], 30.0))
    assert clipped.length == pytest.approx(month.geometry[0].length, rel=0.05)
    assert month["n_dates"].item() == 3
    assert month["longest_gap_days"].item() == pytest.approx(12)
    # the calving may have been as late as the 14th: the interval knows
    assert month["position_low_m"].item() < month["position_m"].item() < month["position_high_m"].item()
    assert month["position_sigma_m"].item() > 10


def test_periods():
    dates = pd.date_range("2019-01-05", periods=60, freq="12D")
    table = record(6_000 - 3 * np.arange(60), dates)
    counts = {name: len(front_products(table, period=name, **FLOW)) for name in ("monthly", "seasonal", "annual")}
    assert counts == {"monthly": 24, "seasonal": 9, "annual": 2}
    seasons = front_products(table, period="seasonal", **FLOW)
    assert seasons["start"].iloc[1] == pd.Timestamp("2019-03-01", tz="UTC")
    assert seasons["end"].iloc[1] == pd.Timestamp("2019-06-01", tz="UTC")
    assert (seasons["position_m"].diff().dropna() < 0).all()
    days = front_products(table.iloc[:3], period="daily", **FLOW)
    assert len(days) == 25
    assert (days["reason"] == "no_front_in_period").sum() == 22
    assert days["position_m"].notna().sum() == 3
    empty = days[days["position_m"].isna()]
    assert (empty["reason"] != "").all()
    assert empty.geometry.isna().all()
    with pytest.raises(InputError, match="no period 'weekly'"):
        front_products(table, period="weekly", **FLOW)


def test_only_what_the_check_accepts():
    dates = pd.date_range("2020-01-03", periods=30, freq="12D")
    positions = np.full(30, 5_000.0)
    positions[13] = 6_500
    table = record(positions, dates, scene_id=[f"s{k}" for k in range(30)])
    series = front_series(table, methods=["centreline"], flowlines=straight_flowline())
    assert (series["status"] == "review").sum() == 1
    found = front_products(table, period="daily", series=series, **FLOW)
    assert found["position_m"].notna().sum() == 29


def test_weights_and_medians_against_brute_force(rng):
    seconds = np.array([1.0, 2.0, 7.0])
    assert time_weights(seconds, 0.0, 10.0) == pytest.approx([1.5, 3.0, 5.5])
    assert time_weights(seconds[:1], 0.0, 10.0) == pytest.approx([10.0])
    for _ in range(30):
        n = int(rng.integers(1, 9))
        values, weights = rng.normal(size=(n, 5)), rng.random(n) + 0.1
        values[rng.random((n, 5)) < 0.2] = np.nan
        found = weighted_median(values, weights)
        for k in range(5):
            known = np.isfinite(values[:, k])
            if not known.any():
                assert np.isnan(found[k])
                continue
            total = weights[known].sum()
            ice = [s for s in values[known, k] if weights[known & (values[:, k] >= s)].sum() >= total / 2 - 1e-12]
            assert found[k] == max(ice)


def test_the_interval_covers(rng):
    """Errors of 20 m on a front that stands still: the month's front is within its interval."""
    inside = 0
    truth = None
    for _ in range(40):
        table = record(5_000 + 20 * rng.standard_normal(5), pd.date_range("2020-06-03", periods=5, freq="6D"))
        row = front_products(table, **FLOW).iloc[0]
        if truth is None:
            still = record([5_000.0], ["2020-06-03"])
            truth = front_products(still, **FLOW)["position_m"].item()
        inside += row["position_low_m"] <= truth <= row["position_high_m"]
    assert inside >= 33
