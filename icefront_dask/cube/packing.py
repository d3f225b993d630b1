"""How a variable is packed on disk: as the integers of the provider where that is exact, else as float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.cube.blocks import read_dtype
from icefront_dask.cube.decode import scale_dn
from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from icefront_dask.cube.scene import Scene

__all__ = ["Packing", "pack", "packings_of", "unpack"]


@dataclass(frozen=True)
class Packing:
    """``value = scale * number + offset`` with number 0 for NaN (uint16), or the value itself (float32)."""

    dtype: str = "float32"
    scale: float = 1.0
    offset: float = 0.0

    @property
    def fill(self) -> float | int:
        """Value of what was never written."""
        return 0 if self.dtype == "uint16" else float("nan")

    @property
    def attributes(self) -> dict[str, Any]:
        """CF attributes by which other programs unpack it."""
        if self.dtype == "float32":
            return {}
        return {"scale_factor": self.scale, "add_offset": self.offset, "_FillValue": 0}

    def to_template(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"dtype": self.dtype, "scale": self.scale, "offset": self.offset}

    @classmethod
    def from_template(cls, values: Mapping[str, Any]) -> Packing:
        """Return what :meth:`to_template` described."""
        return cls(**values)


def packings_of(scenes: Sequence[Scene], variables: Sequence[str]) -> dict[str, Packing]:
    """Return how each variable is packed: uint16 where all items share integers, scale and offset."""
    out = {}
    for name in variables:
        bands = [(s.kind, b) for scene in scenes for s in scene.sources for b in s.bands if b.variable == name]
        kinds = {
            ("float32", 1.0, 0.0)
            if band.mtl is not None or band.thermal_constants is not None
            else (read_dtype(kind, band.dtype), band.scale, band.offset)
            for kind, band in bands
        }
        dtype, scale, offset = next(iter(kinds)) if len(kinds) == 1 else ("float32", 1.0, 0.0)
        out[name] = Packing(dtype, scale, offset) if dtype == "uint16" else Packing()
    return out


def pack(values: npt.NDArray[np.float32], packing: Packing) -> npt.NDArray[Any]:
    """Return the numbers on disk.

    Parameters
    ----------
    values : ndarray
        Dims (y, x), float32, NaN nodata.
    packing : Packing
        How.

    Raises
    ------
    StoreError
        For values that would not come back to the bit.
    """
    if packing.dtype == "float32":
        return values
    numbers = np.rint((values.astype(np.float64) - packing.offset) / packing.scale)
    empty = np.isnan(values)
    numbers[empty] = 0
    if numbers.min() < 0 or numbers.max() > np.iinfo(np.uint16).max:
        raise StoreError("values lie outside what 16-bit integers of this scale and offset can hold")
    packed = numbers.astype(np.uint16)
    if not np.array_equal(unpack(packed, packing), values, equal_nan=True):
        raise StoreError(
            f"values are no multiples of the scale {packing.scale} and offset {packing.offset} that the "
            "items state; the file holds another data type than its item says"
        )
    return packed


def unpack(numbers: npt.NDArray[Any], packing: Packing) -> npt.NDArray[np.float32]:
    """Return float32 values, NaN nodata, of the numbers on disk; any shape."""
    return numbers if packing.dtype == "float32" else scale_dn(numbers, packing.scale, packing.offset)
