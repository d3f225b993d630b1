"""Commands that say how good fronts are: ``score``, ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icefront_dask.cli.options import AsJson, Model
from icefront_dask.cli.output import note, progress, result
from icefront_dask.errors import ConfigError

__all__ = ["compare", "score"]

Layout = Annotated[
    str,
    typer.Option("--layout", help="scenes: NAME.tif + NAME.geojson; pairs: images/ + labels_1px/; caffe; calfin."),
]
PixelSize = Annotated[float, typer.Option("--pixel-size", help="Metres a pixel of images without a georeference.")]


def score(
    data: Annotated[Path, typer.Argument(help="Folder of images with their true fronts.")],
    layout: Layout,
    lines: Annotated[Path | None, typer.Option("--lines", help="Write each predicted front here.")] = None,
    model: Model = "auto",
    pixel_size: PixelSize = 30.0,
    cross_validate: Annotated[
        str | None,
        typer.Option("--cross-validate", help="glacier: train a network without each and score it on that one."),
    ] = None,
    training: Annotated[
        Path | None, typer.Option("--training", help="Configuration of the trainings of --cross-validate.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for scores.csv, .md, .json and a picture of the worst.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the fronts of labelled images and measure how far off they are.

    Images without a label are predicted too, and named. With --cross-validate the folds lie in --out (default
    out/cross-validation), and an interrupted one goes on from its last checkpoint.

    \b
    Example:  icefront score helheim-scenes --layout scenes --lines out/lines
              icefront score pairs --layout pairs --cross-validate glacier --out out/folds
    """
    from icefront_dask.runs.scoring import draw_worst, score_folder

    with progress() as report:
        if cross_validate is None:
            if training is not None:
                raise ConfigError("--training is the configuration of --cross-validate glacier; name both")
            scores, found = score_folder(data, layout, model=model, lines=lines, pixel_size_m=pixel_size, report=report)
        else:
            from icefront_dask.runs.cross_validation import cross_validate as leave_one_out

            if cross_validate != "glacier" or model != "auto":
                raise ConfigError("--cross-validate takes 'glacier', and trains its own models: leave --model out")
            out = out or Path("out/cross-validation")
            scores, found = leave_one_out(
                data, layout, out, training=training, lines=lines, pixel_size_m=pixel_size, report=report
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
            **({} if scores is None else scores.pooled | {"images": len(found)}),
            "intervals": {} if scores is None else scores.intervals,
            "lines": lines,
        },
        as_json=as_json,
    )


def compare(
    data: Annotated[Path, typer.Argument(help="Folder of images with their true fronts.")],
    layout: Layout,
    model: Annotated[list[str], typer.Option("--model", help="A model's name or .safetensors; several times.")],
    pixel_size: PixelSize = 30.0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for compare.csv and each model's scores.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score several models on the same images, in one table.

    \b
    Example:  icefront compare pairs --layout pairs --model icefront-2 --model mine.safetensors
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
