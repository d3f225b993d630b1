"""The stream of batches: batch ``i`` depends on the configuration and on ``i`` alone, so a run can resume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from icefront_dask.errors import ConfigError
from icefront_dask.train.augment import augment, cast_shadows
from icefront_dask.train.pairs import Pair, read_pairs, restyle, window
from icefront_dask.train.simulated import Drawn, SceneCache, optical_sample, sar_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from icefront_dask.train.config import TrainConfig
    from icefront_dask.train.sample import Sample

__all__ = ["Batches", "loader"]

Batch = tuple[Tensor, Tensor, Tensor]


class Batches(IterableDataset[Batch]):
    """Batches ``start … last_step - 1`` of a training.

    Step ``i`` sees ``cache`` simulated scenes, of the seeds from ``simulated_seed + i // refresh_every`` on.
    """

    def __init__(self, config: TrainConfig, start: int = 0) -> None:
        self.config, self.start = config, start
        self.pairs: dict[str, list[Pair]] = {}
        if config.mix.pairs:
            if config.pairs is None:
                raise ConfigError("mix.pairs > 0 needs 'pairs', a folder with images/ and labels_1px/")
            for pair in read_pairs(config.pairs):
                if pair.glacier not in config.hold_out:
                    self.pairs.setdefault(pair.glacier, []).append(pair)
            if not self.pairs:
                raise ConfigError(f"hold_out {list(config.hold_out)} leaves no pair to train on")

    def __iter__(self) -> Iterator[Batch]:
        config = self.config
        first = config.simulated_seed + self.start // config.refresh_every
        drawn = Drawn(config.fjord_px, config.off_centre, config.without, config.calved, config.jagged)
        cache = SceneCache(first, config.cache, config.scene_px, drawn)
        if config.mix.sar + config.mix.optical:
            for _ in range(config.cache):
                cache.draw()
        for step in range(self.start, config.last_step):
            rng = np.random.default_rng([config.seed, step])
            parts = [augment(sample, rng, config.holes, config.guided) for sample in self._samples(cache, rng)]
            yield tuple(torch.from_numpy(np.stack(arrays)) for arrays in zip(*parts, strict=True))  # type: ignore[misc]
            if cache.scenes and (step + 1) % config.refresh_every == 0:
                cache.draw()

    def _samples(self, cache: SceneCache, rng: np.random.Generator) -> Iterator[Sample]:
        mix, size = self.config.mix, self.config.crop_px
        glaciers = sorted(self.pairs)
        for _ in range(mix.pairs):
            group = self.pairs[glaciers[int(rng.integers(len(glaciers)))]]
            pair = group[int(rng.integers(len(group)))]
            looks = restyle(pair, rng, mix.styles)
            cut = window(pair, rng, size, looks, self.config.pair_scales, self.config.pair_turn_deg)
            yield self._shaded(cut, rng)
        for _ in range(mix.sar):
            yield sar_sample(cache, rng, size, mix.foreign, mix.bare)
        for _ in range(mix.optical):
            yield self._shaded(optical_sample(cache, rng, size), rng)

    def _shaded(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if not self.config.shades or rng.random() >= self.config.shades:
            return sample
        return replace(sample, primary=cast_shadows(sample.primary, rng))


def loader(config: TrainConfig, start: int) -> DataLoader[Batch]:
    """Batches made in one other process, a few ahead; the global random state is left alone."""
    own = torch.Generator()
    return DataLoader(Batches(config, start), batch_size=None, num_workers=1, prefetch_factor=4, generator=own)
