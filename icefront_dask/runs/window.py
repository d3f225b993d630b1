"""Runs units with a bounded number in flight, on a Dask client or one after the other in this process."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from icefront_dask.errors import IcefrontError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from distributed import Client, Future

__all__ = ["Unit", "UnitFailure", "drive"]


class Unit(Protocol):
    """What can be driven."""

    @property
    def key(self) -> str:
        """Unique among the units of a run."""

    @property
    def name(self) -> str:
        """What messages call it."""


U = TypeVar("U", bound=Unit)


@dataclass(frozen=True)
class UnitFailure:
    """A unit that ended with an error: the other units go on, the run ends with a report of all of them."""

    unit: Unit
    message: str

    def __str__(self) -> str:
        """One line: the unit and what went wrong."""
        return f"{self.unit.name}: {self.message}"


def drive(
    units: Iterable[U],
    work: Callable[[U], Any],
    *,
    client: Client | None = None,
    window: int = 32,
    resources: Mapping[str, float] | None = None,
    take: Callable[[U, Any], None] | None = None,
) -> Iterator[tuple[U, UnitFailure | None]]:
    """Do the units and yield each as it ends.

    Parameters
    ----------
    units : iterable of WorkUnit or LayersUnit
        Consumed as places in the window become free.
    work : callable
        Does one unit; sent to the workers with each of them, so it must be small.
    client : Client, optional
        Without one the units are done here, one after the other.
    window : int
        Units that the scheduler holds at any time. The future of a unit that ended is released at once.
    resources : mapping of str to float, optional
        What a unit takes of its worker, as ``{"GPU": 1}``. Left out where no worker states such a resource.
    take : callable, optional
        Called here with each finished unit and what its work has returned, before the unit is yielded.

    Yields
    ------
    unit, failure
        `failure` is None for a finished unit. Errors of the project, of the system and of lost workers are
        failures of their unit; any other exception is a defect and is raised as it is.
    """
    if client is None:
        yield from _here(units, work, take or _leave)
    else:
        yield from _on_client(units, work, client, window, _stated(client, resources), take or _leave)


def _stated(client: Client, resources: Mapping[str, float] | None) -> dict[str, float] | None:
    """Return resources that a worker of the client states."""
    if not resources:
        return None
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {name: count for name, count in resources.items() if any(name in w["resources"] for w in workers)} or None


def _leave(_unit: Unit, _result: Any) -> None:
    """Take nothing."""


def _here(
    units: Iterable[U], work: Callable[[U], Any], take: Callable[[U, Any], None]
) -> Iterator[tuple[U, UnitFailure | None]]:
    for unit in units:
        try:
            result = work(unit)
        except (IcefrontError, OSError, MemoryError) as error:
            yield unit, UnitFailure(unit, _line(error))
        else:
            take(unit, result)
            yield unit, None


def _on_client(
    units: Iterable[U],
    work: Callable[[U], Any],
    client: Client,
    window: int,
    resources: dict[str, float] | None,
    take: Callable[[U, Any], None],
) -> Iterator[tuple[U, UnitFailure | None]]:
    from distributed import KilledWorker, as_completed

    waiting = iter(units)
    flying: dict[Future[Any], U] = {}
    # A scheduler may serve several runs, and may not have forgotten this unit's last failure yet.
    run = uuid.uuid4().hex[:8]
    landed = as_completed()

    def submit(count: int) -> None:
        for unit in islice(waiting, count):
            future = client.submit(work, unit, key=f"unit-{run}-{unit.key}", pure=False, resources=resources)
            flying[future] = unit
            landed.add(future)

    submit(window)
    try:
        for future in landed:
            unit = flying.pop(future)
            error = future.exception()
            result = None if error is not None else future.result()
            future.release()
            submit(1)
            if error is None:
                take(unit, result)
                yield unit, None
            elif isinstance(error, KilledWorker):
                yield unit, UnitFailure(unit, "its worker died repeatedly, most often for want of memory")
            elif isinstance(error, (IcefrontError, OSError, MemoryError)):
                yield unit, UnitFailure(unit, _line(error))
            else:
                raise error
    finally:
        for future in flying:
            future.release()


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, IcefrontError) else f"{type(error).__name__}: {text}"
