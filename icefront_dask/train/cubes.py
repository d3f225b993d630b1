"""The layout ``cube``: scenes of a Zarr cube with fronts drawn for some of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataSourceError
from rasterio.features import rasterize
from scipy.ndimage import label

from icefront_dask.errors import ConfigError, InputError, ModelMismatchError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, to_decibel
from icefront_dask.regions import mask, read_regions
from icefront_dask.train.labelled import Entry, Labelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr
    from numpy.typing import NDArray

    from icefront_dask.regions import Region
    from icefront_dask.train.sections import Data

__all__ = ["cube_entries", "draw_front"]

_JOIN_PX = 20  # an end of a front this near to the rim of the fjord is taken to reach it
_POWER = {"gamma0", "sigma0"}
_ELEVATION = "elevation"


def cube_entries(data: Data) -> list[Entry]:
    """List the scenes that have a front; where a scene has none, nothing is taught of it.

    ``fronts`` is GeoParquet, GeoPackage or GeoJSON with the columns ``scene_id`` and, for several regions,
    ``region``; of a table with ``status`` the rows that are accepted. Ice is what holds the inland end of the
    region's first flowline on its side of the front, ocean what holds the seaward end; beyond the fjord (the
    outline where there is none) nothing is known. Among ``bands`` may be ``elevation``, in metres, which is read from
    where the region says that it lies.

    Raises
    ------
    ConfigError
        A key is missing, or a region has no flowline or, where it is asked for, no elevation.
    InputError
        The fronts cannot be read, name scenes that the cube does not have, or do not part the fjord.
    ModelMismatchError
        The cube lacks a band.
    """
    for key in ("path", "fronts", "regions"):
        if getattr(data, key) is None:
            raise ConfigError(f"data: layout cube needs {key!r}: the store, lines with scene_id, and their regions")
    fronts = _fronts(data)
    regions = read_regions(data.regions) if data.regions is not None else []
    if "region" not in fronts.columns:
        if len(regions) > 1:
            raise InputError(f"{data.fronts}: needs a column region, since {data.regions} holds {len(regions)}")
        fronts["region"] = regions[0].name
    if unknown := sorted(set(fronts["region"]) - {region.name for region in regions}):
        raise InputError(f"{data.fronts}: fronts of region {unknown[0]}, which {data.regions} does not hold")
    return [entry for region in regions for entry in _of_region(data, region, fronts)]


def _fronts(data: Data) -> gpd.GeoDataFrame:
    read = gpd.read_parquet if str(data.fronts).endswith(".parquet") else gpd.read_file
    try:
        table = read(data.fronts)
    except (DataSourceError, OSError, ValueError) as error:
        raise InputError(f"{data.fronts}: cannot be read as lines ({error})") from error
    if "scene_id" not in table.columns or table.crs is None:
        raise InputError(f"{data.fronts}: fronts need a column scene_id and a CRS")
    if "status" in table.columns:
        table = table[table["status"] == "accepted"]
    table = table[~(table.geometry.isna() | table.geometry.is_empty)]
    if table.empty:
        raise InputError(f"{data.fronts}: no front to teach (with a geometry and, where there is a status, accepted)")
    return table


def _of_region(data: Data, region: Region, fronts: gpd.GeoDataFrame) -> Iterator[Entry]:
    from icefront_dask.cube import open_cube

    own = fronts[fronts["region"] == region.name].to_crs(region.crs)
    if own.empty:
        return
    if not region.flowlines:
        raise ConfigError(f"{data.regions}: region {region.name} has no flowline, which tells ice from ocean; add one")
    cube = open_cube(str(data.path), region=region.name, family=data.family)
    if missing := [band for band in data.bands if band not in cube and band != _ELEVATION]:
        have = ", ".join(str(name) for name in cube.data_vars if name != "quality")
        raise ModelMismatchError(f"{data.path}: no band {missing[0]}; the cube has {have}: set data.bands")
    ids = [str(scene) for scene in cube["scene_id"].to_numpy()]
    if lonely := sorted(set(own["scene_id"]) - set(ids)):
        raise InputError(f"{data.fronts}: {len(lonely)} front(s) of scenes that {data.path} lacks: {lonely[0]}")
    x, y = cube["x"].to_numpy(), cube["y"].to_numpy()
    step = Affine.translation(x[0], y[0]) * Affine.scale(x[1] - x[0], y[1] - y[0]) * Affine.translation(-0.5, -0.5)
    geobox = GeoBox((y.size, x.size), step, region.crs)
    if _ELEVATION in data.bands:
        cube = _with_elevation(cube, region, geobox, data)
    for scene, rows in own.groupby("scene_id", sort=True):
        line = shapely.union_all(rows.geometry.to_numpy())
        drawn = draw_front(line, region, geobox, str(scene))
        yield Entry(
            f"{region.name}-{scene}",
            region.name,
            (y.size, x.size),
            partial(_read, cube, ids.index(str(scene)), data.bands, drawn, region.name),
        )


def _with_elevation(cube: xr.Dataset, region: Region, geobox: GeoBox, data: Data) -> xr.Dataset:
    """Return a cube with the region's elevation as a variable of all dates, lazily."""
    import dask
    import dask.array as da

    from icefront_dask.catalog.access import Access
    from icefront_dask.cube.layers import read_elevation

    if region.elevation is None:
        raise ConfigError(
            f"{data.regions}: region {region.name} states no elevation, which data.bands asks for; add its href, or "
            "leave the band out"
        )
    read = dask.delayed(read_elevation, pure=True)(str(region.elevation), geobox, Access.resolve())
    layer = da.from_delayed(read, shape=geobox.shape.yx, dtype=np.float32)
    return cube.assign({_ELEVATION: (("time", "y", "x"), da.stack([layer] * cube.sizes["time"]))})


