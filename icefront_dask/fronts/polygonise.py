"""Ice and ocean as polygons: the fjord cut along its fronts, after CALFIN (Cheng et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from shapely.geometry.base import BaseGeometry

    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = ["IceAndOcean", "polygonise"]

_LONGEST_SNAP = 0.15  # of the fjord's mean side
_BEYOND = 1e-7
_LEAST_AREA = 0.01  # of the largest part; smaller ones are slivers and join what they touch


@dataclass(frozen=True)
class IceAndOcean:
    """The fjord's two sides.

    Attributes
    ----------
    ice, ocean : Polygon or MultiPolygon
        Valid, without overlap; together they are the fjord. An ice rise or island of the fjord is a hole in both.
    snapped : float
        Longest way by which an end of a front was led to the fjord's boundary, in the unit of the coordinates.
    """

    ice: BaseGeometry
    ocean: BaseGeometry
    snapped: float


def polygonise(
    fronts: Sequence[BaseGeometry],
    fjord: BaseGeometry,
    *,
    inland: Sequence[BaseGeometry] = (),
    ocean: Sequence[BaseGeometry] = (),
    is_ice: Callable[[BaseGeometry], bool] | None = None,
) -> IceAndOcean | None:
    """Close a scene's fronts by the fjord's boundary into one area of ice and one of ocean.

    The ends of each front are led to the nearest place of the fjord's boundary; parts of the fjord which a front
    bounds on both or neither side are those of what they touch longest. Parts are ice or ocean by the points that
    must lie in them, else by `is_ice`, else by the side of the fronts: the glacier is on the left of a line in a
    system whose y grows up.

    Parameters
    ----------
    fronts : sequence of LineString
        Of one scene, in the CRS of `fjord`.
    fjord : Polygon or MultiPolygon
        Where an ice-ocean boundary can be; islands are holes.
    inland, ocean : sequence of Point
        Places that must be ice or ocean, such as the flowlines' ends.
    is_ice : callable, optional
        Decides on a part; for instance by the mean of P(ice) in it.

    Returns
    -------
    IceAndOcean or None
        None where the fronts do not close: an end would have to be led further than 15 % of the fjord's mean side,
        the fronts do not divide the fjord, or a place that must be ocean lies in ice or the other way round (a
        front is missing).

    Raises
    ------
    InputError
        For no front, or a fjord that is no polygon.
    """
    if not len(fronts):
        raise InputError("no front to close; give at least one line")
    if fjord.geom_type not in {"Polygon", "MultiPolygon"} or fjord.is_empty:
        raise InputError(f"the fjord is a {fjord.geom_type}, not a polygon")
    area = fjord if fjord.is_valid else shapely.make_valid(fjord)
    rims = shapely.boundary(area)
    west, south, east, north = area.bounds
    side = ((east - west) + (north - south)) / 2
    # Lines that end a rounding error inside the rim would not cut it.
    led = [_led(line, rims, _BEYOND * side) for line in fronts]
    snapped = max(way for _, way in led)
    if snapped > _LONGEST_SNAP * side:
        return None
    cuts = [line for line, _ in led]
    pieces = shapely.get_parts(shapely.polygonize([shapely.union_all([rims, *cuts])]))
    parts = [piece for piece in pieces if area.contains(piece.representative_point())]
    if len(parts) < 2:
        return None
    sides = _joined(parts, [_side(part, inland, ocean, is_ice, cuts) for part in parts])
    if sides is None:
        return None
    both = [_union(parts, sides, kind=kind) for kind in (True, False)]
    if any(one.is_empty for one in both):
        return None
    if not all(both[0].covers(point) for point in inland) or not all(both[1].covers(point) for point in ocean):
        return None
    return IceAndOcean(both[0], both[1], snapped)


def _union(parts: Sequence[BaseGeometry], sides: Sequence[bool], *, kind: bool) -> BaseGeometry:
    return shapely.union_all([part for part, side in zip(parts, sides, strict=True) if side is kind])


def _led(line: BaseGeometry, rims: BaseGeometry, beyond: float) -> tuple[BaseGeometry, float]:
    """Return a line with its ends led to the rims and `beyond` them, and the longer of both ways."""
    xy = shapely.get_coordinates(line)
    if np.array_equal(xy[0], xy[-1]):
        return line, 0.0
    ways, ends = [], []
    for end, before in ((xy[0], xy[1]), (xy[-1], xy[-2])):
        at = shapely.get_coordinates(shapely.shortest_line(shapely.Point(end), rims))[1]
        way = float(np.hypot(*(at - end)))
        outward = at - end if way > beyond else end - before
        ways.append(way)
        ends.append(at + beyond * outward / float(np.hypot(*outward)))
    return shapely.LineString(np.vstack([ends[0], xy, ends[1]])), max(ways)


def _side(
    part: BaseGeometry,
    inland: Sequence[BaseGeometry],
    ocean: Sequence[BaseGeometry],
    is_ice: Callable[[BaseGeometry], bool] | None,
    cuts: Sequence[BaseGeometry],
) -> bool | None:
    """Return whether a part is ice, None where nothing says so."""
    ice, sea = any(part.covers(point) for point in inland), any(part.covers(point) for point in ocean)
    if ice != sea:
        return ice
    if is_ice is not None:
        return bool(is_ice(part))
    return _left_of(part, cuts)


def _left_of(part: BaseGeometry, cuts: Sequence[BaseGeometry]) -> bool | None:
    """Return whether a part lies to the left of the fronts along most of what it shares with them."""
    ring = shapely.boundary(shapely.orient_polygons(part))
    score = 0.0
    for cut in cuts:
        for line in shapely.get_parts(cut):
            xy = shapely.get_coordinates(line)
            middle, step = (xy[:-1] + xy[1:]) / 2, np.diff(xy, axis=0)
            length = np.hypot(step[:, 0], step[:, 1])
            near = shapely.distance(shapely.points(middle), ring) <= 1e-6 * max(float(length.sum()), 1.0)
            if not near.any():
                continue
            normal = np.column_stack([-step[:, 1], step[:, 0]]) / np.maximum(length, 1e-12)[:, None]
            aside = 1e-3 * np.maximum(length, 1e-9)[:, None] * normal
            left = shapely.contains(part, shapely.points(middle + aside))
            right = shapely.contains(part, shapely.points(middle - aside))
            score += float((length * near * (left.astype(float) - right.astype(float))).sum())
    return None if score == 0 else score > 0


def _joined(parts: Sequence[BaseGeometry], sides: Sequence[bool | None]) -> list[bool] | None:
    """Give parts of which nothing is known, and slivers, the side of what they touch longest."""
    areas = np.array([part.area for part in parts])
    known: list[bool | None] = [
        side if area >= _LEAST_AREA * areas.max() else None for side, area in zip(sides, areas, strict=True)
    ]
    for _ in parts:
        open_ = [number for number, side in enumerate(known) if side is None]
        if not open_:
            return [bool(side) for side in known]
        for number in open_:
            touch = {True: 0.0, False: 0.0}
            for other, side in enumerate(known):
                if side is not None:
                    touch[side] += shapely.intersection(parts[number], parts[other]).length
            if touch[True] or touch[False]:
                known[number] = touch[True] > touch[False]
            elif sides[number] is not None:
                known[number] = sides[number]
    return None
