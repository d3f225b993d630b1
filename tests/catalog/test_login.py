"""Archives behind a login, as NASA's Earthdata: redirects to another host, which knows the user, and back."""

from __future__ import annotations

import base64
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.http import Http
from icefront_dask.catalog.remote import RemoteFile
from icefront_dask.errors import CatalogError
from tests.helpers import QuietServer

CONTENT = bytes(range(256)) * 1024
PASSWORD = "c4n4ry"
PAGE = b"<html>Log in</html>"


class _Handler(BaseHTTPRequestHandler):
    """Data on 127.0.0.1, login on localhost: one server under two names."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        parts, host = urlsplit(self.path), self.headers["Host"].partition(":")[0]
        port = self.server.server_port
        self.server.seen.append((host, parts.path, self.headers["Authorization"], self.headers["Cookie"]))
        here = quote(f"http://127.0.0.1:{port}{parts.path}", safe="")
        if parts.path == "/authorize":
            wanted = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
            if self.headers["Authorization"] != f"Basic {wanted}":
                return self.send(self.server.stranger, PAGE, {"Content-Type": "text/html"})
            back = parse_qs(parts.query)["state"][0]
            return self.send(302, b"", {"Location": f"http://127.0.0.1:{port}/login?code=c0de&state={quote(back)}"})
        if parts.path == "/login":
            back = parse_qs(parts.query)["state"][0]
            return self.send(302, b"", {"Location": back, "Set-Cookie": "session=known; Path=/"})
        cookie = SimpleCookie(self.headers["Cookie"] or "").get("session")
        if cookie is None or cookie.value != "known":
            return self.send(302, b"", {"Location": f"http://localhost:{port}/authorize?state={here}"})
        if parts.path == "/data/a.tif":
            return self.send(303, b"", {"Location": f"http://127.0.0.1:{port}/bucket/a.tif?Signature=x"})
        first, last = (int(n) for n in self.headers["Range"].removeprefix("bytes=").split("-"))
        data = CONTENT[first : last + 1]
        return self.send(206, data, {"Content-Range": f"bytes {first}-{first + len(data) - 1}/{len(CONTENT)}"})

    def send(self, status, data, headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def archive():
    server = QuietServer(("127.0.0.1", 0), _Handler)
    server.seen, server.stranger = [], 401
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def known(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine localhost login user password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_the_login_of_the_workers_netrc_opens_a_file(archive, known):
    http = Http(Access.resolve(attempts=1))
    url = f"http://127.0.0.1:{archive.server_port}/data/a.tif"
    assert http.part(url, 1000, 500).data == CONTENT[1000:1500]
    paths = [path for _, path, _, _ in archive.seen]
    assert paths == ["/data/a.tif", "/authorize", "/login", "/data/a.tif", "/bucket/a.tif"]
    # The password goes to the host that it is for, and the login is made once.
    assert {host for host, _, password, _ in archive.seen if password} == {"localhost"}
    assert not any(cookie for host, _, _, cookie in archive.seen if host == "localhost")
    assert http.part(url, 0, 100).total == len(CONTENT)
    assert [path for _, path, _, _ in archive.seen[5:]] == ["/data/a.tif", "/bucket/a.tif"]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"localhost:\d+/authorize refuses access \(HTTP 401\).*check credentials"),
        (200, r"127\.0\.0\.1:\d+/data/a\.tif answers with a web page.*netrc"),
    ],
)
def test_without_a_login_it_says_so(archive, tmp_path, monkeypatch, status, message):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    archive.stranger = status
    file = RemoteFile(f"http://127.0.0.1:{archive.server_port}/data/a.tif", Access.resolve(attempts=1))
    with pytest.raises(CatalogError, match=message):
        file.size()
    assert not any(password for _, _, password, _ in archive.seen)
