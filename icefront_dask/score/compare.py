"""Several models on one set of images, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from icefront_dask.score.table import Scores

__all__ = ["compare_scores"]

_KEYS = ("mean", "median", "image_mean", "macro_mean", "index_matched", "gap", "polis")


def compare_scores(scores: Mapping[str, Scores], *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Return one row a model, the best first, with the difference from the best one.

    Models are compared on the images on which all of them found a front, since the error of a model that gives
    up on hard images is not comparable with that of one which tries; ``without_front`` says how many each
    gave up on.

    Parameters
    ----------
    scores : mapping of str to Scores
        By model, of one and the same data set.
    draws, seed : int
        Bootstrap draws of the interval of the difference: images, drawn by group as in
        :func:`icefront_dask.score.bootstrap.clustered_interval`.

    Returns
    -------
    DataFrame
        ``model``, ``images``, ``without_front``, the pooled scores of its own images (pixels, and metres where
        they are known), ``shared_mean_px`` (mean over the shared images of their means),
        ``difference_px`` from the best model on the shared images, with ``difference_low`` and
        ``difference_high``, its 95 % interval; NaN for the best and where fewer than two images are shared.

    Raises
    ------
    InputError
        No model, or scores of different data sets.
    """
    if not scores:
        raise InputError("no model to compare; name at least one")
    tables = {name: one.images.set_index("name") for name, one in scores.items()}
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if set(table.index) != set(first.index):
            raise InputError(f"the scores of {name} are of other images than those of {next(iter(tables))}")
    shared = first.index[np.logical_and.reduce([t["predicted"].reindex(first.index) for t in tables.values()])]
    means = pd.DataFrame({name: table["mean_px"].reindex(shared) for name, table in tables.items()})
    order = means.mean().sort_values(kind="stable", na_position="last").index
    groups = first["group"].reindex(shared).to_numpy()
    rows = []
    for name in order:
        apart = (means[name] - means[order[0]]).to_numpy()
        low, high = (np.nan, np.nan) if name == order[0] else _interval(apart, groups, draws, seed)
        pooled = scores[name].pooled
        units = [unit for unit in ("px", "m") if np.isfinite(pooled.get(f"mean_{unit}", np.nan))]
        rows.append(
            {
                "model": name,
                "images": pooled["images"],
                "without_front": pooled["without_front"],
                **{f"{key}_{unit}": pooled[f"{key}_{unit}"] for unit in units for key in _KEYS},
                "shared_mean_px": float(means[name].mean()),
                "difference_px": np.nan if name == order[0] else float(apart.mean()),
                "difference_low": low,
                "difference_high": high,
            }
        )
    return pd.DataFrame(rows)


def _interval(apart: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> tuple[float, float]:
    from icefront_dask.score.bootstrap import clustered_interval

    return clustered_interval([np.array([v]) for v in apart], list(groups), np.mean, draws=draws, seed=seed)
