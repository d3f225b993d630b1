"""The whole way: plan, do the units that are not done, bring them together."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from icefront_dask.errors import RunError
from icefront_dask.predict import ModelPlugin
from icefront_dask.predict.engine import ENGINES
from icefront_dask.runs.files import locked, write_bytes
from icefront_dask.runs.ledger import Ledger
from icefront_dask.runs.planning import Plan, make_plan, resolve_config
from icefront_dask.runs.products import write_products
from icefront_dask.runs.settings import transport_settings, using
from icefront_dask.runs.stores import RunStore
from icefront_dask.runs.unit import run_unit, write_unit_layers
from icefront_dask.runs.window import drive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from distributed import Client

    from icefront_dask.cube import CubeStore
    from icefront_dask.runs.config import RunConfig
    from icefront_dask.runs.window import UnitFailure
    from icefront_dask.runs.work import LayersUnit, WorkUnit

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
        """The run folder: fronts, series and statistics as Parquet, ``report.html``, and ``cube.zarr`` by default."""
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
    store = RunStore(plan, ledger)
    store.recover()
    waiting = [unit for unit in plan.units if not ledger.is_done(unit)]
    kept = len(plan.units) - len(waiting)
    tell("units", kept, len(plan.units))
    failures: list[UnitFailure] = []
    if waiting:
        layers = store.prepare()
        with cluster() as client:
            failures = _write_layers(plan, layers, store, client)
            if not failures:
                ended = partial(_tell_units, tell, kept, len(plan.units))
                failures = _do(plan, waiting, store, client, ended)
    if failures:
        raise RunError(_describe(plan, failures, sum(ledger.is_done(unit) for unit in plan.units)))
    store.publish()
    tell("products", 0, 1)
    products = write_products(plan)
    tell("products", 1, 1)
    return RunResult(plan, len(waiting), kept, products)


def _tell_units(tell: Report, kept: int, total: int, number: int) -> None:
    tell("units", kept + number, total)


def _write_layers(
    plan: Plan, layers: Sequence[LayersUnit], store: RunStore, client: Client | None
) -> list[UnitFailure]:
    """Write the layers of regions that the store lacks, and return the failures."""
    if not layers:
        return []
    written: list[CubeStore] = []
    window = int(plan.config.settings()["runs"]["window"])
    work = _for_workers(write_unit_layers, plan)
    driven = drive(layers, work, client=client, window=window, take=lambda _, cube: written.append(cube))
    failures = [failure for _, failure in driven if failure is not None]
    store.keep_layers(written)
    return failures


def _for_workers(work: Callable[..., Any], plan: Plan) -> Callable[[Any], Any]:
    return partial(
        work,
        root=str(plan.output),
        spec_sha256=plan.spec.sha256,
        transport=transport_settings(plan.config.settings()),
    )


def _do(
    plan: Plan, waiting: Sequence[WorkUnit], store: RunStore, client: Client | None, ended: Callable[[int], None]
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
    failures = []
    engine = ENGINES[plan.spec.section("predict")["engine"]]
    resources = {"GPU": 1.0} if engine.device == "cuda" else None
    driven = drive(
        map(store.begin, waiting), _for_workers(run_unit, plan), client=client,
        window=int(plan.config.settings()["runs"]["window"]), resources=resources, take=store.ended,
    )  # fmt: skip
    try:
        for number, (_, failure) in enumerate(driven, start=1):
            if failure is not None:
                failures.append(failure)
            ended(number)
    finally:
        store.commit()
    return failures


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
