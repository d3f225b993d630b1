"""A network as a graph of OpenVINO: channels last where it folds pixels, exact where that is asked for.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import torch

from icefront_dask.errors import DependencyError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["as_graph", "load_openvino", "require_mixed"]

_EXACT = {"name": "DisablePrecisionConversion", "version": "0", "value": "dynamic:f16"}


def load_openvino() -> Any:
    """Import OpenVINO without its usage reports."""
    # They fork this process from a thread, which now and then kills it; without the package that sends them OpenVINO
    # goes without.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def as_graph(network: nn.Module, channels: int, stride: int, *, fold: int = 1, mixed: bool = False) -> Any:
    """Return a network as a graph for inputs of any size.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, (N, C, H, W) → (N, K, H, W).
    channels : int
        C.
    stride : int
        Sides of an input are multiples of it.
    fold : int
        What the network's attribute ``fold`` says. From 2 on the graph neither folds pixels nor gives them back, and
        its input and its output have the channels last: (N, H / fold, W / fold, C fold²) → (N, H / fold, W / fold,
        K fold²), see `icefront_dask.predict.folding`.
    mixed : bool
        Whether what comes before the first pooling is to stay in float32, whatever the graph is compiled for.
    """
    openvino = load_openvino()
    example = torch.zeros(1, channels * fold**2, 4 * stride // fold, 4 * stride // fold)
    inner: Any = network
    if fold > 1:
        inner = copy.deepcopy(network)
        inner.fold = 1
    with torch.inference_mode():
        graph = openvino.convert_model(inner, example_input=example)
    if fold > 1:
        ends = openvino.preprocess.PrePostProcessor(graph)
        for end in (ends.input(), ends.output()):
            end.model().set_layout(openvino.Layout("NCHW"))
            end.tensor().set_layout(openvino.Layout("NHWC"))
        graph = ends.build()
    return _exact_to_pooling(graph) if mixed else graph


def _exact_to_pooling(graph: Any) -> Any:
    """Return a graph whose operations before the first pooling stay in float32.

    They are marked in OpenVINO's file format, since the mark cannot be set from Python.
    """
    openvino = load_openvino()
    names = _before_pooling(graph)
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


def _before_pooling(graph: Any) -> set[str]:
    """Return the operations of a graph that depend on nothing behind a pooling or a convolution with a stride."""
    constant: set[str] = set()
    exact: set[str] = set()
    inputs = {value.get_node().get_friendly_name() for value in graph.inputs}
    for operation in graph.get_ordered_ops():
        name = operation.get_friendly_name()
        sources = {value.get_node().get_friendly_name() for value in operation.input_values()}
        if name not in inputs and sources <= constant:
            constant.add(name)
        elif sources <= constant | exact | inputs and max(operation.get_attributes().get("strides", [1])) == 1:
            exact.add(name)
    return exact - inputs


def require_mixed(compiled: Any, name: str) -> None:
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
