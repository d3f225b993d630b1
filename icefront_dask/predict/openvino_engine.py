"""OpenVINO on the CPU: the network as a graph, its convolutions fused with what follows them."""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from icefront_dask.predict.engine import ENGINES, TURN, Facts
from icefront_dask.predict.torch_engine import fold_batch_norm

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from icefront_dask.models.card import Card

__all__ = ["OpenVINOEngine"]

_SHAPES = 12
"""Compiled networks that a process keeps, one a shape of batch; each takes about as much memory as the weights."""


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
        self._graph: Any = None
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""
        source = np.ascontiguousarray(batch, dtype=np.float32)
        with TURN:
            compiled = self._for(source.shape)
            # The result's memory belongs to the request, which the next call uses again.
            return np.array(compiled([source])[0], dtype=np.float32)

    def _for(self, shape: tuple[int, ...]) -> Any:
        if shape in self._compiled:
            self._compiled.move_to_end(shape)
            return self._compiled[shape]
        # OpenVINO's usage reports fork this process from a thread, which now and then kills it; without the package
        # that sends them OpenVINO goes without.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino

        precision = {"fp32": "f32", "bf16": "bf16"}[ENGINES[self.name].precision]
        if self._graph is None:
            example = torch.zeros(1, shape[1], 4 * self.stride, 4 * self.stride)
            with torch.inference_mode():
                self._graph = openvino.convert_model(self._network, example_input=example)
        graph = self._graph.clone()
        graph.reshape(list(shape))
        self._compiled[shape] = openvino.Core().compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": self.threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        while len(self._compiled) > _SHAPES:
            self._compiled.popitem(last=False)
        return self._compiled[shape]
