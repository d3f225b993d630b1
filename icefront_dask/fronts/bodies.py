"""Connected components of a mask that is seen part by part (NumPy kernel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from icefront_dask.predict.parts import Part

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Labels: TypeAlias = npt.NDArray[np.intp]

__all__ = ["Bodies"]


class Bodies:
    """Components of a mask over the parts of a grid, numbered as in a labelled image of the whole.

    Each part is labelled by itself, on its core and the rim that it reads around it. Two labels that lie on one pixel
    of two neighbours are one body. What is kept of a part is its labels along the seams.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    parts : sequence of Part
        Its parts in row-major order, which read at least a pixel around what they answer for.
    structure : (3, 3) bool ndarray, optional
        Which neighbours are connected; the four nearest by default.

    Attributes
    ----------
    ids : list of (n,) ndarray of intp
        After `finish`: for each part the body of each of its labels; label 0, no body, is 0.
    sizes : (bodies + 1,) ndarray of intp
        After `finish`: pixels of each body, 0 for number 0.
    """

    def __init__(self, shape: tuple[int, int], parts: Sequence[Part], structure: Mask | None = None) -> None:
        self.ids: list[Labels] = []
        self.sizes: Labels = np.zeros(1, dtype=np.intp)
        self._shape, self._parts, self._structure = shape, parts, structure
        self._columns = sum(part.rows.start == parts[0].rows.start for part in parts)
        self._counts: list[Labels] = []
        self._firsts: list[Labels] = []
        self._offsets = [0]
        self._pairs: list[Labels] = []
        self._beside: dict[int, Labels] = {}
        self._below: dict[int, Labels] = {}

    def add(self, mask: Mask) -> Labels:
        """Take the mask of what the next part reads; return its labels there."""
        number = len(self._counts)
        part = self._parts[number]
        labels, count = self.label(mask)
        self._count(labels[part.inner], count, part)
        if number % self._columns and number - 1 in self._beside:
            self._join(number - 1, self._beside.pop(number - 1), number, labels)
        if number >= self._columns:
            self._join(number - self._columns, self._below.pop(number - self._columns), number, labels)
        if (number + 1) % self._columns:
            self._beside[number] = self._common(labels, number, number + 1)
        if number + self._columns < len(self._parts):
            self._below[number] = self._common(labels, number, number + self._columns)
        return labels

    def label(self, mask: Mask) -> tuple[Labels, int]:
        """Return the labels of a part by itself, the same ones each time, and how many there are."""
        labels, count = ndimage.label(mask, structure=self._structure)
        return labels, int(count)

    def finish(self) -> None:
        """Bring the parts together, once all are there."""
        total = self._offsets[-1]
        pairs = np.concatenate([np.empty((0, 2), dtype=np.intp), *self._pairs])
        graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(total, total))
        body = connected_components(graph, directed=False)[1] if total else np.empty(0, dtype=np.intp)
        count = int(body.max(initial=-1)) + 1
        first = np.full(count, self._shape[0] * self._shape[1], dtype=np.intp)
        np.minimum.at(first, body, np.concatenate([np.empty(0, dtype=np.intp), *self._firsts]))
        rank = np.empty(count, dtype=np.intp)
        rank[np.argsort(first, kind="stable")] = np.arange(1, count + 1)
        every = rank[body]
        self.ids = [
            np.concatenate([[0], every[start:stop]])
            for start, stop in zip(self._offsets[:-1], self._offsets[1:], strict=True)
        ]
        self.sizes = np.zeros(count + 1, dtype=np.intp)
        np.add.at(self.sizes, every, np.concatenate([np.empty(0, dtype=np.intp), *self._counts]))

    def _count(self, core: Labels, count: int, part: Part) -> None:
        flat = core.ravel()
        first = np.full(count + 1, -1, dtype=np.intp)
        first[flat[::-1]] = np.arange(len(flat) - 1, -1, -1)
        rows, columns = np.divmod(first[1:], core.shape[1])
        place = (rows + part.rows.start) * self._shape[1] + columns + part.columns.start
        self._firsts.append(np.where(first[1:] >= 0, place, self._shape[0] * self._shape[1]))
        self._counts.append(np.bincount(flat, minlength=count + 1)[1:])
        self._offsets.append(self._offsets[-1] + count)

    def _common(self, labels: Labels, own: int, other: int) -> Labels:
        """Return the labels of a part where another one reads as well."""
        window = []
        for mine, theirs in zip(self._parts[own].window, self._parts[other].window, strict=True):
            start, stop = max(mine.start, theirs.start), min(mine.stop, theirs.stop)
            window.append(slice(start - mine.start, stop - mine.start))
        return labels[tuple(window)].copy()

    def _join(self, before: int, theirs: Labels, number: int, labels: Labels) -> None:
        ours = self._common(labels, number, before)
        both = (ours > 0) & (theirs > 0)
        found = np.unique(np.column_stack([theirs[both], ours[both]]), axis=0).astype(np.intp) - 1
        self._pairs.append(found + np.array([self._offsets[before], self._offsets[number]]))
