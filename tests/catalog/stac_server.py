"""A small STAC API on loopback that pages, and fails when a script says so. It counts what it is asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter, defaultdict, deque
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlencode, urlsplit

import pandas as pd
from shapely.geometry import shape

from tests.helpers import QuietServer

RESET = "reset"
TRUNCATED = "truncated"


class StacServer:
    """STAC API 1.0 with item search by POST or GET: collections, datetime, intersects, limit, token.

    ``script[path]`` holds answers that go before the real one: a status, ``(status, headers)``, ``RESET``,
    ``TRUNCATED``, or ``(200, headers, body)``. ``requests`` counts requests by (method, path).
    """

    def __init__(self, items, *, method="POST", query=False, next_host=None):
        self.items = items
        self.method = method
        self.query = query
        self.next_host = next_host
        self.documents = {}
        self.script = defaultdict(deque)
        self.requests = Counter()
        self.searches = []
        self._server = QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def landing(self):
        conforms = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
        if self.query:
            conforms.append("https://api.stacspec.org/v1.0.0/item-search#query")
        links = [
            {"rel": "self", "href": f"{self.url}/"},
            {"rel": "data", "href": f"{self.url}/collections"},
            {
                "rel": "search",
                "href": f"{self.url}/search",
                "method": self.method,
                "type": "application/geo+json",
            },
        ]
        return {
            "type": "Catalog",
            "id": "t",
            "stac_version": "1.0.0",
            "description": "t",
            "conformsTo": conforms,
            "links": links,
        }

    def collections(self):
        ids = sorted({item["collection"] for item in self.items})
        return {"collections": [{"type": "Collection", "id": name} for name in ids], "links": []}

    def search(self, body):
        self.searches.append(body)
        found = [item for item in self.items if _fits(item, body)]
        limit, start = int(body.get("limit", 10)), int(body.get("token", 0))
        links = []
        if start + limit < len(found):
            host = self.next_host or self.url
            follow = {**body, "token": start + limit}
            if self.method == "GET" and "collections" in body:
                follow["collections"] = ",".join(body["collections"])
            if self.method == "POST":
                links = [{"rel": "next", "href": f"{host}/search", "method": "POST", "body": follow}]
            else:
                args = urlencode({k: json.dumps(v) if isinstance(v, dict) else v for k, v in follow.items()})
                links = [{"rel": "next", "href": f"{host}/search?{args}", "method": "GET"}]
        return {"type": "FeatureCollection", "features": found[start : start + limit], "links": links}


def _fits(item, body):
    if body.get("collections") and item["collection"] not in body["collections"]:
        return False
    if body.get("datetime"):
        start, end = body["datetime"].split("/")
        when = pd.Timestamp(item["properties"]["datetime"])
        if (start != ".." and when < pd.Timestamp(start)) or (end != ".." and when > pd.Timestamp(end)):
            return False
    return not body.get("intersects") or shape(item["geometry"]).intersects(shape(body["intersects"]))


def _handler(api):
    return type("Handler", (_Handler,), {"api": api})


class _Handler(BaseHTTPRequestHandler):
    api = None
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer

    def log_message(self, *args):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        args = {k: v[0] for k, v in parse_qs(parts.query).items()}
        if "intersects" in args:
            args["intersects"] = json.loads(args["intersects"])
        if "collections" in args:
            args["collections"] = args["collections"].split(",")
        self.answer("GET", parts.path, args)

    def do_POST(self):
        self.answer("POST", self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, method, path, body):
        self.api.requests[method, path] += 1
        if self.api.script[path]:
            self.scripted(path, body, self.api.script[path].popleft())
        else:
            self.send(*self.content(path, body))

    def scripted(self, path, body, step):
        if step == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif step == TRUNCATED:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"type": ')
            self.close_connection = True
        else:
            status, headers, *rest = step if isinstance(step, tuple) else (step, {})
            self.send(status, rest[0] if rest else {"code": "Scripted", "description": "scripted answer"}, headers)

    def content(self, path, body):
        if path in self.api.documents:
            return 200, self.api.documents[path]
        known = {"": self.api.landing, "/": self.api.landing, "/collections": self.api.collections}
        if path in known:
            return 200, known[path]()
        if path == "/search":
            return 200, self.api.search(body)
        return 404, {"code": "NotFound", "description": f"no {path}"}

    def send(self, status, content, headers=()):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
