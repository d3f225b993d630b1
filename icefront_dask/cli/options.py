"""Options that several commands share."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from icefront_dask.regions import Region

__all__ = [
    "AsJson",
    "Family",
    "Gpus",
    "Model",
    "RegionName",
    "RegionsFile",
    "Scheduler",
    "Workers",
    "cluster",
    "one_region",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]
Family = Annotated[str | None, typer.Option("--family", help="sentinel-1 or landsat.")]
Model = Annotated[str, typer.Option("--model", help="auto, a model's name, or the path of .safetensors.")]
RegionName = Annotated[str | None, typer.Option("--region", help="Name of the region, where there are several.")]
RegionsFile = Annotated[Path | None, typer.Option("--regions", help="Regions file: its fjord and flowlines are used.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=0, help="Processes on this machine; 0: all in this one. Default: one a core."),
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Address of a Dask scheduler, or 'gateway', instead of --workers.")
]
Gpus = Annotated[str | None, typer.Option("--gpus", help="'all' or a number: one process a GPU of this machine.")]


def one_region(file: Path, name: str | None) -> Region:
    """Return the region of a file that is named, or its only one."""
    from icefront_dask.regions import read_regions

    found = read_regions(file, None if name is None else [name])
    if len(found) > 1:
        names = ", ".join(region.name for region in found[:10])
        raise ConfigError(f"{file} holds {len(found)} regions ({names}); name one with --region")
    return found[0]


@contextmanager
def cluster(workers: int | str | None, scheduler: str | None, gpus: str | None) -> Iterator[Client | None]:
    """Yield the client that the options ask for, None for this process alone."""
    from icefront_dask.cluster import connect

    count = None if workers in (None, "auto") else int(workers)
    if scheduler is None and gpus is None and (count == 0 or (count is None and _cores() == 1)):
        yield None
        return
    with connect(scheduler, workers=count, gpus=_gpus(gpus)) as client:
        yield client


def _gpus(text: str | None) -> Any:
    if text is None or text == "all":
        return text
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"--gpus takes 'all' or a number from 1 on, not {text!r}")
    return int(text)


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))
