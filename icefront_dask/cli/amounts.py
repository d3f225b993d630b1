"""Commands from fronts and series to areas, sub-regions and mass: ``areas``, ``aggregate``, ``mass-change``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icefront_dask.cli.options import AsJson, RegionName, one_region
from icefront_dask.cli.output import note, result
from icefront_dask.cli.tables import check_ending, read_lines, read_series, read_table, write_lines, write_table
from icefront_dask.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["aggregate", "areas", "mass_change"]

_REGIONS = typer.Option("--regions", help="Regions file.")
_MASS = ("terminus_mass_change_gt", "terminus_mass_change_low_gt", "terminus_mass_change_high_gt")


class Step(StrEnum):
    """Period of a joined record."""

    MONTHLY = "monthly"
    ANNUAL = "annual"


def areas(
    fronts: Annotated[Path, typer.Argument(help="fronts.parquet of the package.")],
    regions: Annotated[Path, _REGIONS],
    out: Annotated[Path, typer.Option("--out", help="Polygons to write: .gpkg, .geojson or .parquet.")],
    region: RegionName = None,
    with_review: Annotated[bool, typer.Option("--with-review", help="Fronts in review close a fjord, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write ice and ocean of each scene: the region's fjord, closed by the scene's fronts.

    \b
    Example:  icefront areas out/fronts.parquet --regions regions.gpkg --region helheim --out areas.gpkg
    """
    from icefront_dask.fronts import Status, front_areas

    check_ending(out, ".gpkg", ".geojson", ".parquet")
    place = one_region(regions, region)
    lines = read_lines(fronts, place.name)
    statuses = [str(Status.ACCEPTED), *([str(Status.REVIEW)] if with_review else [])]
    found = front_areas(lines, place, statuses=statuses)
    usable = lines[lines["status"].isin(statuses) & lines.geometry.notna()]["scene_id"].nunique()
    if found.empty:
        raise InputError(
            f"none of the {usable} scenes with fronts closes the fjord of {place.name}; fronts must reach its walls, "
            "and --with-review takes more of them"
        )
    write_lines(found, out)
    ice = found.loc[found["kind"] == "ice", "area_m2"]
    result(
        {
            "region": place.name,
            "scenes": found["scene_id"].nunique(),
            "not_closed": usable - found["scene_id"].nunique(),
            "ice_area_min_m2": float(ice.min()),
            "ice_area_max_m2": float(ice.max()),
            "output": out,
        },
        as_json=as_json,
    )


def aggregate(
    series: Annotated[
        list[Path], typer.Argument(help="series.parquet of a run, or what `icefront series` wrote; one or more.")
    ],
    groups: Annotated[
        Path, typer.Option("--groups", help="CSV with the columns region and group, and width_m if it is known.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Table to write: .parquet or .csv.")],
    method: Annotated[str, typer.Option("--method", help="Method whose positions are joined.")] = "rectilinear-box",
    period: Annotated[Step, typer.Option("--period", help="Length of a step.")] = Step.ANNUAL,
    as_json: AsJson = False,
) -> None:
    """Join glaciers to sub-regions or an ice sheet: mean change weighted by width, and area, of each step.

    \b
    Example:  icefront aggregate out/series.parquet --groups groups.csv --period annual --out east.csv
              icefront aggregate helheim.csv fenris.csv --groups groups.csv --out east.csv
    """
    from icefront_dask.change import aggregate_regions, monthly_table

    check_ending(out, ".parquet", ".csv")
    named = read_table(groups)
    if lacking := [name for name in ("region", "group") if name not in named]:
        raise InputError(f"{groups} lacks the column {', '.join(lacking)}; it says which region is of which group")
    named = named.dropna(subset=["region", "group"])
    of = dict(zip(named["region"].astype(str), named["group"].astype(str), strict=True))
    widths = None
    if "width_m" in named:
        known = named[named["width_m"] > 0]
        widths = dict(zip(known["region"].astype(str), known["width_m"].astype(float), strict=True))
    table = monthly_table(_joined(series), method=method, period=period.value)
    joined = aggregate_regions(table, of, widths=widths).compute()
    rows = joined.to_dataframe().reset_index()
    write_table(rows, out)
    last = joined.isel(time=-1) if joined.sizes["time"] else None
    names = [str(name) for name in joined["group"].to_numpy()]
    total = joined["area_change_m2"].sum("time")
    result(
        {
            "groups": len(names),
            "steps": joined.sizes["time"],
            "change_m": {} if last is None else {n: float(last["position_m"].sel(group=n)) for n in names},
            "area_change_m2": {n: float(total.sel(group=n)) for n in names},
            "output": out,
        },
        as_json=as_json,
    )


def mass_change(
    series: Annotated[
        list[Path], typer.Argument(help="series.parquet of a run, or what `icefront series` wrote; one or more.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Table to write: .parquet or .csv.")],
    thickness: Annotated[
        float | None, typer.Option("--thickness", help="Thickness of the ice at the front in metres, for all regions.")
    ] = None,
    thickness_sigma: Annotated[float, typer.Option("--thickness-sigma", help="Its 1 sigma in metres.")] = 0.0,
    thicknesses: Annotated[
        Path | None,
        typer.Option("--thicknesses", help="CSV with the columns region, thickness_m and, optional, sigma_m."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how much mass a terminus lost or gained by its net change: density x thickness x area.

    This is neither frontal ablation, which needs the ice that arrives, nor a change of sea level.

    \b
    Example:  icefront mass-change out/series.parquet --thickness 600 --thickness-sigma 60 --out mass.csv
    """
    from icefront_dask.change import change_statistics

    check_ending(out, ".parquet", ".csv")
    given: Mapping[str, tuple[float, float]] | tuple[float, float]
    if thicknesses is not None and thickness is None:
        given = _thicknesses(read_table(thicknesses), thicknesses)
    elif thickness is not None and thicknesses is None:
        given = (thickness, thickness_sigma)
    else:
        raise ConfigError("give the thickness of the ice by --thickness, or for each region by --thicknesses")
    found = change_statistics(_joined(series), thickness_m=given)
    columns = ["region", "method", "flowline", "n", "first_date", "last_date", "net_change_m", *_MASS, "reason"]
    found = found[[name for name in columns if name in found]]
    write_table(found, out)
    if not as_json:
        note(found.to_string(index=False))
    known = found[found[_MASS[0]].notna()]
    result(
        {
            "rows": len(found),
            "with_mass": len(known),
            "mass_change_gt": {
                f"{row.region} {row.method} {row.flowline}".strip(): getattr(row, _MASS[0])
                for row in known.itertuples()
            },
            "output": out,
        },
        as_json=as_json,
    )


def _joined(files: Sequence[Path]) -> pd.DataFrame:
    import pandas as pd

    tables = {file: read_series(file) for file in files}
    for file, table in tables.items():
        if "" in set(table["region"]) and len(tables) > 1:
            raise InputError(f"{file} has positions without a region; name it by `icefront series --region NAME`")
    return pd.concat(tables.values(), ignore_index=True)


def _thicknesses(table: pd.DataFrame, path: Path) -> dict[str, tuple[float, float]]:
    if lacking := [name for name in ("region", "thickness_m") if name not in table]:
        raise InputError(f"{path} lacks the column {', '.join(lacking)}; it gives the thickness of each region")
    sigma = table["sigma_m"].fillna(0.0) if "sigma_m" in table else [0.0] * len(table)
    return {
        str(name): (float(value), float(spread))
        for name, value, spread in zip(table["region"], table["thickness_m"], sigma, strict=True)
    }
