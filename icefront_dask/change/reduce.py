"""Series and statistics of many regions on Dask: blocks of dates are measured apart, then joined a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.base
import geopandas as gpd
import pandas as pd
import pyproj
from dask.delayed import Delayed, delayed

from icefront_dask.change.guides import named_flowlines
from icefront_dask.change.inputs import prepare_fronts
from icefront_dask.change.layout import build_layout
from icefront_dask.change.series import DTYPES, KEY, empty_series, finish_series, front_series, measure_fronts
from icefront_dask.change.statistics import change_statistics
from icefront_dask.config import section
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.regions import Region

__all__ = ["Reduction", "reduce_regions"]

_FAN_IN = 16


@dataclass(frozen=True)
class Reduction:
    """Lazy series and statistics of many regions.

    Attributes
    ----------
    series, statistics : Delayed
        Of a DataFrame each, as :func:`front_series` and :func:`change_statistics` return them.
    """

    series: Delayed
    statistics: Delayed

    def compute(self, *, scheduler: Any = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Compute both in one pass.

        Parameters
        ----------
        scheduler : str or Client, optional
            ``"synchronous"``, ``"threads"``, ``"processes"`` or a Client; by default Dask's own choice,
            which is the client of this process where there is one.
        """
        chosen = {} if scheduler is None else {"scheduler": scheduler}
        series, statistics = dask.base.compute(self.series, self.statistics, **chosen)
        return series, statistics


def reduce_regions(
    parts: Mapping[str, Any],
    regions: Sequence[Region],
    *,
    methods: Sequence[str] | None = None,
    **options: Any,
) -> Reduction:
    """Build the lazy series and statistics of many regions. Nothing is computed here.

    Parameters
    ----------
    parts : mapping
        Region name → its fronts: a GeoDataFrame, a Delayed of one, or a sequence of these, for example one
        a block of scenes. All fronts of a scene are in one part.
    regions : sequence of Region
        Those with no fronts in `parts` have no rows.
    methods : sequence of str, optional
        As in :func:`front_series`. A region that lacks a flowline or box gets rows with that reason.
    **options
        Further keywords of :func:`front_series`, but for flowlines, box and date_column.

    Returns
    -------
    Reduction

    Raises
    ------
    InputError
        For parts of a region that is not among `regions`, or for options which belong to one region.
    """
    if refused := sorted({"flowlines", "box", "date_column", "region"} & set(options)):
        raise InputError(f"{', '.join(refused)} cannot be the same for all regions; put them into the regions")
    by_name = {region.name: region for region in regions}
    if unknown := sorted(set(parts) - set(by_name)):
        raise InputError(f"fronts of unknown regions: {', '.join(unknown)}; the regions are {', '.join(by_name)}")
    options = {"on_missing": "flag", **options, "methods": None if methods is None else tuple(methods)}
    every_series, every_statistics = [], []
    for name in sorted(parts):
        given = parts[name]
        blocks = [given] if isinstance(given, Delayed | gpd.GeoDataFrame) else list(given)
        if not blocks:
            continue
        series = _region_series([delayed(block, pure=False) for block in blocks], by_name[name], options)
        every_series.append(series)
        every_statistics.append(delayed(change_statistics)(series))
    return Reduction(
        _concat(every_series, empty_series(), KEY),
        _concat(every_statistics, change_statistics(empty_series()), ["region", "method", "flowline"]),
    )


def _region_series(blocks: list[Delayed], region: Region, options: Mapping[str, Any]) -> Delayed:
    """Measure blocks apart where the region says where; else look at its fronts together."""
    if len(blocks) > 1 and region.flowlines and not _looks_at_fronts(region, options["methods"]):
        rows = [delayed(_measure_block)(block, region, options) for block in blocks]
        return delayed(_finish)(rows, region, options)
    return delayed(_whole_region)(blocks, region, options)


def _looks_at_fronts(region: Region, methods: Sequence[str] | None) -> bool:
    """Whether a reference line or a box has to be made from the fronts themselves."""
    asked = methods or ()
    return ("area" in asked and region.reference_line is None) or ("rectilinear-box" in asked and region.box is None)


def _whole_region(blocks: list[gpd.GeoDataFrame], region: Region, options: Mapping[str, Any]) -> pd.DataFrame:
    return front_series(_stack(blocks), region, **options)


def _measure_block(block: gpd.GeoDataFrame, region: Region, options: Mapping[str, Any]) -> pd.DataFrame:
    settings = section("change")
    crs = str(region.crs)
    layout = build_layout(
        None,
        region,
        crs=crs,
        methods=options["methods"],
        flowlines=named_flowlines(None, region, crs, direction="inland-to-sea"),
        box=None,
        width_m=options.get("width_m"),
        settings=settings,
        true_scale=options.get("true_scale", True),
        on_missing=options["on_missing"],
    )
    keywords = {key: options[key] for key in ("intersection", "extrapolate", "uncertainty_m") if key in options}
    return measure_fronts(prepare_fronts(block, region), layout, settings, **keywords)


def _finish(rows: list[pd.DataFrame], region: Region, options: Mapping[str, Any]) -> pd.DataFrame:
    keywords = {key: options[key] for key in ("check", "v_max_m_per_day", "verdicts") if key in options}
    stacked = pd.concat([block for block in rows if len(block)] or [empty_series()], ignore_index=True).astype(DTYPES)
    return finish_series(stacked, north=_north(region), **keywords)


def _north(region: Region) -> bool:
    centre = region.outline.centroid
    return bool(pyproj.Proj(region.crs)(centre.x, centre.y, inverse=True)[1] > 0)


def _stack(blocks: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    full = [block for block in blocks if len(block)]
    return pd.concat(full, ignore_index=True) if full else blocks[0]


def _concat(frames: list[Delayed], empty: pd.DataFrame, key: list[str]) -> Delayed:
    """Concatenate in a tree, so that no task takes thousands of inputs."""
    while len(frames) > _FAN_IN:
        frames = [delayed(_join)(frames[k : k + _FAN_IN], empty, key) for k in range(0, len(frames), _FAN_IN)]
    return delayed(_join)(frames, empty, key)


def _join(frames: list[pd.DataFrame], empty: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    full = [frame for frame in frames if len(frame)]
    if not full:
        return empty
    return pd.concat(full, ignore_index=True).sort_values(key, kind="stable").reset_index(drop=True)
