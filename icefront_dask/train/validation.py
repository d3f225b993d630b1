"""Scores on images kept apart, and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from icefront_dask.errors import ConfigError
from icefront_dask.train.parallel import sum_over_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn

    from icefront_dask.train.parallel import Place
    from icefront_dask.train.tasks import Task

__all__ = ["Stopping", "check_monitor", "score_batches"]

_CALFIN = {"edge", "ice"}
_EDGE_SHARE = 25


def _names(task: Task) -> list[str]:
    names = ["loss", "mean_iou", *(f"iou_{name}" for name in task.classes)]
    return [*names, "calfin"] if set(task.classes) == _CALFIN else names


def check_monitor(monitor: str, task: Task) -> None:
    """Raise where a task does not give the score that is to be watched."""
    if monitor not in _names(task):
        raise ConfigError(f"validation.monitor: no score {monitor!r} of this task; it has: {', '.join(_names(task))}")


def score_batches(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, ...]],
    task: Task,
    loss: Callable[..., Tensor],
    where: Place,
) -> dict[str, float]:
    """Score a network on batches of the validation.

    Parameters
    ----------
    network : Module
        In evaluation mode; gives the list of its outputs.
    batches : iterable of (x, *targets)
        Those of this process; the sums are taken over all.
    task : Task
    loss : callable
        Of the outputs and the targets.
    where : Place

    Returns
    -------
    dict of str to float
        ``loss`` (mean over windows), ``iou_CLASS`` over the known pixels of all windows (NaN where a class is
        in neither), ``mean_iou`` over the classes that are, and ``calfin``, (25 IoU_edge + IoU_ice) / 26, for
        tasks with edge and ice.
    """
    counts = torch.zeros(len(task.classes), 2, dtype=torch.float64, device=where.device)
    losses = torch.zeros(2, dtype=torch.float64, device=where.device)
    with torch.no_grad():
        for batch in batches:
            x, *targets = (part.to(where.device) for part in batch)
            outputs = network(x)
            losses += torch.tensor([float(loss(outputs, *targets)) * len(x), len(x)], device=where.device)
            counts += task.counts(outputs[0], *targets)
    # Not on the device: some have no float64.
    both, either = sum_over_processes(counts).cpu().T
    total, windows = sum_over_processes(losses).tolist()
    iou = {name: (float(b / e) if e else math.nan) for name, b, e in zip(task.classes, both, either, strict=True)}
    there = [value for value in iou.values() if not math.isnan(value)]
    scores = {"loss": total / windows, "mean_iou": sum(there) / len(there) if there else math.nan}
    scores |= {f"iou_{name}": value for name, value in iou.items()}
    if set(iou) == _CALFIN:
        scores["calfin"] = (_EDGE_SHARE * iou["edge"] + iou["ice"]) / (_EDGE_SHARE + 1)
    return scores


@dataclass
class Stopping:
    """Keeps the best validation, and stops after ``patience`` in vain."""

    monitor: str
    patience: int | None = None
    best: float = math.nan
    best_step: int = -1
    vain: int = 0

    def signed(self, scores: dict[str, float]) -> float:
        """Return the watched score so that less is better."""
        return scores[self.monitor] if self.monitor == "loss" else -scores[self.monitor]

    def told(self, step: int, scores: dict[str, float]) -> bool:
        """Take note of a validation; return whether it is the best one so far."""
        better = not math.isnan(scores[self.monitor]) and (
            math.isnan(self.best) or self.signed(scores) < self.signed({self.monitor: self.best})
        )
        if better:
            self.best, self.best_step, self.vain = scores[self.monitor], step, 0
        else:
            self.vain += 1
        return better

    @property
    def over(self) -> bool:
        """Whether training should stop."""
        return self.patience is not None and self.vain >= self.patience

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"best": self.best, "best_step": self.best_step, "vain": self.vain}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best, self.best_step, self.vain = state["best"], state["best_step"], state["vain"]
