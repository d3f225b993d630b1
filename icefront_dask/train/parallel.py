"""The device of a training and, where ``torchrun`` started several, its place among the processes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed, nn

from icefront_dask.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from icefront_dask.train.config import TrainConfig

__all__ = ["Place", "mean_over_processes", "place", "shared", "sum_over_processes"]


@dataclass(frozen=True)
class Place:
    """Where a process computes: its device, its number and how many there are."""

    device: torch.device
    rank: int = 0
    ranks: int = 1

    @property
    def leads(self) -> bool:
        """Whether it is the process that writes files."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        if self.ranks == 1:
            return [value]
        found: list[Any] = [None] * self.ranks
        distributed.all_gather_object(found, value)
        return found

    def own_rows(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return this process's share of a batch that every process has made."""
        if self.ranks == 1:
            return batch
        if len(batch[0]) % self.ranks:
            raise ConfigError(f"a batch of {len(batch[0])} cannot be shared by {self.ranks} processes evenly")
        return tuple(part[self.rank :: self.ranks] for part in batch)


def _device(name: str, local_rank: int) -> torch.device:
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DependencyError("device: cuda, but PyTorch finds no GPU; check the driver, or set device: auto")
    return torch.device("cuda", local_rank)


@contextmanager
def place(config: TrainConfig) -> Iterator[Place]:
    """Yield this process's place; processes that ``torchrun`` started find each other (NCCL on GPUs, else gloo).

    Raises
    ------
    ConfigError
        ``precision: fp16`` on a CPU, whose gradients cannot be scaled.
    DependencyError
        ``device: cuda`` without a GPU.
    """
    device = _device(config.device, int(os.environ.get("LOCAL_RANK", "0")))
    if config.precision == "fp16" and device.type == "cpu":
        raise ConfigError("precision: fp16 needs a GPU; take bf16 or fp32 on a CPU")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks == 1:
        yield Place(device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Place(device, distributed.get_rank(), ranks)
        distributed.barrier()  # gloo aborts a process whose peer has left
    finally:
        distributed.destroy_process_group()


def shared(network: nn.Module, where: Place) -> nn.Module:
    """Wrap a network so that the processes' gradients are averaged."""
    if where.ranks == 1:
        return network
    from torch.nn.parallel import DistributedDataParallel

    return DistributedDataParallel(network, device_ids=[where.device] if where.device.type == "cuda" else None)


def sum_over_processes(value: Tensor) -> Tensor:
    """Sum of a tensor without gradient over the processes of a training; itself where there is one."""
    if distributed.is_available() and distributed.is_initialized():
        value = value.clone()
        distributed.all_reduce(value)
    return value


def mean_over_processes(value: Tensor) -> Tensor:
    """Mean of a tensor without gradient over the processes of a training."""
    if distributed.is_available() and distributed.is_initialized():
        return sum_over_processes(value) / distributed.get_world_size()
    return value
