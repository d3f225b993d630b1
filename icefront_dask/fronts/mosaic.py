"""Layers of a large scene of which only the pixels in use are in memory (NumPy kernel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy.typing as npt

    from icefront_dask.predict.parts import Part

    Layer: TypeAlias = npt.NDArray[Any]
    Places: TypeAlias = npt.NDArray[np.intp]

__all__ = ["CHUNK_PX", "KEPT_BYTES", "Mosaic", "View"]

CHUNK_PX = 128
KEPT_BYTES = 256 * 2**20


class Mosaic:
    """Named layers of one grid, kept in chunks round the pixels that were asked for.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    parts : sequence of Part
        In row-major order; what they answer for begins at multiples of `CHUNK_PX`.
    load : callable
        From a part's number to its layers, each of the shape of what the part answers for.
    dtypes : mapping of str to dtype
        Names of the layers.
    full : collection of str
        Layers that are True everywhere.
    kept_bytes : int
        Chunks of so many bytes are kept; beyond, all are forgotten and come anew as they are asked for.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        parts: Sequence[Part],
        load: Callable[[int], Mapping[str, Layer]],
        dtypes: Mapping[str, Any],
        *,
        full: Collection[str] = (),
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self.shape, self.full = shape, full
        self._parts, self._load, self._dtypes = parts, load, {name: np.dtype(kind) for name, kind in dtypes.items()}
        self._across = -(-shape[1] // CHUNK_PX)
        count = -(-shape[0] // CHUNK_PX) * self._across
        self._part_of = np.empty(count, dtype=np.intp)
        for number, part in enumerate(parts):
            rows, columns = (np.arange(axis.start // CHUNK_PX, -(-axis.stop // CHUNK_PX)) for axis in part.core)
            self._part_of[(rows[:, None] * self._across + columns).ravel()] = number
        self._slot = np.full(count, -1, dtype=np.intp)
        size = CHUNK_PX**2 * sum(kind.itemsize for kind in self._dtypes.values())
        self._most = max(kept_bytes // size, 1)
        self._store: dict[str, Layer] = {}
        self._forget()

    def __getitem__(self, name: str) -> View:
        return View(self, name)

    def values(self, name: str, rows: Places, columns: Places) -> Layer:
        """Return a layer's values at pixels."""
        rows, columns = np.broadcast_arrays(rows, columns)
        chunks = (rows // CHUNK_PX) * self._across + columns // CHUNK_PX
        wanted = np.unique(chunks)
        if len(wanted) <= self._most:
            self._fetch(wanted)
            return self._at(name, chunks, rows, columns)
        found = np.empty(chunks.shape, dtype=self._dtypes[name])
        for start in range(0, len(wanted), self._most):
            some = wanted[start : start + self._most]
            self._fetch(some)
            here = np.isin(chunks, some)
            found[here] = self._at(name, chunks[here], rows[here], columns[here])
        return found

    def _at(self, name: str, chunks: Places, rows: Places, columns: Places) -> Layer:
        found: Layer = self._store[name][self._slot[chunks], rows % CHUNK_PX, columns % CHUNK_PX]
        return found

    def _forget(self) -> None:
        self._slot[:] = -1
        self._used = 0
        self._store = {name: np.zeros((0, CHUNK_PX, CHUNK_PX), dtype=kind) for name, kind in self._dtypes.items()}

    def _fetch(self, wanted: Places) -> None:
        missing = wanted[self._slot[wanted] < 0]
        if self._used + len(missing) > self._most:
            self._forget()
            missing = wanted
        if not len(missing):
            return
        self._enlarge(self._used + len(missing))
        for number in np.unique(self._part_of[missing]):
            layers = self._load(int(number))
            part = self._parts[number]
            for chunk in missing[self._part_of[missing] == number]:
                row, column = divmod(int(chunk), self._across)
                top, left = row * CHUNK_PX - part.rows.start, column * CHUNK_PX - part.columns.start
                for name, store in self._store.items():
                    piece = layers[name][top : top + CHUNK_PX, left : left + CHUNK_PX]
                    store[self._used, : piece.shape[0], : piece.shape[1]] = piece
                self._slot[chunk] = self._used
                self._used += 1

    def _enlarge(self, count: int) -> None:
        room = len(next(iter(self._store.values())))
        if count <= room:
            return
        room = min(max(count, 2 * room), self._most)
        for name, store in self._store.items():
            larger = np.zeros((room, CHUNK_PX, CHUNK_PX), dtype=store.dtype)
            larger[: self._used] = store[: self._used]
            self._store[name] = larger


class View:
    """One layer of a mosaic, which is indexed by rows and columns of pixels as an array is; ``~`` for one of bools."""

    def __init__(self, mosaic: Mosaic, name: str, *, inverted: bool = False) -> None:
        self.shape = mosaic.shape
        self._mosaic, self._name, self._inverted = mosaic, name, inverted

    def __getitem__(self, places: tuple[Places, Places]) -> Layer:
        values = self._mosaic.values(self._name, *places)
        return ~values if self._inverted else values

    def __invert__(self) -> View:
        return View(self._mosaic, self._name, inverted=not self._inverted)

    def all(self) -> bool:
        """Return whether the layer is known to be True everywhere."""
        return self._name in self._mosaic.full and not self._inverted

    def ravel(self) -> View:
        """Return itself, for `take`."""
        return self

    def take(self, places: Places) -> Layer:
        """Return values at places of the flattened array."""
        return self[np.divmod(places, self.shape[1])]
