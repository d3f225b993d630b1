"""Commands that say how good fronts are: ``score``, ``compare``, ``ablate``."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from icefront_dask.cli.options import AsJson, Model
from icefront_dask.cli.output import note, progress, result
from icefront_dask.errors import ConfigError

__all__ = ["ablate", "compare", "score"]

Layout = Annotated[
    str,
    typer.Option("--layout", help="scenes: NAME.tif + NAME.geojson; pairs: images/ + labels_1px/; caffe; calfin."),
]


def _positive(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"{value} is no size of a pixel; give metres, above 0")
    return value


PixelSize = Annotated[
    float,
    typer.Option("--pixel-size", callback=_positive, help="Metres a pixel of images without a georeference."),
]


def score(
    data: Annotated[Path, typer.Argument(help="Folder of images with their true fronts.")],
    layout: Layout,
    lines: Annotated[
        Path | None, typer.Option("--lines", file_okay=False, help="Write each predicted front here.")
    ] = None,
    model: Model = "auto",
    pixel_size: PixelSize = 30.0,
    cross_validate: Annotated[
        str | None,
        typer.Option("--cross-validate", help="glacier: train a network without each and score it on that one."),
    ] = None,
    training: Annotated[
        Path | None, typer.Option("--training", help="Configuration of the trainings of --cross-validate.")
    ] = None,
    looks: Annotated[str, typer.Option("--looks", help="plain, or sar: pairs restyled as SAR.")] = "plain",
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Score changed images too: water, contrast, turns, scales, gaps.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", file_okay=False, help="Folder for scores.csv, .md, .json and a picture of the worst."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the fronts of labelled images and measure how far off they are.

    Images without a label are predicted too, and named. Where no front is seen the likeliest line is taken all
    the same, and the image named as guessed. With --cross-validate the folds lie in --out (default
    out/cross-validation), and an interrupted one goes on from its last checkpoint. With --robustness a table compares
    the errors on changed images with those on the images as they are.

    \b
    Example:  icefront score helheim-scenes --layout scenes --lines out/lines
              icefront score pairs --layout pairs --cross-validate glacier --out out/folds
              icefront score pairs --layout pairs --robustness
    """
    if robustness:
        if cross_validate is not None or lines is not None:
            raise ConfigError("--robustness compares one model with itself: leave --cross-validate and --lines out")
        _robustness(data, layout, model, looks, pixel_size, out, as_json=as_json)
        return
    from icefront_dask.runs.scoring import draw_worst, score_folder

    with progress() as report:
        if cross_validate is None:
            if training is not None:
                raise ConfigError("--training is the configuration of --cross-validate glacier; name both")
            scores, found = score_folder(
                data, layout, model=model, looks=looks, lines=lines, pixel_size_m=pixel_size, report=report
            )
        else:
            from icefront_dask.runs.cross_validation import cross_validate as leave_one_out

            if cross_validate != "glacier" or model != "auto":
                raise ConfigError("--cross-validate takes 'glacier', and trains its own models: leave --model out")
            out = out or Path("out/cross-validation")
            scores, found = leave_one_out(
                data, layout, out, training=training, looks=looks, lines=lines, pixel_size_m=pixel_size, report=report
            )
    labelled = set() if scores is None else set(scores.images["name"])
    if scores is not None:
        if not as_json:
            note(scores.to_markdown())
        if out is not None:
            scores.write(out)
            draw_worst(data, layout, found, scores, out)
    result(
        {
            "images": len(found),
            "labelled": len(labelled),
            "unlabelled": sorted(set(found) - labelled),
            "status": {name: front.status for name, front in sorted(found.items())},
            "guessed": sorted(name for name, front in found.items() if front.guessed),
            "models": dict(Counter(f"{front.model} on {front.channels}" for front in found.values())),
            **({} if scores is None else scores.pooled | {"images": len(found)}),
            "intervals": {} if scores is None else scores.intervals,
            "lines": lines,
        },
        as_json=as_json,
    )


def _robustness(
    data: Path, layout: str, model: str, looks: str, pixel_size: float, out: Path | None, *, as_json: bool
) -> None:
    from icefront_dask.runs.robustness import robustness

    with progress() as report:
        table, scores = robustness(data, layout, model=model, looks=looks, pixel_size_m=pixel_size, report=report)
    if not as_json:
        note(table.to_string(index=False, float_format="%.2f"))
    if out is not None:
        for name, found in scores.items():
            found.write(out / name)
        table.to_csv(out / "robustness.csv", index=False)
    result({"changes": table.to_dict("records"), "output": out}, as_json=as_json)


def compare(
    data: Annotated[Path, typer.Argument(help="Folder of images with their true fronts.")],
    layout: Layout,
    model: Annotated[list[str], typer.Option("--model", help="A model's name or .safetensors; several times.")],
    pixel_size: PixelSize = 30.0,
    out: Annotated[
        Path | None, typer.Option("--out", file_okay=False, help="Folder for compare.csv and each model's scores.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score several models on the same images, in one table.

    \b
    Example:  icefront compare pairs --layout pairs --model icefront-5 --model mine.safetensors
    """
    from icefront_dask.runs.scoring import compare_folder

    with progress() as report:
        table, scores = compare_folder(data, layout, model, pixel_size_m=pixel_size, report=report)
    if not as_json:
        note(table.to_string(index=False, float_format="%.2f"))
    if out is not None:
        for name, found in scores.items():
            found.write(out / Path(name).stem)
        table.to_csv(out / "compare.csv", index=False)
    result({"models": table.to_dict("records"), "output": out}, as_json=as_json)


def ablate(
    config: Annotated[Path, typer.Argument(help="Training configuration in YAML, with simulated scenes in its mix.")],
    data: Annotated[Path, typer.Argument(help="Folder of images with their true fronts, to score on.")],
    layout: Layout,
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for each training and for ablation.csv.")],
    ingredient: Annotated[
        list[str] | None, typer.Option("--ingredient", help="Of the simulator; several times. Default: each.")
    ] = None,
    pixel_size: PixelSize = 30.0,
    as_json: AsJson = False,
) -> None:
    """Train without each ingredient of the simulator in turn and score each network on the same images.

    Reports what an ingredient is worth; nothing is to be chosen by it. An interrupted one goes on where it was.

    \b
    Example:  icefront ablate configs/ablation.yaml helheim-sar --layout scenes --out out/ablation
    """
    from icefront_dask.runs.ablation import ablate as ablate_each

    with progress() as report:
        table = ablate_each(config, data, layout, out, ingredients=ingredient, pixel_size_m=pixel_size, report=report)
    if not as_json:
        note(table.to_string(index=False, float_format="%.2f"))
    result({"trainings": table.to_dict("records"), "output": out}, as_json=as_json)
