"""Reads the next scene while the present one is worked on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    T = TypeVar("T")
    R = TypeVar("R")

__all__ = ["read_ahead"]


def read_ahead(things: Iterable[T], read: Callable[[T], R]) -> Generator[R]:
    """Yield what `read` returns for each thing, in order; a thread reads the next while one is in use.

    Two results are in memory at most. An error of `read` is raised where its result would be yielded. Closing the
    generator waits for the read under way and starts no other.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="icefront-read") as reader:
        waiting = iter(things)
        ahead = [reader.submit(read, thing) for thing in _take(waiting)]
        while ahead:
            now = ahead.pop().result()
            ahead = [reader.submit(read, thing) for thing in _take(waiting)]
            yield now
            del now


def _take(things: Iterator[T]) -> list[T]:
    """Return the next thing, if there is one."""
    for thing in things:
        return [thing]
    return []
