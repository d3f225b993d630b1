"""Optimisers, and how the learning rate goes on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

    from icefront_dask.train.config import TrainConfig

__all__ = ["Rates", "build_optimiser"]

_MOMENTUM = 0.9


def build_optimiser(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of a training: AdamW, Adam with an L2 penalty, or SGD with Nesterov momentum 0.9."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimiser == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=decay)
    if config.optimiser == "adam":
        return torch.optim.Adam(parameters, rate, weight_decay=decay)
    return torch.optim.SGD(parameters, rate, momentum=_MOMENTUM, nesterov=True, weight_decay=decay)


class Rates:
    """The learning rate of each step.

    Parameters
    ----------
    config : TrainConfig

    Raises
    ------
    ConfigError
        ``plateau`` without a validation to listen to, or a cycle whose lowest rate is not the lower one.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.factor = 1.0
        self.best = math.inf
        self.vain = 0
        plan = config.schedule
        if plan.name == "plateau" and config.validation is None:
            raise ConfigError("schedule: plateau follows the validation; set 'validation'")
        if plan.name == "cyclic" and plan.low >= config.learning_rate:
            raise ConfigError(f"schedule.low {plan.low} must be below learning_rate {config.learning_rate}")

    def rate(self, step: int) -> float:
        """Return the rate of a step."""
        config, plan = self.config, self.config.schedule
        if plan.name == "cyclic":
            return self._triangle(step)
        if plan.name in {"constant", "plateau"}:
            return config.learning_rate * self.factor
        if step < config.warm_up:
            return config.learning_rate * (step + 1) / config.warm_up
        share = (step - config.warm_up) / max(1, config.steps - config.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return config.learning_rate * (config.final_share + (1 - config.final_share) * cosine)

    def _triangle(self, step: int) -> float:
        """Up from the lowest rate in ``step_up`` steps, and down again (Smith 2017, doi:10.1109/WACV.2017.58)."""
        plan = self.config.schedule
        place = step % (2 * plan.step_up) / plan.step_up
        return plan.low + (self.config.learning_rate - plan.low) * (1 - abs(place - 1))

    def told(self, loss: float) -> None:
        """Take note of a validation: its monitor, negated where more is better."""
        plan = self.config.schedule
        if plan.name != "plateau":
            return
        if loss < self.best - plan.min_delta:
            self.best, self.vain = loss, 0
            return
        self.vain += 1
        if self.vain >= plan.patience:
            self.factor *= plan.factor
            self.vain = 0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"factor": self.factor, "best": self.best, "vain": self.vain}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.factor, self.best, self.vain = state["factor"], state["best"], state["vain"]
