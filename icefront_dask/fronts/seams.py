"""The two sides of a front, as in `sides`, in a scene that is read part by part (NumPy kernel)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from icefront_dask.fronts import sides
from icefront_dask.fronts.bodies import Bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from icefront_dask.predict.parts import Part

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Labels: TypeAlias = npt.NDArray[np.intp]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    Point: TypeAlias = tuple[float, float]
    Flow: TypeAlias = tuple[Point, Point]
    Read: TypeAlias = Callable[[int], Image]

__all__ = ["RIM_PX", "SidesInParts", "find_sides_in_parts"]

RIM_PX = 2  # what a part must read around what it answers for
_NEAR_PX = 3


@dataclass(frozen=True)
class SidesInParts:
    """Glacier, ocean and their common edge.

    Attributes
    ----------
    edge : (n, 2) float64 ndarray
        Points x, y of the edge, as of `icefront_dask.fronts.sides.Sides`, each once and in no order.
    detached : bool
        As there.
    """

    edge: Float
    detached: bool
    _kinds: tuple[_Kind, _Kind]

    def level(self, number: int, level: Image) -> Image:
        """Return the ice output of what a part reads, with bergs set to 0 and polynyas to 1."""
        return _apart(self._kinds, number, level)[0]


def find_sides_in_parts(
    read: Read, shape: tuple[int, int], parts: Sequence[Part], ridge: Pixels, flows: Sequence[Flow]
) -> SidesInParts | None:
    """Find glacier, ocean and the edge between them, as `icefront_dask.fronts.sides.find_sides` does.

    Parameters
    ----------
    read : callable
        From a part's number to the ice output of what it reads, gaps filled, NaN where there is none.
    shape : (int, int)
        Rows and columns of the scene.
    parts : sequence of Part
        They read `RIM_PX` around what they answer for.
    ridge, flows
        As for `find_sides`.

    Returns
    -------
    SidesInParts or None
        None where there is no ice or no water, or they do not meet.
    """
    eight = np.ones((3, 3), dtype=bool)
    kinds = (_Kind(Bodies(shape, parts), flows, 0), _Kind(Bodies(shape, parts, eight), flows, 1))
    seek = len(ridge) > 0 and not flows
    for number, part in enumerate(parts):
        near = _near(ridge, part, shape) if seek else None
        level = read(number)
        for kind, mask in zip(kinds, _masks(level), strict=True):
            kind.look(mask, part, near)
    for kind in kinds:
        kind.bodies.finish()
    glacier, ocean = kinds
    if len(glacier.bodies.sizes) == 1 or len(ocean.bodies.sizes) == 1:
        return None
    for which, kind in enumerate(kinds):
        kind.choose(partial(_mask, read, which), parts)
    edge, touched = _meeting(kinds, read, parts)
    detached = False
    if touched[ocean.chosen].sum() < sides.MIN_CONTACT_PX:
        if touched[1:].max(initial=0) < sides.MIN_CONTACT_PX:
            return None
        ocean.chosen, detached = [int(touched[1:].argmax()) + 1], True
        edge, _ = _meeting(kinds, read, parts)
    return SidesInParts(edge, detached, kinds) if len(edge) >= sides.MIN_CONTACT_PX else None


class _Kind:
    """The bodies of ice or of water, and those of them that are the glacier or the ocean.

    Parameters
    ----------
    bodies : Bodies
    flows : sequence of ((row, column), (row, column))
    end : int
        Which end of a flowline lies in it.
    """

    def __init__(self, bodies: Bodies, flows: Sequence[Flow], end: int) -> None:
        self.bodies = bodies
        self.chosen: list[int] = []
        self._anchors = [flow[end] for flow in flows]
        self._reaches = [sides.anchor_reach(length) for length in sides.flow_lengths(flows)]
        self._at: list[list[Labels]] = [[] for _ in flows]  # an anchor's labels, part by part
        self._contacts: list[Labels] = []

    def look(self, mask: Mask, part: Part, near: Mask | None) -> None:
        """Take the next part in."""
        core = self.bodies.add(mask)[part.inner]
        for found, anchor, reach in zip(self._at, self._anchors, self._reaches, strict=True):
            found.append(_within_reach(core, part, anchor, reach))
        if near is not None:
            self._contacts.append(np.bincount(core[near]))

    def choose(self, read: Callable[[int], Mask], parts: Sequence[Part]) -> None:
        """Choose the glacier or the ocean, once all parts are there; `read` gives the mask of a part again."""
        ids, sizes = self.bodies.ids, self.bodies.sizes
        if not self._anchors:
            contact = None
            if self._contacts:
                contact = np.zeros_like(sizes)
                for own, counts in zip(ids, self._contacts, strict=True):
                    np.add.at(contact, own[: len(counts)], counts)
            self.chosen = [sides.by_contact(sizes, contact)]
            return
        chosen = set()
        for labels, anchor in zip(self._at, self._anchors, strict=True):
            found = np.unique(np.concatenate([own[some] for own, some in zip(ids, labels, strict=True)]))
            chosen.add(int(found[sizes[found].argmax()]) if len(found) else self._nearest(anchor, read, parts))
        self.chosen = sorted(chosen)

    def _nearest(self, anchor: Point, read: Callable[[int], Mask], parts: Sequence[Part]) -> int:
        best, body = (np.inf, 0, 0), 0
        for number, part in enumerate(parts):
            labels = self.bodies.label(read(number))[0][part.inner]
            rows, columns = np.nonzero(labels)
            if not len(rows):
                continue
            away = np.hypot(rows + part.rows.start - anchor[0], columns + part.columns.start - anchor[1])
            k = int(away.argmin())
            place = (float(away[k]), int(rows[k]) + part.rows.start, int(columns[k]) + part.columns.start)
            if place < best:
                best, body = place, int(self.bodies.ids[number][labels[rows[k], columns[k]]])
        return body


def _masks(level: Image) -> tuple[Mask, Mask]:
    """Return where there is ice and where water."""
    return level >= 0.5, level < 0.5


def _mask(read: Read, which: int, number: int) -> Mask:
    """Return where a part has ice, or water."""
    return _masks(read(number))[which]


def _near(ridge: Pixels, part: Part, shape: tuple[int, int]) -> Mask:
    """Return the pixels near a ridge of what a part answers for."""
    wide = [
        slice(max(axis.start - _NEAR_PX, 0), min(axis.stop + _NEAR_PX, side))
        for axis, side in zip(part.core, shape, strict=True)
    ]
    here = np.all([(ridge[:, k] >= axis.start) & (ridge[:, k] < axis.stop) for k, axis in enumerate(wide)], axis=0)
    origin = np.array([axis.start for axis in wide])
    mask = sides.near(ridge[here] - origin, tuple(axis.stop - axis.start for axis in wide))
    rows, columns = (
        slice(axis.start - first, axis.stop - first) for axis, first in zip(part.core, origin, strict=True)
    )
    return mask[rows, columns]


def _within_reach(core: Labels, part: Part, anchor: Point, reach: float) -> Labels:
    """Return the labels of what a part answers for that lie within reach of an end of a flowline."""
    row, column = anchor[0] - part.rows.start, anchor[1] - part.columns.start
    top, left = max(int(row - reach), 0), max(int(column - reach), 0)
    block = core[top : max(int(row + reach) + 2, 0), left : max(int(column + reach) + 2, 0)]
    rows, columns = np.nonzero(block)
    # The same sums as in one block, so that what lies at the very rim is within reach in both.
    down, right = rows + (top + part.rows.start), columns + (left + part.columns.start)
    close = np.hypot(down - anchor[0], right - anchor[1]) <= reach
    return np.unique(block[rows[close], columns[close]]).astype(np.intp)


def _apart(kinds: tuple[_Kind, _Kind], number: int, level: Image) -> tuple[Image, Mask, Mask]:
    """Return level, glacier and ocean of what a part reads."""
    changed = level.copy()
    bodies = []
    for kind, mask, other in zip(kinds, _masks(level), (0.0, 1.0), strict=True):
        labels = kind.bodies.label(mask)[0]
        body = np.isin(kind.bodies.ids[number], kind.chosen)[labels]
        np.copyto(changed, np.float32(other), where=mask & ~body)
        bodies.append(body)
    return changed, bodies[0], bodies[1]


def _meeting(kinds: tuple[_Kind, _Kind], read: Read, parts: Sequence[Part]) -> tuple[Float, Labels]:
    """Return the edge between glacier and ocean, and how many pixels of each body of water touch the glacier."""
    water = kinds[1].bodies
    touched = np.zeros_like(water.sizes)
    edges: list[Float] = [np.empty((0, 2))]
    for number, part in enumerate(parts):
        level = read(number)
        changed, glacier, ocean = _apart(kinds, number, level)
        if not glacier[part.inner].any() and not ocean[part.inner].any():
            continue
        low = level < 0.5
        shore = (sides.grown(glacier) & low)[part.inner]
        labels = water.label(low)[0][part.inner]
        touched += np.bincount(water.ids[number][labels[shore]], minlength=len(touched))
        edges.append(_crossings(changed, glacier, ocean, part))
    return np.concatenate(edges), touched


def _crossings(level: Image, glacier: Mask, ocean: Mask, part: Part) -> Float:
    """Return where the level crosses 0.5 between pixels of glacier and ocean, those that a part answers for.

    These are the vertices of its contour: of two neighbours of which one is above 0.5, where all four pixels of one of
    the squares beside them are known.
    """
    inside = np.isfinite(level)
    square = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:]
    square = np.pad(square, 1)  # of pixel (r, c) and the next ones at [r + 1, c + 1]
    found = []
    for down, right in ((0, 1), (1, 0)):
        first = (slice(0, level.shape[0] - down), slice(0, level.shape[1] - right))
        second = (slice(down, None), slice(right, None))
        meet = (glacier[first] & ocean[second]) | (ocean[first] & glacier[second])
        rows, columns = np.nonzero(meet)
        own = (rows >= part.inner[0].start) & (rows < part.inner[0].stop)
        own &= (columns >= part.inner[1].start) & (columns < part.inner[1].stop)
        rows, columns = rows[own], columns[own]
        a, b = (level[rows + down * k, columns + right * k].astype(np.float64) for k in (0, 1))
        beside = square[rows + 1, columns + 1] | square[rows + down, columns + right]
        keep = ((a > 0.5) != (b > 0.5)) & beside
        rows, columns, a, b = rows[keep], columns[keep], a[keep], b[keep]
        share = (0.5 - a) / (b - a)
        y = rows + (part.origin[0] + down * share) + 0.5
        x = columns + (part.origin[1] + right * share) + 0.5
        found.append(np.column_stack([x, y]))
    return np.concatenate(found)
