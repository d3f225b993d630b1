"""A file server with short-lived tokens that fails as archives do, and workers that read windows through it.

Files lie below ``/CONTAINER/`` and want a token; ``/token/WORKER/ACCOUNT/CONTAINER`` issues one in the Planetary
Computer's form. The host that a request names (``WORKER.blob.core.windows.net``) says which worker asks.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from multiprocessing import get_context
from urllib.parse import parse_qs, urlsplit

import dask.config
import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from tests.helpers import QuietServer

SUFFIX = ".blob.core.windows.net"
SIDE = 1024
WINDOW = 256
CRS = "EPSG:3413"
TRANSFORM = Affine(20.0, 0.0, 300_000.0, 0.0, -20.0, -2_500_000.0)


@dataclass(frozen=True)
class Faults:
    """Shares of requests that fail, the lifetime of a token, and how long a file's bytes are waited for."""

    unavailable: float = 0.0
    reset: float = 0.0
    truncated: float = 0.0
    token_s: float = 3600.0
    wait_s: float = 0.0


class FaultServer(QuietServer):
    """Serves the files of a folder on 127.0.0.1; counts what it is asked for and by whom."""

    request_queue_size = 128

    def __init__(self, folder, faults=Faults(), seed=0):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.faults = faults
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        self.asked = Counter()  # (worker, file)
        self.opens = Counter()  # (worker, file): requests for its first bytes that were answered
        self.statuses = Counter()
        self.issued = defaultdict(list)  # (worker, container) -> times
        self.tokens = {}  # token -> end of its life

    @property
    def port(self):
        return self.server_port

    def fault(self):
        with self.lock:
            draw = self.random.random()
        for name, share in (
            ("unavailable", self.faults.unavailable),
            ("reset", self.faults.reset),
            ("truncated", self.faults.truncated),
        ):
            if draw < share:
                return name
            draw -= share
        return None

    def issue(self, worker, container):
        now = time.time()
        with self.lock:
            token = f"se={now:.6f}&sig=c4n4ry{len(self.tokens):06d}"
            self.tokens[token.rpartition("sig=")[2]] = now + self.faults.token_s
            self.issued[worker, container].append(now)
        expiry = dt.datetime.fromtimestamp(now + self.faults.token_s, dt.UTC).isoformat()
        return {"msft:expiry": expiry, "token": token}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer
    wbufsize = -1

    def log_message(self, *args):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        worker = self.headers["Host"].partition(".")[0]
        kind = parts.path.split("/")[1]
        fault = self.server.fault()
        if kind == "token":
            _, _, worker, account, container = parts.path.split("/")
            assert account == worker
            if fault is None:
                self.send(200, json.dumps(self.server.issue(worker, container)).encode())
            else:
                self.send(503, b"")
            return
        name = parts.path.rpartition("/")[2]
        time.sleep(self.server.faults.wait_s)
        with self.server.lock:
            self.server.asked[worker, name] += 1
        signature = parse_qs(parts.query).get("sig", [""])[0]
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        data = self.server.files[name][first : last + 1]
        if fault == "unavailable":
            self.send(503, b"busy", {"Retry-After": "0"})
        elif fault == "reset":
            self.count("reset")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif self.server.tokens.get(signature, 0.0) < time.time():
            self.send(403, b"expired")
        else:
            whole = len(self.server.files[name])
            headers = {"Content-Range": f"bytes {first}-{first + len(data) - 1}/{whole}", "ETag": f'"{name}"'}
            if fault == "truncated":
                self.count("truncated")
                self.head(206, len(data), headers)
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            with self.server.lock:
                self.server.opens[worker, name] += first == 0
            self.send(206, data, headers)

    def count(self, what):
        with self.server.lock:
            self.server.statuses[what] += 1

    def head(self, status, length, headers):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def send(self, status, data, headers=()):
        self.count(status)
        self.head(status, len(data), dict(headers))
        self.wfile.write(data)


@contextmanager
def serving(folder, faults, seed=0):
    """Serve a folder while the block runs."""
    server = FaultServer(folder, faults, seed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def values_of(number):
    """Return the pixels of a file, none of them zero."""
    return np.random.default_rng(number).integers(1, 4096, (SIDE, SIDE), dtype=np.uint16)


def write_files(folder, count):
    """Write COGs whose pixels :func:`values_of` knows."""
    for number in range(count):
        with rasterio.open(
            folder / f"{number}.tif", "w", driver="COG", dtype="uint16", count=1, height=SIDE, width=SIDE, crs=CRS,
            transform=TRANSFORM, compress="deflate", blocksize=WINDOW, nodata=0,
        ) as out:  # fmt: skip
            out.write(values_of(number), 1)


def read_windows(worker, port, files, reads, threads=2):
    """Read windows in this process, and return how many pixels are missing, and how many are wrong.

    Host names of blobs lead to loopback here, as they lead to an archive elsewhere.
    """
    from icefront_dask.catalog.access import Access
    from icefront_dask.cube.readers import BandRequest, get_reader

    host = f"{worker}{SUFFIX}"
    resolve = socket.getaddrinfo
    socket.getaddrinfo = lambda name, *more, **named: resolve(
        "127.0.0.1" if str(name).endswith(SUFFIX) else name, *more, **named
    )
    with dask.config.set({"icefront.catalog.allow_hosts": [f"{host}:{port}"], "icefront.catalog.retry_wait_s": 0.01}):
        access = Access.resolve(signing_url=f"http://127.0.0.1:{port}/token/{worker}")
    reader = get_reader("odc")
    truth = [values_of(number) for number in range(files)]

    def one(number):
        rng = np.random.default_rng([len(worker), ord(worker[-1]), number])
        file = int(rng.integers(files))
        row, column = (int(n) for n in rng.integers(0, SIDE - WINDOW, 2))
        grid = GeoBox((WINDOW, WINDOW), TRANSFORM @ Affine.translation(column, row), CRS)
        href = f"http://{host}:{port}/data/{file}.tif"
        request = BandRequest("hh", href, f"read {number}", "uint16", "nearest", nodata=0, access=access)
        got = reader.read([request], grid)["hh"]
        wanted = truth[file][row : row + WINDOW, column : column + WINDOW]
        return int((got == 0).sum()), int((got != wanted).sum())

    try:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(one, range(reads)))
    finally:
        socket.getaddrinfo = resolve
    return sum(holes for holes, _ in found), sum(wrong for _, wrong in found)


def read_all(server, files, reads, workers=2):
    """Read windows in worker processes of their own; return missing and wrong pixels."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(read_windows, f"w{k}", server.port, files, reads // workers) for k in range(workers)]
        found = [job.result() for job in jobs]
    return sum(holes for holes, _ in found), sum(wrong for _, wrong in found)
