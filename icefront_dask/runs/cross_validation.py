"""Leave one glacier out: train on the others, score on it, for each glacier of a labelled folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icefront_dask import train as room
from icefront_dask.errors import ConfigError, InputError
from icefront_dask.models import registry
from icefront_dask.runs.looks import image_reader
from icefront_dask.runs.scoring import front_of_sample, write_lines
from icefront_dask.score import Dataset, read_dataset, score_lines
from icefront_dask.train.config import Data, TrainConfig, read_train_config
from icefront_dask.train.fit import fit
from icefront_dask.train.layouts import entries
from icefront_dask.train.ship import SIMULATED, ship

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from icefront_dask.runs.images import ImageFront
    from icefront_dask.score import Scores

    Report = Callable[[str, int, int], None]

__all__ = ["DEFAULT_TRAINING", "cross_validate"]

DEFAULT_TRAINING = Path(str(room.__file__)).with_name("cross-validation.yaml")
_LAYOUTS = ("pairs", "calfin")


def cross_validate(
    data: str | Path,
    layout: str,
    out: str | Path,
    *,
    training: Path | None = None,
    looks: str = "plain",
    lines: str | Path | None = None,
    pixel_size_m: float = 30.0,
    report: Report | None = None,
) -> tuple[Scores, dict[str, ImageFront]]:
    """Score every image by a network that has seen no image of its glacier.

    Each fold trains for the fixed number of steps of the configuration; nothing is chosen on what it leaves out.

    Parameters
    ----------
    data : path
        Folder of labelled images.
    layout : {"pairs", "calfin"}
        CaFFe has an official split by glacier, which is to be used instead.
    out : path
        Of the folds: ``fold-GLACIER`` each, with its checkpoint, from which an interrupted one goes on.
    training : path, optional
        Configuration of the trainings, see ``icefront_dask/train/cross-validation.yaml``, the default; its data
        set, held-out glaciers, name and folder are replaced.
    looks : {"plain", "sar"}
        As what the images are scored: as they are, or restyled in the manner of SAR (layout ``pairs``).
    lines, pixel_size_m, report
        As in :func:`icefront_dask.runs.scoring.score_folder`.

    Returns
    -------
    scores : Scores
        Over all images; its groups are the glaciers.
    fronts : dict of str to ImageFront

    Raises
    ------
    ConfigError
        The training chooses by a validation, starts from weights that have seen a glacier which is left out (or that
        do not say), or is none of the shipped kind; `out` holds folds of another configuration.
    InputError
        Fewer than two glaciers, or a folder that is not in the layout.
    """
    folder, base = Path(out), _checked(read_train_config(training or DEFAULT_TRAINING))
    if layout not in _LAYOUTS:
        raise ConfigError(
            f"--cross-validate takes the layouts {', '.join(_LAYOUTS)}, not {layout!r}; CaFFe's split is by glacier "
            "already: train on it and score its test images"
        )
    dataset = read_dataset(data, layout)
    glacier = {entry.name: entry.group for entry in entries(Data(layout=layout, path=Path(data)))}
    folds = sorted(set(glacier.values()))
    if len(folds) < 2:
        raise InputError(f"{data}: all images show {folds[0]}; to leave one glacier out there must be two or more")
    _not_seen(base, folds)
    read = image_reader(data, layout, looks)
    _same_run(folder, base, Path(data), layout)
    fronts: dict[str, ImageFront] = {}
    for fold in folds:
        weights = _train(_of_fold(base, fold, Path(data), layout, folder), report)
        own = [sample for sample in dataset if glacier[sample.name] == fold]
        for number, sample in enumerate(own, start=1):
            found = front_of_sample(sample, read(sample), str(weights), pixel_size_m)
            fronts[sample.name] = replace(found, outputs=None)
            if report is not None:
                report(f"images of {fold}", number, len(own))
    if lines is not None:
        write_lines(Path(lines), fronts)
    by_glacier = Dataset(dataset.name, layout, tuple(replace(s, group=glacier[s.name]) for s in dataset))
    return score_lines({name: front.line for name, front in fronts.items()}, by_glacier), fronts


def _checked(base: TrainConfig) -> TrainConfig:
    if base.validation is not None or base.epochs is not None:
        raise ConfigError("a fold trains for a fixed number of steps: leave validation and epochs out, set steps")
    if base.task != "ice-front" or base.preprocessing != "robust":
        raise ConfigError(
            f"a fold is scored by the way of the shipped networks: task ice-front and preprocessing robust, not "
            f"{base.task} and {base.preprocessing}"
        )
    return base


def _not_seen(base: TrainConfig, folds: Sequence[str]) -> None:
    """Raise where the weights to start from have seen a glacier that is to be left out, or may have."""
    if base.init is None:
        return
    card = registry.card(str(base.init))
    if card.training_glaciers is None:
        if set(card.training_data) == {SIMULATED}:
            return
        raise ConfigError(
            f"init: {base.init.name} has seen real scenes and its card does not say of which glaciers; start from "
            "weights of simulated scenes alone, or from none"
        )
    if seen := sorted(set(card.training_glaciers) & set(folds)):
        raise ConfigError(
            f"init: {base.init.name} has seen labelled scenes of {', '.join(seen)}, which is left out in a fold; start "
            "from weights that have not, or from none"
        )


def _of_fold(base: TrainConfig, fold: str, data: Path, layout: str, folder: Path) -> TrainConfig:
    changes: dict[str, Any] = {"name": f"fold-{fold.lower()}", "out": folder / f"fold-{fold}", "hold_out": (fold,)}
    if base.data is None and layout == "pairs":
        changes["pairs"] = data
    else:
        changes["data"] = (base.data or Data(layout=layout)).model_copy(update={"layout": layout, "path": data})
    return TrainConfig(**(base.model_dump() | changes))


def _same_run(folder: Path, base: TrainConfig, data: Path, layout: str) -> None:
    """Write down what the folds are of; what lies there already must be of the same."""
    wanted = {"training": json.loads(base.model_dump_json(exclude={"out"})), "data": data.name, "layout": layout}
    note = folder / "cross-validation.json"
    if note.exists():
        if (found := json.loads(note.read_text(encoding="utf-8"))) != wanted:
            parts = {**found.get("training", {}), **found}, {**wanted["training"], **wanted}
            changed = [key for key in parts[1] if key != "training" and parts[0].get(key) != parts[1][key]]
            raise ConfigError(
                f"{folder} holds folds of another configuration ({', '.join(changed)}); name another folder with "
                "--out, or remove it"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


def _train(config: TrainConfig, report: Report | None) -> Path:
    """Train a fold, or go on with it; return its weights, with a card beside them."""

    def told(step: int, _: float) -> None:
        if report is not None:
            report(f"training without {config.hold_out[0]}", step + 1, config.last_step)

    weights = fit(config, told)
    folder = config.out / "model"
    ship(
        weights,
        [config],
        name=config.name,
        version="0",
        commands=["icefront score DATA --cross-validate glacier"],
        scores={},
        known_failures=[f"a fold without {config.hold_out[0]}, for its score alone"],
        folder=folder,
    )
    return folder / weights.name
