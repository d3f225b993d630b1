"""The training loop: AdamW, warm-up and cosine, averaged weights, checkpoints that resume exactly."""

from __future__ import annotations

import copy
import csv
import math
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from icefront_dask.errors import WeightsError
from icefront_dask.models import registry
from icefront_dask.models.unet_aspp import UNetASPP
from icefront_dask.models.weights import read_weights, write_weights
from icefront_dask.train.batches import loader
from icefront_dask.train.losses import joint_loss, side_loss

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from icefront_dask.train.config import TrainConfig

__all__ = ["fit", "rate"]

_SIDES = "sides."


def rate(step: int, config: TrainConfig) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to ``final_share``."""
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    share = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return config.learning_rate * (config.final_share + (1 - config.final_share) * cosine)


def _average(slow: nn.Module, fast: nn.Module, decay: float) -> None:
    """Move ``slow`` towards ``fast``; running statistics too."""
    with torch.no_grad():
        for a, b in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.lerp_(b, 1 - decay)
            else:
                a.copy_(b)


def _write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    temporary = path.with_suffix(path.suffix + ".part")
    write(temporary)
    temporary.replace(path)


def _load_init(network: nn.Module, path: Path) -> None:
    """Load weights to start from; the side heads of deep supervision, which no weights file holds, stay random."""
    given, own = read_weights(path), network.state_dict()
    needed = {key: value for key, value in own.items() if not key.startswith(_SIDES)}
    keys = [key for key in sorted(given.keys() | needed.keys()) if key not in given or key not in needed]
    if wrong := keys or [key for key, value in needed.items() if value.shape != given[key].shape]:
        raise WeightsError(f"init: {path.name} does not fit the architecture of this training (see {wrong[0]})")
    network.load_state_dict({**own, **given})


def _without_sides(network: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in network.state_dict().items() if not key.startswith(_SIDES)}


def fit(config: TrainConfig, progress: Callable[[int, float], None] | None = None) -> Path:
    """Train as configured, going on from ``out/checkpoint.pt`` where there is one.

    Parameters
    ----------
    config : TrainConfig
    progress : callable, optional
        Called with the step and its loss.

    Returns
    -------
    Path
        The weights (fp16 safetensors) of the moving average, ``out/NAME.safetensors``.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    network = registry.build(config.architecture, config.architecture_options)
    if config.init is not None:
        _load_init(network, config.init)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    slow = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    start = 0
    checkpoint = config.out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        slow.load_state_dict(state["slow"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        start = state["step"]
    weights = config.out / f"{config.name}.safetensors"
    network.train()
    began = time.monotonic()
    with (config.out / "log.csv").open("a", newline="", encoding="utf-8") as stream:
        log = csv.writer(stream)
        if start == 0:
            log.writerow(["step", "loss", "rate", "seconds"])
        for step, batch in enumerate(loader(config, start), start):
            loss = _step(network, optimiser, batch, step, config)
            # A young average forgets the random start first.
            _average(slow, network, min(config.ema, (step + 1) / (step + 10)))
            log.writerow([step, f"{loss:.5f}", f"{rate(step, config):.3e}", f"{time.monotonic() - began:.1f}"])
            if progress is not None:
                progress(step, loss)
            done = step + 1
            if done % config.checkpoint_every == 0 or done == config.last_step:
                stream.flush()
                state = {
                    "network": network.state_dict(),
                    "slow": slow.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "random": torch.get_rng_state(),
                    "step": done,
                }
                _write_atomic(checkpoint, lambda path, state=state: torch.save(state, path))  # type: ignore[misc]
                _write_atomic(weights, lambda path: write_weights(path, _without_sides(slow)))
    return weights


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, batch: Any, step: int, config: TrainConfig) -> float:
    x, targets, weights = (part for part in batch)
    for group in optimiser.param_groups:
        group["lr"] = rate(step, config)
    x = x.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
        logits: list[Tensor] = network.levels(x) if isinstance(network, UNetASPP) else [network(x)]
    loss = joint_loss(logits[0], targets, weights, config.front_gain, config.ice_gain)
    if sides := [side_loss(side, targets, weights) for side in logits[1:]]:
        loss = loss + config.side_gain * torch.stack(sides).mean()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), config.clip)
    optimiser.step()
    return float(loss.detach())