def _ends(line: Any) -> list[shapely.Point]:
    """Loose ends of a line: those that no other part of it touches."""
    merged = shapely.line_merge(line) if line.geom_type == "MultiLineString" else line
    return [p for part in shapely.get_parts(merged) for p in shapely.get_parts(part.boundary)]


def draw_front(
    line: Any, region: Region, geobox: GeoBox, name: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Rasterise a front and its two sides.

    Parameters
    ----------
    line : LineString or MultiLineString
        In the region's CRS. An end within 20 px of the rim of the fjord is taken to reach it.
    region : Region
        With a flowline.
    geobox : GeoBox
    name : str
        For errors.

    Returns
    -------
    ice, ice_known, front, front_known : ndarray (y, x) bool

    Raises
    ------
    InputError
        The front does not part the two ends of the flowline.
    """
    domain = region.outline if region.fjord is None else region.fjord
    pixel = abs(geobox.affine.a)
    inside = mask(domain, geobox)
    rim = domain.boundary
    joins = []
    for end in _ends(line):
        near = shapely.shortest_line(end, rim)
        if near.length <= _JOIN_PX * pixel:
            over = 1 + 2 * pixel / max(near.length, pixel)
            joins.append(shapely.affinity.scale(near, over, over, origin=end) if near.length else near)
    barrier = _burn(shapely.union_all([line, *joins]), geobox, all_touched=True)
    parts, _ = label(inside & ~barrier)
    at = [_nearest(parts, point, geobox) for point in _flow_ends(region.flowlines[0], domain)]
    if at[0] == at[1]:
        raise InputError(
            f"scene {name}: its front does not part the inland from the seaward end of the flowline of region "
            f"{region.name}; draw it across the whole fjord, or leave the scene out"
        )
    front = _burn(line, geobox, all_touched=False)
    ice = parts == at[0]
    return ice, (ice | (parts == at[1])) & ~front, front, inside


def _burn(geometry: Any, geobox: GeoBox, *, all_touched: bool) -> NDArray[np.bool_]:
    shape = geobox.shape.yx
    return rasterize([(geometry, 1)], shape, transform=geobox.affine, all_touched=all_touched, dtype="uint8") > 0


def _flow_ends(flowline: Any, domain: Any) -> tuple[shapely.Point, shapely.Point]:
    """Inland and seaward end of what of a flowline lies inside."""
    parts = [p for p in shapely.get_parts(shapely.intersection(flowline, domain)) if p.geom_type == "LineString"]
    if not parts:
        return shapely.Point(flowline.coords[0]), shapely.Point(flowline.coords[-1])
    along = sorted(flowline.project(shapely.Point(p.coords[i])) for p in parts for i in (0, -1))
    return flowline.interpolate(along[0]), flowline.interpolate(along[-1])


def _nearest(parts: NDArray[np.integer[Any]], point: shapely.Point, geobox: GeoBox) -> int:
    """Label of the part that is nearest to a point."""
    column, row = ~geobox.affine * (point.x, point.y)
    at = np.argwhere(parts > 0)
    if not at.size:
        return 0
    nearest = at[np.argmin(np.hypot(at[:, 0] + 0.5 - row, at[:, 1] + 0.5 - column))]
    return int(parts[tuple(nearest)])


def _read(
    cube: xr.Dataset, at: int, bands: tuple[str, ...], drawn: tuple[NDArray[np.bool_], ...], group: str
) -> Labelled:
    scene = cube.isel(time=at)
    layers = []
    for number, band in enumerate(bands):
        values = scene[band].compute().to_numpy()
        calibration = scene[band].attrs.get("calibration", cube.attrs.get("calibration"))
        if band != _ELEVATION and str(calibration) in _POWER:
            values = to_decibel(values, CROSS_FLOOR_DB if number else CO_FLOOR_DB)
        layers.append(values)
    ice, ice_known, front, front_known = drawn
    image = np.stack(layers).astype(np.float32)
    seen = np.isfinite(image[0])
    return Labelled(str(scene["scene_id"].item()), group, image, ice, ice_known & seen, front, front_known & seen)
