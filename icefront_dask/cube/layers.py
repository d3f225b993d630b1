"""What a region's ground looks like: elevation and geoid on its grid, aligned once."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
import pyproj
import xarray as xr

from icefront_dask.catalog.access import Access
from icefront_dask.cube.attributes import grid_attributes, grid_coordinates
from icefront_dask.cube.readers import BandRequest, OdcReader
from icefront_dask.errors import InputError, ReadError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["COPERNICUS", "copernicus_tiles", "read_elevation", "read_geoid", "region_layers"]

COPERNICUS = "cop-dem-glo-30"
_COPERNICUS_ROOT = "https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com"
_ATTRIBUTES = {
    "elevation": {"long_name": "elevation above the geoid", "standard_name": "surface_altitude", "units": "m"},
    "geoid": {
        "long_name": "height of the geoid above the WGS 84 ellipsoid",
        "standard_name": "geoid_height_above_reference_ellipsoid",
        "units": "m",
    },
}


def region_layers(region: Any, resolution: float, *, access: Access | None = None) -> xr.Dataset:
    """Return a region's elevation and geoid on its grid, lazily.

    Parameters
    ----------
    region : Region
        States ``elevation`` or ``geoid``.
    resolution : float
        Pixel size in metres of the projection.
    access : Access, optional
        How to fetch and sign; default: the configuration.

    Returns
    -------
    xarray.Dataset
        Dims (y, x): ``elevation`` and ``geoid``, those that the region states, float32, m, NaN nodata.

    Raises
    ------
    InputError
        For a region that states neither.
    ReadError, NotGeoreferencedError
        While computing, for files that cannot be read or placed.
    """
    access = access or Access.resolve()
    grid = region.geobox(resolution)
    found = {name: getattr(region, name) for name in _ATTRIBUTES if getattr(region, name) is not None}
    if not found:
        raise InputError(f"region {region.name!r} states neither elevation nor geoid; add their hrefs to its file")
    readers = {"elevation": read_elevation, "geoid": _read_geoid_grid}
    arrays = {
        name: da.from_delayed(
            dask.delayed(readers[name], pure=True)(href, grid, access), shape=grid.shape.yx, dtype=np.float32
        )
        for name, href in found.items()
    }
    return xr.Dataset(
        {
            name: (("y", "x"), array, {**_ATTRIBUTES[name], "source": str(found[name]), "grid_mapping": "spatial_ref"})
            for name, array in arrays.items()
        },
        coords=grid_coordinates(grid),
        attrs={"Conventions": "CF-1.11", "region": region.name, **grid_attributes(grid)},
    )


@functools.lru_cache(maxsize=32)
def read_elevation(href: str, geobox: Any, access: Access) -> npt.NDArray[np.float32]:
    """Return elevation above the geoid on a grid.

    Parameters
    ----------
    href : str
        A GeoTIFF, or ``cop-dem-glo-30`` for the tiles of the Copernicus model; where it has none lies the sea.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    access : Access
        How to fetch and sign.

    Returns
    -------
    ndarray
        Dims (y, x), float32, m, NaN nodata.

    Raises
    ------
    ReadError, NotGeoreferencedError
        For a file that cannot be read or placed.
    """
    if href != COPERNICUS:
        return _read(href, geobox, access)
    out = np.zeros(geobox.shape.yx, np.float32)
    for tile in copernicus_tiles(geobox):
        try:
            part = _read(tile, geobox, access)
        except ReadError as error:
            if "does not exist" not in str(error):
                raise
            continue
        np.copyto(out, part, where=~np.isnan(part))
    return out


def read_geoid(geoid: str | None, geobox: Any, access: Access) -> npt.NDArray[np.float32] | float:
    """Return the geoid's height above the ellipsoid on a grid, m; a number where it is given as one, 0 without it."""
    if geoid is None:
        return 0.0
    try:
        return float(geoid)
    except ValueError:
        return _read(geoid, geobox, access)


def copernicus_tiles(geobox: Any) -> list[str]:
    """Return the hrefs of the one-degree tiles of the Copernicus elevation model that a grid touches."""
    to_lonlat = pyproj.Transformer.from_crs(str(geobox.crs), "OGC:CRS84", always_xy=True)
    rows, columns = (np.linspace(0, n, max(2, n // 64 + 2)) for n in geobox.shape.yx)
    column, row = np.meshgrid(columns, rows)
    longitude, latitude = to_lonlat.transform(*(geobox.affine * (column, row)))
    corners = {
        (math.floor(lat), math.floor((lon + 180) % 360 - 180))
        for lon, lat in zip(longitude.ravel(), latitude.ravel(), strict=True)
    }
    names = []
    for lat, lon in sorted(corners):
        north, east = ("N" if lat >= 0 else "S"), ("E" if lon >= 0 else "W")
        name = f"Copernicus_DSM_COG_10_{north}{abs(lat):02d}_00_{east}{abs(lon):03d}_00_DEM"
        names.append(f"{_COPERNICUS_ROOT}/{name}/{name}.tif")
    return names


def _read_geoid_grid(geoid: str, geobox: Any, access: Access) -> npt.NDArray[np.float32]:
    found = read_geoid(geoid, geobox, access)
    return found if isinstance(found, np.ndarray) else np.full(geobox.shape.yx, found, np.float32)


def _read(href: str, geobox: Any, access: Access) -> npt.NDArray[np.float32]:
    request = BandRequest("layer", href, f"layer {href.rpartition('/')[2]}", "float32", "bilinear", access=access)
    return OdcReader().read([request], geobox)["layer"]
