"""What the report says of one region."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyproj

from icefront_dask.config import section
from icefront_dask.publish.coverage_figure import coverage_chart
from icefront_dask.publish.lonlat import LONLAT
from icefront_dask.publish.map_figure import front_map
from icefront_dask.publish.report_statistics import headlines, statistics_table
from icefront_dask.publish.report_tables import fronts_to_look_at, left_out_rows
from icefront_dask.publish.series_figure import sensor_styles, series_chart
from icefront_dask.publish.wording import plain, sentence, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd

    from icefront_dask.publish.background import Background
    from icefront_dask.regions import Region

__all__ = ["anchor", "region_section", "sensor_labels"]

_UNKNOWN = "sensor unknown"


def anchor(name: str) -> str:
    """Return a region's name as an identifier of the page."""
    return "region-" + re.sub(r"[^A-Za-z0-9_-]", "-", name)


def region_section(
    region: Region,
    fronts: gpd.GeoDataFrame | None,
    series: pd.DataFrame,
    statistics: pd.DataFrame,
    left: pd.DataFrame,
    background: Background | None,
    settings: dict[str, Any],
    sensors: Sequence[str] = (),
) -> dict[str, Any]:
    """Return everything that the template shows of a region.

    Parameters
    ----------
    region : Region
    fronts : GeoDataFrame or None
        The region's rows in its CRS.
    series, statistics : DataFrame
        The region's rows.
    left : DataFrame
        The region's rows of :func:`~icefront_dask.publish.report_tables.left_out_table`.
    background : Background or None
    settings : dict
        The section ``publish`` of the configuration.
    sensors : sequence of str
        Labels of all sensors of the page, so that each has the same mark in every region.
    """
    if fronts is not None:
        fronts = fronts.assign(sensor=sensor_labels(fronts))
    series = _with_sensor(series, fronts)
    present = set(series["sensor"])
    styles = {name: style for name, style in sensor_styles([*{*sensors, *present}]).items() if name in present}
    drawn, height = front_map(region, fronts, background, settings["map_px"])
    chart, hidden = series_chart(region.name, series, styles, height) if len(series) else (None, 0)
    values, method = headlines(statistics) if len(statistics) else ([], "")
    tables = [left_out_rows(left, settings["open_rows"])]
    if fronts is not None and (fronts["status"] != "accepted").any():
        tables.insert(0, fronts_to_look_at(fronts, settings["open_rows"]))
    return {
        "name": region.name,
        "anchor": anchor(region.name),
        "facts": _facts(region, fronts),
        "headlines": values,
        "headline_note": f"{method}; {100 * section('change')['level']:g} % intervals." if method else "",
        "map": drawn,
        "map_caption": _map_caption(region, fronts, background),
        "map_legend": _map_legend(region, fronts),
        "series": chart,
        "series_caption": _series_caption(hidden),
        "no_series": "No scene has a front that meets the region's box or flowline.",
        "sensors": [{"name": name, "style": c, "shape": s} for name, (c, s) in styles.items()],
        "open_marks": len(series) and (series["position_m"].notna() & (series["status"] != "accepted")).any(),
        "statistics": statistics_table(statistics),
        "coverage": coverage_chart(region.name, _scenes(fronts, left)),
        "coverage_caption": "Scenes a month and sensor. Filled: used; dashed: all of them left out; "
        "a line below: some left out.",
        "tables": [table for table in tables if table["count"]],
    }


def sensor_labels(fronts: gpd.GeoDataFrame) -> pd.Series:
    """Return the mission and the instrument, as ``Landsat ETM+``, of each row."""
    mission = fronts["platform"].astype(object).map(_mission)
    sensor = fronts["sensor"].astype(object).map(plain)
    return pd.Series(
        [s if s.lower().startswith(m.lower()) else f"{m} {s}".strip() for m, s in zip(mission, sensor, strict=True)],
        index=fronts.index,
        dtype=object,
    ).replace("", _UNKNOWN)


def _mission(platform: Any) -> str:
    known = ("Sentinel-1", "Sentinel-2", "Landsat", "Envisat", "ERS", "RADARSAT", "TerraSAR-X")
    return next((name for name in known if plain(platform).lower().startswith(name.lower())), "")


