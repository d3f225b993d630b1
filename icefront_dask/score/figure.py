"""Pictures of scores: the images whose fronts are farthest off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

    from icefront_dask.score.dataset import Dataset, Sample
    from icefront_dask.score.table import Scores

__all__ = ["worst_cases"]

_TRUE, _FOUND = "#00c8ff", "#ff8c00"  # told apart with any colour vision, on grey


def worst_cases(
    dataset: Dataset, lines: Mapping[str, BaseGeometry | None], scores: Scores, path: Path, count: int = 6
) -> Path:
    """Draw the images with the greatest mean error, those without a front first.

    Parameters
    ----------
    dataset : Dataset
    lines : mapping of str to geometry or None
        The predicted fronts in pixel coordinates, as they were scored.
    scores : Scores
    path : Path
        Of a PNG.
    count : int
        Images, at most.

    Returns
    -------
    Path

    Notes
    -----
    Needs matplotlib (extra ``plot``).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table = scores.images.set_index("name")
    order = table["mean_px"].fillna(math.inf).sort_values(ascending=False, kind="stable").index[:count]
    samples = {sample.name: sample for sample in dataset}
    columns = min(3, max(1, len(order)))
    rows = -(-len(order) // columns)
    figure = Figure(figsize=(4 * columns, 4.2 * rows + 0.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axis in axes[len(order) :]:
        axis.set_axis_off()
    for axis, name in zip(axes, order, strict=False):
        _draw(axis, samples[name], lines[name])
        error = table.loc[name, "mean_px"]
        told = "no front found" if math.isnan(error) else f"{error:.1f} px off on average"
        axis.set_title(f"{_short(name)}\n{told}", fontsize=8)
    handles = [axes[0].plot([], [], color=colour, label=label)[0] for colour, label in _legend()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path)
    return path


def _legend() -> tuple[tuple[str, str], ...]:
    return (_TRUE, "true front"), (_FOUND, "predicted front")


def _short(name: str, longest: int = 44) -> str:
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-longest // 2 + 1 :]}"


def _draw(axis: Any, sample: Sample, line: BaseGeometry | None) -> None:
    band = sample.read()[0]
    finite = band[np.isfinite(band)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    axis.imshow(
        band,
        cmap="gray",
        vmin=low,
        vmax=max(high, low + 1e-6),
        extent=(0, sample.shape[1], sample.shape[0], 0),
        interpolation="nearest",
    )
    for geometry, colour in ((sample.truth, _TRUE), (line, _FOUND)):
        for part in [] if geometry is None else shapely.get_parts(geometry):
            axis.plot(*np.asarray(part.coords)[:, :2].T, color=colour, linewidth=1.2)
    axis.set(xlim=(0, sample.shape[1]), ylim=(sample.shape[0], 0), xticks=[], yticks=[])
