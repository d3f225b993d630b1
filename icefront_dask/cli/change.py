"""Commands from lines to what they say: ``series``, ``review``, ``compare-fronts``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from icefront_dask.cli.given import FileCrs, SkipUndated, dated_lines, drawn, shapes, warnings_as_notes
from icefront_dask.cli.options import AsJson, RegionName, RegionsFile, one_region
from icefront_dask.cli.output import note, result
from icefront_dask.cli.statistics import (
    Epochs,
    EpochsOut,
    EventsOut,
    RelativeLengthOut,
    check_listings,
    listings,
)
from icefront_dask.cli.tables import (
    check_ending,
    read_series,
    read_table,
    write_lines,
    write_table,
)
from icefront_dask.errors import ConfigError

__all__ = ["compare_fronts", "review", "series"]


class Direction(StrEnum):
    """How a flowline was digitised."""

    INLAND_TO_SEA = "inland-to-sea"
    SEA_TO_INLAND = "sea-to-inland"


class Period(StrEnum):
    """What a product is made for."""

    DAILY = "daily"
    MONTHLY = "monthly"
    SEASONAL = "seasonal"
    ANNUAL = "annual"


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
    width: Annotated[
        float | None, typer.Option("--width", help="Width of curvilinear and drawn boxes in metres.")
    ] = None,
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
    screens: Annotated[
        bool, typer.Option("--screens", help="AutoTerm's screens, too: rough lines, odd lengths, changes undone.")
    ] = False,
    date_column: Annotated[str | None, typer.Option("--date-column", help="Column of the dates.")] = None,
    skip_undated: SkipUndated = False,
    crs: FileCrs = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the series: .parquet or .csv.")] = None,
    matrix: Annotated[
        Path | None,
        typer.Option("--matrix", help="Write positions along all parallels, a column each: .parquet or .csv."),
    ] = None,
    product: Annotated[
        Period | None, typer.Option("--product", help="Fronts of periods: ice for at least half of the time.")
    ] = None,
    product_out: Annotated[
        Path | None, typer.Option("--product-out", help="Write these fronts: .gpkg, .geojson or .parquet.")
    ] = None,
    statistics: Annotated[
        Path | None, typer.Option("--statistics", help="Write change statistics: .parquet or .csv.")
    ] = None,
    epoch: Epochs = None,
    epochs_out: EpochsOut = None,
    events_out: EventsOut = None,
    relative_length_out: RelativeLengthOut = None,
    as_json: AsJson = False,
) -> None:
    """Turn fronts into a series of positions.

    \b
    Example:  icefront series fronts.parquet --regions regions.gpkg --region helheim --out series.csv
              icefront series lines.gpkg --flowline centreline.gpkg --method centreline --out series.csv
              icefront series lines.gpkg --box box.gpkg --region moltke --projected --out series.csv
              icefront series lines.gpkg --fjord fjord.gpkg --basin basin.gpkg --out series.csv
              icefront series lines.gpkg --flowline centreline.gpkg --epoch 2000-08-15 --epoch 2020-08-15 \\
                --relative-length-out length.csv --out series.csv
    """
    import pandas as pd

    from icefront_dask.change import autoterm_screens, change_statistics, front_matrix, front_products, front_series

    _check_pair(product, product_out)
    check_listings(epoch, epochs_out, events_out, relative_length_out)
    place = None if regions is None else one_region(regions, region)
    name = region if place is None else place.name
    lines = dated_lines(fronts, name, crs=crs, date_column=date_column, skip_undated=skip_undated)
    guides: dict[str, Any] = {
        "flowlines": None if flowline is None else shapes(flowline, crs),
        "box": None if box is None else shapes(box, crs),
        "flowline_direction": flowline_direction.value,
    }
    if fjord is not None:
        guides |= drawn(lines, fjord, basin, velocity, guides)
    elif basin is not None or velocity is not None:
        raise ConfigError("--basin and --velocity say how to draw a flowline in a fjord; give --fjord too")
    common: dict[str, Any] = {"true_scale": not projected, "date_column": date_column, "width_m": width}
    with warnings_as_notes():
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
    if screens:
        found = autoterm_screens(found, lines, place, date_column=date_column)
    summary = change_statistics(found)
    said = listings(
        found, epochs=epoch, epochs_out=epochs_out, events_out=events_out, relative_length_out=relative_length_out
    )
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
    if product is not None and product_out is not None:
        flow = {name: guides[name] for name in ("flowlines", "flowline_direction")}
        options = {"width_m": width, "uncertainty_m": uncertainty, "date_column": date_column, **flow}
        made = front_products(lines, place, period=product.value, series=found, **options)
        write_lines(made, product_out)
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
            **said,
            "output": out,
        },
        as_json=as_json,
    )


def _check_pair(product: Period | None, product_out: Path | None) -> None:
    if (product is None) != (product_out is None):
        raise ConfigError("--product and --product-out go together")
    if product_out is not None:
        check_ending(product_out, ".gpkg", ".geojson", ".parquet")


def compare_fronts(
    ours: Annotated[Path, typer.Argument(help="Our fronts: fronts.parquet, or any vector file of lines with dates.")],
    reference: Annotated[Path, typer.Argument(help="The other product: a vector file, or a CSV of positions.")],
    schema: Annotated[str, typer.Option("--schema", help="calfin, autoterm, maqit, or a YAML file of columns.")],
    regions: RegionsFile = None,
    region: RegionName = None,
    flowline: Annotated[Path | None, typer.Option("--flowline", help="Vector file of a flowline.")] = None,
    flowline_direction: Annotated[
        Direction, typer.Option("--flowline-direction", help="How the flowline was digitised.")
    ] = Direction.INLAND_TO_SEA,
    glacier: Annotated[str | None, typer.Option("--glacier", help="Rows of the reference to take, by name.")] = None,
    days: Annotated[float, typer.Option("--days", help="Largest difference in time of a pair.")] = 3.0,
    landward: Annotated[
        bool, typer.Option("--landward", help="Positions of the reference grow landward (a table without lines).")
    ] = False,
    projected: Annotated[bool, typer.Option("--projected", help="Metres of the map, not of the ground.")] = False,
    date_column: Annotated[str | None, typer.Option("--date-column", help="Column of our dates.")] = None,
    skip_undated: SkipUndated = False,
    crs: FileCrs = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the pairs: .parquet or .csv.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write a figure: .svg.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare fronts with those of another product.

    \b
    Example:  icefront compare-fronts fronts.parquet termini_1972-2019_Helheim-Gletsjer_v1.0.shp \\
                --schema calfin --regions regions.gpkg --region helheim --plot helheim.svg
    """
    from icefront_dask import change

    described = change.read_schema(schema)
    place = None if regions is None else one_region(regions, region)
    name = region if place is None else place.name
    lines = dated_lines(ours, name, crs=crs, date_column=date_column, skip_undated=skip_undated)
    guides: dict[str, Any] = {
        "flowlines": None if flowline is None else shapes(flowline, crs),
        "flowline_direction": flowline_direction.value,
        "true_scale": not projected,
        "date_column": date_column,
    }
    for path, endings in ((out, (".parquet", ".csv")), (plot, (".svg",))):
        if path is not None:
            check_ending(path, *endings)
    other = read_table(reference) if "position_m" in described["columns"] else shapes(reference, crs)
    theirs = change.read_reference(other, described)
    if glacier is not None:
        if "glacier" not in theirs:
            raise ConfigError(f"the schema {described['title']} names no glaciers; leave out --glacier")
        theirs = theirs[theirs["glacier"].astype(str) == glacier]
    if "position_m" in theirs:
        with warnings_as_notes():
            found = change.front_series(lines, place, methods=["centreline"], **guides)
        pairs, summary = change.compare_positions(found, theirs, max_days=days, seaward=not landward)
        result_values: dict[str, Any] = summary
        if plot is not None:
            raise ConfigError("a table of positions has no lines to draw biases of; leave out --plot")
    else:
        if landward:
            raise ConfigError("--landward is about a table of positions; lines need no direction")
        with warnings_as_notes():
            compared = change.compare_fronts(lines, theirs, place, max_days=days, **guides)
        pairs = compared.pairs
        result_values = compared.summary | {
            "by_sensor": compared.by_sensor.set_index("sensor").to_dict("index"),
            "between_authors": compared.between_authors.set_index("authors").to_dict("index"),
        }
        if plot is not None:
            from icefront_dask.publish import write_comparison_figure

            write_comparison_figure(pairs, plot, title=f"{ours.stem} − {described['title']}")
    if out is not None:
        write_table(pairs, out)
    result({**result_values, "output": out, "plot": plot}, as_json=as_json)


