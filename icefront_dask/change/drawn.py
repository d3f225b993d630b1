"""Flowlines and boxes drawn from a fjord, its basin and, where given, the velocity of the ice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy.integrate import solve_ivp
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from shapely.geometry import LineString, Point, Polygon
from skimage.graph import route_through_array

from icefront_dask.change.direction import interior_vote
from icefront_dask.change.guides import fjord_width
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

__all__ = ["draw_box", "draw_flowline"]

_CELLS = 240  # of the fjord's longer side in the raster on which its middle is found
_MIDDLE_POWER = 3.0  # how strongly the way keeps to the middle
_SMOOTH_CELLS = 4.0
_VERTEX_M = 100.0
_STANDSTILL = 1e-3  # m per year below which ice gives no direction


def draw_flowline(
    fjord: Any, *, basin: Any = None, velocity: xr.Dataset | None = None, crs: str, seaward: Any = None
) -> LineString | None:
    """Draw a flowline from inland to sea.

    With a velocity field it is the streamline through the fastest ice of the fjord, led on along the fjord's
    middle where the field ends. Without one it is the fjord's middle.

    Parameters
    ----------
    fjord : Polygon or MultiPolygon
        Where an ice-ocean boundary can be, in `crs`; its largest part counts.
    basin : Polygon or MultiPolygon, optional
        Drainage basin: the flowline begins deepest inside it and ends farthest from it.
    velocity : Dataset, optional
        ``vx``, ``vy`` with dims (y, x) in metres of the map per year, coordinates in `crs`; NaN off the ice.
    crs : str
        Projected CRS in metres.
    seaward : (float, float), optional
        Direction to the sea where there is neither basin nor velocity.

    Returns
    -------
    LineString or None
        Vertices 100 m apart. None where nothing says which end is inland: no basin, no velocity, no `seaward`,
        and no ice sheet's interior near (Greenland, Antarctica).

    Raises
    ------
    InputError
        For a fjord that is no polygon, a basin that does not meet it, or a velocity without ``vx`` and ``vy``.
    """
    shape = _largest(fjord, "the fjord")
    stream = _streamline(shape, velocity) if velocity is not None else None
    ends = _ends(shape, basin, stream, seaward, crs)
    if ends is None:
        return None
    middle = _middle(shape, *ends)
    if stream is None:
        return middle
    start, stop = (middle.project(Point(stream[k])) for k in (0, -1))
    before = [p for p in middle.coords if middle.project(Point(p)) < start - _VERTEX_M] if stop > start else []
    after = [p for p in middle.coords if middle.project(Point(p)) > stop + _VERTEX_M] if stop > start else []
    return _even(LineString([*before, *stream, *after]))


def draw_box(
    flowline: LineString, fjord: Any, fronts: Any = None, *, share: float = 0.5, width: float | None = None
) -> Polygon:
    """Draw a straight box along a flowline round the fronts.

    Parameters
    ----------
    flowline : LineString
        Inland → sea.
    fjord : Polygon or MultiPolygon
        Says how wide the box is; not needed where `width` does.
    fronts : sequence of LineString, optional
        The box reaches a fjord's width beyond them at both ends (its own width without a fjord); without any it
        is as long as the flowline.
    share : float
        Its width as a share of the fjord's.
    width : float, optional
        Its width, metres of the map.

    Returns
    -------
    Polygon

    Raises
    ------
    InputError
        If the flowline does not cross the fjord.
    """
    across = width if fjord is None else fjord_width(flowline, fjord)
    if across is None:
        raise InputError("the flowline does not cross the fjord; check that both belong together and share a CRS")
    lines = [] if fronts is None else [line for line in fronts if line is not None]
    met = [shapely.get_coordinates(shapely.intersection(line, flowline)) for line in lines]
    at = shapely.line_locate_point(flowline, shapely.points(np.concatenate([np.empty((0, 2)), *met])))
    if len(at):
        low, high = np.quantile(at, [0.02, 0.98])
        first, last = max(low - across, 0.0), min(high + across, flowline.length)
    else:
        first, last = 0.0, flowline.length
    a, b = (np.array(flowline.interpolate(s).coords[0]) for s in (first, last))
    flow = (b - a) / np.hypot(*(b - a))
    left = (share * across if width is None else width) / 2 * np.array([-flow[1], flow[0]])
    return Polygon([a + left, a - left, b - left, b + left])


def _largest(geometry: Any, what: str) -> Polygon:
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon" and p.area > 0] if geometry else []
    if not parts:
        raise InputError(f"{what} must be a polygon with an area, not {getattr(geometry, 'geom_type', geometry)!r}")
    return max(parts, key=lambda part: part.area)


def _ends(
    fjord: Polygon, basin: Any, stream: npt.NDArray[np.float64] | None, seaward: Any, crs: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """Return the inland and the seaward end of the fjord's middle; None where nothing tells them apart."""
    rim = shapely.get_coordinates(shapely.segmentize(fjord.exterior, fjord.length / 400))
    points = shapely.points(rim)
    if basin is not None:
        ice = shapely.make_valid(basin)
        if not ice.intersects(fjord):
            raise InputError("the basin does not meet the fjord; check that both belong together and share a CRS")
        outside = shapely.distance(points, ice)
        depth = np.where(outside > 0, -outside, shapely.distance(points, shapely.boundary(ice)))
        return rim[np.argmax(depth)], rim[np.argmax(outside)]
    if stream is not None:
        direction = stream[-1] - stream[0]
    elif seaward is not None:
        direction = np.asarray(seaward, dtype=float)
    else:
        rectangle = shapely.get_coordinates(shapely.minimum_rotated_rectangle(fjord))[:4]
        sides = np.diff(rectangle[:3], axis=0)
        direction = sides[np.argmax(np.hypot(*sides.T))]
        vote = interior_vote(fjord.centroid.x, fjord.centroid.y, direction, crs)
        if vote == 0:
            return None
        direction = vote * direction
    along = rim @ direction
    return rim[np.argmin(along)], rim[np.argmax(along)]


