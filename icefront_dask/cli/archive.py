"""Commands that bring scenes: ``simulate``, ``search``, ``cube``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.cli.options import AsJson, RegionName, one_region
from icefront_dask.cli.output import note, progress, result
from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from icefront_dask.catalog import Items

__all__ = ["cube", "search", "simulate"]

Collections = Annotated[
    list[str] | None, typer.Option("--collection", help="STAC collection; may be given several times.")
]
Described = Annotated[
    Path | None,
    typer.Option("--collections", help="YAML that describes collections, as a run file's 'collections' does."),
]


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder that is new or empty.")],
    seed: Annotated[int | None, typer.Option("--seed", help="Other places and scenes.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Few small scenes, for tests.")] = False,
    independent: Annotated[
        int | None,
        typer.Option("--independent", min=1, help="Instead: so many scenes of the second generator, to score on."),
    ] = None,
    textures: Annotated[
        Path | None, typer.Option("--textures", help="Folder of real radar images whose looks --independent takes.")
    ] = None,
    guides: Annotated[
        bool, typer.Option("--guides", help="Write the fjord and a flowline beside each scene of --independent.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write an archive of simulated scenes whose fronts are known.

    Sentinel-1 RTC and Landsat Collection 2 scenes as COGs with STAC items, an index, regions, and the truth. With
    --independent single SAR scenes of a generator that no training uses, in the layout scenes of `icefront score`.

    \b
    Example:  icefront simulate out/archive --seed 7
              icefront simulate out/independent --independent 100 --guides
    """
    if independent is not None:
        _independent(out, independent, seed or 0, textures, guides=guides, as_json=as_json)
        return
    if textures is not None or guides:
        raise ConfigError("--textures and --guides are of the scenes of --independent; name that too")
    from icefront_dask.simulate.archive import write_archive
    from icefront_dask.simulate.plan import demo_plan, small_plan

    make = small_plan if small else demo_plan
    plan = make() if seed is None else make(seed)
    with progress() as report:
        archive = write_archive(out, plan, progress=lambda done, total: report("simulated scenes", done, total))
    result(
        {
            "scenes": archive.scenes,
            "regions": len(plan.places),
            "seeds": list(plan.seeds),
            "items": archive.items,
            "catalog": archive.catalog,
            "regions_file": archive.regions,
        },
        as_json=as_json,
    )


def _independent(out: Path, count: int, seed: int, textures: Path | None, *, guides: bool, as_json: bool) -> None:
    from icefront_dask.simulate.independent.scenes import write_scenes

    with progress() as report:
        names = write_scenes(
            out,
            count,
            seed=seed,
            textures=textures,
            guides=guides,
            progress=lambda done, total: report("scenes", done, total),
        )
    result({"scenes": len(names), "first": names[0], "last": names[-1], "output": out}, as_json=as_json)


def search(
    source: Annotated[str, typer.Argument(help="STAC API URL, .parquet index, catalog.json, .json or .ndjson.")],
    regions: Annotated[Path, typer.Option("--regions", help="GeoParquet, GeoPackage or GeoJSON of regions.")],
    region: RegionName = None,
    datetime: Annotated[str | None, typer.Option("--datetime", help="As 2018-06 or 2018-06-01/2018-09-30.")] = None,
    collection: Collections = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the items here, as stac-geoparquet.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw scenes a month here, as coverage.png.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search a STAC API or catalogue for scenes of regions.

    \b
    Example:  icefront search https://planetarycomputer.microsoft.com/api/stac/v1 \\
                --regions regions.gpkg --datetime 2018-06 --collection sentinel-1-rtc --out items.parquet
    """
    from icefront_dask.catalog import search as search_items
    from icefront_dask.regions import read_regions

    areas = read_regions(regions, None if region is None else [region])
    found = search_items(source, areas, collections=collection, datetime=datetime)
    if out is not None:
        found.to_parquet(out)
    if picture is not None:
        found.plot_coverage(picture)
    if not as_json:
        note(found.coverage().to_string(index=False))
    result({**_described(found), "output": out, "picture": picture}, as_json=as_json)


def cube(
    items: Annotated[Path, typer.Argument(help="stac-geoparquet that `icefront search` wrote.")],
    regions: Annotated[Path, typer.Option("--regions", help="GeoParquet, GeoPackage or GeoJSON of regions.")],
    family: Annotated[str, typer.Option("--family", help="sentinel-1 or landsat.")],
    out: Annotated[str, typer.Option("--out", help="Zarr store, a path or URL, or icechunk+URL.")],
    region: RegionName = None,
    resolution: Annotated[float | None, typer.Option("--resolution", help="Pixel size in metres.")] = None,
    variable: Annotated[
        list[str] | None, typer.Option("--variable", help="Band to take, as hh or nir; several times.")
    ] = None,
    collections: Described = None,
    as_json: AsJson = False,
) -> None:
    """Write the scenes of one region and sensor family as a cube in Zarr, or append them to the one that is there.

    \b
    Example:  icefront cube items.parquet --regions regions.gpkg --region helheim \\
                --family sentinel-1 --out cube.zarr
    """
    from icefront_dask.catalog import Items
    from icefront_dask.runs.steps import write_cube

    place = one_region(regions, region)
    with progress() as report:
        stored, left_out = write_cube(
            Items.from_parquet(items), place, family, out, resolution_m=resolution, variables=variable,
            extra_collections=_collections(collections), report=report,
        )  # fmt: skip
    result(
        {
            "region": place.name,
            "family": family,
            "scenes": stored.sizes["time"],
            "left_out": left_out["reason"].value_counts().to_dict(),
            "variables": [str(name) for name in stored.data_vars],
            "shape": [stored.sizes[dim] for dim in ("time", "y", "x")],
            "output": out,
        },
        as_json=as_json,
    )


def _described(items: Items) -> dict[str, Any]:
    times = items.times.dropna()
    names = items.collections
    return {
        "items": len(items),
        "collections": {name: names.count(name) for name in sorted(set(names))},
        "first": times.min().isoformat() if len(times) else None,
        "last": times.max().isoformat() if len(times) else None,
    }


def _collections(file: Path | None) -> dict[str, Any] | None:
    if file is None:
        return None
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} is not a readable YAML file: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise ConfigError(f"{file} must map names of collections to their descriptions")
    return content
