"""OpenVINO on the CPU: the network as a graph, its convolutions fused with what follows them."""

from __future__ import annotations

import copy
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from icefront_dask.errors import ModelMismatchError
from icefront_dask.models.normalise import CLIP
from icefront_dask.predict.engine import ENGINES, TURN, Facts, require_range
from icefront_dask.predict.folding import folded, unfolded
from icefront_dask.predict.openvino_graph import as_graph, load_openvino, require_mixed
from icefront_dask.predict.torch_engine import fold_batch_norm

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from icefront_dask.models.card import Card

__all__ = ["OpenVINOEngine", "capabilities"]

_SHAPES = 12
"""Compiled networks that a process keeps, one a shape of batch; each takes about as much memory as the weights."""


_HINTS = {"fp32": "f32", "bf16": "bf16", "mixed": "f16"}
_MOST_APART = 0.02
"""Largest difference from float32, as a share of the largest logit, from which on mixed precision is refused."""


@cache
def capabilities() -> frozenset[str]:
    """Return what OpenVINO can compute with on this processor, as ``FP32``, ``BF16``, ``FP16``."""
    return frozenset(load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


class OpenVINOEngine(Facts):
    """A network compiled by OpenVINO for each shape of batch that occurs.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, H, W) float32 → (N, K, H, W) logits, with the attributes ``stride`` and ``receptive_radius``.
        The engine works on a copy in evaluation mode.
    name : str
        A key of `icefront_dask.predict.engine.ENGINES` whose library is openvino.
    threads : int, optional
        Threads of a forward pass; PyTorch's own number by default.
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
        self.threads = threads or torch.get_num_threads()
        plain = fold_batch_norm(copy.deepcopy(network).eval()).cpu().float()
        super().__init__(**vars(Facts.of(plain, card)))
        self._network = plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self._fold = int(getattr(plain, "fold", 1))
        self._precision = ENGINES[name].precision
        self._graph: Any = None
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""
        source = self.shown(batch)
        with TURN:
            logits = self._logits(self._for(batch.shape)([source])[0])
        if self._precision == "mixed":
            require_range(self.name, finite=bool(np.isfinite(logits).all()))
        return logits

    def shown(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a batch as the compiled network takes it."""
        if self._fold > 1:
            return folded(batch, self._fold)
        return np.ascontiguousarray(batch, dtype=np.float32)

    def _logits(self, answer: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a copy: the answer's memory belongs to the request, which the next call uses again."""
        return unfolded(answer, self._fold) if self._fold > 1 else np.array(answer, dtype=np.float32)

    def _for(self, shape: tuple[int, ...]) -> Any:
        if shape in self._compiled:
            self._compiled.move_to_end(shape)
            return self._compiled[shape]
        if self._precision == "mixed" and not self._compiled:
            self._compare(shape[1])
        self._compiled[shape] = self.compiled(shape)
        while len(self._compiled) > _SHAPES:
            self._compiled.popitem(last=False)
        return self._compiled[shape]

    def _compare(self, channels: int) -> None:
        """Raise unless the network in mixed precision is mixed, and gives about what it gives in float32."""
        side = 4 * self.stride
        probe = np.random.default_rng(0).normal(0, 2, (1, channels, side, side)).clip(-CLIP, CLIP).astype(np.float32)
        with torch.inference_mode():
            expected = self._network(torch.from_numpy(probe)).numpy()
        compiled = self.compiled(probe.shape)
        require_mixed(compiled, self.name)
        error = np.abs(self._logits(compiled([self.shown(probe)])[0]) - expected).max() / np.abs(expected).max()
        if not error <= _MOST_APART:
            raise ModelMismatchError(
                f"engine {self.name!r} changes the answers of this network by {100 * error:.0f} %, most likely since "
                "its numbers are beyond the range of fp16; set predict.engine to openvino-fp32"
            )

    def compiled(self, shape: tuple[int, ...], **properties: Any) -> Any:
        """Return the network compiled anew for a shape of batch, with further properties of OpenVINO's CPU device."""
        if self._graph is None:
            self._graph = as_graph(
                self._network, shape[1], self.stride, fold=self._fold, mixed=self._precision == "mixed"
            )
        graph = self._graph.clone()
        count, channels, *sides = shape
        if self._fold > 1:
            graph.reshape([count, *(side // self._fold for side in sides), channels * self._fold**2])
        else:
            graph.reshape(list(shape))
        own = {
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned threads of several processes all lie on the first cores.
            "ENABLE_CPU_PINNING": False,
        }
        return load_openvino().Core().compile_model(graph, "CPU", {**own, **properties})
