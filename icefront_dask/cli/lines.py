"""Commands from pixels to numbers: ``segment``, ``trace``, ``series``, ``score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.cli.options import AsJson, Family, Model, RegionName, one_region
from icefront_dask.cli.output import note, progress, result
from icefront_dask.errors import ConfigError, InputError

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from icefront_dask.regions import Region

__all__ = ["score", "segment", "series", "trace"]

RegionsFile = Annotated[Path | None, typer.Option("--regions", help="Regions file: its fjord and flowlines are used.")]


def segment(
    store: Annotated[str, typer.Argument(help="Zarr store that `icefront cube` wrote.")],
    family: Family = None,
    region: RegionName = None,
    regions: RegionsFile = None,
    model: Model = "auto",
    as_json: AsJson = False,
) -> None:
    """Predict ice and front for every scene of a cube; the result lies in the same store.

    \b
    Example:  icefront segment cube.zarr --region helheim --family sentinel-1 --regions regions.gpkg
    """
    from icefront_dask.runs.steps import segment_store

    with progress() as report:
        found = segment_store(store, region=_place(regions, region), family=family, model=model, report=report)
    result(
        {
            "region": found.attrs["region"],
            "family": found.attrs["family"],
            "scenes": found.sizes["time"],
            "model": found.attrs["model"],
            "model_sha256": found.attrs["model_sha256"],
            "engine": found.attrs["engine"],
            "output": store,
        },
        as_json=as_json,
    )


def trace(
    store: Annotated[str, typer.Argument(help="Zarr store with predictions, of `icefront segment` or a run.")],
    out: Annotated[Path, typer.Option("--out", help="GeoParquet to write.")],
    family: Family = None,
    region: RegionName = None,
    regions: RegionsFile = None,
    as_json: AsJson = False,
) -> None:
    """Trace the fronts of predicted scenes.

    \b
    Example:  icefront trace cube.zarr --region helheim --family sentinel-1 \\
                --regions regions.gpkg --out fronts.parquet
    """
    from icefront_dask.publish import write_fronts
    from icefront_dask.runs.steps import trace_store

    fronts = trace_store(store, region=_place(regions, region), family=family)
    write_fronts(fronts, out)
    result({**_statuses(fronts), "output": out}, as_json=as_json)


def series(
    fronts: Annotated[Path, typer.Argument(help="fronts.parquet, or any vector file of lines with dates.")],
    regions: RegionsFile = None,
    region: RegionName = None,
    flowline: Annotated[Path | None, typer.Option("--flowline", help="Vector file, from inland to sea.")] = None,
    box: Annotated[Path | None, typer.Option("--box", help="Vector file of one box.")] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="rectilinear-box, curvilinear-box or centreline; several times."),
    ] = None,
    width: Annotated[float | None, typer.Option("--width", help="Width of the curvilinear box in metres.")] = None,
    projected: Annotated[bool, typer.Option("--projected", help="Metres of the map, not of the ground.")] = False,
    date_column: Annotated[str | None, typer.Option("--date-column", help="Column of the dates.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the series: .parquet or .csv.")] = None,
    statistics: Annotated[
        Path | None, typer.Option("--statistics", help="Write change statistics: .parquet or .csv.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn fronts into a series of positions.

    \b
    Example:  icefront series fronts.parquet --regions regions.gpkg --region helheim --out series.csv
              icefront series lines.gpkg --flowline centreline.gpkg --method centreline --out series.csv
    """
    from icefront_dask.change import change_statistics, front_series

    lines = _fronts(fronts, region)
    found = front_series(
        lines,
        None if regions is None else one_region(regions, region),
        methods=method,
        flowlines=None if flowline is None else _vector(flowline),
        box=None if box is None else _vector(box),
        width_m=width,
        true_scale=not projected,
        date_column=date_column,
    )
    summary = change_statistics(found)
    for table, path in ((found, out), (summary, statistics)):
        if path is not None:
            _write_table(table, path)
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


def score(
    data: Annotated[Path, typer.Argument(help="Folder of images with their true fronts.")],
    layout: Annotated[
        str, typer.Option("--layout", help="scenes: NAME.tif + NAME.geojson; pairs: images/ + labels_1px/.")
    ],
    lines: Annotated[Path | None, typer.Option("--lines", help="Write each predicted front here.")] = None,
    model: Model = "auto",
    pixel_size: Annotated[
        float, typer.Option("--pixel-size", help="Metres a pixel of images without a georeference.")
    ] = 30.0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for scores.csv, .md and .json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the fronts of labelled images and measure how far off they are.

    Images without a label are predicted too, and named.

    \b
    Example:  icefront score helheim-scenes --layout scenes --lines out/lines
    """
    from icefront_dask.runs.scoring import score_folder

    with progress() as report:
        scores, found = score_folder(data, layout, model=model, lines=lines, pixel_size_m=pixel_size, report=report)
    labelled = set() if scores is None else set(scores.images["name"])
    if scores is not None:
        if not as_json:
            note(scores.to_markdown())
        if out is not None:
            scores.write(out)
    result(
        {
            "images": len(found),
            "labelled": len(labelled),
            "unlabelled": sorted(set(found) - labelled),
            "status": {name: front.status for name, front in sorted(found.items())},
            **({} if scores is None else scores.pooled | {"images": len(found)}),
            "intervals": {} if scores is None else scores.intervals,
            "lines": lines,
        },
        as_json=as_json,
    )


def _place(regions: Path | None, name: str | None) -> Region | str | None:
    return name if regions is None else one_region(regions, name)


def _statuses(fronts: gpd.GeoDataFrame) -> dict[str, Any]:
    counts = fronts["status"].value_counts()
    names = ("accepted", "review", "rejected", "no_front", "failed")
    return {
        "scenes": int(fronts["scene_id"].nunique()),
        "fronts": int(fronts.geometry.notna().sum()),
        **{name: int(counts.get(name, 0)) for name in names},
    }


def _fronts(path: Path, region: str | None) -> gpd.GeoDataFrame:
    """Read a table of the package in its working CRS, or any vector file as it is."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        from icefront_dask.publish import read_fronts

        if not path.exists():
            raise InputError(f"there is no file {path}; check the path")
        if {"scene_id", "crs"} <= set(pq.read_schema(path).names):
            return read_fronts(path, region)
    return _vector(path)


def _vector(path: Path) -> gpd.GeoDataFrame:
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    if not path.exists():
        raise InputError(f"there is no file {path}; check the path")
    try:
        return gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    except (DataSourceError, ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as a vector file ({str(error).splitlines()[0]}); give GeoPackage, GeoJSON or "
            "GeoParquet"
        ) from error


def _write_table(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        raise ConfigError(f"{path}: a table is written as .parquet or .csv; change the ending")
