"""How much worse a model is on images that were changed in ways which move no front."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, to_decibel
from icefront_dask.runs.images import front_in
from icefront_dask.runs.looks import image_reader
from icefront_dask.runs.scoring import front_of_sample, scores_of
from icefront_dask.score import read_dataset
from icefront_dask.score.lines import apply_affine
from icefront_dask.score.perturb import PERTURBATIONS
from icefront_dask.score.sides import ocean_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from icefront_dask.runs.image_file import Image
    from icefront_dask.runs.images import ImageFront
    from icefront_dask.score import Sample, Scores
    from icefront_dask.score.perturb import Changed

    Report = Callable[[str, int, int], None]

__all__ = ["changed_front", "robustness"]

_CROSS = ("hv", "vh")
PLAIN = "plain"


def robustness(
    data: str | Path,
    layout: str,
    *,
    model: str = "auto",
    only: Sequence[str] = (),
    looks: str = "plain",
    pixel_size_m: float = 30.0,
    report: Report | None = None,
) -> tuple[pd.DataFrame, dict[str, Scores]]:
    """Score a model on images as they are and with each change of `icefront_dask.score.perturb`.

    A line that was found in a changed image is brought back to the pixels of the image as it was.

    Parameters
    ----------
    data, layout, model, looks, pixel_size_m, report
        As in :func:`icefront_dask.runs.scoring.score_folder`; images without a label are left aside.
    only : sequence of str
        Changes to make; all by default.

    Returns
    -------
    table : DataFrame
        One row a change, the plain images first: ``change``, ``images`` (it could be made on), ``without_front``,
        ``guessed`` (lines where no front was seen), ``mean_px`` and ``median_px`` (over all pixels), ``ratio``: of
        the images' mean errors to the plain ones, over the images where both have a front; ``bound`` of that ratio;
        ``holds``: within it, and no more images without a front than the plain ones.
    scores : dict of str to Scores

    Raises
    ------
    ConfigError
        An unknown change.
    InputError
        No image has a label, or as in ``score_folder``.
    """
    if unknown := sorted(set(only) - set(PERTURBATIONS)):
        raise ConfigError(f"no change {unknown[0]!r}; known: {', '.join(PERTURBATIONS)}")
    dataset = read_dataset(data, layout, unlabelled="skip")
    if not len(dataset):
        raise InputError(f"{data}: no image has a label, so there is nothing to score")
    wanted = [name for name in PERTURBATIONS if not only or name in only]
    fronts: dict[str, dict[str, ImageFront]] = {name: {} for name in (PLAIN, *wanted)}
    read = image_reader(data, layout, looks)
    for number, sample in enumerate(dataset):
        image, ocean = _visible(read(sample)), ocean_of(sample, layout)
        fronts[PLAIN][sample.name] = _kept(front_of_sample(sample, image, model, pixel_size_m))
        for name in wanted:
            changed = PERTURBATIONS[name].change(image.data, ocean, number)
            if changed is not None:
                fronts[name][sample.name] = _kept(changed_front(sample, image, changed, model, pixel_size_m))
        if report is not None:
            report("images", number + 1, len(dataset))
    scores = {
        name: scores_of(found, replace(dataset, samples=tuple(s for s in dataset if s.name in found)))
        for name, found in fronts.items()
        if found
    }
    rows = [_row(name, scores.get(name), scores[PLAIN], fronts[name].values()) for name in fronts]
    return pd.DataFrame(rows), scores


def changed_front(sample: Sample, image: Image, changed: Changed, model: str, pixel_size_m: float) -> ImageFront:
    """Predict a changed image; the line, and its pixels, are those of the image as it was."""
    size = (sample.pixel_m or pixel_size_m) / changed.scale
    if changed.back.is_identity:
        return front_of_sample(sample, replace(image, data=changed.data), model, pixel_size_m)
    transform = None if image.transform is None else image.transform * changed.back
    there = ~changed.back
    found = front_in(
        replace(image, data=changed.data, transform=transform),
        model=model,
        pixel_size_m=size,
        flowlines=[shapely.transform(line, lambda xy: apply_affine(there, xy)) for line in sample.flowlines],
    )
    line = None if found.line is None else shapely.transform(found.line, lambda xy: apply_affine(changed.back, xy))
    return replace(found, line=line, pixels=None)


def _visible(image: Image) -> Image:
    """Return radar power as dB, so that tones can be changed."""
    if not image.power:
        return image
    floors = [CROSS_FLOOR_DB if name in _CROSS else CO_FLOOR_DB for name in image.names]
    data = np.stack([to_decibel(band, floor) for band, floor in zip(image.data, floors, strict=True)])
    return replace(image, data=data, calibration="uncalibrated")


def _kept(front: ImageFront) -> ImageFront:
    return replace(front, outputs=None)


def _row(name: str, found: Scores | None, plain: Scores, fronts: Iterable[ImageFront]) -> dict[str, object]:
    if found is None:
        return {"change": name, "images": 0, "without_front": 0, "guessed": 0, "bound": PERTURBATIONS[name].bound}
    row: dict[str, object] = {
        "change": name,
        "images": found.pooled["images"],
        "without_front": found.pooled["without_front"],
        "guessed": sum(front.guessed for front in fronts),
        "mean_px": found.pooled["mean_px"],
        "median_px": found.pooled["median_px"],
    }
    if name == PLAIN:
        return row
    both = found.images.merge(plain.images, on="name", suffixes=("", "_plain"))
    shared = both[both["predicted"] & both["predicted_plain"]]
    ratio = float(shared["mean_px"].mean() / shared["mean_px_plain"].mean()) if len(shared) else float("nan")
    lost = int((~both["predicted"]).sum()) > int((~both["predicted_plain"]).sum())
    bound = PERTURBATIONS[name].bound
    return row | {"ratio": ratio, "bound": bound, "holds": ratio <= bound and not lost}
