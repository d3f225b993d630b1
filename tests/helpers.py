"""Helpers which tests of several rooms share."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import dask
from dask.local import get_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CountingScheduler", "QuietServer", "let_clients_hang_up", "raise_if_dask_computes"]


def let_clients_hang_up(server: Any) -> None:
    """Have a server of socketserver's kind say nothing of clients that hang up or are killed, as those of tests do."""
    report = server.handle_error

    def handle_error(request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            report(request, client_address)

    server.handle_error = handle_error


class QuietServer(ThreadingHTTPServer):
    """A threading HTTP server whose clients may hang up."""

    daemon_threads = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        let_clients_hang_up(self)


class CountingScheduler:
    """A synchronous Dask scheduler that counts its calls and refuses more than ``max_computes``."""

    def __init__(self, max_computes: int = 0) -> None:
        self.max_computes = max_computes
        self.computes = 0

    def __call__(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        self.computes += 1
        if self.computes > self.max_computes:
            raise AssertionError(f"Dask computed {self.computes} times, {self.max_computes} allowed")
        return get_sync(dsk, keys, **kwargs)


@contextmanager
def raise_if_dask_computes(max_computes: int = 0) -> Iterator[CountingScheduler]:
    """Fail when the block computes Dask collections more than ``max_computes`` times.

    Examples
    --------
    >>> with raise_if_dask_computes():
    ...     lazy = segment(cube)
    """
    scheduler = CountingScheduler(max_computes)
    with dask.config.set(scheduler=scheduler):
        yield scheduler
