"""Scores of predicted fronts: by image and pooled, with intervals, as CSV, Markdown and JSON."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score.bootstrap import clustered_interval
from icefront_dask.score.distances import index_matched_mean, line_pixels, symmetric
from icefront_dask.score.overlap import mean_gap, polis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from icefront_dask.score.dataset import Dataset, Sample

__all__ = ["Scores", "longest_path", "score_lines"]

_UNITS = ("px", "m")


@dataclass(frozen=True)
class Scores:
    """Errors of fronts over a set of images.

    Attributes
    ----------
    dataset, layout : str
        What was scored.
    images : DataFrame
        One row an image: ``name``, ``group``, ``predicted`` (a front was found), ``pixels`` (of both lines),
        and in pixels and, where the ground is known, in true metres: ``mean_*`` and ``median_*`` (CALFIN),
        ``index_matched_*`` (M-NN), ``gap_*`` (Z-NN: area between the lines over the true one's length) and
        ``polis_*``. NaN where no front was found.
    groups : DataFrame
        The summary of each group, one row a group.
    pooled : dict
        ``images``, ``without_front``, and for each unit: ``mean`` and ``median`` over all pixels of all
        images (``mean`` is CaFFe's MDE and CALFIN's pooled mean), ``image_mean`` (mean of the images' means),
        ``macro_mean`` and ``macro_median`` (means of the groups' values), ``index_matched``, ``gap`` and
        ``polis`` (means over images).
    intervals : dict
        95 % bootstrap intervals of ``mean``, ``median`` and ``index_matched``, over images clustered by
        group.
    breakdown : DataFrame
        The summary by each attribute of the images (``by``, ``value``) and by each two of them, as CaFFe's
        benchmark reports it; empty where the data set states none.
    """

    dataset: str
    layout: str
    images: pd.DataFrame
    groups: pd.DataFrame
    pooled: dict[str, float | int]
    intervals: dict[str, tuple[float, float]]
    breakdown: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python, NaN as None, for JSON."""
        content: dict[str, Any] = _plain(
            {
                "dataset": self.dataset,
                "layout": self.layout,
                "pooled": dict(self.pooled),
                "intervals": {key: list(value) for key, value in self.intervals.items()},
                "groups": self.groups.to_dict("records"),
                "breakdown": self.breakdown.to_dict("records"),
                "images": self.images.to_dict("records"),
            }
        )
        return content

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_markdown(self) -> str:
        """Return the summary and the images as Markdown tables."""
        columns = [c for c in self.groups.columns if self.groups[c].notna().any() or not c.endswith("_m")]
        everything = pd.DataFrame([{"group": "all", **self.pooled}]).reindex(columns=columns)
        summary = pd.concat([self.groups[columns], everything], ignore_index=True)
        finite = {key: pair for key, pair in self.intervals.items() if math.isfinite(pair[0])}
        return "\n".join(
            [
                f"# {self.dataset} ({self.layout})",
                "",
                _markdown(summary),
                "",
                *(f"- 95 % interval of {key}: {low:.2f} … {high:.2f}" for key, (low, high) in finite.items()),
                "",
                *([] if self.breakdown.empty else [_markdown(self.breakdown.dropna(axis=1, how="all")), ""]),
                _markdown(self.images.dropna(axis=1, how="all")),
                "",
            ]
        )

    def write(self, folder: str | Path) -> list[Path]:
        """Write ``scores.csv`` (images), ``scores.md`` and ``scores.json`` into a folder, and name them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / "scores.csv", folder / "scores.md", folder / "scores.json"]
        self.images.to_csv(files[0], index=False)
        files[1].write_text(self.to_markdown(), encoding="utf-8")
        files[2].write_text(self.to_json() + "\n", encoding="utf-8")
        return files

    def _repr_html_(self) -> str:
        return str(pd.DataFrame([self.pooled]).to_html(index=False))


def longest_path(geometry: BaseGeometry | None) -> NDArray[np.float64]:
    """Return the vertices (n, 2) of a line, of the longest after joining what touches; empty for none."""
    if geometry is None or geometry.is_empty:
        return np.empty((0, 2))
    merged = shapely.line_merge(geometry) if geometry.geom_type == "MultiLineString" else geometry
    part = max(shapely.get_parts(merged), key=lambda line: line.length)
    return np.asarray(part.coords, dtype=np.float64)[:, :2]


def score_lines(
    predictions: Mapping[str, BaseGeometry | None],
    dataset: Dataset,
    *,
    pixels: Mapping[str, NDArray[np.float64]] | None = None,
    points: int = 1000,
    draws: int = 1000,
    seed: int = 0,
) -> Scores:
    """Score one predicted front an image against a data set's true fronts.

    Parameters
    ----------
    predictions : mapping of str to geometry or None
        For every image of `dataset`, by name: LineString or MultiLineString in pixel coordinates (x to the
        right, y down, the centre of the corner pixel at 0.5, 0.5), or None where no front was found.
    dataset : Dataset
        From :func:`icefront_dask.score.layouts.read_dataset`.
    pixels : mapping of str to (n, 2) ndarray, optional
        The predicted fronts' pixels (centres) instead of those of the lines, of methods that give pixels; the
        measures over paths are those of the lines.
    points : int, default 1000
        Points of the index-matched distance.
    draws, seed : int
        Bootstrap draws of the intervals, and their seed.

    Returns
    -------
    Scores
        Pixel errors are measured between the 1-px pixels of both lines on the image's own grid; errors in
        metres between the same pixels on the ground, so they hold for pixels that are not square.

    Raises
    ------
    InputError
        For predictions that lack an image or name one that is not there.
    """
    names = [sample.name for sample in dataset]
    if lacking := sorted(set(names) - set(predictions)):
        raise InputError(f"no prediction for {lacking[0]} ({len(lacking)} lack one); give None where there is no front")
    if unknown := sorted(set(predictions) - set(names)):
        raise InputError(f"a prediction for {unknown[0]}, which is not in {dataset.name}")
    rows: list[dict[str, Any]] = []
    pools: dict[str, list[NDArray[np.float64]]] = {unit: [] for unit in _UNITS}
    for sample in dataset:
        row, distances = _score(sample, predictions[sample.name], (pixels or {}).get(sample.name), points)
        rows.append(row)
        for unit in _UNITS:
            pools[unit].append(distances[unit])
    images = pd.DataFrame(rows)
    labels = images["group"].to_numpy()
    parts = [
        {
            "group": str(name),
            **_summary(images[labels == name], {u: _take(pools[u], labels == name) for u in _UNITS}),
        }
        for name in pd.unique(images["group"])
    ]
    groups = pd.DataFrame(parts)
    pooled = _summary(images, pools)
    for unit in _UNITS:
        for key in ("mean", "median"):
            values = groups[f"{key}_{unit}"].dropna()
            pooled[f"macro_{key}_{unit}"] = float(values.mean()) if len(values) else float("nan")
    intervals: dict[str, tuple[float, float]] = {}
    for unit in _UNITS:
        if not any(values.size for values in pools[unit]):
            continue
        matched = [np.array([v]) if math.isfinite(v) else np.empty(0) for v in images[f"index_matched_{unit}"]]
        wanted: list[tuple[str, list[NDArray[np.float64]], Callable[[NDArray[np.float64]], Any]]] = [
            ("mean", pools[unit], np.mean),
            ("median", pools[unit], np.median),
            ("index_matched", matched, np.mean),
        ]
        for key, sets, statistic in wanted:
            intervals[f"{key}_{unit}"] = clustered_interval(sets, list(labels), statistic, draws=draws, seed=seed)
    breakdown = _breakdown(dataset, images, pools)
    return Scores(dataset.name, dataset.layout, images, groups, pooled, intervals, breakdown)


def _breakdown(
    dataset: Dataset, images: pd.DataFrame, pools: Mapping[str, Sequence[NDArray[np.float64]]]
) -> pd.DataFrame:
    table = pd.DataFrame([sample.attributes for sample in dataset])
    rows: list[dict[str, Any]] = []
    for keys in itertools.chain(((c,) for c in table.columns), itertools.combinations(table.columns, 2)):
        values = table[list(keys)].agg(" ".join, axis=1).to_numpy()
        for value in sorted(set(values)):
            found = _summary(images[values == value], {u: _take(pools[u], values == value) for u in _UNITS})
            rows.append({"by": "+".join(keys), "value": value, **found})
    return pd.DataFrame(rows)


def _score(
    sample: Sample, line: BaseGeometry | None, pixels: NDArray[np.float64] | None, points: int
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    truth, line = _in_box(sample.truth, sample.box), _in_box(line, sample.box)
    if truth is None:
        raise InputError(f"{sample.label}: the true front lies outside its bounding box {sample.box}")
    predicted = np.empty((0, 2))
    if line is not None:
        predicted = _pixels_in_box(line_pixels(line) if pixels is None else pixels, sample.box)
    true = line_pixels(truth) if sample.true_pixels is None else _pixels_in_box(sample.true_pixels, sample.box)
    paths = longest_path(line), longest_path(truth)
    row: dict[str, Any] = {
        "name": sample.name,
        "group": sample.group,
        "predicted": bool(len(predicted)),
        "pixels": len(predicted) + len(true) if len(predicted) else 0,
    }
    distances: dict[str, NDArray[np.float64]] = {}
    for unit in _UNITS:
        ground = unit == "m"
        sets = [sample.to_ground(s) if ground else s for s in (predicted, true, *paths)]
        a, b, c, d = (np.empty((0, 2)) if s is None else s for s in sets)
        values = distances[unit] = symmetric(a, b)
        row[f"mean_{unit}"] = float(values.mean()) if values.size else float("nan")
        row[f"median_{unit}"] = float(np.median(values)) if values.size else float("nan")
        row[f"index_matched_{unit}"] = index_matched_mean(c, d, points)
        lines = len(c) > 1 and len(d) > 1
        row[f"gap_{unit}"] = mean_gap(c, d) if lines else float("nan")
        row[f"polis_{unit}"] = polis(c, d) if lines else float("nan")
    return row, distances


def _in_box(line: BaseGeometry | None, box: tuple[int, int, int, int] | None) -> BaseGeometry | None:
    """Return the lines inside a box (top, left, bottom, right), None where nothing is."""
    if line is None or box is None:
        return line
    top, left, bottom, right = box
    inside = shapely.get_parts(line.intersection(shapely.box(left, top, right, bottom)))
    lines = [part for part in inside if part.geom_type == "LineString"]
    return shapely.MultiLineString(lines) if lines else None


def _pixels_in_box(pixels: NDArray[np.float64], box: tuple[int, int, int, int] | None) -> NDArray[np.float64]:
    if box is None:
        return pixels
    top, left, bottom, right = box
    return pixels[((pixels >= (left, top)) & (pixels < (right, bottom))).all(axis=1)]


def _take(values: Sequence[NDArray[np.float64]], keep: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    return [value for value, kept in zip(values, keep, strict=True) if kept]


def _summary(images: pd.DataFrame, pools: Mapping[str, Sequence[NDArray[np.float64]]]) -> dict[str, float | int]:
    found: dict[str, float | int] = {
        "images": len(images),
        "without_front": int((~images["predicted"]).sum()),
    }
    for unit in _UNITS:
        values = np.concatenate([np.empty(0), *pools[unit]])
        found[f"mean_{unit}"] = float(values.mean()) if values.size else float("nan")
        found[f"median_{unit}"] = float(np.median(values)) if values.size else float("nan")
        found[f"image_mean_{unit}"] = float(images[f"mean_{unit}"].mean())
        for key in ("index_matched", "gap", "polis"):
            found[f"{key}_{unit}"] = float(images[f"{key}_{unit}"].mean())
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown(frame: pd.DataFrame) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "–" if math.isnan(value) else f"{value:.2f}"
        return str(value).replace("|", "\\|")

    lines = [list(frame.columns), ["---"] * frame.shape[1]]
    lines += [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
