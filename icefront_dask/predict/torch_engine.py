"""PyTorch on the CPU or on an NVIDIA GPU, eager or compiled."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from icefront_dask.predict.engine import ENGINES, TURN, Facts, require_range

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from icefront_dask.models.card import Card

__all__ = ["TorchEngine", "fold_batch_norm"]


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold batch normalisations which directly follow a convolution in a ``Sequential`` into it, in place."""
    for block in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for index, (first, second) in enumerate(pairwise(list(block))):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                block[index] = fuse_conv_bn_eval(first, second)
                block[index + 1] = nn.Identity()
    return network


class TorchEngine(Facts):
    """PyTorch in channels-last memory format, eager or compiled.

    A compiled network is compiled anew for each shape of batch, which takes tens of seconds and a C++ compiler.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, H, W) float32 → (N, K, H, W) logits, with the attributes ``stride`` and ``receptive_radius``.
        The engine works on a copy in evaluation mode, with batch normalisation folded into the convolutions.
    name : str
        A key of `ENGINES`.
    threads : int, optional
        Threads of a forward pass on the CPU; PyTorch's own setting by default.
    card : Card, optional
        States stride and receptive radius instead of the network's attributes.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        threads: int | None = None,
        *,
        card: Card | None = None,
    ) -> None:
        self.name = name
        self.threads = threads
        kind = ENGINES[name]
        self.device = torch.device(kind.device)
        self.precision = kind.precision
        self._short = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(kind.precision)
        folded = fold_batch_norm(copy.deepcopy(network).eval())
        super().__init__(**vars(Facts.of(folded, card)))
        folded = folded.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: Callable[[torch.Tensor], torch.Tensor] = folded
        if kind.library == "torch-compile":
            from torch._inductor import config

            # Its pool of compilers is forked, which a process with running threads does not survive.
            config.compile_threads = 1
            self.network = torch.compile(folded, dynamic=False)

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""
        logits = self.logits(torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32)))
        result: NDArray[np.float32] = logits.cpu().numpy()
        return result

    def logits(self, batch: torch.Tensor) -> torch.Tensor:
        """Return what calling the engine does, on the engine's own device, for a batch on any."""
        with TURN, torch.inference_mode(), self._convolutions():
            # A new Python thread begins with OpenMP's own count, not with the one set elsewhere.
            if self.threads is not None and torch.get_num_threads() != self.threads:
                torch.set_num_threads(self.threads)
            source = batch.to(self.device, memory_format=torch.channels_last)
            with torch.autocast(self.device.type, dtype=self._short, enabled=self._short is not None):
                answer = self.network(source)
            result = answer.float().contiguous()
            if self.precision == "fp16":
                require_range(self.name, finite=bool(torch.isfinite(result).all()))
        return result

    def _convolutions(self) -> AbstractContextManager[None]:
        if self.device.type != "cuda":
            return nullcontext()
        flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=self.precision != "fp32"
        )
        return flags
