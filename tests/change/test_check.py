"""The plausibility check: planted faults go to review, true events do not."""

from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.change import check_series
from icefront_dask.change.chain import consistent_chain
from icefront_dask.change.check import own_scatter, own_speed
from icefront_dask.errors import InputError
from tests.change.builders import errors_with_memory, series_of

DAYS = np.arange(0, 720, 12.0)


def steady(seed=0, speed=1.0, noise=15.0):
    rng = np.random.default_rng(seed)
    return speed * (DAYS % 360) - 300 * (DAYS // 360) + noise * rng.standard_normal(len(DAYS))


def flagged(series):
    return np.flatnonzero(series["status"] == "review")


def test_a_plausible_series_stays():
    for seed in range(20):
        assert len(flagged(check_series(series_of(DAYS, steady(seed))))) == 0


@pytest.mark.parametrize(
    ("fault", "rows", "reason"),
    [
        (lambda p: p.__setitem__(20, p[20] + 900), [20], "advance_undone"),
        (lambda p: p.__setitem__(20, p[20] - 900), [20], "retreat_undone"),
        (lambda p: p.__setitem__(slice(20, 23), p[20:23] - 900), [20, 21, 22], "retreat_undone"),
        # day 288 is 16 October: an advance of the cold season, gone in May
        (lambda p: p.__setitem__(slice(24, 43), p[24:43] + 1_500), list(range(24, 43)), "melange_suspected"),
        (lambda p: p.__setitem__(slice(40, 50), p[40:50] + 1_500), list(range(40, 50)), "implausible_advance"),
        (lambda p: p.__setitem__(slice(52, 60), p[52:60] + 1_500), list(range(52, 60)), "implausible_advance"),
        (lambda p: p.__setitem__(0, p[0] - 900), [0], "retreat_undone"),
    ],
)
def test_planted_faults(fault, rows, reason):
    position = steady()
    fault(position)
    series = check_series(series_of(DAYS, position), north=True)
    assert flagged(series).tolist() == rows
    assert set(series.loc[rows, "reason"]) == {reason}


def test_the_cold_season_is_only_named_where_the_hemisphere_is_known():
    position = steady()
    position[24:43] += 1_500
    assert "melange_suspected" not in set(check_series(series_of(DAYS, position))["reason"])
    assert "melange_suspected" not in set(check_series(series_of(DAYS, position), north=False)["reason"])


@pytest.mark.parametrize(
    "event",
    [
        lambda p: p.__setitem__(slice(30, None), p[30:] - 2_000),  # a calving event
        lambda p: p.__setitem__(slice(59, None), p[59:] - 2_000),  # on the last date
        lambda p: p.__isub__(np.linspace(0, 6_000, len(p))),  # a long retreat
        lambda p: p.__isub__(8_000.0 * (np.arange(len(p)) > 10) + 5_000 * (np.arange(len(p)) > 12)),  # disintegration
    ],
)
def test_true_events_stay(event):
    position = steady()
    event(position)
    assert len(flagged(check_series(series_of(DAYS, position)))) == 0


def test_faults_and_events_over_many_series():
    found, planted, wrong = 0, 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        position = steady(seed) + 60 * errors_with_memory(DAYS, 0.5, rng)
        event = int(rng.integers(15, 45))
        position[event:] -= 1_200
        spike = int(rng.choice(np.setdiff1d(np.arange(2, 58), np.arange(event - 3, event + 4))))
        position[spike] += rng.choice([-1, 1]) * rng.uniform(600, 2_000)
        rows = flagged(check_series(series_of(DAYS, position)))
        planted += 1
        found += spike in rows
        wrong += len(set(rows) - {spike})
    assert found / planted > 0.97, f"{found} of {planted} spikes found"
    assert wrong / (60 * len(DAYS)) < 0.005, f"{wrong} true fronts in review"


def test_velocity_and_time_decide():
    days, position = [0.0, 10.0, 130.0], [0.0, 0.0, 1_000.0]
    slow = check_series(series_of(days, position), v_max_m_per_day=5.0)
    fast = check_series(series_of(days, position), v_max_m_per_day=9.0)
    assert flagged(slow).tolist() == [2]
    assert len(flagged(fast)) == 0
    assert slow.loc[2, "reason"] == "implausible_advance"
    assert np.isnan(slow.loc[2, "change_m"])
    with pytest.raises(InputError, match="must be positive"):
        check_series(series_of(days, position), v_max_m_per_day=0.0)


def test_only_accepted_rows_are_looked_at():
    position = steady()
    position[20] += 900
    series = series_of(DAYS, position)
    series.loc[20, ["status", "reason"]] = ["rejected", "by hand"]
    checked = check_series(series)
    assert len(flagged(checked)) == 0
    assert checked.loc[20, "reason"] == "by hand"
    assert series.loc[20, "status"] == "rejected"


def test_chain_against_brute_force(rng):
    for _ in range(60):
        n = int(rng.integers(1, 9))
        days, position = np.sort(rng.uniform(0, 60, n)), rng.normal(0, 120, n)
        ones = np.ones(n)
        kept = consistent_chain(days, position, 10 * ones, ones, 2.0).kept

        def fits(rows, days=days, position=position):
            rise, step = np.diff(position[rows]), np.diff(days[rows])
            return bool((rise <= 2.0 * step + 2 * np.hypot(10, 10) + 1).all())

        best = max(sum(bits) for bits in _subsets(n) if fits(np.flatnonzero(bits)))
        assert kept.sum() == best
        assert fits(np.flatnonzero(kept))


def test_undecided_fronts_are_those_that_another_reading_leaves_out(rng):
    """Against all subsets; weights that make each sum of them another."""
    some = 0
    for _ in range(60):
        n = int(rng.integers(3, 9))
        days, position = np.sort(rng.uniform(0, 60, n)), rng.uniform(-200, 200, n)
        weight = rng.uniform(0.4, 1.0, n)
        ones = np.ones(n)
        found = consistent_chain(days, position, 10 * ones, ones, 2.0, weight=weight)
        limit = 2 * np.hypot(10, 10) + 1
        plausible = [
            set(rows.tolist())
            for bits in _subsets(n)
            if (np.diff(position[rows := np.flatnonzero(bits)]) <= 2.0 * np.diff(days[rows]) + limit).all()
        ]

        def heavy(rows, weight=weight):
            return sum(weight[k] for k in rows)

        best = max(plausible, key=heavy)
        doubted = set()
        for other in set(range(n)) - best:
            reading = max((rows for rows in plausible if other in rows), key=heavy)
            if len(best - reading) > 1 and heavy(reading - best) >= 0.85 * heavy(best - reading):
                doubted |= best - reading
        if abs(heavy(best) - max([heavy(r) for r in plausible if r != best], default=0.0)) > 0.02:
            assert set(np.flatnonzero(found.kept)) == best
            assert set(np.flatnonzero(found.undecided)) == doubted
            some += bool(doubted)
    assert some >= 3


def test_of_two_equal_readings_neither_is_accepted():
    """Two fronts of a rift, two of the terminus, then it has calved to the rift: nothing says which two are true."""
    position = steady()
    position[30:] -= 1_200
    position[26:28] -= 1_200
    series = check_series(series_of(DAYS, position))
    assert flagged(series).tolist() == [26, 27, 28, 29]
    assert "position_undecided" in set(series["reason"])
    # scenes that are suddenly dark bear out less
    dark = np.where(np.isin(np.arange(len(DAYS)), [26, 27]), -15.0, -9.0)
    assert flagged(check_series(series_of(DAYS, position, gamma0_db=dark))).tolist() == [26, 27]


@pytest.mark.parametrize("north", [True, False])
def test_an_edge_of_sea_ice_as_long_as_what_the_record_shows_before_it(north):
    """A retreat of late summer, then ice out to where the front was before it, which is gone in May.

    Fifteen fronts of the edge against six of the glacier: what is out of reach in the cold season and undone at
    break-up bears out less.
    """
    days = DAYS + (0 if north else 182.6)
    season = (days - (273.0 if north else 90.6)) % 365.25
    position = steady() * 0 + 6_000 + np.random.default_rng(3).normal(0, 15, len(DAYS))
    position[DAYS >= 220] -= 1_400  # of 10 August, or half a year later
    edge = (season > 35) & (season < 210) & (DAYS >= 220) & (DAYS < 600)
    position[edge] += 1_500
    assert 12 < edge.sum() < 17
    checked = check_series(series_of(days, position), north=north)
    assert flagged(checked).tolist() == np.flatnonzero(edge).tolist()
    assert set(checked.loc[edge, "reason"]) == {"melange_suspected"}


@pytest.mark.parametrize("step", [12.0, 30.4])
@pytest.mark.parametrize("amplitude", [300, 1_500, 3_000])
def test_seasons_of_fast_glaciers_stay_however_often_they_are_seen(step, amplitude):
    """Four months of retreat from June, eight of advance: up to 12 m a day, in a record of months, too."""
    days = np.arange(0, 4 * 365.25, step)
    phase = (days / 365.25 - 5 / 12) % 1
    cycle = np.where(phase < 1 / 3, 1 - 3 * phase, 1.5 * (phase - 1 / 3))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        series = series_of(days, 5_000 + amplitude * cycle + rng.normal(0, 15, len(days)), sigma=15.0)
        assert len(flagged(check_series(series, north=True))) == 0


def test_spikes_in_a_record_of_months():
    days = np.arange(0, 6 * 365.25, 30.4)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        position = 5_000 + 600 * np.sin(2 * np.pi * days / 365.25) + rng.normal(0, 15, len(days))
        spike = int(rng.integers(2, len(days) - 2))
        position[spike] += rng.choice([-1, 1]) * rng.uniform(1_200, 2_500)
        assert flagged(check_series(series_of(days, position, sigma=15.0), north=True)).tolist() == [spike]


def test_own_speed_and_scatter(rng):
    days = np.arange(0, 400, 3.0)
    assert own_speed(days, 12.0 * days, floor=2.0, percentile=95, window_days=24) == pytest.approx(12.0)
    assert own_speed(days, -12.0 * days, floor=2.0, percentile=95, window_days=24) == 2.0
    assert own_speed(10 * days, 120.0 * days, floor=2.0, percentile=95, window_days=24) == pytest.approx(12.0)
    assert own_speed(25 * days, 300.0 * days, floor=2.0, percentile=95, window_days=24) == 2.0  # of seasons
    assert own_speed(days, 400.0 * days, floor=2.0, percentile=95, window_days=24) == 70.0  # no ice, but sea ice
    noisy = 5 * days + 40 * rng.standard_normal(len(days))
    noisy[::17] += 3_000
    assert own_scatter(days, noisy, window_days=24) == pytest.approx(40, rel=0.35)
    assert own_scatter(days[:5], noisy[:5], window_days=24) == 0.0
    assert own_scatter(days * 20, noisy, window_days=24) == 0.0


def _subsets(n):
    return [[(k >> i) & 1 for i in range(n)] for k in range(1, 2**n)]
