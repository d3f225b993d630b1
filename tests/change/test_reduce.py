"""The reduction over regions and blocks of dates is lazy and the same under every scheduler."""

from __future__ import annotations

import pandas as pd
import pytest
import shapely
from dask.delayed import delayed
from distributed import Client

from icefront_dask.change import change_statistics, front_series, reduce_regions
from icefront_dask.errors import InputError
from icefront_dask.regions import Region
from tests.change.builders import frame, front_at, straight_box, straight_flowline
from tests.helpers import raise_if_dask_computes


def regions():
    outline = shapely.buffer(straight_flowline(), 5_000)
    lined = Region("lined", outline, "EPSG:3413", flowlines=(straight_flowline(),), box=straight_box())
    boxed = Region("boxed", outline, "EPSG:3413", box=straight_box())
    return [lined, boxed, Region("bare", outline, "EPSG:3413")]


def fronts(name, first, n=12):
    dates = pd.date_range(first, periods=n, freq="12D")
    lines = [front_at(5_000 - (d - pd.Timestamp("2020-01-01")).days, bumps=100, seed=d.month) for d in dates]
    return frame(lines, dates, region=name, scene_id=[f"{d:%Y%m%d}" for d in dates], uncertainty_m=20.0)


def parts():
    blocks = [fronts("lined", "2020-01-01"), fronts("lined", "2020-05-24"), fronts("lined", "2020-10-15")]
    return {"lined": blocks, "boxed": [delayed(fronts)("boxed", "2020-01-01"), fronts("boxed", "2020-05-24")],
            "bare": fronts("bare", "2020-01-01")}  # fmt: skip


def test_blocks_regions_and_schedulers():
    with raise_if_dask_computes():
        reduction = reduce_regions(parts(), regions())
    with raise_if_dask_computes(1):
        series, statistics = reduction.compute()
    whole = front_series(pd.concat(parts()["lined"], ignore_index=True), regions()[0])
    pd.testing.assert_frame_equal(series[series["region"] == "lined"].reset_index(drop=True), whole)
    mine = statistics[statistics["region"] == "lined"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, change_statistics(whole))
    assert set(series["region"]) == {"lined", "boxed", "bare"}
    assert (series.loc[series["region"] == "bare", "reason"] == "no_flowline").all()
    assert series.loc[series["region"] == "boxed", "reason"].str.contains("direction_inferred").all()
    assert len(statistics) == 5
    for scheduler in ("synchronous", "threads"):
        again = reduction.compute(scheduler=scheduler)
        pd.testing.assert_frame_equal(again[0], series)
        pd.testing.assert_frame_equal(again[1], statistics)
    with Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as client:
        again = reduce_regions(parts(), regions()).compute(scheduler=client)
    pd.testing.assert_frame_equal(again[0], series)
    pd.testing.assert_frame_equal(again[1], statistics)


def test_many_regions_are_joined_in_a_tree():
    outline = shapely.buffer(straight_flowline(), 5_000)
    many = [Region(f"r{k:03d}", outline, "EPSG:3413", flowlines=(straight_flowline(),)) for k in range(20)]
    reduction = reduce_regions({r.name: fronts(r.name, "2020-01-01", 2) for r in many}, many, methods=["centreline"])
    for lazy in (reduction.series, reduction.statistics):
        assert max(len(task.dependencies) for task in dict(lazy.dask).values()) <= 16
    series, statistics = reduction.compute(scheduler="synchronous")
    assert len(series) == 40
    assert statistics["region"].tolist() == [r.name for r in many]


def test_nothing_to_reduce():
    series, statistics = reduce_regions({}, regions()).compute(scheduler="synchronous")
    assert series.empty
    assert statistics.empty
    assert "position_m" in series
    assert "rate_m_per_year" in statistics
    empty = reduce_regions({"lined": [fronts("lined", "2020-01-01").iloc[:0]]}, regions())
    assert empty.compute(scheduler="synchronous")[0].empty


def test_refusals():
    with pytest.raises(InputError, match="unknown regions: nowhere"):
        reduce_regions({"nowhere": fronts("nowhere", "2020-01-01")}, regions())
    with pytest.raises(InputError, match="cannot be the same for all regions"):
        reduce_regions({}, regions(), box=straight_box())


def test_options_reach_every_block():
    reduction = reduce_regions(
        {"lined": parts()["lined"]}, regions(), methods=["centreline"], true_scale=False, uncertainty_m=50.0
    )
    series, _ = reduction.compute(scheduler="synchronous")
    assert (series["scale_factor"] == 1).all()
    assert len(series) == 36
    assert series["position_sigma_m"].min() > 45
