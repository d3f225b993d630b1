"""How many requests one host is sent at a time, and that none is while it has asked for a pause."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.http import Http
from tests.helpers import QuietServer


class Busy(QuietServer):
    """Counts the requests that are under way at once; the first is answered 429 where that is asked for."""

    def __init__(self, pause_s=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock, self.now, self.most, self.times, self.pause_s = threading.Lock(), 0, 0, [], pause_s


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Busy

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        with server.lock:
            server.now += 1
            server.most = max(server.most, server.now)
            server.times.append(time.monotonic())
            first = len(server.times) == 1
        time.sleep(0.05)
        with server.lock:
            server.now -= 1
        refused = first and server.pause_s is not None
        self.send_response(429 if refused else 200)
        if refused:
            self.send_header("Retry-After", str(server.pause_s))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


@pytest.fixture
def serving():
    """Start servers; they end with the test."""
    servers = []

    def start(**how):
        servers.append(Busy(**how))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def client(server, width):
    url = f"http://127.0.0.1:{server.server_port}/"
    return Http(Access(connections_per_host=width, attempts=3, retry_wait_s=0.01), named=[url]), url


@pytest.mark.parametrize("width", [1, 3])
def test_one_host_is_sent_so_many_requests_at_a_time(serving, width):
    server = serving()
    clients = [client(server, width) for _ in range(2)]  # the limit is the process's, not the client's
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda k: clients[k % 2][0].request("GET", clients[k % 2][1]).content, range(12)))
    assert bodies == [b"ok"] * 12
    assert server.most == width


def test_another_host_has_a_limit_of_its_own(serving):
    servers = [serving(), serving()]
    sent = [client(server, 1) for server in servers]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: sent[k % 2][0].request("GET", sent[k % 2][1]), range(8)))
    assert [server.most for server in servers] == [1, 1]
    begun = [server.times[0] for server in servers]
    ended = [server.times[-1] for server in servers]
    assert max(begun) < min(ended)  # they were at work together


def test_a_pause_that_a_host_asks_for_holds_for_all_requests(serving):
    server = serving(pause_s=1)
    http, url = client(server, 4)
    http.request("GET", url)
    first, *later = server.times
    assert len(later) == 1
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: http.request("GET", url), range(4)))
    assert min(server.times[1:]) - first >= 1.0