def _with_sensor(series: pd.DataFrame, fronts: gpd.GeoDataFrame | None) -> pd.DataFrame:
    """Return a series whose sensors have the labels of the fronts."""
    labels = {} if fronts is None else dict(zip(fronts["scene_id"], fronts["sensor"], strict=True))
    if series.empty:
        return series.assign(sensor=pd.Series(dtype=object))
    own = series["sensor"] if "sensor" in series.columns else pd.Series(None, index=series.index, dtype=object)
    return series.assign(sensor=series["scene_id"].map(labels).fillna(own).fillna(_UNKNOWN))


def _scenes(fronts: gpd.GeoDataFrame | None, left: pd.DataFrame) -> pd.DataFrame:
    parts = []
    if fronts is not None and len(fronts):
        parts.append(pd.DataFrame(fronts.drop_duplicates("scene_id")[["datetime", "sensor"]]).assign(used=True))
    if len(left):
        parts.append(left.drop_duplicates("scene")[["datetime", "sensor"]].assign(used=False))
    if not parts:
        return pd.DataFrame({"datetime": pd.Series(dtype="datetime64[us, UTC]"), "sensor": [], "used": []})
    scenes = pd.concat(parts, ignore_index=True)
    return scenes.assign(sensor=scenes["sensor"].fillna(_UNKNOWN))


def _facts(region: Region, fronts: gpd.GeoDataFrame | None) -> str:
    to_lonlat = pyproj.Transformer.from_crs(region.crs, LONLAT, always_xy=True)
    lon, lat = to_lonlat.transform(region.outline.centroid.x, region.outline.centroid.y)
    place = f"{abs(lat):.2f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.2f}° {'E' if lon >= 0 else 'W'}"
    words = [plain(region.kind), place, region.crs]
    if region.basin:
        words.insert(1, f"basin {region.basin}")
    if fronts is not None and len(fronts):
        sizes = sorted({float(f"{size:.3g}") for size in fronts["pixel_size_m"].dropna()})
        words.append("pixels of " + " and ".join(f"{size:.3g} m" for size in sizes) if sizes else "no pixel size")
        words.append(span(fronts["datetime"].min(), fronts["datetime"].max()))
        words.append(_counts(fronts["status"].value_counts().to_dict()))
    return sentence(" · ".join(words))


def _counts(status: dict[str, int]) -> str:
    labels = {"no_front": "without a front", "review": "for review"}
    order = ("accepted", "review", "rejected", "no_front", "failed")
    return ", ".join(f"{status[name]} {labels.get(name, name)}" for name in order if name in status)


def _map_caption(region: Region, fronts: gpd.GeoDataFrame | None, background: Background | None) -> str:
    drawn = 0 if fronts is None else int((~fronts.geometry.isna()).sum())
    if not drawn:
        return "No front to draw." + (f" Background: {background.label}." if background and background.label else "")
    accepted = fronts is not None and (fronts["status"] == "accepted").sum() > 1
    newest = ", the newest accepted one thicker" if accepted else ""
    lines = "One front" if drawn == 1 else f"{drawn} fronts"
    ground = f" over {background.label}" if background is not None and background.label else ""
    return f"{lines} coloured by date{ground}{newest}. Projection {region.crs}; scale bar in true ground distance."


def _map_legend(region: Region, fronts: gpd.GeoDataFrame | None) -> list[dict[str, str]]:
    present = set() if fronts is None else set(fronts["status"][~fronts.geometry.isna()])
    entries = [{"name": name, "label": name} for name in ("accepted", "review", "rejected") if name in present]
    guides = [("flowline", region.flowlines), ("box", region.box), ("fjord", region.fjord)]
    guides += [("reference", region.reference_line)]
    labels = {"fjord": "fjord mask", "reference": "reference line"}
    return entries + [{"name": n, "label": labels.get(n, n)} for n, geometry in guides if geometry]


def _series_caption(hidden: int) -> str:
    more = f" {hidden} more in series.parquet." if hidden else ""
    return (
        "Front position, growing seaward, with one standard deviation; shaded: every other year; a mark on "
        f"the edge of a panel lies beyond it.{more}"
    )
