"""What runs a network, by name: the library, the device and the precision.

An engine turns a float32 NumPy batch into float32 NumPy logits. Its name states what it is, so that a frozen
specification can carry it; ``auto`` is resolved once, by whoever plans the work.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import torch
from torch import nn

from icefront_dask.errors import ConfigError, DependencyError, ModelMismatchError
from icefront_dask.models.inputs import input_channels
from icefront_dask.predict.halo import aligned_halo
from icefront_dask.predict.measure import fastest
from icefront_dask.predict.published import PublishedWindow, published_window

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from icefront_dask.models.card import Card

__all__ = ["ENGINES", "TURN", "Engine", "Facts", "Kind", "make_engine", "require_range", "resolve_engine"]


class Kind(NamedTuple):
    """What an engine is."""

    library: Literal["torch", "torch-compile", "openvino"]
    device: Literal["cpu", "cuda"]
    precision: Literal["fp32", "tf32", "bf16", "fp16", "mixed"]


ENGINES: dict[str, Kind] = {
    "torch-fp32": Kind("torch", "cpu", "fp32"),
    "torch-bf16": Kind("torch", "cpu", "bf16"),
    "torch-compile-fp32": Kind("torch-compile", "cpu", "fp32"),
    "torch-compile-bf16": Kind("torch-compile", "cpu", "bf16"),
    "openvino-fp32": Kind("openvino", "cpu", "fp32"),
    "openvino-bf16": Kind("openvino", "cpu", "bf16"),
    "openvino-mixed": Kind("openvino", "cpu", "mixed"),
    "cuda-fp32": Kind("torch", "cuda", "fp32"),
    "cuda-tf32": Kind("torch", "cuda", "tf32"),
    "cuda-bf16": Kind("torch", "cuda", "bf16"),
    "cuda-fp16": Kind("torch", "cuda", "fp16"),
    "cuda-compile-bf16": Kind("torch-compile", "cuda", "bf16"),
}
"""Engines by name. In bf16 and fp16, convolutions multiply short numbers and add in float32; in tf32 they multiply
float32 numbers rounded to 10 bits. Mixed is fp32 up to the first pooling, where the scene's own pixels are looked at,
and fp16 behind it."""

_SHORT = {"mixed": "FP16", "bf16": "BF16"}
"""Precisions of OpenVINO that `auto` may take where a network's card names them, and what they multiply."""

TURN = threading.Lock()
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
    halo : int
        Pixels beyond an aligned tile's edge that can change it, a multiple of the stride.
    windows : PublishedWindow or None
        How a network that is not shift-equivariant is to be shown a scene.
    guided : bool
        Whether it is told which way the sea is (`icefront_dask.models.normalise.seaward`).
    """

    name: str
    stride: int
    receptive_radius: int
    halo: int
    windows: PublishedWindow | None
    guided: bool

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (N, K, H, W) float32 of a batch (N, C, H, W) float32."""


def resolve_engine(name: str = "auto", precisions: Collection[str] = ("fp32",)) -> str:
    """Return the engine that ``name`` means on this machine.

    Parameters
    ----------
    name : str
        ``auto`` or a key of `ENGINES`. ``auto`` is ``cuda-fp32`` with a GPU, and on a CPU the fastest of those which
        need no compiler, measured once a machine (`icefront_dask.predict.measure`): of OpenVINO, where it is installed,
        and PyTorch, in fp32, and of ``openvino-mixed`` and ``openvino-bf16`` where it may. Other engines are chosen
        by name.
    precisions : collection of str
        What ``auto`` may take besides fp32, as the cards of the networks say (`icefront_dask.models.card.Card`):
        precisions by which their fronts move less than 0.05 px (``docs/prediction.md``).

    Raises
    ------
    ConfigError
        For an unknown name.
    DependencyError
        For a CUDA engine where PyTorch finds no GPU, OpenVINO where it is not installed, and mixed precision where the
        processor does not multiply fp16.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda-fp32"
        if find_spec("openvino") is None:
            return fastest(["torch-fp32"])
        reduced = [f"openvino-{short}" for short in sorted(precisions) if short in _SHORT and _multiplies(short)]
        return fastest(["openvino-fp32", "torch-fp32", *reduced])
    if name not in ENGINES:
        raise ConfigError(f"no engine {name!r} for predict.engine; there are: auto, {', '.join(ENGINES)}")
    if ENGINES[name].device == "cuda" and not torch.cuda.is_available():
        raise DependencyError(
            f"engine {name!r} needs an NVIDIA GPU and a CUDA build of PyTorch, and there is none here; set "
            "predict.engine to auto, or install the extra 'cuda' on a machine with a GPU"
        )
    if ENGINES[name].library == "openvino" and find_spec("openvino") is None:
        raise DependencyError(
            f"engine {name!r} needs OpenVINO: pip install 'icefront_dask[openvino]', on every worker; or set "
            "predict.engine to auto"
        )
    if ENGINES[name].precision == "mixed" and not _multiplies("mixed"):
        raise DependencyError(
            f"engine {name!r} needs a processor that multiplies fp16 (AMX-FP16 or AVX512-FP16), and this one does not; "
            "set predict.engine to auto"
        )
    return name


def _multiplies(precision: str) -> bool:
    """Return whether this processor multiplies the short numbers of a reduced precision by itself."""
    from icefront_dask.predict.openvino_engine import capabilities

    return _SHORT[precision] in capabilities()


def require_range(name: str, *, finite: bool) -> None:
    """Raise unless the logits of an engine in fp16, whose numbers end at 65504, are finite.

    Raises
    ------
    ModelMismatchError
        If the network's numbers went beyond.
    """
    if not finite:
        raise ModelMismatchError(
            f"numbers within the network went beyond the range of fp16 in engine {name!r}; set predict.engine to one "
            "in fp32"
        )


@dataclass(eq=False)
class Facts:
    """What an engine states of its network, and the base of the engines; see `Engine` for the fields."""

    stride: int
    receptive_radius: int
    halo: int
    windows: PublishedWindow | None = None
    guided: bool = False

    @classmethod
    def of(cls, network: nn.Module, card: Card | None = None) -> Facts:
        """Return what the card says, or else the network itself, with the halo measured.

        Parameters
        ----------
        network : torch.nn.Module
            In evaluation mode, with the attributes ``stride``, ``receptive_radius`` and, where it is not
            shift-equivariant, ``shift_equivariant``.
        card : Card, optional
        """
        own: Any = network if card is None else card
        stride, radius = int(own.stride), int(own.receptive_radius)
        rounded = -(-radius // stride) * stride
        guided = card is not None and card.guided
        if not getattr(own, "shift_equivariant", True):
            return cls(stride, radius, rounded, published_window("" if card is None else card.architecture), guided)
        channels = input_channels(network) or 3
        return cls(stride, radius, aligned_halo(network, channels, stride, radius) or rounded, guided=guided)


def make_engine(network: nn.Module, name: str, threads: int | None = None, *, card: Card | None = None) -> Engine:
    """Return an engine that runs a copy of a network.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, H, W) float32 → (N, K, H, W) logits.
    name : str
        A key of `ENGINES`.
    threads : int, optional
        Threads of a forward pass on the CPU; the library's own number by default.
    card : Card, optional
        States stride and receptive radius instead of the network's attributes.
    """
    if ENGINES[resolve_engine(name)].library == "openvino":
        from icefront_dask.predict.openvino_engine import OpenVINOEngine

        return OpenVINOEngine(network, name, threads, card=card)
    from icefront_dask.predict.torch_engine import TorchEngine

    return TorchEngine(network, name, threads, card=card)
