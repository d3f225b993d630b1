"""Tasks: what a network is taught of a labelled window, by which loss, and how well it does so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor

from icefront_dask.errors import ConfigError
from icefront_dask.score.caffe import CLASSES
from icefront_dask.score.calfin import front_of_mask
from icefront_dask.train.losses import dice, joint_loss, side_loss
from icefront_dask.train.published_losses import (
    calfin_loss,
    cross_entropy_dice,
    deep_auto_bce,
    distance_map_dice,
    edges,
    weighted_bce,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from icefront_dask.train.config import TrainConfig
    from icefront_dask.train.labelled import Labelled

__all__ = ["TASKS", "Task", "build_task"]


class Task(Protocol):
    """One task."""

    @property
    def outputs(self) -> int:
        """Return the channels that the network must have."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of what is counted."""
        ...

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """Return the losses by name, the default first.

        Each takes the list of the network's outputs (the merged or only one first, then those of its levels)
        and the targets.
        """
        ...

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return the arrays of a window that the losses take, in order, each (…, H, W)."""
        ...

    @property
    def counts(self) -> Callable[..., Tensor]:
        """Return pixels in both and in either of predicted and true, (classes, 2) float64.

        Takes the first of the network's outputs and the targets.
        """
        ...


def _both_and_either(predicted: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    known = weight > 0
    both, either = (predicted & true & known).sum(), ((predicted | true) & known).sum()
    return torch.stack([both, either]).double()


def _floats(*layers: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
    return tuple(layer.astype(np.float32) for layer in layers)


class IceFront:
    """Ice (channel 0) and the pixels within 1.5 px of the front (channel 1): the shipped networks."""

    outputs = 2
    classes = ("ice", "front")

    def __init__(self, config: TrainConfig) -> None:
        self.gains = config.front_gain, config.ice_gain, config.side_gain

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """Half cross-entropy, half Dice, side heads on ice."""
        return {"joint": self._joint}

    def _joint(self, outputs: list[Tensor], targets: Tensor, weights: Tensor) -> Tensor:
        front, ice, side = self.gains
        loss = joint_loss(outputs[0], targets, weights, front, ice)
        if sides := [side_loss(logits, targets, weights) for logits in outputs[1:]]:
            loss = loss + side * torch.stack(sides).mean()
        return loss

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return targets (2, H, W) and weights (2, H, W), which are 0.3 on nodata."""
        near = distance_transform_edt(~window.front) <= 1.5 if window.front.any() else window.front
        seen = 0.3 + 0.7 * np.isfinite(window.image[0])
        targets = np.stack([window.ice, near])
        return _floats(targets, np.stack([window.ice_known & ~near, window.front_known]) * seen)

    def counts(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Return counts of ice and of the front's pixels."""
        found = logits > 0
        return torch.stack([_both_and_either(found[:, c], targets[:, c] > 0.5, weights[:, c]) for c in range(2)])


class Zones:
    """CaFFe's four zones (NA, rock, glacier, ocean); GlacierDL's by Dice alone."""

    outputs = len(CLASSES)
    classes = tuple(CLASSES)

    def __init__(self, config: TrainConfig) -> None:
        del config

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """CaFFe's half cross-entropy, half Dice; GlacierDL's Dice."""
        return {"cross-entropy-dice": lambda o, y, w: cross_entropy_dice(o[0], y, w), "dice": self._dice}

    def _dice(self, outputs: list[Tensor], classes: Tensor, weight: Tensor) -> Tensor:
        p = torch.softmax(outputs[0].float(), dim=1)
        return torch.stack([dice(p[:, c], (classes == c).float(), weight) for c in range(self.outputs)]).mean()

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return the zones (H, W) int64, and weights of 1: what lies outside the image is NA as published."""
        zones = window.need_zones()
        return zones.astype(np.int64), np.ones(zones.shape, np.float32)

    def counts(self, logits: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
        """Return counts of the zones."""
        found = logits.argmax(1)
        return torch.stack([_both_and_either(found == c, classes == c, weight) for c in range(self.outputs)])


class Front:
    """The line alone, widened to ``line_px``: CaFFe's fronts (5) and M-NN (1 or 3)."""

    outputs = 1
    classes = ("front",)

    def __init__(self, config: TrainConfig) -> None:
        if config.line_px % 2 == 0:
            raise ConfigError(f"line_px: {config.line_px} is even; a line is widened to both sides, take 1, 3, 5 …")
        self.line_px, self.gain = config.line_px, config.line_gain

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """CaFFe's distance-map Dice; M-NN's weighted cross-entropy."""
        return {
            "distance-map-dice": lambda o, y, d, w: distance_map_dice(o[0][:, 0], y, d, w),
            "weighted-bce": lambda o, y, d, w: weighted_bce(o[0][:, 0], y, w, self.gain),  # noqa: ARG005
        }

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return the widened line, the distance of its pixels to its rim, and where a front may be undrawn."""
        wide = binary_dilation(window.front, np.ones((self.line_px, self.line_px), bool))
        inside = np.pad(wide, 1, constant_values=False)
        return _floats(wide, distance_transform_edt(inside)[1:-1, 1:-1], window.front_known | wide)

    def counts(self, logits: Tensor, line: Tensor, distance: Tensor, weight: Tensor) -> Tensor:
        """Return counts of the line's pixels."""
        del distance
        return _both_and_either(logits[:, 0] > 0, line > 0.5, weight)[None]


class EdgeIce:
    """CALFIN: the edge of the ice, 3 px wide (channel 0), and the ice (channel 1)."""

    outputs = 2
    classes = ("edge", "ice")

    def __init__(self, config: TrainConfig) -> None:
        del config

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """CALFIN's."""
        return {"calfin": lambda o, y, w: calfin_loss(o[0], y, w)}

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return targets and weights (2, H, W); the edge is taken after the augmentation.

        The published code takes it by Canny's filter; of a mask that is the rim of the ice.
        """
        unknown = binary_dilation(~window.ice_known, np.ones((3, 3), bool))
        edge = binary_dilation(front_of_mask(window.ice) & ~unknown, np.ones((3, 3), bool))
        return _floats(np.stack([edge, window.ice]), np.stack([~unknown, window.ice_known]))

    def counts(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Return counts of edge and ice."""
        found = logits > 0
        return torch.stack([_both_and_either(found[:, c], targets[:, c] > 0.5, weights[:, c]) for c in range(2)])


class AreaEdge:
    """HED-UNet: land and ice (channel 0) and their edge (channel 1), on every level."""

    outputs = 2
    classes = ("ice", "edge")

    def __init__(self, config: TrainConfig) -> None:
        del config

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """HED-UNet's balanced cross-entropy under deep supervision."""
        return {"deep-auto-bce": lambda o, y, w: deep_auto_bce(o, y[:, None], w[:, None])}

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return the area and where it is known."""
        return _floats(window.ice, window.ice_known)

    def counts(self, logits: Tensor, area: Tensor, weight: Tensor) -> Tensor:
        """Return counts of area and edge."""
        sure = -torch.nn.functional.max_pool2d(-weight[:, None], 3, 1, 1)[:, 0]
        truth = (area > 0.5, edges(area[:, None])[:, 0] > 0)
        return torch.stack(
            [_both_and_either(logits[:, c] > 0, truth[c], known) for c, known in enumerate((weight, sure))]
        )


class Area:
    """Land and ice alone: networks of one output, as B-NN, whose loss is not published."""

    outputs = 1
    classes = ("ice",)

    def __init__(self, config: TrainConfig) -> None:
        del config

    @property
    def losses(self) -> Mapping[str, Callable[..., Tensor]]:
        """Cross-entropy."""
        return {"bce": lambda o, y, w: weighted_bce(o[0][:, 0], y, w, 1.0)}

    def targets(self, window: Labelled) -> tuple[NDArray[Any], ...]:
        """Return the area and where it is known."""
        return _floats(window.ice, window.ice_known)

    def counts(self, logits: Tensor, area: Tensor, weight: Tensor) -> Tensor:
        """Return counts of the area."""
        return _both_and_either(logits[:, 0] > 0, area > 0.5, weight)[None]


TASKS: dict[str, Callable[[TrainConfig], Task]] = {
    "ice-front": IceFront,
    "zones": Zones,
    "front": Front,
    "edge-ice": EdgeIce,
    "area-edge": AreaEdge,
    "area": Area,
}


def build_task(config: TrainConfig) -> tuple[Task, Callable[..., Tensor]]:
    """Return the task of a training and its loss.

    Raises
    ------
    ConfigError
        An unknown task, or a loss it does not have.
    """
    if config.task not in TASKS:
        raise ConfigError(f"unknown task {config.task!r}; known: {', '.join(TASKS)}")
    task = TASKS[config.task](config)
    name = config.loss or next(iter(task.losses))
    if name not in task.losses:
        raise ConfigError(f"task {config.task} has no loss {name!r}; it has: {', '.join(task.losses)}")
    return task, task.losses[name]
