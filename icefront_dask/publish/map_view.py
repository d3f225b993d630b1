"""Where a map's coordinates fall on the page, and its net of meridians and parallels."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString, box

from icefront_dask.publish.drawing import child, nice_step, path_data, text
from icefront_dask.publish.lonlat import LONLAT

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import numpy.typing as npt

    Bounds = tuple[float, float, float, float]
    Floats = npt.NDArray[np.float64]

__all__ = ["LEFT", "TOP", "WIDTH", "View", "draw_graticule", "transformers"]

WIDTH = 620.0  # of the drawing
LEFT, TOP = 14.0, 18.0  # room for the names of meridians and parallels
_POINTS = 60  # of each meridian and parallel
_APART = 64.0  # least distance of two names


class View:
    """Map coordinates to the drawing's.

    Parameters
    ----------
    bounds : tuple of float
        West, south, east, north in metres of the map.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.width = WIDTH - 2 * LEFT
        self.scale = self.width / (bounds[2] - bounds[0])  # drawing units a map metre
        self.height = (bounds[3] - bounds[1]) * self.scale
        self.box = box(*bounds)

    def place(self, xy: Floats) -> Floats:
        """Return (n, 2) map coordinates in the drawing's, whose y grows downward."""
        west, _, _, north = self.bounds
        return np.column_stack([LEFT + (xy[:, 0] - west) * self.scale, TOP + (north - xy[:, 1]) * self.scale])

    def path(self, geometry: Any, *, simplify: float = 0.3) -> str:
        """Return path data of lines, or of polygons' rings, inside the view; empty where nothing is."""
        if geometry.geom_type in {"Polygon", "MultiPolygon"}:
            geometry = geometry.boundary
        inside = shapely.intersection(geometry, self.box)
        lines = [g for g in shapely.get_parts(inside) if g.geom_type == "LineString"]
        simple = shapely.simplify(lines, simplify / self.scale)
        return path_data(self.place(shapely.get_coordinates(line)) for line in simple)


@lru_cache(maxsize=32)
def transformers(crs: str) -> tuple[pyproj.Transformer, pyproj.Transformer]:
    """Return the transformers to longitude and latitude and back."""
    return (
        pyproj.Transformer.from_crs(crs, LONLAT, always_xy=True),
        pyproj.Transformer.from_crs(LONLAT, crs, always_xy=True),
    )


def draw_graticule(root: Element, inside: Element, view: View, crs: str) -> None:
    """Draw meridians, named at the top where they can be, and parallels, named at the left."""
    to_lonlat, from_lonlat = transformers(crs)
    edge = shapely.segmentize(view.box.exterior, view.width / view.scale / 50)
    lonlat = np.column_stack(to_lonlat.transform(*shapely.get_coordinates(edge).T))
    if not np.isfinite(lonlat).all():
        return
    lons, lats = np.unwrap(lonlat[:, 0], period=360.0), lonlat[:, 1]
    if np.ptp(lons) > 180:
        return  # around a pole a few lines say nothing
    lon_step, lat_step = nice_step(float(np.ptp(lons)), 4), nice_step(float(np.ptp(lats)), 4)
    lon_line = np.linspace(lons.min() - lon_step, lons.max() + lon_step, _POINTS)
    lat_line = np.linspace(lats.min() - lat_step, lats.max() + lat_step, _POINTS).clip(-90, 90)
    lines = [(np.full(_POINTS, lon), lat_line, _name(lon, lon_step, "E", "W")) for lon in _within(lons, lon_step)]
    meridians = len(lines)
    lines += [(lon_line, np.full(_POINTS, lat), _name(lat, lat_step, "N", "S")) for lat in _within(lats, lat_step)]
    named = []
    for i, (lon, lat, name) in enumerate(lines):
        cut = shapely.intersection(LineString(np.column_stack(from_lonlat.transform(lon, lat))), view.box)
        if cut.geom_type == "LineString" and not cut.is_empty:
            child(inside, "path", d=view.path(cut), class_="graticule")
            ends = view.place(shapely.get_coordinates(cut)[[0, -1]])
            named.append((name, _places(view, ends), "top" if i < meridians else "left"))
    _write_names(root, named)


def _places(view: View, ends: Floats) -> dict[str, tuple[float, float, int]]:
    """Return where, and turned by what, the name of a line that ends there can stand."""
    out: dict[str, tuple[float, float, int]] = {}
    for x, y in ends.tolist():
        if y < TOP + 1 and 20 < x - LEFT < view.width - 20:
            out["top"] = (x, TOP - 5, 0)
        elif x < LEFT + 1 and 24 < y - TOP < view.height - 24:
            out["left"] = (LEFT - 4, y, -90)
    return out


def _write_names(root: Element, named: list[tuple[str, dict[str, tuple[float, float, int]], str]]) -> None:
    """Write each name once, at the edge that suits it first of all, not too near to another."""
    taken: list[tuple[float, float]] = []
    waiting = [(name, places[edge]) for name, places, edge in named if edge in places]
    waiting += [(name, next(iter(places.values()))) for name, places, edge in named if edge not in places and places]
    for name, (x, y, turn) in waiting:
        if all(abs(x - other[0]) + abs(y - other[1]) > _APART for other in taken):
            turned = {"transform": f"rotate({turn} {x:.1f} {y:.1f})"} if turn else {}
            text(root, x, y, name, "middle", class_="tick", **turned)
            taken.append((x, y))


def _within(values: Floats, step: float) -> list[float]:
    return [k * step for k in range(math.ceil(values.min() / step), math.floor(values.max() / step) + 1)]


def _name(value: float, step: float, positive: str, negative: str) -> str:
    value = (value + 180) % 360 - 180 if positive == "E" else value
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{abs(value):.{decimals}f}° {positive if value >= 0 else negative}"
