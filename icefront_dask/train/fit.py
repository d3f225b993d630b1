"""The training loop: averaged weights, validation, checkpoints that resume exactly, one process or several."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from icefront_dask.errors import ConfigError, ModelMismatchError, WeightsError
from icefront_dask.models import registry
from icefront_dask.models.inputs import input_channels
from icefront_dask.models.weights import read_weights, write_weights
from icefront_dask.train.batches import loader
from icefront_dask.train.parallel import Place, place, shared, sum_over_processes
from icefront_dask.train.records import Records
from icefront_dask.train.schedules import Rates, build_optimiser
from icefront_dask.train.source import LabelledBatches, read_source, validation_batches
from icefront_dask.train.tasks import build_task
from icefront_dask.train.validation import Stopping, check_monitor, score_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from icefront_dask.train.config import TrainConfig
    from icefront_dask.train.source import Source

__all__ = ["Result", "fit", "fit_scored", "start_from", "without_sides"]

_SIDES = "sides."
_FIRST, _HEAD = "down.0.0.weight", "head.weight"
_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True)
class Result:
    """What a training left.

    Attributes
    ----------
    weights : Path
        fp16 safetensors of the averaged weights: the best by the validation, without one the last.
    steps : int
        That were made.
    best : float
        The best score that was watched; NaN without a validation.
    best_step : int
        The steps after which it was reached; -1 without a validation.
    """

    weights: Path
    steps: int
    best: float
    best_step: int


class _Outputs(nn.Module):
    """A network whose call gives the list of all its outputs, so that processes can share it whole."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> list[Tensor]:
        levels: Callable[[Tensor], list[Tensor]] | None = getattr(self.network, "levels", None)
        return [self.network(x)] if levels is None else levels(x)


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


def start_from(network: nn.Module, path: Path) -> None:
    """Load weights to start from; the side heads of deep supervision, which no weights file holds, stay random.

    Weights of a network that is not told the way to the sea serve one that is: the new channel begins at 0. Weights
    of a network that is not folded serve a folded one of a level less; its first convolution and head begin at random.
    """
    given, own = read_weights(path), network.state_dict()
    if _FIRST in given and getattr(network, "fold", 1) > 1 and own[_HEAD].shape != given[_HEAD].shape:
        given = _levels_below(given, own)
    if _FIRST in given and _FIRST in own and (own[_FIRST].shape[1], given[_FIRST].shape[1]) == (4, 3):
        grey, cross, valid = given[_FIRST].split(1, dim=1)
        given[_FIRST] = torch.cat([grey, cross, torch.zeros_like(valid), valid], dim=1)
    needed = {key: value for key, value in own.items() if not key.startswith(_SIDES)}
    keys = [key for key in sorted(given.keys() | needed.keys()) if key not in given or key not in needed]
    if wrong := keys or [key for key, value in needed.items() if value.shape != given[key].shape]:
        raise WeightsError(
            f"init: {path.name} does not fit the architecture of this training (see {wrong[0]}): other bands, "
            "outputs or widths; take weights of the same network, or leave init out"
        )
    network.load_state_dict({**own, **given})


