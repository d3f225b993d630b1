"""Positions across the front: a matrix of date by distance from the flowline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from icefront_dask.change.prepared import prepare
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from icefront_dask.change.guides import FlowlineDirection
    from icefront_dask.change.inputs import DatedFronts
    from icefront_dask.change.layout import Layout
    from icefront_dask.regions import Region

__all__ = ["front_matrix", "matrix_of"]


def front_matrix(
    fronts: Any,
    region: Region | None = None,
    *,
    flowlines: Any = None,
    flowline_direction: FlowlineDirection = "inland-to-sea",
    width_m: float | None = None,
    landward: bool = False,
    true_scale: bool = True,
    date_column: str | None = None,
) -> xr.DataArray:
    """Measure every front along parallels of the flowline, 10 m apart (the multi-centreline method of MaQiT).

    Parameters
    ----------
    fronts, region, flowlines, flowline_direction, width_m, true_scale, date_column
        As in :func:`front_series`; with several flowlines the first counts.
    landward : bool
        Where a front meets a parallel several times take the most inland crossing, not the most seaward one.

    Returns
    -------
    DataArray
        Dims (time, across), float64, ``position_m`` on the flowline itself, so that all parallels share its
        baseline; NaN where a front does not meet a parallel. Coordinates: time (datetime64[us], UTC), across
        (float64 m, positive left of the flow), scene_id and status (time). Rejected fronts are left out.

    Raises
    ------
    InputError
        As :func:`front_series`.

    References
    ----------
    Lea (2018), Earth Surf. Dynam. 6, 551.
    """
    dated, layout = prepare(
        fronts,
        region,
        methods=["multi-centreline"],
        flowlines=flowlines,
        flowline_direction=flowline_direction,
        width_m=width_m,
        true_scale=true_scale,
        date_column=date_column,
    )
    return matrix_of(dated, layout, landward=landward)


def matrix_of(dated: DatedFronts, layout: Layout, *, landward: bool = False) -> xr.DataArray:
    """Return the matrix of fronts along the parallels of a layout's first flowline."""
    name = next(iter(layout.flowlines))
    place, along = layout.curvilinear[name], layout.along("multi-centreline", name)
    on_ground = layout.ground.crs is not None
    good = np.array([g is not None for g in dated.geometry], dtype=bool)
    good &= dated.table["status"].isin([Status.ACCEPTED, Status.REVIEW]).to_numpy()
    rows = np.full((int(good.sum()), len(place.parallels)), np.nan)
    for row, front in zip(rows, dated.geometry[good], strict=True):
        row[:] = along.many(place.profile(front, landward=landward))
    table = dated.table[good]
    scale = layout.scale_at("multi-centreline", name, place.box.whole.length / 2)
    return xr.DataArray(
        rows,
        dims=("time", "across"),
        coords={
            "time": table["datetime"].dt.tz_localize(None).to_numpy(),
            "across": ("across", place.parallels / scale, {"units": "m", "positive": "left of the flow"}),
            "scene_id": ("time", table["scene_id"].to_numpy(dtype=str)),
            "status": ("time", table["status"].to_numpy(dtype=str)),
        },
        name="position_m",
        attrs={"units": "m", "region": dated.region, "flowline": name, "true_scale": int(on_ground)},
    )
