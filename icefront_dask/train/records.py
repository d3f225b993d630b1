"""What a training writes down: CSV, a picture of its curves, events for TensorBoard."""

from __future__ import annotations

import csv
import math
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from icefront_dask.errors import DependencyError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from icefront_dask.train.config import TrainConfig

__all__ = ["Records", "draw_curves"]

_STEPS, _VALIDATIONS = "log.csv", "validation.csv"


def _require(package: str, extra: str, key: str) -> None:
    if find_spec(package) is None:
        raise DependencyError(f"{key} needs {package}: pip install 'icefront_dask[{extra}]', or set {key}: false")


def _keep_before(path: Path, step: int) -> None:
    """Drop the rows of steps that will be made again."""
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = [row for row in csv.reader(stream) if row] or [[]]
    kept = [row for row in rows if len(row) == len(header) and int(row[0]) < step]
    if len(kept) == len(rows):
        return
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *kept])


class Records:
    """The records of one training, from a step on; a context manager.

    Raises
    ------
    DependencyError
        ``curves`` without matplotlib or ``tensorboard`` without tensorboard.
    """

    def __init__(self, config: TrainConfig, start: int) -> None:
        self.folder, self.config = config.out, config
        if config.curves:
            _require("matplotlib", "plot", "curves")
        self.events: Any = None
        if config.tensorboard:
            _require("tensorboard", "tensorboard", "tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            self.events = SummaryWriter(str(self.folder / "tensorboard"), purge_step=start)
        log = self.folder / _STEPS
        for path in (log, self.folder / _VALIDATIONS):
            if path.exists():
                _keep_before(path, start)
        fresh = not log.exists() or start == 0
        self.stream = log.open("w" if fresh else "a", newline="", encoding="utf-8")
        self.log = csv.writer(self.stream)
        if fresh:
            self.log.writerow(["step", "loss", "rate", "seconds"])
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()
        if self.events is not None:
            self.events.close()

    def step(self, step: int, loss: float, rate: float) -> None:
        """Write down a step."""
        self.log.writerow([step, f"{loss:.5f}", f"{rate:.3e}", f"{time.monotonic() - self.began:.1f}"])
        if self.events is not None:
            self.events.add_scalar("loss/training", loss, step)
            self.events.add_scalar("rate", rate, step)

    def validation(self, step: int, scores: dict[str, float]) -> None:
        """Write down a validation after a step."""
        path = self.folder / _VALIDATIONS
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            if fresh:
                table.writerow(["step", *scores])
            table.writerow([step, *(f"{value:.6g}" for value in scores.values())])
        if self.events is not None:
            for name, value in scores.items():
                self.events.add_scalar(f"{name}/validation", value, step)

    def flush(self) -> None:
        """Bring everything to disk, and draw the curves anew."""
        self.stream.flush()
        if self.events is not None:
            self.events.flush()
        if self.config.curves:
            draw_curves(self.folder)


def _columns(path: Path) -> dict[str, list[float]]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def draw_curves(folder: Path) -> Path | None:
    """Draw ``log.csv`` and ``validation.csv`` of a training as ``curves.png``; None where nothing is logged yet."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = _columns(folder / _STEPS)
    if not steps:
        return None
    checks = _columns(folder / _VALIDATIONS) if (folder / _VALIDATIONS).exists() else {}
    scores = [name for name in checks if name not in {"step", "loss"}]
    figure = Figure(figsize=(8, 6 if scores else 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if scores else 1, 1, sharex=True, squeeze=False)[:, 0]
    axes[0].plot(steps["step"], steps["loss"], color="0.75", linewidth=0.6, label="training, each step")
    wide = max(1, len(steps["loss"]) // 50)
    mean = np.convolve(steps["loss"], np.ones(wide) / wide, mode="valid")
    axes[0].plot(steps["step"][wide - 1 :], mean, color="tab:blue", label=f"training, mean of {wide}")
    if checks:
        axes[0].plot(checks["step"], checks["loss"], color="tab:orange", marker=".", label="validation")
    if min(steps["loss"]) > 0 and max(steps["loss"]) > 20 * min(steps["loss"]):
        axes[0].set_yscale("log")
    axes[0].set_ylabel("loss")
    axes[0].legend()
    for name in scores:
        if not all(math.isnan(value) for value in checks[name]):
            axes[1].plot(checks["step"], checks[name], marker=".", label=name)
    if scores:
        axes[1].set_ylabel("validation")
        axes[1].set_ylim(0, 1)
        axes[1].legend()
    axes[-1].set_xlabel("step")
    path = folder / "curves.png"
    figure.savefig(path, dpi=110)
    return path
