"""Commands that go the whole way: ``run``, ``demo``, ``train``, ``tune``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from icefront_dask.cli.options import AsJson, Gpus, Scheduler, Workers, cluster
from icefront_dask.cli.output import note, progress, result

__all__ = ["demo", "run", "train", "tune"]


def run(
    config: Annotated[Path, typer.Argument(help="Run file in YAML.")],
    dry: Annotated[bool, typer.Option("--plan", help="Search and plan, then stop.")] = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    gpus: Gpus = None,
    as_json: AsJson = False,
) -> None:
    """Go the whole way: search, cube, prediction, fronts, change, report.

    Stopped at any point and started again, it goes on where it was and ends with the same bytes.

    \b
    Example:  icefront run helheim.yaml --workers 2
    with      source: https://planetarycomputer.microsoft.com/api/stac/v1
              regions: regions.gpkg
              output: out/helheim
              datetime: 2018-06-01/2018-06-30
              collections: [sentinel-1-rtc]
    """
    from icefront_dask import runs

    settings = runs.read_config(config)
    if dry:
        planned = runs.plan(settings)
        if not as_json:
            note(planned.table.to_string(index=False))
        result({**planned.counts, "output": planned.output}, as_json=as_json)
        return
    count = settings.settings()["runs"]["workers"] if workers is None else workers
    with progress() as report:
        done = runs.run_on(settings, lambda: cluster(count, scheduler, gpus), report)
    result({**done.summary, "report": done.output / "report.html"}, as_json=as_json)


def demo(
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder for the archive, the run and the report.")
    ],
    seed: Annotated[int | None, typer.Option("--seed", help="Other places and scenes, to choose settings on.")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    gpus: Gpus = None,
    as_json: AsJson = False,
) -> None:
    """Simulate an archive, run the whole way over it, and compare with the truth.

    \b
    Example:  icefront demo --out out/demo
    """
    from icefront_dask.runs.demo import run_demo
    from icefront_dask.simulate.plan import demo_plan

    plan = None if seed is None else demo_plan(seed)
    with progress() as report:
        scores = run_demo(out, plan=plan, cluster=lambda: cluster(workers, scheduler, gpus), report=report)
    result(scores, as_json=as_json)


def train(
    config: Annotated[Path, typer.Argument(help="Training configuration in YAML, see configs/.")],
    as_json: AsJson = False,
) -> None:
    """Train a network; stopped and started again it goes on from its last checkpoint.

    On several GPUs:  torchrun --nproc-per-node 4 --no-python icefront train CONFIG.yaml

    \b
    Example:  icefront train configs/icefront-2a.yaml
    """
    from icefront_dask.train.config import read_train_config
    from icefront_dask.train.fit import fit_scored
    from icefront_dask.train.ship import write_card

    settings = read_train_config(config)
    last = [float("nan")]
    with progress() as report:

        def told(step: int, loss: float) -> None:
            last[0] = loss
            report("training steps", step + 1, settings.last_step if settings.epochs is None else step + 1)

        done = fit_scored(settings, told)
    if os.environ.get("RANK", "0") != "0":  # torchrun starts several; one tells
        return
    card = write_card(settings, done.weights, f"icefront train {config}")
    watched = {} if settings.validation is None else {"best": done.best, "best_step": done.best_step}
    result(
        {"name": settings.name, "steps": done.steps, "loss": last[0], **watched, "weights": done.weights, "card": card},
        as_json=as_json,
    )


def tune(
    config: Annotated[Path, typer.Argument(help="Search configuration in YAML, see configs/papers/.")],
    workers: Workers = None,
    scheduler: Scheduler = None,
    gpus: Gpus = None,
    as_json: AsJson = False,
) -> None:
    """Search the settings of a training, a trial a worker; stopped and started again it goes on with its study.

    \b
    Example:  icefront tune configs/papers/glacierdl-tune.yaml --workers 2
    """
    from icefront_dask.train.tune import read_tune_config
    from icefront_dask.train.tune import tune as search

    settings = read_tune_config(config)
    with cluster(workers, scheduler, gpus) as client, progress() as report:
        found = search(settings, client, report)
    result({**found, "output": settings.out}, as_json=as_json)
