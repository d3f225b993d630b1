"""What runs a network: eager PyTorch on the CPU or on an NVIDIA GPU, in a stated precision.

An engine turns a float32 NumPy batch into float32 NumPy logits. Its name states device and precision, so that
a frozen specification can carry it; ``auto`` is resolved once, by whoever plans the work.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import copy
import threading
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from icefront_dask.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

__all__ = ["ENGINES", "Engine", "TorchEngine", "fold_batch_norm", "resolve_engine"]

ENGINES: dict[str, tuple[str, torch.dtype]] = {
    "torch-fp32": ("cpu", torch.float32),
    "torch-bf16": ("cpu", torch.bfloat16),
    "cuda-fp32": ("cuda", torch.float32),
    "cuda-bf16": ("cuda", torch.bfloat16),
}
"""Name → device and the type in which PyTorch's autocast runs convolutions."""

_TURN = threading.Lock()
"""One forward pass at a time in a process: it uses all of the process's threads by itself."""


class Engine(Protocol):
    """Runs one network.

    Attributes
    ----------
    name : str
        Of the engine.
    stride : int
        Sides of a batch are multiples of it.
    receptive_radius : int
        Pixels on each side of an output pixel that can change it.
    """

    name: str
    stride: int
    receptive_radius: int

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""


def resolve_engine(name: str = "auto") -> str:
    """Return the engine that ``name`` means on this machine.

    Parameters
    ----------
    name : str
        ``auto`` or a key of `ENGINES`. ``auto`` is ``cuda-bf16`` with a GPU, else ``torch-bf16`` where the
        CPU multiplies bfloat16 in hardware (AVX-512 BF16, AMX), else ``torch-fp32``.

    Raises
    ------
    ConfigError
        For an unknown name.
    DependencyError
        For a CUDA engine where PyTorch finds no GPU.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda-bf16"
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
        return "torch-bf16" if fast else "torch-fp32"
    if name not in ENGINES:
        raise ConfigError(f"no engine {name!r} for predict.engine; there are: auto, {', '.join(ENGINES)}")
    if ENGINES[name][0] == "cuda" and not torch.cuda.is_available():
        raise DependencyError(
            f"engine {name!r} needs an NVIDIA GPU and a CUDA build of PyTorch, and there is none here; set "
            "predict.engine to auto, or install the extra 'cuda' on a machine with a GPU"
        )
    return name


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold batch normalisations which directly follow a convolution in a ``Sequential`` into it, in place."""
    for block in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index, (first, second) in enumerate(pairwise(list(block))):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                block[index] = fuse_conv_bn_eval(first, second)
                block[index + 1] = nn.Identity()
    return network


class TorchEngine:
    """Eager PyTorch in channels-last memory format.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, H, W) float32 → (N, K, H, W) logits, with the attributes ``stride`` and ``receptive_radius``.
        The engine works on a copy in evaluation mode, with batch normalisation folded into the convolutions.
    name : str
        A key of `ENGINES`.
    threads : int, optional
        Threads of a forward pass on the CPU; PyTorch's own setting by default.
    stride, receptive_radius : int, optional
        Instead of those of the network.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        threads: int | None = None,
        *,
        stride: int | None = None,
        receptive_radius: int | None = None,
    ) -> None:
        self.name = name
        self.threads = threads
        stated: Any = network
        self.stride = int(stated.stride if stride is None else stride)
        self.receptive_radius = int(stated.receptive_radius if receptive_radius is None else receptive_radius)
        device, self.dtype = ENGINES[name]
        self.device = torch.device(device)
        folded = fold_batch_norm(copy.deepcopy(network).eval())
        self.network = folded.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""
        exact = self.dtype is torch.float32
        with _TURN, torch.inference_mode(), self._convolutions():
            # A new Python thread begins with OpenMP's own count, not with the one set elsewhere.
            if self.threads is not None and torch.get_num_threads() != self.threads:
                torch.set_num_threads(self.threads)
            source = torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32))
            source = source.to(self.device, memory_format=torch.channels_last)
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=not exact):
                logits = self.network(source)
            result: NDArray[np.float32] = logits.float().contiguous().cpu().numpy()
        return result

    def _convolutions(self) -> AbstractContextManager[None]:
        if self.device.type != "cuda":
            return nullcontext()
        exact = self.dtype is torch.float32
        flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=not exact
        )
        return flags
