"""OpenVINO on the CPU: the network as a graph, its convolutions fused with what follows them."""

from __future__ import annotations

import copy
import sys
import tempfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import torch

from icefront_dask.errors import DependencyError, ModelMismatchError
from icefront_dask.models.normalise import CLIP
from icefront_dask.predict.engine import ENGINES, TURN, Facts, within_range
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
_EXACT = {"name": "DisablePrecisionConversion", "version": "0", "value": "dynamic:f16"}


@cache
def capabilities() -> frozenset[str]:
    """Return what OpenVINO can compute with on this processor, as ``FP32``, ``BF16``, ``FP16``."""
    return frozenset(_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _openvino() -> Any:
    # OpenVINO's usage reports fork this process from a thread, which now and then kills it; without the package
    # that sends them OpenVINO goes without.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


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
        self._precision = ENGINES[name].precision
        self._graph: Any = None
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""
        source = np.ascontiguousarray(batch, dtype=np.float32)
        with TURN:
            compiled = self._for(source.shape)
            # The result's memory belongs to the request, which the next call uses again.
            logits = np.array(compiled([source])[0], dtype=np.float32)
        return within_range(logits, self.name) if self._precision == "mixed" else logits

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
        _require_mixed(compiled, self.name)
        error = np.abs(compiled([probe])[0] - expected).max() / np.abs(expected).max()
        if not error <= _MOST_APART:
            raise ModelMismatchError(
                f"engine {self.name!r} changes the answers of this network by {100 * error:.0f} %, most likely since "
                "its numbers are beyond the range of fp16; set predict.engine to openvino-fp32"
            )

    def compiled(self, shape: tuple[int, ...], **properties: Any) -> Any:
        """Return the network compiled anew for a shape of batch, with further properties of OpenVINO's CPU device."""
        openvino = _openvino()
        if self._graph is None:
            side = 4 * self.stride
            example = torch.zeros(1, shape[1], side, side)
            with torch.inference_mode():
                self._graph = openvino.convert_model(self._network, example_input=example)
            if self._precision == "mixed":
                self._graph = _exact_to_pooling(self._graph, tuple(example.shape))
        graph = self._graph.clone()
        graph.reshape(list(shape))
        own = {
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        return openvino.Core().compile_model(graph, "CPU", {**own, **properties})


def _exact_to_pooling(graph: Any, shape: tuple[int, ...]) -> Any:
    """Return a network whose operations before the first pooling stay in float32.

    They are marked in OpenVINO's file format, since the mark cannot be set from Python.
    """
    openvino = _openvino()
    probe = graph.clone()
    probe.reshape(list(shape))
    names = _before_pooling(probe, shape[2:])
    with tempfile.TemporaryDirectory(prefix="icefront-") as folder:
        path = Path(folder) / "network.xml"
        openvino.serialize(graph, path)
        tree = ET.parse(path)  # noqa: S314  it was written a line above
        for layer in tree.iterfind("layers/layer"):
            if layer.get("name") in names:
                facts = layer.find("rt_info")
                if facts is None:
                    facts = ET.SubElement(layer, "rt_info")
                ET.SubElement(facts, "attribute", _EXACT)
        tree.write(path)
        return openvino.Core().read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())


def _before_pooling(graph: Any, sides: tuple[int, ...]) -> set[str]:
    """Return the operations of a network that depend on no smaller image than its input."""
    constant: set[str] = set()
    exact: set[str] = set()
    inputs = {value.get_node().get_friendly_name() for value in graph.inputs}
    for operation in graph.get_ordered_ops():
        name = operation.get_friendly_name()
        sources = {value.get_node().get_friendly_name() for value in operation.input_values()}
        if name not in inputs and sources <= constant:
            constant.add(name)
        elif sources <= constant | exact | inputs and tuple(operation.get_output_shape(0))[2:] == sides:
            exact.add(name)
    return exact - inputs


def _require_mixed(compiled: Any, name: str) -> None:
    """Raise unless some convolutions of a compiled network are in float32 and others in float16."""
    layers = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops()]
    found = {
        facts["runtimePrecision"].astype(str) for facts in layers if facts["layerType"].astype(str) == "Convolution"
    }
    if found != {"f32", "f16"}:
        raise DependencyError(
            f"this release of OpenVINO runs engine {name!r} in {' and '.join(sorted(found))}, not in f16 behind the "
            "first pooling and in f32 before it; set predict.engine to auto, or install the release of constraints.txt"
        )
