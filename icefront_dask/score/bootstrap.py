"""Intervals of scores: images of one glacier are not independent, so whole glaciers are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

__all__ = ["clustered_interval"]


def clustered_interval(
    values: Sequence[NDArray[np.float64]],
    clusters: Sequence[Hashable],
    statistic: Callable[[NDArray[np.float64]], Any],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile interval of a pooled statistic by a two-stage bootstrap.

    Each draw takes clusters with replacement, then within each of them images with replacement, pools the
    values of these images and evaluates the statistic. With one cluster only, the images of it are drawn, and
    the interval says nothing about other glaciers (Davison & Hinkley 1997, section 3.8).

    Parameters
    ----------
    values : sequence of ndarray
        The values of each image; an empty array for an image without any, which is left out.
    clusters : sequence of hashable
        The cluster of each image.
    statistic : callable
        From a 1-D array to a number, for instance ``np.mean``.
    draws : int, default 1000
        Number of draws.
    level : float, default 0.95
        Coverage.
    seed : int, default 0
        Of the draws.

    Returns
    -------
    tuple of float
        Lower and upper bound; NaN where fewer than two images have values.

    Raises
    ------
    InputError
        For another number of clusters than of images.
    """
    if len(values) != len(clusters):
        raise InputError(f"{len(clusters)} clusters for {len(values)} images; give one an image")
    members: dict[Hashable, list[NDArray[np.float64]]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        if value.size:
            members.setdefault(cluster, []).append(value)
    images = [value for group in members.values() for value in group]
    if len(images) < 2:
        return float("nan"), float("nan")
    sizes = np.array([len(group) for group in members.values()])
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(len(sizes), size=len(sizes))
        count = sizes[chosen]
        drawn = np.repeat(starts[chosen], count) + rng.integers(np.repeat(count, count))
        found[draw] = statistic(np.concatenate([images[i] for i in drawn]))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
