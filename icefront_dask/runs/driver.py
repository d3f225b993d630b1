"""The whole way: plan, do the units that are not done, bring them together."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from icefront_dask.cube import create_store
from icefront_dask.errors import RunError
from icefront_dask.predict import ModelPlugin
from icefront_dask.predict.engine import ENGINES
from icefront_dask.runs.files import locked, write_bytes
from icefront_dask.runs.ledger import Ledger
from icefront_dask.runs.planning import Plan, make_plan, resolve_config
from icefront_dask.runs.prediction import create_prediction
from icefront_dask.runs.products import write_products
from icefront_dask.runs.settings import transport_settings, using
from icefront_dask.runs.unit import CUBE, run_unit
from icefront_dask.runs.window import drive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from distributed import Client

    from icefront_dask.runs.config import RunConfig
    from icefront_dask.runs.window import UnitFailure
    from icefront_dask.runs.work import WorkUnit

    Report = Callable[[str, int, int], None]

__all__ = ["RunResult", "run", "run_on"]


@dataclass(frozen=True)
class RunResult:
    """What a finished run made.

    Attributes
    ----------
    plan : Plan
        What was asked for.
    done, kept : int
        Units done now, and units found done from before.
    products : dict
        Counts of fronts by status and of the tables' rows.
    """

    plan: Plan
    done: int
    kept: int
    products: dict[str, Any]

    @property
    def output(self) -> Path:
        """The run folder: fronts, series and statistics as Parquet, ``report.html``, ``cube.zarr``."""
        return self.plan.output

    @property
    def summary(self) -> dict[str, Any]:
        """Counts of everything, and where it lies."""
        return {
            **self.plan.counts,
            "units_done": self.done,
            "units_kept": self.kept,
            **self.products,
            "output": str(self.output),
        }


def run(
    config: RunConfig | str | Path | Mapping[str, Any],
    *,
    client: Client | None = None,
    report: Report | None = None,
) -> RunResult:
    """Go the whole way: search, cube, prediction, fronts, change, report. This computes.

    Stopped at any point and started again, it ends with the same bytes and does no finished unit again.

    Parameters
    ----------
    config : RunConfig, path or mapping
        A run file, or its content.
    client : Client, optional
        Does the units, see `icefront_dask.connect`; its workers must reach the output folder. Without one
        they are done in this process, one after the other.
    report : callable, optional
        Called with a stage's name, what is done of it, and of how much.

    Returns
    -------
    RunResult

    Raises
    ------
    RunError
        If units failed: the others are done and kept, and are not done again.
    IcefrontError
        As `icefront_dask.plan`.
    """
    return run_on(config, lambda: nullcontext(client), report)


def run_on(
    config: RunConfig | str | Path | Mapping[str, Any],
    cluster: Callable[[], AbstractContextManager[Client | None]],
    report: Report | None = None,
) -> RunResult:
    """As `run`, on a cluster that is started only if there are units to do.

    Parameters
    ----------
    config, report
        As for `run`.
    cluster : callable
        Returns a context manager that yields a client, or None for this process alone.
    """
    resolved = resolve_config(config)
    tell = report or _silent
    with locked(resolved.output):
        plan = make_plan(resolved, tell)
        with using(resolved.settings()):
            return _run(plan, cluster, tell)


def _run(plan: Plan, cluster: Callable[[], AbstractContextManager[Client | None]], tell: Report) -> RunResult:
    if not (plan.output / "spec.json").exists():
        write_bytes(plan.output / "spec.json", plan.spec.pretty.encode())
    ledger = Ledger(plan.output, plan.spec.sha256)
    waiting = [unit for unit in plan.units if not ledger.is_done(unit)]
    kept = len(plan.units) - len(waiting)
    tell("units", kept, len(plan.units))
    failures: list[UnitFailure] = []
    if waiting:
        _create_stores(plan)
        with cluster() as client:
            failures = _do(plan, waiting, client, lambda number: tell("units", kept + number, len(plan.units)))
    if failures:
        raise RunError(_describe(plan, failures, len(plan.units) - len(failures)))
    tell("products", 0, 1)
    products = write_products(plan)
    tell("products", 1, 1)
    return RunResult(plan, len(waiting), kept, products)


def _do(
    plan: Plan, waiting: Sequence[WorkUnit], client: Client | None, ended: Callable[[int], None]
) -> list[UnitFailure]:
    """Do units, say how many have ended after each, and return those that failed."""
    if client is not None:
        options = plan.spec.section("predict")
        for name, sha256, members in sorted({(g.model, g.model_sha256, g.members) for g in plan.spec.groups}):
            plugin = ModelPlugin(
                name, sha256, options["engine"], options["threads"],
                members=members, dropout_members=options["dropout_members"],
            )  # fmt: skip
            client.register_plugin(plugin)
    settings = plan.config.settings()
    work = partial(
        run_unit,
        root=str(plan.output),
        spec_sha256=plan.spec.sha256,
        transport=transport_settings(settings),
    )
    failures = []
    engine = ENGINES[plan.spec.section("predict")["engine"]]
    resources = {"GPU": 1.0} if engine.device == "cuda" else None
    driven = drive(waiting, work, client=client, window=int(settings["runs"]["window"]), resources=resources)
    for number, (_, failure) in enumerate(driven, start=1):
        if failure is not None:
            failures.append(failure)
        ended(number)
    return failures


def _create_stores(plan: Plan) -> None:
    for group in plan.spec.groups:
        region = plan.spec.regions[group.region]
        geobox = region.geobox(group.resolution_m)
        scenes = plan.scenes(group.region, group.family)
        identity = {"spec_sha256": plan.spec.sha256, "model": group.model, "model_sha256": group.model_sha256}
        cube = create_store(
            plan.output / CUBE, scenes, region, group.family, geobox, group.variables,
            {"spec_sha256": plan.spec.sha256},
        )  # fmt: skip
        create_prediction(cube, identity)


def _describe(plan: Plan, failures: list[UnitFailure], done: int) -> str:
    failures = sorted(failures, key=lambda failure: failure.unit.key)
    shown = "; ".join(str(failure) for failure in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    return (
        f"{len(failures)} of {len(plan.units)} units failed: {shown}{more}. The other {done} are kept in "
        f"{plan.output}: repair the cause and run again, or set cube.on_read_error to flag to go on without "
        "files that cannot be read"
    )


def _silent(stage: str, done: int, total: int) -> None:
    """Report to nobody."""
