"""A folder of images with labels: predict each, trace it, and compare."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.images import front_in
from icefront_dask.runs.looks import image_reader
from icefront_dask.score import read_dataset, score_lines, unlabelled_images, write_line
from icefront_dask.score.areas import mean_overlaps, overlaps_of
from icefront_dask.score.compare import compare_scores
from icefront_dask.score.guides import fjord_mask
from icefront_dask.score.layouts import guide_of
from icefront_dask.score.sides import fjord_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from icefront_dask.runs.image_file import Image
    from icefront_dask.runs.images import ImageFront
    from icefront_dask.score import Dataset, Sample, Scores

    Report = Callable[[str, int, int], None]

__all__ = ["compare_folder", "draw_worst", "front_of_sample", "score_folder", "scores_of", "write_lines"]


def score_folder(
    data: str | Path,
    layout: str,
    *,
    model: str = "auto",
    looks: str = "plain",
    lines: str | Path | None = None,
    pixel_size_m: float = 30.0,
    report: Report | None = None,
) -> tuple[Scores | None, dict[str, ImageFront]]:
    """Predict the fronts of all images of a folder and score those that have a label.

    Parameters
    ----------
    data : path
        Folder in one of the layouts of `icefront_dask.score.layouts`.
    layout : str
        Which.
    model : str
        ``auto``, a model's name, or the path of its weights.
    looks : {"plain", "sar"}
        Images as they are, or restyled in the manner of SAR; the latter of layout ``pairs``, those with a label.
    lines : path, optional
        Folder for the predicted fronts, ``NAME.geojson`` each: EPSG:4326, or pixels x, y without a georeference.
    pixel_size_m : float
        Side of a pixel of images without a georeference, where the data set does not state it.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.

    Returns
    -------
    scores : Scores or None
        None where no image has a label.
    fronts : dict of str to ImageFront
        Of every image by name, labelled or not.

    Raises
    ------
    InputError
        For a folder that is not in the layout, or an image that cannot be read.
    ModelMismatchError, WeightsError
        If the model does not fit or is not there.
    """
    dataset = read_dataset(data, layout, unlabelled="skip")
    files = {sample.name: sample.image for sample in dataset} | unlabelled_images(data, layout)
    samples = {sample.name: sample for sample in dataset}
    read = image_reader(data, layout, looks)
    if looks != "plain":
        files = {name: file for name, file in files.items() if name in samples}
    fronts: dict[str, ImageFront] = {}
    overlaps: dict[str, dict[str, float]] = {}
    for number, (name, file) in enumerate(sorted(files.items()), start=1):
        sample = samples.get(name)
        image = read_image(file) if sample is None else read(sample)
        if sample is None:
            guide = guide_of(layout, name, file)
            mask = None if guide.fjord is None else fjord_mask(guide.fjord, file)
            front = front_in(image, model=model, pixel_size_m=pixel_size_m, fjord=mask, flowlines=guide.flowlines)
        else:
            front = front_of_sample(sample, image, model, pixel_size_m)
        if sample is not None:
            overlaps[name] = overlaps_of(sample, layout, front.outputs)
        fronts[name] = replace(front, outputs=None)
        if lines is not None:
            write_lines(Path(lines), {name: fronts[name]})
        if report is not None:
            report("images", number, len(files))
    if not len(dataset):
        return None, fronts
    scores = scores_of(fronts, dataset)
    return replace(scores, pooled=scores.pooled | mean_overlaps(overlaps.values())), fronts


def front_of_sample(sample: Sample, image: Image, model: str, pixel_size_m: float) -> ImageFront:
    """Predict the front of an image, told what its data set says of it: pixel size, bounding box, fjord, flowlines."""
    return front_in(
        image,
        model=model,
        pixel_size_m=sample.pixel_m or pixel_size_m,
        box=sample.box,
        fjord=fjord_of(sample),
        flowlines=sample.flowlines,
    )


def scores_of(fronts: Mapping[str, ImageFront], dataset: Dataset) -> Scores:
    """Score the fronts of a data set, by their pixels where a protocol gives these."""
    pixels = {name: front.pixels for name, front in fronts.items() if front.pixels is not None}
    return score_lines({sample.name: fronts[sample.name].line for sample in dataset}, dataset, pixels=pixels)


def draw_worst(data: str | Path, layout: str, fronts: dict[str, ImageFront], scores: Scores, folder: Path) -> None:
    """Write ``worst.png`` into a folder: the images whose fronts are farthest off.

    Raises
    ------
    ConfigError
        Without matplotlib.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise ConfigError("the picture of the worst cases needs matplotlib: pip install 'icefront_dask[plot]'")
    from icefront_dask.score.figure import worst_cases

    dataset = read_dataset(data, layout, unlabelled="skip")
    worst_cases(dataset, {sample.name: fronts[sample.name].line for sample in dataset}, scores, folder / "worst.png")


def compare_folder(
    data: str | Path,
    layout: str,
    models: Sequence[str],
    *,
    pixel_size_m: float = 30.0,
    report: Report | None = None,
) -> tuple[pd.DataFrame, dict[str, Scores]]:
    """Score several models on the labelled images of a folder.

    Parameters
    ----------
    data, layout, pixel_size_m, report
        As in :func:`score_folder`.
    models : sequence of str
        Names, or paths of weights.

    Returns
    -------
    table : DataFrame
        See :func:`icefront_dask.score.compare.compare_scores`.
    scores : dict of str to Scores
        By model.

    Raises
    ------
    InputError
        No image has a label, a model is named twice, and as in :func:`score_folder`.
    """
    if double := [name for name, count in Counter(models).items() if count > 1]:
        raise InputError(f"the model {double[0]} is named twice; name each once")
    found: dict[str, Scores] = {}
    for model in models:
        scores, _ = score_folder(data, layout, model=model, pixel_size_m=pixel_size_m, report=report)
        if scores is None:
            raise InputError(f"{data}: no image has a label, so there is nothing to compare")
        found[model] = scores
    return compare_scores(found), found


def write_lines(folder: Path, fronts: dict[str, ImageFront]) -> None:
    """Write fronts as ``NAME.geojson`` each: EPSG:4326, or pixels x, y without a georeference."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, front in fronts.items():
        properties: dict[str, Any] = {"name": name, "status": front.status, "reason": front.reason}
        if front.guessed:
            properties["guessed"] = True
        confidence = round(front.confidence, 4) if math.isfinite(front.confidence) else None
        write_line(
            folder / f"{name}.geojson", front.line, front.transform, front.crs, **properties, confidence=confidence
        )
