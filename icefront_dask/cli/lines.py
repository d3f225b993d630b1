"""Commands from pixels to lines: ``segment``, ``trace``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.cli.options import AsJson, Family, Model, RegionName, RegionsFile, one_region
from icefront_dask.cli.output import progress, result

if TYPE_CHECKING:
    import geopandas as gpd

    from icefront_dask.regions import Region

__all__ = ["segment", "trace"]


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
