"""Regional aggregation: lazy, weighted by width, unmoved by glaciers that come and go."""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest

from icefront_dask.change import aggregate_regions, monthly_table
from icefront_dask.errors import InputError
from tests.change.builders import series_of
from tests.helpers import raise_if_dask_computes

GROUPS = {"a": "NW", "b": "NW", "c": "SE"}
WIDTH = {"a": 1_000.0, "b": 4_000.0, "c": 2_000.0}


def series(months=12):
    days = np.array([(pd.Timestamp(2020, 1, 10) + pd.DateOffset(months=k) - pd.Timestamp(2015, 1, 1)).days
                     for k in range(months)], dtype=float)  # fmt: skip
    rate = {"a": -100.0, "b": -20.0, "c": 10.0}
    parts = [
        series_of(days, 9_000 * (k + 1) + rate[name] * np.arange(months), 20.0, region=name, method="curvilinear-box",
                  width_m=WIDTH[name])
        for k, name in enumerate("abc")
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_means_weighted_by_width():
    table = monthly_table(series(), method="curvilinear-box")
    assert dict(table.sizes) == {"region": 3, "time": 12}
    with raise_if_dask_computes():
        lazy = aggregate_regions(table, GROUPS, chunk=1)
    assert all(dask.is_dask_collection(lazy[name].data) for name in lazy.data_vars)
    found = lazy.compute(scheduler="synchronous")
    assert found["group"].to_numpy().tolist() == ["NW", "SE"]
    expected = (1_000 * -100 + 4_000 * -20) / 5_000
    assert found["change_m"].sel(group="NW").to_numpy() == pytest.approx(np.full(11, expected))
    assert found["position_m"].sel(group="NW").to_numpy() == pytest.approx(expected * np.arange(1, 12))
    assert found["area_change_m2"].sel(group="SE").to_numpy() == pytest.approx(np.full(11, 20_000.0))
    sigma = np.sqrt(2 * 20**2 * (1_000**2 + 4_000**2)) / 5_000
    assert found["sigma_m"].sel(group="NW").to_numpy() == pytest.approx(np.full(11, sigma))
    assert (found["n_regions"].sel(group="NW") == 2).all()


def test_a_glacier_that_leaves_the_record_moves_no_mean():
    rows = series()
    late = (rows["region"] == "b") & (rows["datetime"] > "2020-07-01")
    found = aggregate_regions(monthly_table(rows[~late], method="curvilinear-box"), GROUPS).compute()
    change = found["change_m"].sel(group="NW").to_numpy()
    assert change[:5] == pytest.approx(np.full(5, -36.0))
    assert change[5:] == pytest.approx(np.full(6, -100.0))  # the other one alone, its own change
    assert found["n_regions"].sel(group="NW").to_numpy().tolist() == [2] * 5 + [1] * 6


def test_a_change_over_a_gap_is_not_lost():
    """Summers only: the front advances in winter by what it loses in summer."""
    days = np.array([(pd.Timestamp(year, month, 10) - pd.Timestamp(2015, 1, 1)).days
                     for year in range(2016, 2021) for month in (6, 7, 8, 9)], dtype=float)  # fmt: skip
    position = np.tile([300.0, 200.0, 100.0, 0.0], 5)
    rows = series_of(days, position, 20.0, region="c", method="curvilinear-box", width_m=WIDTH["c"])
    found = aggregate_regions(monthly_table(rows, method="curvilinear-box"), GROUPS).compute()
    change = found["change_m"].sel(group="SE").to_numpy()
    assert np.isfinite(change).all()
    assert change.sum() == pytest.approx(-300.0)  # from June to September, four winters and summers apart
    assert found["area_change_m2"].sum().item() == pytest.approx(-300.0 * WIDTH["c"])
    assert change[:4] == pytest.approx([-100.0, -100.0, -100.0, 300 / 9])
    assert found["n_regions"].sel(group="SE").to_numpy().tolist() == [1] * 51
    assert found["n_seen"].sel(group="SE").to_numpy().sum() == 15
    both = pd.concat([rows, series(2).query("region == 'a'")], ignore_index=True)
    apart = aggregate_regions(monthly_table(both, method="curvilinear-box"), GROUPS).compute()
    assert np.isnan(apart["change_m"].sel(group="NW").to_numpy()).sum() == 50
    assert np.isfinite(apart["position_m"].to_numpy()).all()


def test_refusals():
    table = monthly_table(series(), method="curvilinear-box")
    with pytest.raises(InputError, match="has a group"):
        aggregate_regions(table, {"z": "NW"})
    bare = monthly_table(series().assign(width_m=np.nan), method="curvilinear-box")
    with pytest.raises(InputError, match="no width is known"):
        aggregate_regions(bare, GROUPS)
    assert aggregate_regions(bare, GROUPS, widths=WIDTH).compute()["width_m"].max() == 5_000
    with pytest.raises(InputError, match="no rows by 'area'"):
        monthly_table(series(), method="area")
    with pytest.raises(InputError, match="no period"):
        monthly_table(series(), method="curvilinear-box", period="weekly")
    with pytest.raises(InputError, match="no region has an accepted"):
        monthly_table(series().assign(status="review"), method="curvilinear-box")
    assert monthly_table(series(), method="curvilinear-box", period="annual").sizes["time"] == 1
