"""Work that is killed at any moment and begun again, as often as a test wants."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Processes", "kill_often"]

_LIMIT_S = 800  # a process that takes longer hangs, however busy the machine is
_PRELOADED = ["tests.cube.writers", "icefront_dask.cli", "icefront_dask.runs.driver", "icefront_dask.runs.products"]


class Processes:
    """Processes that start quickly: each is a fork of a server that has imported what the work needs.

    They have the environment of this process at the time when they are started.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)  # of the first caller in this process
        self.do(_nothing)

    def do(
        self,
        work: Callable[..., None],
        *args: Any,
        kill_after_s: float | None = None,
        kill_when: Callable[[], bool] | None = None,
    ) -> tuple[bool, float]:
        """Do some work in a process; return whether it was killed before it was done, and the seconds until then."""
        with tempfile.NamedTemporaryFile("r") as said:
            child = self._context.Process(target=_do, args=(dict(os.environ), said.name, work, args))
            child.start()
            begin = time.monotonic()
            if kill_when is None:
                child.join(_LIMIT_S if kill_after_s is None else kill_after_s)
            else:
                while child.is_alive() and not kill_when() and time.monotonic() - begin < _LIMIT_S:
                    time.sleep(0.002)
            killed, took_s = child.is_alive(), time.monotonic() - begin
            child.kill()
            child.join()
            assert took_s < _LIMIT_S, f"the process did not end:\n{said.read()}"
            assert killed or child.exitcode == 0, said.read()
        return killed, took_s


def kill_often(
    processes: Processes,
    work: Callable[[Any], None],
    places: Callable[[], Any],
    content: Callable[[Any], Any],
    count: int,
    seed: str,
    *,
    after_kill: Callable[[Any], None] | None = None,
) -> None:
    """Kill work `count` times at random moments, each time it is begun again where it was; then compare.

    Parameters
    ----------
    processes : Processes
        Does the work.
    work : callable
        Does all of it in a place; a function of a module.
    places : callable
        Returns a place where nothing was done yet.
    content : callable
        Returns what there is in a place where the work is done; equal to that of work that was not disturbed.
    count : int
        Kills that must land before the work is done.
    seed : str
        Of the moments.
    after_kill : callable, optional
        Called with the place after each.
    """
    whole = places()
    _, whole_s = processes.do(work, whole)
    expected = content(whole)
    draw = random.Random(seed)
    place = places()
    landed = tried = 0
    while landed < count and tried < 10 * count:
        tried += 1
        killed, took_s = processes.do(work, place, kill_after_s=draw.uniform(0, 0.95) * whole_s)
        landed += killed
        if killed and after_kill is not None:
            after_kill(place)
        if not killed:  # done before its time: the pace of the machine is another one now; begin in another place
            whole_s = min(whole_s, took_s)
            assert content(place) == expected
            place = places()
    assert landed == count, f"only {landed} of {tried} processes were alive when they were to be killed"
    processes.do(work, place)
    assert content(place) == expected


def _nothing() -> None:
    """Do nothing."""


def _do(environment: dict[str, str], said: str, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    os.environ.update(environment)
    log = os.open(said, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    work(*args)
