"""What GDAL reads remote files from: a server on loopback inside this process, which fetches by our own client.

GDAL follows redirects and resolves names by itself, and cannot be kept from it. So it is given addresses on
127.0.0.1 alone, with unguessable paths; what is behind them is fetched, checked, signed and tried again by
:class:`icefront_dask.catalog.remote.RemoteFile`. No signature is known to GDAL. A file that has failed, or has
changed, gets another path, so that nothing of GDAL's caches, of content or of errors, outlives a failure.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from icefront_dask.catalog.remote import RemoteFile

__all__ = ["BRIDGE_OPTIONS", "Bridge", "bridge"]

BRIDGE_OPTIONS: dict[str, Any] = {
    "GDAL_HTTP_TIMEOUT": 900,  # longer than all tries of the client
    "GDAL_HTTP_MAX_RETRY": 0,  # the client has tried again already
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIRANGE": "YES",
    "GDAL_HTTP_PROXY": "",  # loopback, whatever proxy the environment names
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
}
"""GDAL's options for reading through the bridge."""

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Bridge:
    """Serves open remote files of this process to GDAL."""

    def __init__(self) -> None:
        self._files: WeakValueDictionary[str, RemoteFile] = WeakValueDictionary()
        self._paths: WeakKeyDictionary[RemoteFile, str] = WeakKeyDictionary()
        self._lock = threading.Lock()
        handler = type("_Handler", (_Handler,), {"files": self._files})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 60.0}, name="icefront-bridge", daemon=True
        ).start()

    def name(self, file: RemoteFile) -> str:
        """Return GDAL's name of a remote file, good while the file is held."""
        with self._lock:
            path = self._paths.get(file)
            if path is None:
                path = self._paths[file] = f"/{secrets.token_urlsafe(24)}.tif"
                self._files[path] = file
        return f"/vsicurl/http://127.0.0.1:{self._server.server_port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """GDAL hangs up when it has what it wants."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    files: WeakValueDictionary[str, RemoteFile]

    def do_HEAD(self) -> None:
        if (file := self.files.get(self.path)) is None:
            self._answer(404)
            return
        with self._reported(file):
            self._answer(200, length=file.size())

    def do_GET(self) -> None:
        file = self.files.get(self.path)
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if file is None or asked is None:
            self._answer(404 if file is None else 416)
            return
        start, last = int(asked.group(1)), int(asked.group(2))
        with self._reported(file):
            data, total = file.at(start, last - start + 1), file.size()
            if data:
                self._answer(206, data, content_range=f"bytes {start}-{start + len(data) - 1}/{total}")
            else:
                self._answer(416, content_range=f"bytes */{total}")

    @contextmanager
    def _reported(self, file: RemoteFile) -> Iterator[None]:
        """Leave what goes wrong to whoever has opened the file."""
        try:
            yield
        except ConnectionError:
            raise  # GDAL has hung up
        except Exception as error:  # noqa: BLE001  raised again by the reader
            file.failure = file.failure or error
            self._answer(404)

    def _answer(
        self, status: int, data: bytes = b"", *, length: int | None = None, content_range: str | None = None
    ) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.send_header("Accept-Ranges", "bytes")
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: a path grants access to its file."""


_bridges: dict[int, Bridge] = {}
_lock = threading.Lock()


def bridge() -> Bridge:
    """Return this process's bridge, started when it is needed first."""
    with _lock:
        return _bridges.get(os.getpid()) or _bridges.setdefault(os.getpid(), Bridge())
