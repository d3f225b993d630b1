"""The command ``calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icefront_dask.cli.options import AsJson, Model
from icefront_dask.cli.output import progress, result

__all__ = ["calibrate"]


def calibrate(
    scenes: Annotated[int, typer.Option("--scenes", min=1, help="Simulated scenes, half of them SAR.")] = 400,
    model: Model = "auto",
    write: Annotated[bool, typer.Option("--write", help="Put the result into the package's icefront.yaml.")] = False,
    write_to: Annotated[Path | None, typer.Option("--write-to", help="Put it into this copy of it instead.")] = None,
    skip: Annotated[int, typer.Option("--skip", min=0, help="Leave out so many scenes, for others than those.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit the uncertainty of fronts to simulated scenes that no training used, and say what it covers.

    Coverage is told on the half of the scenes that the fit has not seen, and of the settings in force on all of them.
    To be run for new weights.

    \b
    Example:  icefront calibrate --scenes 400 --write
    """
    from icefront_dask.config import DEFAULTS_PATH
    from icefront_dask.runs.calibration import calibrate as run
    from icefront_dask.runs.calibration import write_settings
    from icefront_dask.simulate.views import VIEW_SEED

    with progress() as report:
        found = run(scenes=scenes, model=model, first_seed=VIEW_SEED + skip, report=report)
    target = write_to or (DEFAULTS_PATH if write else None)
    if target is not None:
        write_settings(found["settings"], target)
    result({**found, "written": target}, as_json=as_json)
