"""Ground range images onto a grid: placed by their annotation, calibrated, freed of noise."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import rasterio.windows
from odc.geo.geobox import GeoboxTiles
from scipy.interpolate import LinearNDInterpolator

from icefront_dask.cube import grd, safe
from icefront_dask.cube.gdal import gdal_env, open_gtiff
from icefront_dask.cube.layers import read_elevation, read_geoid
from icefront_dask.cube.metadata import fetch
from icefront_dask.cube.rangedoppler import Locator
from icefront_dask.errors import NotGeoreferencedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from icefront_dask._collection import Band
    from icefront_dask.catalog.access import Access
    from icefront_dask.cube.scene import Radar

    Places = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

__all__ = ["read_grd"]

_TILE_PX = 512  # of the grid at a time, which bounds the memory that a window of a fine image takes
_NODE_PX = 8  # between the nodes where places are computed exactly over a smooth surface
_MARGIN_PX = 2


def read_grd(
    item_id: str, bands: Sequence[Band], radar: Radar, geobox: Any, access: Access
) -> dict[str, npt.NDArray[np.float32]]:
    """Read the bands of one ground range product.

    Parameters
    ----------
    item_id : str
        For messages.
    bands : sequence of Band
        Polarisations, with the hrefs of their calibration annotation; without it the digital numbers are passed
        on, which only ``geometry: gcp`` allows.
    radar : Radar
        How they are placed.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    access : Access
        How to fetch and sign.

    Returns
    -------
    dict of str to ndarray
        Dims (y, x), float32: gamma0 on the ellipsoid, linear power, NaN nodata, 0 below the noise floor.

    Raises
    ------
    ReadError
        For a file that cannot be read.
    NotGeoreferencedError
        For an image without control points where these are to place it.
    """
    out = {band.variable: np.full(geobox.shape.yx, np.nan, np.float32) for band in bands}
    side: Any = tuple(min(_TILE_PX, int(n)) for n in geobox.shape.yx)
    tiles = GeoboxTiles(geobox, side)
    for index in np.ndindex(*tiles.shape.yx):
        tile, where = tiles[index], tiles.roi[index]
        places: Places | None = None
        for band in bands:
            label = f"item {item_id!r}, asset {band.asset!r}"
            with gdal_env(), open_gtiff(band.href, label, access, placed=False) as dataset:
                if places is None:
                    places = _places(band, label, radar, tile, dataset, access)
                out[band.variable][where] = _read_tile(band, label, dataset, places, tile, access)
    return out


def _read_tile(
    band: Band, label: str, dataset: Any, places: Places, tile: Any, access: Access
) -> npt.NDArray[np.float32]:
    line, pixel = places
    looks = _looks(line, pixel)
    window = _window(line, pixel, dataset.shape, looks // 2 + _MARGIN_PX)
    if window is None:
        return np.full(tile.shape.yx, np.nan, np.float32)
    rows, columns = window
    dn = dataset.read(1, window=rasterio.windows.Window.from_slices(rows, columns))
    if band.annotation is None:
        power = np.where(dn == 0, np.float32(np.nan), dn.astype(np.float32))
    else:
        gains, noise = _radiometry(band.annotation, label, access)
        gain, floor = grd.table_of(gains, rows, columns), grd.noise_of(noise, rows, columns)
        power = grd.calibrate(dn, gain, floor)
        if noise.legacy:
            power[_border(dataset, noise, rows, columns)] = np.nan
    return grd.sample(grd.multilook(power, looks), line - rows.start, pixel - columns.start)


def _looks(line: npt.NDArray[np.float64], pixel: npt.NDArray[np.float64]) -> int:
    """Return how many pixels of the image lie side by side in one of the grid: its values are averaged so far."""
    steps = [np.hypot(np.diff(line, axis=axis), np.diff(pixel, axis=axis)) for axis in (0, 1)]
    known = np.concatenate([step[np.isfinite(step)] for step in steps])
    return max(1, round(float(np.median(known)))) if known.size else 1


def _window(
    line: npt.NDArray[np.float64], pixel: npt.NDArray[np.float64], shape: tuple[int, int], margin: int
) -> tuple[slice, slice] | None:
    """Return the part of an image that a tile needs, or ``None`` where the image does not reach it."""
    out = []
    inside = (line > -1) & (line < shape[0]) & (pixel > -1) & (pixel < shape[1])
    if not inside.any():
        return None
    for places, size in ((line, shape[0]), (pixel, shape[1])):
        low, high = math.floor(places[inside].min()) - margin, math.ceil(places[inside].max()) + margin + 1
        out.append(slice(max(low, 0), min(high, size)))
    return out[0], out[1]


def _border(dataset: Any, noise: safe.Noise, rows: slice, columns: slice) -> npt.NDArray[np.bool_]:
    """Return which pixels of a window hold border noise; it is judged from the image's edge, not the window's."""
    height, width = dataset.shape
    out = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    line, pixel = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    reach = grd.BORDER_PX
    for near, far, strip, turn in (
        (columns.start < reach, False, (rows, slice(0, min(reach, width))), False),
        (columns.stop > width - reach, True, (rows, slice(max(width - reach, 0), width)), False),
        (rows.start < reach, False, (slice(0, min(reach, height)), columns), True),
        (rows.stop > height - reach, True, (slice(max(height - reach, 0), height), columns), True),
    ):
        if not near:
            continue
        numbers = dataset.read(1, window=rasterio.windows.Window.from_slices(*strip))
        floor = grd.noise_of(noise, *strip)
        if turn:
            numbers, floor = numbers.T, floor.T
        edge = grd.edge_of(numbers[:, ::-1], floor[:, ::-1]) if far else grd.edge_of(numbers, floor)
        size, at = (height, line) if turn else (width, pixel)
        depth = size - 1 - at if far else at
        out |= depth[:, None] < edge[None, :] if turn else depth[None, :] < edge[:, None]
    return out


def _places(band: Band, label: str, radar: Radar, tile: Any, dataset: Any, access: Access) -> Places:
    if radar.geometry == "gcp":
        points = _locator(band.annotation, label, access).annotation.gcps if band.annotation else _gcps(dataset, label)
        return _by_gcps(points, tile)
    assert band.annotation is not None, "an item without annotation is refused before"
    locate = _locator(band.annotation, label, access)
    if radar.geometry == "range_doppler":
        assert radar.elevation is not None, "scenes() has asked for it"
        height = read_elevation(radar.elevation, tile, access) + read_geoid(radar.geoid, tile, access)
        return locate(*_lonlat(tile, *_centres(tile)), height)

    def at_front(longitude: Any, latitude: Any, nodes: tuple[Any, Any]) -> Places:
        geoid = read_geoid(radar.geoid, tile, access)
        if isinstance(geoid, np.ndarray):
            geoid = geoid[np.ix_(np.rint(nodes[0]).astype(int), np.rint(nodes[1]).astype(int))]
        return locate(longitude, latitude, radar.freeboard_m + geoid)

    return _between_nodes(tile, at_front)


def _between_nodes(tile: Any, places: Callable[[Any, Any, tuple[Any, Any]], Places]) -> Places:
    """Compute places at nodes and bilinearly between them: over a smooth surface they are off by 1e-3 pixels."""
    nodes = [np.unique(np.append(np.arange(0.0, n, _NODE_PX), n - 1.0)) for n in tile.shape.yx]
    found = places(*_lonlat(tile, nodes[0], nodes[1]), (nodes[0], nodes[1]))
    weights = [_hats(np.arange(float(n)), at) for n, at in zip(tile.shape.yx, nodes, strict=True)]
    line, pixel = (weights[0] @ values @ weights[1].T for values in found)
    return line, pixel


def _hats(places: npt.NDArray[np.float64], nodes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weights of linear interpolation, dims (place, node)."""
    return np.stack([np.interp(places, nodes, unit) for unit in np.eye(nodes.size)], axis=1)


