"""Fronts of months, seasons and years: half of the time, never the mean of lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString

from icefront_dask.change import front_products, front_series
from icefront_dask.change.half_time import Record, time_weights, weighted_median
from icefront_dask.change.uncertainty import mean_error_factor
from icefront_dask.errors import InputError
from tests.change.builders import frame, front_at, place, straight_flowline

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
    assert 5 < month["position_sigma_m"].item() < 20


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


def test_weights_that_differ_by_place():
    values = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    weights = np.array([[1.0, 5.0], [1.0, 1.0], [5.0, 1.0]])
    assert weighted_median(values, weights).tolist() == [1.0, 3.0]
    shares = np.array([[0.0, 1.0], [1.0, 0.0]])
    seconds = np.array([-5.0, 5.0, 15.0])  # the first and the last lie outside the period
    assert time_weights(seconds, 0.0, 10.0, share=shares) == pytest.approx(np.array([[0, 10, 0], [5, 0, 5]]))


WIDTH = 3_000.0
ACROSS = np.arange(-WIDTH / 2, WIDTH / 2 + 1, 10.0)
SIGMA = 40.0
DAY = 86_400.0


def errors_along(count, rng, *, correlation_m=500.0):
    """Errors of 1 sigma of fronts across the flow, correlated along them."""
    phi = np.exp(-10.0 / correlation_m)
    errors = rng.standard_normal((count, len(ACROSS)))
    for k in range(1, len(ACROSS)):
        errors[:, k] = phi * errors[:, k - 1] + np.sqrt(1 - phi**2) * errors[:, k]
    return errors


GLACIERS = {  # days between dates, share of them kept, advance in m a day, calving of at most m, four times a year
    "still": (12.0, 1.0, 0.0, 0.0),
    "every 12 days": (12.0, 1.0, 3.0, 400.0),
    "every 6 days": (6.0, 1.0, 3.0, 400.0),
    "every 12 days, half of them cloudy": (12.0, 0.5, 3.0, 400.0),
}


def monthly_errors(glacier, seed, *, correlation_m=500.0):
    """For each month of a year, of a record of 14 months: the truth less the product, and the product's errors."""
    every, kept, advance, calving = GLACIERS[glacier]
    rng = np.random.default_rng(seed)
    fine = np.arange(0, 420, 0.25) + 0.125
    events = rng.uniform(0, 420, rng.poisson(420 / 90))
    truth = 5_000 + advance * fine - sum(((fine > at) * rng.uniform(0.3, 1.0) * calving for at in events), 0 * fine)
    days = np.arange(rng.uniform(0, every), 420, every)
    days = days[rng.random(len(days)) < kept]
    positions = truth[(4 * days).astype(int), None] + SIGMA * errors_along(len(days), rng, correlation_m=correlation_m)
    made = Record(days * DAY, positions, np.full(len(days), SIGMA), ACROSS, 500.0)
    out = []
    for start in np.arange(30, 390, 30):
        inside = np.flatnonzero((days >= start) & (days < start + 30))
        if len(inside):
            period = start * DAY, (start + 30) * DAY
            middle = weighted_median(positions[inside], np.maximum(time_weights(days[inside] * DAY, *period), 1e-9))
            month = np.sort(truth[(fine >= start) & (fine < start + 30)])[::-1]
            out.append((month[(len(month) - 1) // 2] - middle.mean(), made.errors(inside, *period, middle)))
    return out


def covered(glacier, seeds, **options):
    """Shares of months whose truth lies in the 95 % and in the 68 % interval."""
    pairs = [pair for seed in seeds for pair in monthly_errors(glacier, seed, **options)]
    wide, narrow = (
        np.mean([np.quantile(drawn, tail) <= error <= np.quantile(drawn, 1 - tail) for error, drawn in pairs])
        for tail in (0.025, 0.16)
    )
    print(f"{glacier}, {len(pairs)} months: 95 % covers {wide:.3f}, 68 % {narrow:.3f}")  # noqa: T201  the result
    return float(wide), float(narrow)


@pytest.mark.parametrize("glacier", GLACIERS)
def test_intervals_cover_in_short(glacier):
    wide, narrow = covered(glacier, range(8))
    assert wide >= 0.86
    assert 0.58 <= narrow <= 0.88


@pytest.mark.soak
@pytest.mark.parametrize("glacier", GLACIERS)
def test_intervals_cover_in_full(glacier):
    wide, narrow = covered(glacier, range(1_000, 1_060))
    assert 0.90 <= wide <= 0.99
    assert 0.65 <= narrow <= 0.82


def test_errors_along_a_front_average_out_as_far_as_they_are_independent():
    """One front that stands still: a mean of errors with an e-folding of 500 m over 3 km, whose sigma is known."""
    record_of_one = Record(np.array([15 * DAY]), np.full((1, len(ACROSS)), 5_000.0), np.array([SIGMA]), ACROSS, 500.0)
    middle = np.full(len(ACROSS), 5_000.0)
    found = record_of_one.errors(np.array([0]), 0.0, 30 * DAY, middle)
    assert found.std() == pytest.approx(SIGMA * mean_error_factor(WIDTH, 500.0), rel=0.12)
    assert SIGMA * mean_error_factor(WIDTH, 500.0) < 0.55 * SIGMA
    # a third of the width is not seen
    parted = np.where(ACROSS > 500, np.nan, 5_000.0 + ACROSS)
    part = Record(np.array([15 * DAY]), parted[None], np.array([SIGMA]), ACROSS, 500.0)
    assert part.errors(np.array([0]), 0.0, 30 * DAY, parted).std() > 0.3 * np.nanstd(parted)


def test_the_interval_of_a_product_is_that_of_its_record():
    """Fronts as lines, with errors along them: the month's front is within its interval."""
    rng = np.random.default_rng(5)

    def month(errors):
        lines = [LineString(place(5_000 + one, ACROSS)) for one in errors]
        table = frame(lines, pd.date_range("2020-06-03", periods=len(lines), freq="12D"), uncertainty_m=SIGMA)
        return front_products(table, flowlines=straight_flowline(), width_m=2_900.0).iloc[0]

    truth = month(np.zeros((1, len(ACROSS))))["position_m"]
    rows = [month(SIGMA * errors_along(3, rng)) for _ in range(12)]
    assert sum(row["position_low_m"] <= truth <= row["position_high_m"] for row in rows) >= 9
    assert all(10 < row["position_sigma_m"] < 30 for row in rows)
