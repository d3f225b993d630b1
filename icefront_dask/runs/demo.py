"""The demo: a simulated archive, a run over it as any other, and how its fronts compare with the truth."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from icefront_dask.errors import ConfigError
from icefront_dask.models import registry
from icefront_dask.publish import read_fronts, read_series
from icefront_dask.runs.driver import run_on
from icefront_dask.runs.files import write_bytes
from icefront_dask.score import demo_scores
from icefront_dask.simulate.archive import read_truth, write_archive
from icefront_dask.simulate.plan import demo_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from distributed import Client

    from icefront_dask.models.card import Card
    from icefront_dask.simulate.plan import ArchivePlan

    Report = Callable[[str, int, int], None]

__all__ = ["check_unseen", "prepare_demo", "run_demo"]

CONFIG = "demo.yaml"


def prepare_demo(out: str | Path, plan: ArchivePlan | None = None, report: Report | None = None) -> Path:
    """Write the simulated archive and the run file of the demo; return the run file.

    Parameters
    ----------
    out : path
        Folder; the archive is in ``archive``, the run will be in ``run``.
    plan : ArchivePlan, optional
        Default `icefront_dask.simulate.plan.demo_plan`.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.

    Raises
    ------
    StoreError
        Where the folder holds another archive.
    """
    folder = Path(out)
    progress = None if report is None else lambda done, total: report("simulated scenes", done, total)
    archive = write_archive(folder / "archive", plan or demo_plan(), progress=progress)
    content = {
        "source": f"archive/{archive.items.name}",
        "regions": f"archive/{archive.regions.name}",
        "output": "run",
    }
    write_bytes(folder / CONFIG, yaml.safe_dump(content, sort_keys=False).encode())
    return folder / CONFIG


def run_demo(
    out: str | Path,
    *,
    plan: ArchivePlan | None = None,
    cluster: Callable[[], AbstractContextManager[Client | None]] = nullcontext,
    report: Report | None = None,
) -> dict[str, Any]:
    """Simulate, run and compare. The truth is used for the comparison and for nothing else.

    Parameters
    ----------
    out : path
        Folder for everything.
    plan : ArchivePlan, optional
        Default `icefront_dask.simulate.plan.demo_plan`.
    cluster : callable
        Returns a context manager that yields a client; by default the work is done in this process.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.

    Returns
    -------
    dict
        The numbers of `icefront_dask.score.demo_scores`, and where the report lies.

    Raises
    ------
    ConfigError
        If a model was trained on scenes of the demo.
    IcefrontError
        As `icefront_dask.run`.
    """
    folder = Path(out)
    wanted = plan or demo_plan()
    config = prepare_demo(folder, wanted, report)
    result = run_on(config, cluster, report)
    check_unseen((registry.card(group.model) for group in result.plan.spec.groups), wanted.seeds)
    fronts = read_fronts(result.output / "fronts.parquet", crs="OGC:CRS84")
    series = read_series(result.output / "series.parquet")
    scores = demo_scores(fronts, read_truth(folder / "archive"), series)
    return {**scores, "left_out": len(result.plan.left_out), "report": str(result.output / "report.html")}


def check_unseen(cards: Any, seeds: Sequence[int]) -> None:
    """Refuse models whose cards say that they were trained on scenes of these seeds.

    Parameters
    ----------
    cards : iterable of Card
        Of the models of a run.
    seeds : sequence of int
        Of the simulated places.

    Raises
    ------
    ConfigError
        If a seed lies in a range of a card.
    """
    card: Card
    for card in cards:
        for first, last in card.simulated_seeds:
            if seen := [seed for seed in seeds if first <= seed <= last]:
                raise ConfigError(
                    f"model {card.name!r} was trained on simulated seeds {first}…{last}, which hold seed "
                    f"{seen[0]} of the demo; its scores would say nothing: choose another seed"
                )