def _levels_below(given: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the levels below the first one, with the first convolution and the head of another network."""
    last = max(int(key.split(".")[1]) for key in given if key.startswith("up."))
    below = {}
    for key, value in given.items():
        part, _, rest = key.partition(".")
        number, _, name = rest.partition(".")
        if part == "down" and number != "0":
            below[f"down.{int(number) - 1}.{name}"] = value
        elif part == "pyramid" or (part in {"up", "enlarge"} and int(number) < last):
            below[key] = value
    new = {key: own[key] for key in own if key.startswith(("head.", "down.0.0."))}
    return {**below, **new}


def _memory_format(network: nn.Module) -> torch.memory_format:
    """Return channels last, which is faster, but for networks with grouped convolutions.

    On the CPU of torch 2.13 the gradient of CalfinNet at 224 px, with its depthwise convolutions, corrupts memory in
    that order; a crash of the same kind is https://github.com/pytorch/pytorch/issues/136348.
    """
    grouped = any(isinstance(layer, nn.Conv2d) and layer.groups > 1 for layer in network.modules())
    return torch.contiguous_format if grouped else torch.channels_last


def without_sides(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of a network less the side heads of deep supervision, as weights files hold it."""
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
        The weights, ``out/NAME.safetensors``; see :class:`Result`.
    """
    return fit_scored(config, progress).weights


def fit_scored(config: TrainConfig, progress: Callable[[int, float], None] | None = None) -> Result:
    """Train as :func:`fit` does, and say how well it went.

    Raises
    ------
    ConfigError, InputError, ModelMismatchError
        The configuration, the data set and the network do not fit each other.
    WeightsError
        ``init`` does not fit.
    DependencyError
        A GPU or a package that was asked for is not there.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    with place(config) as where:
        source = None if config.data is None else read_source(config)
        if config.epochs is not None:
            if source is None:
                raise ConfigError("epochs are counted over 'data'; without it set 'steps'")
            config = config.model_copy(update={"steps": config.epochs * source.epoch_steps})
            source = read_source(config)
        return _Training(config, where, source).run(progress)


class _Training:
    """The state of one training."""

    def __init__(self, config: TrainConfig, where: Place, source: Source | None) -> None:
        self.config, self.where, self.source = config, where, source
        self.task, self.loss = build_task(config)
        self.rates = Rates(config)
        check = config.validation
        if check is not None and source is None:
            raise ConfigError("validation keeps images of 'data' apart; without it there are none")
        self.stopping = None if check is None else Stopping(check.monitor, check.patience)
        if check is not None:
            check_monitor(check.monitor, self.task)
        config.out.mkdir(parents=True, exist_ok=True)
        network = registry.build(config.architecture, config.architecture_options)
        if config.init is not None:
            start_from(network, config.init)
        if where.ranks > 1 and where.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.layout = _memory_format(network)
        network = network.to(where.device, memory_format=self.layout)  # type: ignore[call-overload]
        self.network = network
        self.slow = copy.deepcopy(network).eval()
        self.optimiser = build_optimiser(config, network.parameters())
        self.scaler = torch.amp.GradScaler(where.device.type, enabled=config.precision == "fp16")
        self.checkpoint = config.out / "checkpoint.pt"
        self.weights = config.out / f"{config.name}.safetensors"
        self.done = 0
        if self.checkpoint.exists():
            self._resume()
        self.outputs = shared(_Outputs(network), where)
        network.train()

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.slow.load_state_dict(state["slow"])
        self.optimiser.load_state_dict(state["optimiser"])
        others = state.get("random_of_others", [])
        random = [state["random"], *others][self.where.rank if self.where.rank <= len(others) else 0]
        torch.set_rng_state(random)
        if self.where.device.type == "cuda" and (devices := state.get("random_cuda")):
            torch.cuda.set_rng_state(devices[self.where.rank if self.where.rank < len(devices) else 0])
        if "rates" in state:
            self.rates.load(state["rates"])
            self.scaler.load_state_dict(state["scaler"])
        if self.stopping is not None and "stopping" in state:
            self.stopping.load(state["stopping"])
        self.done = state["step"]

    def _save(self) -> None:
        random = self.where.gather(torch.get_rng_state())
        cuda = self.where.gather(torch.cuda.get_rng_state()) if self.where.device.type == "cuda" else []
        if not self.where.leads:
            return
        state = {
            "network": self.network.state_dict(),
            "slow": self.slow.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": random[0],
            "random_of_others": random[1:],
            "random_cuda": cuda,
            "rates": self.rates.state(),
            "scaler": self.scaler.state_dict(),
            "step": self.done,
        }
        if self.stopping is not None:
            state["stopping"] = self.stopping.state()
        else:
            self._write_weights()
        _write_atomic(self.checkpoint, lambda path: torch.save(state, path))

    def _write_weights(self) -> None:
        if self.where.leads:
            _write_atomic(self.weights, lambda path: write_weights(path, without_sides(self.slow)))

    @property
    def _over(self) -> bool:
        return self.done >= self.config.last_step or (self.stopping is not None and self.stopping.over)

    def run(self, progress: Callable[[int, float], None] | None) -> Result:
        config, where = self.config, self.where
        if not self._over:
            with ExitStack() as stack:
                records = stack.enter_context(Records(config, self.done)) if where.leads else None
                for step, batch in enumerate(self._batches(), self.done):
                    loss = self._step(batch, step)
                    # A young average forgets the random start first.
                    _average(self.slow, self.network, min(config.ema, (step + 1) / (step + 10)))
                    if records is not None:
                        records.step(step, loss, self.rates.rate(step))
                        if progress is not None:
                            progress(step, loss)
                    self.done = step + 1
                    self._validate(records)
                    if self.done % config.checkpoint_every == 0 or self._over:
                        if records is not None:
                            records.flush()
                        self._save()
                    if self._over:
                        break
        if self.stopping is None:
            return Result(self.weights, self.done, float("nan"), -1)
        return Result(self.weights, self.done, self.stopping.best, self.stopping.best_step)

    def _batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield this process's share of the batches that are left."""
        if self.source is None:
            for batch in loader(self.config, self.done):
                yield self.where.own_rows(batch)
            return
        yield from LabelledBatches(self.source, self.done, self.where.rank, self.where.ranks).loader()

    def _validate(self, records: Records | None) -> None:
        if self.stopping is None or self.source is None or self.config.validation is None:
            return
        every = self.config.validation.every or self.source.epoch_steps
        if self.done % every and self.done < self.config.last_step:
            return
        batches = validation_batches(self.source, self.where.rank, self.where.ranks)
        with self._autocast():
            scores = score_batches(_Outputs(self.slow), batches, self.task, self.loss, self.where)
        self.rates.told(self.stopping.signed(scores))
        if self.stopping.told(self.done, scores):
            self._write_weights()
        if records is not None:
            records.validation(self.done, scores)

    def _check_input(self, x: Tensor) -> None:
        """Raise where a batch does not fit the network: other bands, or sides that it cannot halve."""
        name = self.config.architecture
        if (channels := input_channels(self.network)) not in {None, x.shape[1]}:
            raise ModelMismatchError(
                f"{name} takes {channels} channels, the data give {x.shape[1]}: set "
                "architecture_options.in_channels, data.bands or another preprocessing"
            )
        stride = getattr(self.network, "stride", 1)
        if any(side % stride for side in x.shape[2:]):
            raise ConfigError(
                f"{name} needs sides that are multiples of {stride}, the windows have {tuple(x.shape[2:])}: set crop_px"
            )

    def _autocast(self) -> torch.autocast:
        precision = _PRECISION[self.config.precision]
        return torch.autocast(
            self.where.device.type,
            torch.bfloat16 if precision is torch.float32 else precision,
            enabled=precision is not torch.float32,
        )

    def _step(self, batch: tuple[Tensor, ...], step: int) -> float:
        """Make one step; return its loss, the mean over all processes."""
        config, parts = self.config, self.config.accumulate
        if len(batch[0]) % parts:
            raise ConfigError(f"accumulate: a batch of {len(batch[0])} cannot be made of {parts} parts evenly")
        for group in self.optimiser.param_groups:
            group["lr"] = self.rates.rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.where.device)
        for share in zip(*(part.chunk(parts) for part in batch), strict=True):
            x, *targets = (part.to(self.where.device, non_blocking=True) for part in share)
            self._check_input(x)
            x = x.to(memory_format=self.layout)
            with self._autocast():
                outputs = self.outputs(x)
            if (found := outputs[0].shape[1]) != self.task.outputs:
                raise ConfigError(
                    f"task {config.task} needs {self.task.outputs} outputs, {config.architecture} gives {found}: "
                    "set architecture_options.out_channels"
                )
            loss = self.loss(outputs, *targets) / parts
            if config.l1:
                loss = loss + config.l1 / parts * sum(p.abs().sum() for p in self.network.parameters() if p.ndim > 1)
            self.scaler.scale(loss).backward()
            total += loss.detach()
        self.scaler.unscale_(self.optimiser)
        if config.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return float(sum_over_processes(total)) / self.where.ranks
