"""``report.html``: one self-contained page on a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd
import pyproj

from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.publish.files import write_bytes
from icefront_dask.publish.report_region import anchor, region_section, sensor_labels
from icefront_dask.publish.report_statistics import HEADLINES, headlines
from icefront_dask.publish.report_tables import left_out_table
from icefront_dask.publish.schema import FRONT_KEY, SERIES_KEY
from icefront_dask.publish.tables import frames_by_region
from icefront_dask.publish.wording import plain, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd

    from icefront_dask.publish.background import Background
    from icefront_dask.publish.tables import Fronts
    from icefront_dask.regions import Region

__all__ = ["write_report"]


def write_report(
    path: str | Path,
    *,
    regions: Sequence[Region],
    fronts: Fronts,
    series: pd.DataFrame,
    statistics: pd.DataFrame,
    left_out: pd.DataFrame,
    backgrounds: Mapping[str, Background] | None = None,
    provenance: Mapping[str, object] | None = None,
    **options: Any,
) -> Path:
    """Write the report of a run: one HTML file that asks for nothing else.

    Parameters
    ----------
    path : str or Path
        The file; it is replaced in one step. Equal content gives equal bytes.
    regions : sequence of Region
        In the order of the report.
    fronts : GeoDataFrame, iterable of GeoDataFrame, or mapping of them
        Front tables, each frame in its working CRS.
    series, statistics : DataFrame
        Front positions and change statistics; either may be empty.
    left_out : DataFrame
        Scenes or items which the screening left out: ``reason`` and ``scene_id`` or ``item_id``; ``region``
        (needed with several regions), ``datetime``, ``sensor`` or ``collection``, and ``detail`` where known.
    backgrounds : mapping of str to Background, optional
        The picture under each region's map, in the region's CRS.
    provenance : mapping, optional
        Shown as it is, in its order: versions, models, hashes. No times of the run, if bytes are to repeat.
    **options
        Settings of the section ``publish`` of the configuration.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        For a missing column, or a background in another CRS than its region's.
    """
    settings = section("publish", **options)
    by_region = {
        name: frame.sort_values(list(FRONT_KEY), kind="stable", ignore_index=True)
        for name, frame in frames_by_region(fronts).items()
    }
    if len(series):
        series = series.sort_values(list(SERIES_KEY), kind="stable", ignore_index=True)
    left = left_out_table(left_out, [region.name for region in regions])
    backgrounds = backgrounds or {}
    for region in regions:
        _check_background(region, backgrounds.get(region.name))
    frames = [by_region[region.name] for region in regions if region.name in by_region]
    sensors = sorted({label for frame in frames for label in sensor_labels(frame).unique()})
    detailed = {region.name for region in list(regions)[: settings["detailed_regions"]]}
    sections = [
        region_section(
            region,
            by_region.get(region.name),
            _rows(series, region.name),
            _rows(statistics, region.name),
            left[left["region"] == region.name],
            backgrounds.get(region.name),
            settings,
            sensors,
        )
        for region in regions
        if region.name in detailed
    ]
    page = _template().render(
        title=_title(regions),
        lead=_lead(frames, sensors),
        tally=_tally(frames, left),
        overview=_overview(regions, by_region, statistics, left, detailed) if len(regions) > 1 else None,
        sections=sections,
        provenance=[(plain(key), str(value)) for key, value in (provenance or {}).items()],
    )
    path = Path(path)
    write_bytes(path, page.encode("utf-8"))
    return path


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _check_background(region: Region, background: Background | None) -> None:
    if background is None:
        return
    if not pyproj.CRS(background.crs).equals(pyproj.CRS(region.crs), ignore_axis_order=True):
        raise InputError(
            f"region {region.name!r}: its background is in {background.crs}, the region in {region.crs}; "
            "reproject the picture"
        )


def _rows(table: pd.DataFrame, region: str) -> pd.DataFrame:
    return table[table["region"] == region] if len(table) else table


def _title(regions: Sequence[Region]) -> str:
    return f"Ice fronts of {regions[0].name}" if len(regions) == 1 else f"Ice fronts of {len(regions)} regions"


def _lead(frames: list[gpd.GeoDataFrame], sensors: Sequence[str]) -> str:
    times = pd.concat([frame["datetime"] for frame in frames]) if frames else pd.Series(dtype=object)
    if times.empty:
        return "No scene was processed."
    return f"{span(times.min(), times.max())}, from {', '.join(sensors)}."


def _tally(frames: list[gpd.GeoDataFrame], left: pd.DataFrame) -> list[dict[str, Any]]:
    scenes = sum(len(frame[["region", "scene_id"]].drop_duplicates()) for frame in frames)
    status = pd.concat([frame["status"] for frame in frames]).value_counts() if frames else {}
    out = [{"name": "scenes", "count": scenes, "label": "scenes processed"}]
    for name, label in (
        ("accepted", "fronts accepted"),
        ("review", "for review"),
        ("rejected", "rejected"),
        ("no_front", "scenes without a front"),
        ("failed", "scenes failed"),
    ):
        if name in {"accepted", "review"} or status.get(name, 0):
            out.append({"name": name, "count": int(status.get(name, 0)), "label": label})
    return [*out, {"name": "left", "count": len(left), "label": "left out before processing"}]


def _overview(
    regions: Sequence[Region],
    by_region: Mapping[str, gpd.GeoDataFrame],
    statistics: pd.DataFrame,
    left: pd.DataFrame,
    detailed: set[str],
) -> dict[str, Any]:
    wanted = HEADLINES[:2]
    rows = []
    for region in regions:
        frame = by_region.get(region.name)
        status = {} if frame is None else frame["status"].value_counts().to_dict()
        values, _ = headlines(_rows(statistics, region.name)) if len(statistics) else ([], "")
        by_label = {item["label"]: item["value"] for item in values}
        rows.append(
            {
                "name": region.name,
                "anchor": anchor(region.name) if region.name in detailed else None,
                "kind": plain(region.kind),
                "basin": plain(region.basin),
                "dates": "" if frame is None or frame.empty else span(frame["datetime"].min(), frame["datetime"].max()),
                **{name: status.get(name, 0) for name in ("accepted", "review", "rejected")},
                "left_out": int((left["region"] == region.name).sum()),
                "values": [by_label.get(q.label, "–") for q in wanted],
            }
        )
    hidden = len(regions) - len(detailed)
    return {
        "labels": [f"{q.label} ({q.unit})" for q in wanted],
        "rows": rows,
        "note": f"{hidden} regions have no section of their own here; the tables hold them all." if hidden else "",
    }
