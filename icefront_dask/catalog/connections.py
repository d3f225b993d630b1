"""Connections of the one HTTP client: to addresses that were checked, and not too many to one host."""

from __future__ import annotations

import logging
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from icefront_dask.catalog.hosts import addresses

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

__all__ = ["CheckedAdapter", "Gate", "gate"]


class _Redaction(logging.Filter):
    """Takes the queries of URLs, where signatures lie, out of what urllib3 logs."""

    _QUERY = re.compile(r"\?[^\s'\"<>(),]*=[^\s'\"<>(),]*")

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "?" in message:
            record.msg, record.args = self._QUERY.sub("?…", message), ()
        return True


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_Redaction())


class _Checked:
    """Mixed into urllib3's connections: the name is resolved once, checked, and that address is connected to."""

    allowed: Sequence[str] = ()

    def _new_conn(self) -> socket.socket:
        mine: Any = self
        name, port = mine._dns_host, mine.port  # noqa: SLF001  urllib3's own place for what is connected to
        try:
            found = addresses(name, port, self.allowed)
        except OSError as error:
            raise NameResolutionError(mine.host, mine, error) from error  # type: ignore[arg-type]
        failure: Exception | None = None
        for address in found:
            mine._dns_host = address  # noqa: SLF001
            try:
                return super()._new_conn()  # type: ignore[misc]
            except NewConnectionError as error:
                failure = error
            finally:
                mine._dns_host = name  # noqa: SLF001
        raise failure or NewConnectionError(mine, f"{name} has no address")


class CheckedAdapter(HTTPAdapter):
    """Transport of a requests session whose connections go to checked addresses only.

    A proxy that the environment names (``HTTPS_PROXY``) is connected to as it is, and resolves names itself.

    Parameters
    ----------
    allowed : sequence of str
        Hosts that may have private addresses.
    connections : int
        Kept open to one host.
    """

    def __init__(self, allowed: Sequence[str], connections: int) -> None:
        self._allowed = tuple(allowed)
        super().__init__(pool_connections=32, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager, whose pools connect by this adapter's rules."""
        super().init_poolmanager(*args, **kwargs)
        plain = type("_Plain", (_Checked, HTTPConnection), {"allowed": self._allowed})
        secure = type("_Secure", (_Checked, HTTPSConnection), {"allowed": self._allowed})
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


class Gate:
    """Lets so many requests at a time through to a host, and none while the host has asked for a pause."""

    def __init__(self, width: int) -> None:
        self._slots = threading.BoundedSemaphore(width)
        self._open_at = 0.0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait for a slot and for the end of a pause, and hold the slot while the block runs."""
        with self._slots:
            while (wait := self._open_at - time.monotonic()) > 0:
                time.sleep(wait)
            yield

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the host has answered ``Retry-After``."""
        self._open_at = max(self._open_at, time.monotonic() + seconds)


_gates: dict[tuple[str, int], Gate] = {}
_gates_lock = threading.Lock()


def gate(host: str, width: int) -> Gate:
    """Return this process's gate of a host."""
    with _gates_lock:
        return _gates.setdefault((host, width), Gate(width))
