"""What each ingredient of the simulator is worth: a training without it, scored on one set of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.runs.scoring import score_folder
from icefront_dask.simulate.ablation import INGREDIENTS, check_ingredients
from icefront_dask.train.config import read_train_config
from icefront_dask.train.fit import fit
from icefront_dask.train.ship import ship

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from icefront_dask.train.config import TrainConfig

    Report = Callable[[str, int, int], None]

__all__ = ["ablate"]

WHOLE = "none"
_KEYS = ("images", "without_front", "mean_px", "median_px", "mean_m", "median_m")


def ablate(
    training: Path,
    data: str | Path,
    layout: str,
    out: str | Path,
    *,
    ingredients: Sequence[str] | None = None,
    pixel_size_m: float = 30.0,
    report: Report | None = None,
) -> pd.DataFrame:
    """Train with the whole simulator, then without each ingredient in turn, and score every network.

    All trainings have the same seeds, steps and scenes but for the ingredient.

    Parameters
    ----------
    training : Path
        Configuration with simulated scenes in its ``mix`` and a fixed number of steps.
    data, layout, pixel_size_m, report
        As in :func:`icefront_dask.runs.scoring.score_folder`.
    out : path
        ``without-INGREDIENT`` each, with its checkpoint, from which an interrupted training goes on, its weights and
        its scores; and ``ablation.csv``.
    ingredients : sequence of str, optional
        Of `icefront_dask.simulate.ablation.INGREDIENTS`; all by default.

    Returns
    -------
    DataFrame
        One row a training, the whole simulator first: ``without``, ``what`` it is, ``images``, ``without_front``, mean
        and median distance in pixels and metres, ``ratio`` of the mean to that with the whole simulator.

    Raises
    ------
    ConfigError
        The training chooses by a validation, is of another kind than the shipped networks', or simulates nothing.
    InputError
        No image has a label.
    """
    base, folder = _checked(read_train_config(training)), Path(out)
    names = list(INGREDIENTS) if ingredients is None else list(dict.fromkeys(ingredients))
    check_ingredients(names)
    rows = [_row(base, name, Path(data), layout, folder, pixel_size_m, report) for name in (WHOLE, *names)]
    table = pd.DataFrame(rows)
    table["ratio"] = table["mean_px"] / table["mean_px"].iloc[0]
    table.to_csv(folder / "ablation.csv", index=False)
    return table


def _checked(base: TrainConfig) -> TrainConfig:
    if base.validation is not None or base.epochs is not None or base.task != "ice-front" or base.data is not None:
        raise ConfigError(
            "an ablation trains on mix for fixed steps, task ice-front: leave data, validation and epochs out"
        )
    if not base.mix.sar + base.mix.optical:
        raise ConfigError("the training simulates nothing (mix.sar and mix.optical are 0), so nothing can be left out")
    return base


def _row(
    base: TrainConfig, name: str, data: Path, layout: str, out: Path, pixel_size_m: float, report: Report | None
) -> dict[str, Any]:
    removed = () if name == WHOLE else (name,)
    folder = out / f"without-{name}"
    changes = {"name": f"without-{name}", "out": folder, "without": (*base.without, *removed)}
    config = type(base)(**(base.model_dump() | changes))
    _same_run(folder, config)

    def told(step: int, _: float) -> None:
        if report is not None:
            report(f"training without {name}", step + 1, config.last_step)

    weights = fit(config, told)
    failures = [f"trained without {name}, for an ablation alone"]
    shipped = folder / "model"
    ship(weights, [config], name=config.name, version="0", commands=["icefront ablate"], scores={},
         known_failures=failures, folder=shipped)  # fmt: skip
    model = str(shipped / weights.name)
    scores, _ = score_folder(data, layout, model=model, pixel_size_m=pixel_size_m, report=report)
    if scores is None:
        raise InputError(f"{data}: no image has a label, so there is nothing to score on")
    scores.write(folder)
    what = "the whole simulator" if name == WHOLE else INGREDIENTS[name].what
    return {"without": name, "what": what, **{key: scores.pooled[key] for key in _KEYS}}


def _same_run(folder: Path, config: TrainConfig) -> None:
    """Write down what a training is of; what lies there already must be of the same."""
    wanted = json.loads(config.model_dump_json(exclude={"out"}))
    note = folder / "training.json"
    if note.exists():
        found = json.loads(note.read_text(encoding="utf-8"))
        if changed := [key for key in wanted if found.get(key) != wanted[key]]:
            raise ConfigError(f"{folder} holds a training of other settings ({', '.join(changed)}); name another")
        return
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