def _middle(fjord: Polygon, inland: npt.NDArray[np.float64], sea: npt.NDArray[np.float64]) -> LineString:
    """Return the way between two points of a fjord's rim that keeps to its middle."""
    west, south, east, north = fjord.bounds
    cell = max(east - west, north - south) / _CELLS
    shape = (int(np.ceil((north - south) / cell)) + 2, int(np.ceil((east - west) / cell)) + 2)
    transform = Affine(cell, 0.0, west - cell, 0.0, -cell, north + cell)
    inside = rasterize([fjord], out_shape=shape, transform=transform, all_touched=True).astype(bool)
    room = distance_transform_edt(inside)
    cost = np.where(inside, (room.max() / np.maximum(room, 0.5)) ** _MIDDLE_POWER, 1e9)
    start, end = ((int((north + cell - y) / cell), int((x - west + cell) / cell)) for x, y in (inland, sea))
    cells, _ = route_through_array(cost, start, end, fully_connected=True, geometric=True)
    rows, columns = np.array(cells, dtype=float).T
    xy = np.column_stack([west - cell + (columns + 0.5) * cell, north + cell - (rows + 0.5) * cell])
    xy = gaussian_filter1d(np.concatenate([inland[None], xy[1:-1], sea[None]]), _SMOOTH_CELLS, axis=0, mode="nearest")
    return _even(LineString(xy))


def _streamline(fjord: Polygon, velocity: xr.Dataset) -> npt.NDArray[np.float64]:
    """Follow the ice through the fastest place of the fjord, up and down, as far as the field goes."""
    if not {"vx", "vy"} <= set(velocity.data_vars):
        raise InputError("a velocity needs the variables vx and vy with dims (y, x), metres of the map per year")
    west, south, east, north = shapely.buffer(fjord, fjord.length / 4).bounds
    field = velocity[["vx", "vy"]].sortby(["y", "x"]).sel(x=slice(west, east), y=slice(south, north)).compute()
    x, y = field["x"].to_numpy(), field["y"].to_numpy()
    v = np.stack([field["vx"].to_numpy(), field["vy"].to_numpy()], axis=-1).astype(float)
    inside = shapely.contains_xy(fjord, *np.meshgrid(x, y)) if v.size else np.zeros(v.shape[:2], dtype=bool)
    speed = np.where(inside, np.hypot(v[..., 0], v[..., 1]), np.nan)
    if not np.isfinite(speed).any() or np.nanmax(speed) < _STANDSTILL:
        raise InputError("the velocity has no moving ice inside the fjord; check that both share a CRS")
    row, column = np.unravel_index(int(np.nanargmax(speed)), speed.shape)
    look_up = RegularGridInterpolator((y, x), v, bounds_error=False, fill_value=np.nan)
    reach = fjord.length / 2

    def direction(_: float, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found = look_up(at[::-1])[0]
        size = np.hypot(*found)
        return found / size if np.isfinite(size) and size > _STANDSTILL else np.zeros(2)

    ways = []
    for sign in (-1.0, 1.0):
        way = solve_ivp(
            lambda s, at, sign=sign: sign * direction(s, at),
            (0.0, reach),
            np.array([x[column], y[row]]),
            max_step=_VERTEX_M * 2,
            t_eval=np.arange(0.0, reach, _VERTEX_M),
        )
        steps = np.hypot(*np.diff(way.y, axis=1))
        still = np.flatnonzero(steps < 0.5 * _VERTEX_M)
        ways.append(way.y.T[: still[0] + 1 if len(still) else None])
    return np.asarray(np.concatenate([ways[0][::-1], ways[1][1:]]))


def _even(line: LineString) -> LineString:
    """Return a line with vertices about 100 m apart."""
    line = shapely.remove_repeated_points(line, 1.0)
    count = max(int(line.length // _VERTEX_M), 1)
    return LineString(shapely.line_interpolate_point(line, np.linspace(0, line.length, count + 1)))
