"""Fronts and series of a run state how bright the glacier is, for the rule of melt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely

from icefront_dask.cube import open_cube
from icefront_dask.publish import read_fronts


def test_radar_fronts_of_a_run_state_their_backscatter(finished):
    """Against the pixels of the cube in a one-sided buffer of the line."""
    region = finished.plan.regions[0]
    fronts = read_fronts(finished.output / "fronts.parquet", region.name)
    radar = fronts["platform"].str.startswith("sentinel-1")
    assert fronts.loc[~radar, "gamma0_db"].isna().all()
    cube = open_cube(finished.output / "cube.zarr", region=region.name, family="sentinel-1")
    x, y = np.meshgrid(cube["x"], cube["y"])
    for row in fronts[radar].itertuples():
        scene = cube.isel(time=cube["scene_id"].to_numpy().tolist().index(row.scene_id))
        power = scene["hh" if np.isfinite(scene["hh"]).any() else "vv"].to_numpy()
        behind = shapely.buffer(row.geometry, 1_000 * region.scale_factor, single_sided=True)
        behind = behind.intersection(region.fjord).difference(row.geometry.buffer(3 * row.pixel_size_m))
        inside = shapely.contains_xy(behind, x, y) & np.isfinite(power)
        assert row.gamma0_db == pytest.approx(10 * np.log10(power[inside].mean()), abs=0.7)
    series = pd.read_parquet(finished.output / "series.parquet").set_index("scene_id")
    for row in fronts[radar].itertuples():
        assert (series.loc[row.scene_id, "gamma0_db"] == row.gamma0_db).all()