def review(
    fronts: Annotated[Path, typer.Argument(help="fronts.parquet of the package.")],
    regions: Annotated[Path, typer.Option("--regions", help="Regions file.")],
    out: Annotated[Path, typer.Option("--out", help="Page to write: .html.")],
    region: RegionName = None,
    series: Annotated[
        Path | None, typer.Option("--series", help="series.parquet: fronts that its checks doubt are shown, too.")
    ] = None,
    cube: Annotated[
        str | None, typer.Option("--cube", help="Zarr store of the scenes: they lie under the fronts.")
    ] = None,
    verdicts: Annotated[Path | None, typer.Option("--verdicts", help="Verdicts that the page saved.")] = None,
    judged: Annotated[
        Path | None, typer.Option("--judged", help="Write the fronts with the verdicts on them: .parquet.")
    ] = None,
    judged_series: Annotated[
        Path | None, typer.Option("--judged-series", help="Write the series with the verdicts on it: .parquet or .csv.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write fronts for review as a page, and take the verdicts back.

    The page shows each front over its scene; its button saves verdicts.csv. Verdicts are about lines: they
    hold for the same lines after a reprocessing, too.

    \b
    Example:  icefront review out/fronts.parquet --series out/series.parquet --regions regions.gpkg \\
                --region helheim --cube out/cube.zarr --out review.html
              icefront review out/fronts.parquet --regions regions.gpkg --region helheim \\
                --verdicts verdicts.csv --judged out/judged.parquet --out review.html
    """
    from icefront_dask.change import apply_verdicts, judge_series, read_verdicts
    from icefront_dask.publish import read_fronts, review_queue, write_fronts, write_review

    place = one_region(regions, region)
    if verdicts is None and (judged is not None or judged_series is not None):
        raise ConfigError("--judged and --judged-series need --verdicts; judge the fronts on the page first")
    if judged_series is not None and series is None:
        raise ConfigError("--judged-series needs --series")
    lines = read_fronts(fronts, place.name)
    rows = None if series is None else read_series(series)
    if rows is not None:
        rows = rows[rows["region"] == place.name]
    outcome: dict[Any, int] = {}
    if verdicts is not None:
        said = read_verdicts(verdicts)
        lines, said = apply_verdicts(lines, said[said["region"] == place.name])
        outcome = said["outcome"].value_counts().to_dict()
        if rows is not None:
            rows = judge_series(rows, said)
    if judged is not None:
        check_ending(judged, ".parquet")
        write_fronts(lines, judged)
    if judged_series is not None and rows is not None:
        write_table(rows, judged_series)
    pictures = None
    if cube is not None:
        from icefront_dask.runs.pictures import scene_pictures

        pictures = scene_pictures(cube, place)
    queue = review_queue(lines, rows)
    write_review(out, queue, place, pictures)
    result(
        {"region": place.name, "for_review": len(queue), "verdicts": outcome, "judged": judged, "page": out},
        as_json=as_json,
    )
