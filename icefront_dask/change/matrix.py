"""Positions across the front: a matrix of date by distance from the flowline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from icefront_dask.change.crossings import profile
from icefront_dask.change.guides import named_flowlines
from icefront_dask.change.inputs import prepare_fronts
from icefront_dask.change.layout import build_layout
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from icefront_dask.change.guides import FlowlineDirection
    from icefront_dask.regions import Region

__all__ = ["front_matrix"]


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
    settings = section("change")
    dated = prepare_fronts(fronts, region, date_column=date_column)
    given_in = fronts.crs if region is None else None
    lines = named_flowlines(flowlines, region, dated.crs, given_in=given_in, direction=flowline_direction)
    layout = build_layout(
        dated,
        region,
        crs=dated.crs,
        methods=["multi-centreline"],
        flowlines=lines,
        box=None,
        width_m=width_m,
        settings=settings,
        true_scale=true_scale,
    )
    name = next(iter(layout.flowlines), None)
    if name is None:
        raise InputError("multi-centreline needs a flowline; pass one, or put it into the regions file")
    place = layout.curvilinear[name]
    box, along = place.box.whole, layout.along("multi-centreline", name)
    good = np.flatnonzero(
        [
            g is not None and s in (Status.ACCEPTED, Status.REVIEW)
            for g, s in zip(dated.geometry, dated.table["status"], strict=True)
        ]
    )
    rows = np.full((len(good), len(place.parallels)), np.nan)
    for k, front in enumerate(dated.geometry[good]):
        rows[k] = along.many(profile(front, box, place.parallels, landward=landward))
    table = dated.table.iloc[good]
    scale = layout.scale_at("multi-centreline", name, box.length / 2)
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
        attrs={"units": "m", "region": dated.region, "flowline": name, "true_scale": int(true_scale)},
    )
