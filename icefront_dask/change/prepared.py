"""Fronts in one form and the places where they are measured: what every measure of a record begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from icefront_dask.change.guides import named_flowlines
from icefront_dask.change.inputs import DatedFronts, prepare_fronts
from icefront_dask.change.layout import Layout, build_layout
from icefront_dask.config import section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icefront_dask.change.guides import FlowlineDirection
    from icefront_dask.regions import Region

__all__ = ["prepare"]


def prepare(
    fronts: Any,
    region: Region | None,
    *,
    methods: Sequence[str] | None,
    flowlines: Any = None,
    flowline_direction: FlowlineDirection = "inland-to-sea",
    box: Any = None,
    width_m: float | None = None,
    true_scale: bool = True,
    date_column: str | None = None,
    on_missing: Literal["raise", "flag"] = "raise",
) -> tuple[DatedFronts, Layout]:
    """Return the fronts of one region and where they are measured; parameters as of :func:`front_series`.

    Raises
    ------
    InputError
        For tables, geometries, CRS, methods or options that cannot be used.
    """
    dated = prepare_fronts(fronts, region, date_column=date_column)
    given_in = fronts.crs if region is None else None
    lines = named_flowlines(flowlines, region, dated.crs, given_in=given_in, direction=flowline_direction)
    layout = build_layout(
        dated,
        region,
        crs=dated.crs,
        methods=methods,
        flowlines=lines,
        box=box,
        given_in=given_in,
        width_m=width_m,
        settings=section("change"),
        true_scale=true_scale,
        on_missing=on_missing,
    )
    return dated, layout
