"""A simulated front only flows and calves, and does so as it is told."""

from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.simulate.evolution import Motion, draw_history

from .builders import ATLAS

START, STOP = np.datetime64("2009-01-01T00:00:00"), np.datetime64("2023-01-01T00:00:00")
MOTION = Motion(speed_m_per_year=1000, retreat_m_per_year=80, events_per_year=6, peak_day=225, season_days=40)


@pytest.fixture(scope="module")
def history():
    return draw_history(np.random.default_rng(3), ATLAS, 2000.0, MOTION, START, STOP)


def day(number):
    return START + np.timedelta64(round(number * 86400), "s")


def test_between_events_every_point_advances_with_the_ice(history):
    gap = int(np.argmax(np.diff(history.event_days)))
    first, last = history.event_days[gap] + 0.5, history.event_days[gap + 1] - 0.5
    one, two = history.at(day(first)), history.at(day(last))
    np.testing.assert_allclose(two.along_m - one.along_m, (last - first) * 1000 / 365.25, rtol=1e-4)
    assert two.moved_m - one.moved_m == pytest.approx((last - first) * 1000 / 365.25, rel=1e-4)


def test_an_event_takes_ice_and_adds_none(history):
    inside = np.abs(history.across_m) <= history.half_width_m
    for k in range(1, len(history.event_days)):
        elapsed = history.event_days[k] - history.event_days[k - 1]
        before = history.surfaces_m[k - 1] + history.speed_m_per_day * elapsed
        lost = before - history.surfaces_m[k]
        assert lost.min() >= -1e-9
        assert lost[inside].mean() == pytest.approx(history.event_m[k], abs=1.0)


def test_the_mean_retreat_is_the_motions(history):
    years = np.arange(2009, 2022)
    means = [
        np.mean([history.at(np.datetime64(f"{y}-01-01") + int(d)).offset_m for d in range(0, 365, 10)]) for y in years
    ]
    slope = np.polyfit(years, means, 1)[0]
    assert slope == pytest.approx(-80, abs=25)
    assert abs(means[-1]) < 600


def test_events_gather_in_the_season_and_the_front_breathes(history):
    of_year = np.array(
        [(day(d) - np.datetime64(str(day(d))[:4])).astype("timedelta64[D]").astype(int) for d in history.event_days[1:]]
    )
    assert 0.6 < np.mean(np.abs(of_year - 225) < 80) < 0.98
    spring = np.mean([history.at(np.datetime64(f"{y}-06-01")).offset_m for y in range(2010, 2022)])
    autumn = np.mean([history.at(np.datetime64(f"{y}-10-20")).offset_m for y in range(2010, 2022)])
    assert spring - autumn > 150


def test_years_without_an_event_leave_their_share_to_the_next():
    rare = Motion(400, 50, 0.4, peak_day=40)
    history = draw_history(np.random.default_rng(5), ATLAS, 4000.0, rare, START, STOP)
    assert len(history.event_days) < 12
    slope = np.polyfit(*zip(*[(d / 365.25, history.at(day(d)).offset_m) for d in range(30, 5000, 30)], strict=True), 1)[
        0
    ]
    assert slope == pytest.approx(-50, abs=60)


def test_the_table_answers_for_the_landscape(history):
    state = history.at(day(4000.25))
    across = np.array([[-1234.0, 0.0], [77.0, 1999.0]], np.float32)
    expected = np.interp(across, state.across_m, state.along_m)
    np.testing.assert_allclose(state(ATLAS, across, 2000.0), expected, atol=1e-3)


def test_it_is_drawn_from_its_seed_and_has_a_beginning(history):
    again = draw_history(np.random.default_rng(3), ATLAS, 2000.0, MOTION, START, STOP)
    np.testing.assert_array_equal(again.surfaces_m, history.surfaces_m)
    with pytest.raises(ValueError, match="before it"):
        history.at(START - np.timedelta64(1, "D"))
