"""What happens when memory does not suffice, and how much a prediction takes.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from icefront_dask.predict.engine import ENGINES

if TYPE_CHECKING:
    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import PredictOptions
    from icefront_dask.predict.tiles import TilePlan

__all__ = ["Allowance", "is_out_of_memory", "is_spoilt_device", "tile_bytes"]

_LOG = logging.getLogger(__name__)
_BYTES_PER_TILE_PIXEL = {"openvino": 420, "torch": 450, "torch-compile": 450}
"""Of a forward pass of the halved U-Net, with input and output; measured by ``benchmarks/bench_predict.py``."""
_EXHAUSTED = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "could not create a memory object",
    "failed to allocate",
)


def tile_bytes(shape: tuple[int, int], options: PredictOptions) -> int:
    """Return the bytes that the tiles of one forward pass take in main memory, for a scene of this size.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the scene.
    options : PredictOptions
    """
    kind = ENGINES[options.engine]
    if kind.device == "cuda":
        return 0
    side = options.settled(None).tile_px
    assert side is not None
    pixels = min(shape[0] + 32, side) * min(shape[1] + 32, side)
    return pixels * options.batch * _BYTES_PER_TILE_PIXEL[kind.library]


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether PyTorch, CUDA, oneDNN, OpenVINO or NumPy raised an error for want of memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _EXHAUSTED)


def is_spoilt_device(error: BaseException) -> bool:
    """Return whether a CUDA context can do nothing more in its process."""
    if is_out_of_memory(error):
        return False
    return isinstance(error, torch.AcceleratorError) or (isinstance(error, RuntimeError) and "CUDA error" in str(error))


@dataclass(frozen=True)
class Allowance:
    """Batch and tile that a pass may take, less once memory was short."""

    batch: int
    tile_px: int
    changed: bool = False

    def less(self, plan: TilePlan, engine: Engine, *, fixed: bool, error: BaseException) -> Allowance:
        """Return half the batch, or from 1 on tiles of half the side.

        Raises
        ------
        MemoryError
            Where tiles cannot be halved: they are windows of a size as published, or would have no room between
            their halos.
        """
        batch = min(self.batch, max(len(plan.tiles), 1))
        if batch > 1:
            _LOG.warning("memory was short for %d tiles at a time (%s): going on with %d", batch, error, batch // 2)
            return dataclasses.replace(self, batch=batch // 2, changed=True)
        side = max(plan.tile_shape) // 2
        if fixed or side < 2 * engine.halo + 4 * engine.stride:
            raise MemoryError(
                f"memory does not suffice for one tile of {' × '.join(map(str, plan.tile_shape))} px; give the worker "
                "more memory, run fewer workers on the machine, or set predict.tile_px lower"
            ) from error
        _LOG.warning("memory was short for a tile of %s px (%s): going on with %d px", plan.tile_shape, error, side)
        return dataclasses.replace(self, tile_px=side, changed=True)
