"""What a user gives beside fronts: files without a CRS, several regions in one file, flowlines and boxes to draw."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.cli.output import note
from icefront_dask.cli.tables import read_lines, read_vector, read_velocity
from icefront_dask.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd

__all__ = ["FileCrs", "SkipUndated", "dated_lines", "drawn", "shapes", "warnings_as_notes"]

_MOST_DEGREES = 540.0  # a file that names no CRS may be read as degrees
FileCrs = Annotated[
    str | None, typer.Option("--crs", help="CRS of the vector files that name none, as EPSG:3413.", metavar="CRS")
]
SkipUndated = Annotated[bool, typer.Option("--skip-undated", help="Leave out fronts without a date.")]


def shapes(path: Path, crs: str | None = None) -> gpd.GeoDataFrame:
    """Read a vector file, whose CRS is `crs` where it names none.

    Raises
    ------
    InputError
        For a file without geometries or, where `crs` is not given, without a CRS.
    """
    return _placed(read_vector(path), path, crs)


def dated_lines(
    path: Path, region: str | None, *, crs: str | None, date_column: str | None, skip_undated: bool
) -> gpd.GeoDataFrame:
    """Read fronts, those of one region where one is named; how many have no date and are left out is told.

    Fronts that name no region are those of the one that is named.

    Raises
    ------
    InputError
        As :func:`shapes`, for a file without fronts, or a region that it does not have.
    """
    from icefront_dask.change.dates import dates_of

    lines = _placed(read_lines(path, region), path, crs)
    if region is not None and "region" not in lines:
        lines = lines.assign(region=region)
    if region is not None and len(lines):
        names = lines["region"].astype(str)
        lines = lines[names == region]
        if lines.empty:
            raise InputError(f"{path} has no fronts of region {region!r}; it has {', '.join(sorted(set(names))[:5])}")
    if lines.empty:
        raise InputError(f"{path} has no fronts; check the file, or its layer")
    if "region" in lines and (count := lines["region"].astype(str).nunique()) > 1:
        raise InputError(f"{path} has fronts of {count} regions; name one with --region")
    if not skip_undated:
        return lines
    absent = dates_of(lines, date_column, missing="keep").isna().to_numpy()
    if absent.all():
        raise InputError(f"none of the {len(lines)} fronts of {path} has a date; name the column with --date-column")
    note(f"{int(absent.sum())} of {len(lines)} fronts have no date and are left out")
    return lines[~absent]


def _placed(lines: Any, path: Path, crs: str | None) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import pyproj

    if not isinstance(lines, gpd.GeoDataFrame):
        raise InputError(f"{path} has no geometries; give GeoPackage, GeoJSON, a shapefile or GeoParquet")
    far = lines.crs is not None and lines.crs.is_geographic and bool((abs(lines.total_bounds) > _MOST_DEGREES).any())
    if lines.crs is not None and not far:
        return lines
    if crs is None:
        said = "has coordinates that are no degrees, and names no other CRS" if far else "names no CRS"
        raise InputError(f"{path} {said}; say which it has with --crs, as --crs EPSG:3413")
    try:
        return lines.set_crs(crs, allow_override=True)
    except pyproj.exceptions.CRSError as error:
        raise ConfigError(f"--crs {crs} is not known ({error}); give it as EPSG:3413") from error


def drawn(
    lines: gpd.GeoDataFrame, fjord: Path, basin: Path | None, velocity: Path | None, guides: dict[str, Any]
) -> dict[str, Any]:
    """Return the guides with the flowline and the box that the user has not given, drawn in the fronts' CRS."""
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


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Print warnings of the package as lines on stderr, each once, without the place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    said = dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning))
    for text in said:
        note(f"icefront: warning: {text}")
