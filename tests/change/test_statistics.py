"""Statistics of series whose rates, seasons and events are known."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pymannkendall
import pytest
from statsmodels.tsa.arima.model import ARIMA

from icefront_dask.change import calving_events, change_statistics, epoch_changes, relative_length_change
from icefront_dask.change.events import largest_retreat, same_season_pair
from icefront_dask.change.kendall import seasonal_kendall
from icefront_dask.change.statistics import STATISTICS_DTYPES
from icefront_dask.change.trend import _whiten, design, fit_joint_model
from icefront_dask.errors import InputError
from tests.change.builders import errors_with_memory, series_of


def season(days, amplitude=150.0):
    return amplitude / 2 * np.cos(2 * np.pi * (np.asarray(days) - 140) / 365.25)


def one(series):
    statistics = change_statistics(series)
    assert {name: str(dtype) for name, dtype in statistics.dtypes.items()} == STATISTICS_DTYPES
    assert len(statistics) == 1
    return statistics.iloc[0]


def test_a_known_rate_and_season():
    rng = np.random.default_rng(2)
    days = np.arange(0, 6 * 365.25, 12)
    position = 9_000 - 80 * days / 365.25 + season(days) + 30 * errors_with_memory(days, 0.2, rng)
    row = one(series_of(days, position + 10 * rng.standard_normal(len(days))))
    assert row["rate_low_m_per_year"] < -80 < row["rate_high_m_per_year"]
    assert row["rate_high_m_per_year"] - row["rate_low_m_per_year"] < 40
    assert row["theil_sen_low_m_per_year"] < -80 < row["theil_sen_high_m_per_year"]
    assert row["theil_sen_years"] >= 5
    assert row["seasonal_amplitude_low_m"] < 150 < row["seasonal_amplitude_high_m"]
    assert row["seasonal_amplitude_m"] == pytest.approx(150, rel=0.25)
    assert row["day_of_maximum"] == pytest.approx(140, abs=25)
    assert row["net_change_same_season"]
    assert row["net_change_m"] == pytest.approx(-80 * 5, abs=200)
    gap = (row["net_change_to"] - row["net_change_from"]).days
    assert abs(gap - round(gap / 365.25) * 365.25) <= 30
    assert row["n"] == len(days)
    assert row["mean_interval_days"] == pytest.approx(12)
    assert row["n_gaps"] == 0


def test_whitening_against_dense_algebra(rng):
    t = np.sort(rng.uniform(0, 5, 40))
    noise = rng.uniform(0.5, 2, 40)
    xy = rng.standard_normal((40, 3))
    for tau, share in ((0.1, 0.3), (2.0, 0.02), (0.5, 0.95)):
        dense = (1 - share) * np.exp(-np.abs(t[:, None] - t) / tau) + share * np.diag(noise)
        solved, log_det = _whiten(xy, np.exp(-np.diff(t) / tau), share, noise)
        assert solved == pytest.approx(np.linalg.solve(dense, xy), rel=1e-8, abs=1e-8)
        assert log_det == pytest.approx(np.linalg.slogdet(dense)[1], rel=1e-9)


def test_short_records_have_no_rate_and_say_so():
    row = one(series_of(np.arange(0, 400, 12.0), np.linspace(0, -100, 34)))
    assert np.isnan(row["rate_m_per_year"])
    assert "rate: record of 1.1 years is shorter than 2" in row["reason"]
    assert "theil_sen: fewer than 3 years" in row["reason"]
    assert row["net_change_same_season"]
    assert np.isnan(row["seasonal_amplitude_m"])
    row = one(series_of([0.0, 300.0, 900.0], [0.0, 10.0, 20.0]))
    assert "rate: 3 dates are fewer than 12" in row["reason"]
    half = one(series_of([0.0, 100.0, 190.0], [0.0, 10.0, 20.0]))
    assert not half["net_change_same_season"]
    assert half["net_change_m"] == 20
    assert "net_change: no two dates of the same season" in half["reason"]


def test_summer_only_records_give_a_lower_bound(rng):
    days = np.concatenate([365 * y + np.arange(150, 270, 10) for y in range(4)]).astype(float)
    true = season(days, 400)
    row = one(series_of(days, 5_000 + true + 15 * rng.standard_normal(len(days)), 15.0))
    assert np.isnan(row["seasonal_amplitude_m"])
    assert "seasonal_amplitude: 0 years" in row["reason"]
    assert 100 < row["amplitude_lower_bound_m"] < 400
    still = one(series_of(days, 5_000 + 15 * rng.standard_normal(len(days)), 15.0))
    assert still["amplitude_lower_bound_m"] < 30


def test_largest_retreats():
    days = np.array([0.0, 12, 24, 36, 48, 148, 160, 172])
    position = np.array([0.0, 30, -400, -380, -360, -1_400, -1_380, -1_500])
    row = one(series_of(days, position, 20.0, start="2020-01-01"))
    assert row["largest_retreat_m"] == -430
    assert row["largest_retreat_low_m"] < -430 - 1.96 * 20 * np.sqrt(2)  # the largest of several
    assert (row["largest_retreat_from"], row["largest_retreat_to"]) == (
        pd.Timestamp("2020-01-13", tz="UTC"),
        pd.Timestamp("2020-01-25", tz="UTC"),
    )
    assert row["retreat_over_gap_m"] == -1_040
    assert row["n_gaps"] == 1
    assert row["longest_gap_days"] == 100
    advancing = one(series_of(days, days, 20.0))
    assert np.isnan(advancing["largest_retreat_m"])
    assert "largest_retreat: no retreat" in advancing["reason"]
    assert largest_retreat(days, days, days) is None


def test_same_season_pair():
    assert same_season_pair(np.array([0.0, 100.0, 200.0])) is None
    assert same_season_pair(np.array([0.0, 100.0, 380.0, 500.0])) == (0, 2)
    assert same_season_pair(np.array([0.0, 20.0, 365.0, 400.0])) == (0, 2)
    # two years go before one, the later of equals is taken
    days = np.array([0.0, 50.0, 365.0, 731.0, 780.0])
    assert same_season_pair(days) == (1, 4)


def test_offsets_between_sensors_do_not_become_a_trend(rng):
    days = np.arange(0, 6 * 365.25, 10)
    late = days / days.max() > rng.random(len(days))
    position = season(days) + 120.0 * late + 20 * errors_with_memory(days, 0.2, rng)
    sensors = np.where(late, "S1", "L8")
    naive = one(series_of(days, position))
    aware = one(series_of(days, position, sensor=sensors))
    assert naive["rate_low_m_per_year"] > 0
    assert aware["rate_low_m_per_year"] < 0 < aware["rate_high_m_per_year"]


def test_days_methods_and_statuses_are_kept_apart():
    days = np.arange(0, 1_000, 20.0)
    a, b = series_of(days, -days), series_of(days, -2 * days, method="rectilinear-box", flowline="")
    twice = pd.concat([a, a.assign(datetime=a["datetime"] + pd.Timedelta("5h"), scene_id="again")])
    statistics = change_statistics(pd.concat([twice, b], ignore_index=True))
    assert statistics["method"].tolist() == ["centreline", "rectilinear-box"]
    assert statistics["n"].tolist() == [50, 50]
    assert statistics["rate_m_per_year"].to_numpy() == pytest.approx([-365.25, -730.5], rel=1e-3)
    none = one(series_of(days, -days, status="review"))
    assert none["n"] == 0
    assert none["n_review"] == 50
    assert none["reason"] == "no accepted front"
    assert pd.isna(none["first_date"])
    with pytest.raises(InputError, match="needs the columns"):
        change_statistics(a.drop(columns="status"))


def test_one_season_a_year_does_not_break_the_model():
    days = np.arange(20) * 365.25 + 200
    rng = np.random.default_rng(1)
    row = one(series_of(days, -50 * days / 365.25 + 30 * rng.standard_normal(20)))
    assert row["rate_low_m_per_year"] < -50 < row["rate_high_m_per_year"]
    assert row["rate_high_m_per_year"] - row["rate_low_m_per_year"] < 30


def test_the_joint_model_against_statsmodels(rng):
    """Evenly spaced, without noise: an ARMA(1, 0) regression by maximum likelihood, which knows no prior."""
    days = np.arange(0, 12 * 365.25, 30.4375)
    years = days / 365.25
    position = -60 * years + season(days) + 80 * errors_with_memory(days, 0.3, rng)
    ours = fit_joint_model(years, position).rate(0.68)
    x = design(years)
    theirs = ARIMA(position, exog=x, order=(1, 0, 0), trend="n").fit()
    rate, sigma = theirs.params[1], theirs.bse[1]
    assert ours.rate == pytest.approx(rate, abs=0.4 * sigma)
    assert (ours.high - ours.low) / 2 == pytest.approx(sigma, rel=0.4)


def test_seasonal_kendall_against_pymannkendall_and_all_orders(rng):
    table = rng.normal(size=(12, 12)).cumsum(axis=0)
    table[:, 6:] = np.nan
    ours = seasonal_kendall(table, min_years=5)
    theirs = pymannkendall.correlated_multivariate_test(table[:, :6])
    assert (ours.tau, ours.p, ours.years, ours.months) == (theirs.Tau, theirs.p, 12, 6)
    few = rng.normal(size=(5, 1))
    single = np.full((5, 12), np.nan)
    single[:, [3]] = few
    score = [sum(np.sign(few[b, 0] - few[a, 0]) for a, b in combinations(order, 2)) for order in permutations(range(5))]
    assert seasonal_kendall(single, min_years=5).p == pytest.approx(np.mean(np.abs(score) >= abs(score[0])))
    assert seasonal_kendall(single, min_years=6) is None


def test_calving_events_epochs_and_steps(rng):
    days = np.arange(0, 4 * 365.25, 12.0)
    position = 5_000 + 30 * np.sin(2 * np.pi * days / 365.25) + 15 * rng.standard_normal(len(days))
    position[40:] -= 900
    position[60] -= 900  # undone by the next front: an error, no event
    series = series_of(days, position, 20.0, start="2018-01-01")
    events = calving_events(series)
    assert events["change_m"].tolist() == pytest.approx([-900.0], abs=60)
    assert events["from"].tolist() == [series["datetime"][39]]
    assert events["change_low_m"].item() < -900 < events["change_high_m"].item()
    assert not events["over_gap"].any()
    assert one(series)["n_calving_events"] == 1
    row = one(series.drop(60))
    assert row["n_change_points"] == 1
    assert row["change_point_from"] == series["datetime"][39]
    assert row["change_point_low_m"] < -900 < row["change_point_high_m"]
    epochs = epoch_changes(series, ["2018-06-01", "2020-06-01", "2020-12-01", "2031-01-01"])
    assert epochs["change_m"].iloc[0] == pytest.approx(-900, abs=60)
    assert epochs["change_low_m"].iloc[0] < -900 < epochs["change_high_m"].iloc[0]
    assert epochs["same_season"].tolist() == [True, False, False]
    assert epochs["reason"].tolist()[2] == "no accepted front within 30 days of 2031-01-01"
    assert np.isnan(epochs["change_m"].iloc[2])
    with pytest.raises(InputError, match="two epochs"):
        epoch_changes(series, ["2018-06-01"])
    with pytest.raises(InputError, match="not dates"):
        epoch_changes(series, ["2018-06-01", "later"])


def test_mass_of_the_terminus():
    days = np.arange(0, 4 * 365.25, 12.0)
    series = series_of(days, 5_000 - 100 * days / 365.25, 20.0, width_m=4_000.0)
    row = change_statistics(series, thickness_m=(500.0, 50.0)).iloc[0]
    expected = 917.0 * 500 * 4_000 * row["net_change_m"] / 1e12
    assert row["terminus_mass_change_gt"] == pytest.approx(expected)
    assert row["terminus_mass_change_gt"] < 0
    alone = change_statistics(series, thickness_m={"here": 500.0}).iloc[0]
    width = row["terminus_mass_change_high_gt"] - row["terminus_mass_change_low_gt"]
    assert width > alone["terminus_mass_change_high_gt"] - alone["terminus_mass_change_low_gt"]
    assert np.isnan(change_statistics(series, thickness_m={"elsewhere": 500.0}).iloc[0]["terminus_mass_change_gt"])
    line = change_statistics(series.assign(width_m=np.nan), thickness_m=500.0).iloc[0]
    assert "terminus_mass_change: the method has no width" in line["reason"]
    with pytest.raises(InputError, match="must be positive"):
        change_statistics(series, thickness_m=0.0)


def test_relative_length_change_of_branches():
    days = np.array([0.0, 30.0, 60.0, 90.0])
    north = series_of(days[1:], [4_000.0, 3_500.0, 3_000.0], flowline="north")
    north["datetime"] += pd.Timedelta(0)
    south = series_of(days, [8_000.0, 7_900.0, 7_000.0, 7_500.0], flowline="south")
    change = relative_length_change(pd.concat([north, south], ignore_index=True))
    by = change.groupby("flowline")["relative_length_change_km"].apply(list)
    # zero on day 30, the first on which both branches are met; positive is retreat
    assert by["north"] == pytest.approx([0.0, 0.5, 1.0])
    assert by["south"] == pytest.approx([-0.1, 0.0, 0.9, 0.4])
    with pytest.raises(InputError, match="method centreline"):
        relative_length_change(south.assign(method="area"))
    with pytest.raises(InputError, match=r"no date .* all 2 flowlines of region 'here'"):
        relative_length_change(pd.concat([north.iloc[:1], south.iloc[:1]]))
    other = south.assign(region="there")
    both = relative_length_change(pd.concat([north, south, other], ignore_index=True)).set_index("region")
    assert both.loc["there", "relative_length_change_km"].tolist() == pytest.approx([0.0, 0.1, 1.0, 0.5])
    assert len(both.loc["here"]) == 7
