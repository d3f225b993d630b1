"""Commands from lines to what they say: ``series``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.cli.options import AsJson, RegionName, RegionsFile, one_region
from icefront_dask.cli.output import note, result
from icefront_dask.cli.tables import read_lines, read_vector, read_velocity, write_table
from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["series"]


class Direction(StrEnum):
    """How a flowline was digitised."""

    INLAND_TO_SEA = "inland-to-sea"
    SEA_TO_INLAND = "sea-to-inland"


class Intersection(StrEnum):
    """Which crossing of a flowline counts."""

    SEAWARD = "seaward"
    LANDWARD = "landward"
    ALL = "all"


def series(
    fronts: Annotated[Path, typer.Argument(help="fronts.parquet, or any vector file of lines with dates.")],
    regions: RegionsFile = None,
    region: RegionName = None,
    flowline: Annotated[Path | None, typer.Option("--flowline", help="Vector file of flowlines.")] = None,
    flowline_direction: Annotated[
        Direction, typer.Option("--flowline-direction", help="How the flowlines were digitised.")
    ] = Direction.INLAND_TO_SEA,
    box: Annotated[Path | None, typer.Option("--box", help="Vector file of one box.")] = None,
    fjord: Annotated[
        Path | None, typer.Option("--fjord", help="Vector file of the fjord, to draw a flowline and a box from.")
    ] = None,
    basin: Annotated[
        Path | None, typer.Option("--basin", help="Vector file of the drainage basin: where the fjord begins.")
    ] = None,
    velocity: Annotated[
        Path | None, typer.Option("--velocity", help="GeoTIFF of vx and vy: the flowline follows the ice.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="rectilinear-box, curvilinear-box, variable-box, centreline, multi-centreline or area; "
            "several times. Default: the first, second and fourth, where there are a box and a flowline.",
        ),
    ] = None,
    width: Annotated[float | None, typer.Option("--width", help="Width of the curvilinear box in metres.")] = None,
    intersection: Annotated[
        Intersection, typer.Option("--intersection", help="Which crossing of a flowline counts.")
    ] = Intersection.SEAWARD,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Draw fronts out to a flowline that they miss (for review).")
    ] = False,
    projected: Annotated[bool, typer.Option("--projected", help="Metres of the map, not of the ground.")] = False,
    uncertainty: Annotated[
        float | None, typer.Option("--uncertainty", help="1 sigma of every front in metres, normal to it.")
    ] = None,
    v_max: Annotated[float | None, typer.Option("--v-max", help="Fastest plausible advance, metres a day.")] = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not look for implausible positions.")] = False,
    date_column: Annotated[str | None, typer.Option("--date-column", help="Column of the dates.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the series: .parquet or .csv.")] = None,
    matrix: Annotated[
        Path | None,
        typer.Option("--matrix", help="Write positions along all parallels, a column each: .parquet or .csv."),
    ] = None,
    statistics: Annotated[
        Path | None, typer.Option("--statistics", help="Write change statistics: .parquet or .csv.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn fronts into a series of positions.

    \b
    Example:  icefront series fronts.parquet --regions regions.gpkg --region helheim --out series.csv
              icefront series lines.gpkg --flowline centreline.gpkg --method centreline --out series.csv
              icefront series lines.gpkg --fjord fjord.gpkg --basin basin.gpkg --out series.csv
    """
    import pandas as pd

    from icefront_dask.change import change_statistics, front_matrix, front_series

    lines = read_lines(fronts, region)
    place = None if regions is None else one_region(regions, region)
    guides: dict[str, Any] = {
        "flowlines": None if flowline is None else read_vector(flowline),
        "box": None if box is None else read_vector(box),
        "flowline_direction": flowline_direction.value,
    }
    if fjord is not None:
        guides |= _drawn(lines, fjord, basin, velocity, guides)
    elif basin is not None or velocity is not None:
        raise ConfigError("--basin and --velocity say how to draw a flowline in a fjord; give --fjord too")
    common: dict[str, Any] = {"true_scale": not projected, "date_column": date_column, "width_m": width}
    found = front_series(
        lines,
        place,
        methods=method,
        intersection=intersection.value,
        extrapolate=extrapolate,
        uncertainty_m=uncertainty,
        v_max_m_per_day=v_max,
        check=not no_check,
        **guides,
        **common,
    )
    summary = change_statistics(found)
    for table, path in ((found, out), (summary, statistics)):
        if path is not None:
            write_table(table, path)
    if matrix is not None:
        flow = {name: guides[name] for name in ("flowlines", "flowline_direction")}
        values = front_matrix(lines, place, landward=intersection is Intersection.LANDWARD, **flow, **common)
        wide = pd.DataFrame(values.to_numpy(), columns=[f"{across:.1f}" for across in values["across"].to_numpy()])
        wide.insert(0, "scene_id", values["scene_id"].to_numpy())
        wide.insert(0, "time", values["time"].to_numpy())
        write_table(wide, matrix)
    if out is None and not as_json:
        note(found.to_string(index=False))
    accepted = found[found["status"] == "accepted"]
    result(
        {
            "rows": len(found),
            "accepted": len(accepted),
            "methods": sorted(found["method"].unique()),
            "first": found["datetime"].min().isoformat() if len(found) else None,
            "last": found["datetime"].max().isoformat() if len(found) else None,
            "net_change_m": {f"{row.method} {row.flowline}".strip(): row.net_change_m for row in summary.itertuples()},
            "output": out,
        },
        as_json=as_json,
    )


def _drawn(
    lines: gpd.GeoDataFrame, fjord: Path, basin: Path | None, velocity: Path | None, guides: dict[str, Any]
) -> dict[str, Any]:
    """Return the flowline and the box that the user has not given, drawn."""
    import geopandas as gpd

    from icefront_dask.change import draw_box, draw_flowline

    crs = lines.crs
    if crs is None or not crs.is_projected:
        raise ConfigError("a flowline is drawn in the fronts' own CRS, which must be a projected one; reproject them")
    water = read_vector(fjord).to_crs(crs).union_all()
    given = guides["flowlines"]
    if given is None:
        ice = None if basin is None else read_vector(basin).to_crs(crs).union_all()
        field = None if velocity is None else read_velocity(velocity, crs)
        line = draw_flowline(water, basin=ice, velocity=field, crs=crs.to_string())
        if line is None:
            raise ConfigError("nothing says which end of the fjord is inland; give --basin or --velocity")
        guides = guides | {
            "flowlines": gpd.GeoDataFrame(geometry=[line], crs=crs),
            "flowline_direction": "inland-to-sea",
        }
    if guides["box"] is None:
        flow = guides["flowlines"].to_crs(crs).geometry.iloc[0]
        guides = guides | {"box": gpd.GeoDataFrame(geometry=[draw_box(flow, water, list(lines.geometry))], crs=crs)}
    return guides
