"""Windows of a labelled data set: split, drawn in an order that the step alone decides, prepared and augmented."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from icefront_dask.errors import ConfigError
from icefront_dask.models.windows import grid
from icefront_dask.train.labelled import cut
from icefront_dask.train.layouts import entries
from icefront_dask.train.preparation import preparation
from icefront_dask.train.published_augment import augmentation
from icefront_dask.train.tasks import build_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from icefront_dask.train.config import TrainConfig
    from icefront_dask.train.labelled import Entry, Labelled

__all__ = ["LabelledBatches", "Source", "read_source", "validation_batches"]

Batch = tuple[Tensor, ...]


class _Shelf:
    """Prepared images, the least recently used given up first when they exceed a size."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit, self.size = limit_bytes, 0
        self.held: OrderedDict[str, Labelled] = OrderedDict()

    def get(self, entry: Entry, prepare: Any) -> Labelled:
        if entry.name in self.held:
            self.held.move_to_end(entry.name)
            return self.held[entry.name]
        found: Labelled = prepare(entry.read())
        self.held[entry.name] = found
        self.size += found.nbytes
        while self.size > self.limit and len(self.held) > 1:
            self.size -= self.held.popitem(last=False)[1].nbytes
        return found


@dataclass(frozen=True)
class Source:
    """The images of a training, with those kept for its validation."""

    config: TrainConfig
    training: tuple[Entry, ...]
    validation: tuple[Entry, ...]

    def windows(self, *, validation: bool) -> list[tuple[Entry, tuple[int, int] | None]]:
        """Return the windows of an epoch, each with its corner; None for the whole image."""
        way = preparation(self.config.preprocessing)
        step = way.validation_step if validation else way.step
        chosen = self.validation if validation else self.training
        if step is None:
            return [(entry, None) for entry in chosen]
        return [(e, at) for e in chosen for at in grid(way.resized(e.shape), self.config.crop_px, step)]

    @property
    def epoch_steps(self) -> int:
        """Steps that show every training window at least once."""
        return -(-len(self.windows(validation=False)) // self.config.batch)


def read_source(config: TrainConfig) -> Source:
    """Read a training's data set: without the glaciers held out, with a fixed share kept for validation.

    Raises
    ------
    ConfigError
        An unknown name, ``hold_out`` names no glacier of the set or leaves none, too few images to keep some.
    InputError
        The data set is not whole (see :func:`icefront_dask.train.layouts.entries`).
    """
    if config.data is None:
        raise ConfigError("this training has no data set: set 'data'")
    found = entries(config.data)
    groups = sorted({entry.group for entry in found})
    if unknown := sorted(set(config.hold_out) - set(groups)):
        raise ConfigError(f"hold_out: no glacier {unknown[0]!r} in {config.data.path}; there are: {', '.join(groups)}")
    kept = [entry for entry in found if entry.group not in config.hold_out]
    if not kept:
        raise ConfigError(f"hold_out {list(config.hold_out)} leaves no image of {config.data.path} to train on")
    if config.validation is None:
        return Source(config, tuple(kept), ())
    count = round(config.validation.share * len(kept))
    if not 0 < count < len(kept):
        raise ConfigError(
            f"validation.share {config.validation.share} of {len(kept)} images keeps {count}; at least one must be "
            "kept and one be left"
        )
    order = np.random.default_rng(config.validation.seed).permutation(len(kept))
    apart = set(order[:count].tolist())
    return Source(
        config,
        tuple(entry for i, entry in enumerate(kept) if i not in apart),
        tuple(entry for i, entry in enumerate(kept) if i in apart),
    )


class _Maker:
    """Makes the arrays of a window."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.way = preparation(config.preprocessing)
        self.augment = augmentation(config.augmentation)
        self.task, _ = build_task(config)
        self.shelf = _Shelf((config.data.cache_mb if config.data else 0) * 2**20)

    def __call__(
        self, entry: Entry, at: tuple[int, int] | None, rng: np.random.Generator | None
    ) -> tuple[NDArray[Any], ...]:
        size = self.config.crop_px
        if min(entry.shape) < self.way.least_px:
            least = self.way.least_px
            raise ConfigError(
                f"{entry.name}: {entry.shape} px; preprocessing {self.config.preprocessing} trains on images with both "
                f"sides >= {least}"
            )
        window = self.shelf.get(entry, self.way.prepare)
        if at is not None:
            window = cut(window, *at, size, size)
        if rng is not None:
            window = self.augment(window, rng, size)
        x = self.way.scale(window.image)
        return x, *self.task.targets(window)


def _stacked(windows: Sequence[tuple[NDArray[Any], ...]]) -> Batch:
    shapes = {window[0].shape for window in windows}
    if len(shapes) > 1:
        first, other, *_ = sorted(shapes)
        raise ConfigError(f"images of one batch have {first[1:]} and {other[1:]} px; cut windows or set batch: 1")
    return tuple(torch.from_numpy(np.ascontiguousarray(np.stack(arrays))) for arrays in zip(*windows, strict=True))


class LabelledBatches(IterableDataset[Batch]):
    """Batches ``start … last_step - 1`` of one process of a training.

    Windows come in a new order each epoch, one epoch after the other without a rest; window ``k`` of the
    training is drawn from ``(seed, k)`` alone.

    Parameters
    ----------
    source : Source
    start : int
    rank, ranks : int
        Which of how many processes; each takes every ``ranks``-th window of a batch.
    """

    def __init__(self, source: Source, start: int = 0, rank: int = 0, ranks: int = 1) -> None:
        self.source, self.start, self.rank, self.ranks = source, start, rank, ranks
        self.windows = source.windows(validation=False)
        if source.config.batch % ranks:
            raise ConfigError(f"batch: {source.config.batch} cannot be shared by {ranks} processes evenly")

    def _window(self, number: int) -> tuple[Entry, tuple[int, int] | None]:
        epoch, place = divmod(number, len(self.windows))
        order = np.random.default_rng([self.source.config.seed, 0xE90C, epoch]).permutation(len(self.windows))
        return self.windows[order[place]]

    def __iter__(self) -> Iterator[Batch]:
        config, make = self.source.config, _Maker(self.source.config)
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for at in range(self.start + first, config.last_step, step):
            numbers = range(at * config.batch + self.rank, (at + 1) * config.batch, self.ranks)
            yield _stacked([make(*self._window(n), np.random.default_rng([config.seed, n])) for n in numbers])

    def loader(self) -> DataLoader[Batch]:
        """Return the batches, made ahead in other processes where the configuration says so."""
        count = self.source.config.loaders
        own = torch.Generator()
        return DataLoader(self, batch_size=None, num_workers=count, prefetch_factor=4 if count else None, generator=own)


def validation_batches(source: Source, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
    """Yield the windows of the validation, neither augmented nor shuffled; whole images one by one."""
    make = _Maker(source.config)
    windows = source.windows(validation=True)[rank::ranks]
    size = max(1, source.config.batch // ranks) if windows and windows[0][1] is not None else 1
    for first in range(0, len(windows), size):
        yield _stacked([make(entry, at, None) for entry, at in windows[first : first + size]])
