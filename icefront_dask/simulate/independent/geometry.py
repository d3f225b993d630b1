"""Places made of Voronoi cells: walls, a front that calved cell by cell along cracks, blocks afloat.

Coordinates are pixels, x to the right and y down, the centre of the corner pixel at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio.features import shapes
from scipy.ndimage import distance_transform_edt
from scipy.spatial import Voronoi, cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ICE", "OCEAN", "ROCK", "Mosaic", "Place", "draw_place", "fjord_of", "flowline_of", "mosaic"]

OCEAN, ICE, ROCK = 0, 1, 2
_ROUNDS = 4
_NEIGHBOURS = 8  # of a site, among which that of the nearest border is


@dataclass(frozen=True)
class Place:
    """A place with its front.

    Attributes
    ----------
    kind : (H, W) uint8 ndarray
        0 ocean, 1 glacier, 2 rock.
    front : MultiLineString or LineString
        Edges of the cells between glacier and ocean: exact.
    down : (float, float)
        Unit vector of the flow, x and y.
    """

    kind: NDArray[np.uint8]
    front: shapely.LineString | shapely.MultiLineString
    down: tuple[float, float]


@dataclass(frozen=True)
class Mosaic:
    """Cells of a grid: the number of each pixel's cell, and the distance (px) to the border of the cell."""

    cell: NDArray[np.intp]
    border: NDArray[np.float32]
    cells: int


def _grid(size: int) -> NDArray[np.float64]:
    rows, cols = np.mgrid[0:size, 0:size]
    return np.column_stack([cols.ravel() + 0.5, rows.ravel() + 0.5])


def mosaic(rng: np.random.Generator, size: int, cell_px: float, stretch: float = 1.0, angle: float = 0.0) -> Mosaic:
    """Return Voronoi cells about ``cell_px`` wide, ``stretch`` times longer along a direction (radians)."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turn[0] /= stretch
    points = _grid(size) @ turn.T
    low, high = points.min(axis=0) - 2 * cell_px, points.max(axis=0) + 2 * cell_px
    count = max(int(np.prod(high - low) / cell_px**2), 8)
    sites = rng.uniform(low, high, (count, 2))
    distance, cell = cKDTree(sites).query(points, k=min(_NEIGHBOURS, count))
    gap = np.linalg.norm(sites[cell[:, 1:]] - sites[cell[:, :1]], axis=2)
    border = ((distance[:, 1:] ** 2 - distance[:, :1] ** 2) / (2 * gap)).min(axis=1)
    return Mosaic(cell[:, 0].reshape(size, size), border.reshape(size, size).astype(np.float32), count)


def draw_place(rng: np.random.Generator, size: int) -> Place:
    """Draw a place of ``size`` x ``size`` pixels: a fjord of any direction, or in one of four an open shelf.

    Cells are rock beyond a winding channel, glacier up its flow and ocean down it. Then cells of the glacier with a
    face to the ocean break off, the more often the more faces they have, for a few rounds.
    """
    angle = rng.uniform(0, 2 * np.pi)
    down = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-down[1], down[0]])
    cell_px = rng.uniform(5, 14)
    sites = rng.uniform(-0.5 * size, 1.5 * size, (int((2 * size / cell_px) ** 2), 2))
    middle = size / 2 + rng.uniform(-0.15, 0.15, 2) * size
    along, beside = (sites - middle) @ down, (sites - middle) @ across
    half = 10.0 * size if rng.random() < 0.25 else rng.uniform(0.12, 0.4) * size
    bend = rng.uniform(0, 0.12) * size * np.sin(along / (rng.uniform(0.3, 0.8) * size) + rng.uniform(0, 6))
    rock = np.abs(beside - bend) > half * (1 + 0.15 * np.sin(along / (0.2 * size) + rng.uniform(0, 6)))
    sag = rng.uniform(-0.15, 0.25) * size
    line = sag * (1 - np.minimum((beside / max(min(half, size), 1.0)) ** 2, 1.5))
    ice = (along < line) & ~rock

    cells = Voronoi(sites)
    pairs = cells.ridge_points
    for _ in range(_ROUNDS):
        faces = _faces(pairs, ice, ~ice & ~rock)
        ice &= rng.random(len(sites)) >= np.where(faces > 0, 0.06 * faces, 0)
    ice = _largest(pairs, ice, along)

    kind_of = np.where(rock, ROCK, np.where(ice, ICE, OCEAN)).astype(np.uint8)
    _, owner = cKDTree(sites).query(_grid(size))
    edges = []
    for (a, b), ends in zip(pairs, cells.ridge_vertices, strict=True):
        if -1 not in ends and {int(kind_of[a]), int(kind_of[b])} == {ICE, OCEAN}:
            edges.append(shapely.LineString(cells.vertices[ends]))
    whole = shapely.line_merge(shapely.union_all(edges)) if edges else shapely.MultiLineString()
    front = _lines(shapely.intersection(whole, shapely.box(0, 0, size, size)))
    return Place(kind_of[owner].reshape(size, size), front, (float(down[0]), float(down[1])))


def fjord_of(place: Place) -> shapely.Geometry:
    """Return where a front can be, as somebody would draw it: what is not rock, to about 2 px."""
    inside = (place.kind != ROCK).astype(np.uint8)
    parts = [shapely.geometry.shape(part) for part, value in shapes(inside, mask=inside > 0) if value]
    return shapely.make_valid(shapely.simplify(shapely.union_all(parts), 2.0))


def flowline_of(place: Place) -> shapely.LineString:
    """Return a line from the glacier's middle by the front's to the middle of the sea."""
    ends = []
    for kind in (ICE, OCEAN):
        deep = distance_transform_edt(np.pad(place.kind == kind, 1))[1:-1, 1:-1]
        row, col = np.unravel_index(int(deep.argmax()), deep.shape)
        ends.append((col + 0.5, row + 0.5))
    middle = place.front.interpolate(0.5, normalized=True)
    return shapely.LineString([ends[0], (middle.x, middle.y), ends[1]])


def _faces(pairs: NDArray[np.intp], ice: NDArray[np.bool_], ocean: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Count the ocean cells beside each cell of ice."""
    count = np.zeros(len(ice), dtype=np.intp)
    for one, other in ((0, 1), (1, 0)):
        touching = ice[pairs[:, one]] & ocean[pairs[:, other]]
        np.add.at(count, pairs[touching, one], 1)
    return count


def _largest(pairs: NDArray[np.intp], ice: NDArray[np.bool_], along: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Keep the cells of ice that hang together with the one farthest up the flow."""
    from scipy.sparse import coo_array, csgraph

    inner = pairs[ice[pairs].all(axis=1)]
    graph = coo_array((np.ones(len(inner)), inner.T), shape=(len(ice), len(ice)))
    _, label = csgraph.connected_components(graph, directed=False)
    source = int(np.where(ice, along, np.inf).argmin())
    kept: NDArray[np.bool_] = ice & (label == label[source])
    return kept


def _lines(geometry: shapely.Geometry) -> shapely.LineString | shapely.MultiLineString:
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "LineString" and part.length > 0]
    return parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