def _centres(tile: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.arange(float(tile.shape.y)), np.arange(float(tile.shape.x))


def _lonlat(tile: Any, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> Places:
    """Return longitude and latitude of pixel centres, dims (row, column)."""
    column, row = np.meshgrid(columns, rows)
    x, y = tile.affine * (column + 0.5, row + 0.5)
    longitude, latitude = _to_lonlat(str(tile.crs)).transform(x, y)
    return longitude, latitude


def _by_gcps(points: npt.NDArray[np.float64], tile: Any) -> Places:
    to_lonlat = _to_lonlat(str(tile.crs))
    x, y = to_lonlat.transform(points[:, 2], points[:, 3], direction="INVERSE")
    interpolate = LinearNDInterpolator(np.column_stack([x, y]), points[:, :2])

    def places(column: Any, row: Any) -> Any:
        return interpolate(np.stack(tile.affine * (column + 0.5, row + 0.5), axis=-1))

    columns, rows = np.meshgrid(*_centres(tile)[::-1])
    found = places(columns, rows)
    return found[..., 0], found[..., 1]


def _gcps(dataset: Any, label: str) -> npt.NDArray[np.float64]:
    gcps, crs = dataset.gcps
    if len(gcps) < 3:
        raise NotGeoreferencedError(
            f"{label}: the file has neither annotation nor ground control points; leave the item out"
        )
    to_lonlat = pyproj.Transformer.from_crs(str(crs), "OGC:CRS84", always_xy=True)
    longitude, latitude = to_lonlat.transform([p.x for p in gcps], [p.y for p in gcps])
    return np.column_stack([[p.row for p in gcps], [p.col for p in gcps], longitude, latitude])


@functools.lru_cache(maxsize=16)
def _to_lonlat(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)


@functools.lru_cache(maxsize=16)
def _locator(calibration: str, label: str, access: Access) -> Locator:
    return Locator(safe.parse_annotation(fetch(safe.annotation_hrefs(calibration)[0], label, access), label))


@functools.lru_cache(maxsize=16)
def _radiometry(calibration: str, label: str, access: Access) -> tuple[safe.Table, safe.Noise]:
    _, gains, noise = safe.annotation_hrefs(calibration)
    table = safe.parse_calibration(fetch(gains, label, access), label)["gamma0"]
    return table, safe.parse_noise(fetch(noise, label, access), label)
