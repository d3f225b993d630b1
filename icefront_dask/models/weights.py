"""Weights on disk: safetensors, half precision where that can hold them, checked before they are parsed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from icefront_dask.errors import WeightsError
from icefront_dask.models.card import require_safetensors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_BYTES", "read_weights", "sha256_of", "write_weights"]

MAX_BYTES = 512 * 2**20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; train a model with `icefront train` or name another one")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_weights(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a safetensors file into float32 tensors.

    Parameters
    ----------
    path : Path
    sha256 : str, optional
        Expected digest; compared before anything is parsed.

    Raises
    ------
    WeightsError
        Missing, of another kind (pickle, TorchScript), too large, altered or truncated, or with values that are not
        finite.
    """
    require_safetensors(path)
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; train a model with `icefront train` or name another")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise WeightsError(f"{path.name}: {size} bytes are more than the {MAX_BYTES} allowed for weights")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise WeightsError(
            f"{path.name}: SHA-256 {found[:12]}… is not the {sha256[:12]}… of its card: the file is truncated or "
            "altered; fetch it again"
        )
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise WeightsError(f"{path.name} is not a whole safetensors file ({error}); fetch it again") from error
    if broken := [
        key for key, value in tensors.items() if value.dtype.is_floating_point and not value.isfinite().all()
    ]:
        raise WeightsError(f"{path.name}: {broken[0]} has values that are not finite; train the model again")
    return {key: value.float() if value.dtype == torch.float16 else value for key, value in tensors.items()}


def write_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write a state dict as safetensors.

    Floating-point tensors are written in half precision; those with values beyond its range (as a variance of a batch
    norm may be) and all other tensors as they are.

    Raises
    ------
    WeightsError
        For values that are not finite: the training has diverged.
    """
    kept = {key: _smallest(key, value).detach().cpu().contiguous() for key, value in state.items()}
    path.write_bytes(save(kept))


def _smallest(name: str, values: Tensor) -> Tensor:
    if not values.dtype.is_floating_point:
        return values
    if not values.isfinite().all():
        raise WeightsError(f"{name} has values that are not finite: the training diverged; lower its learning_rate")
    half = values.half()
    return half if half.isfinite().all() else values
