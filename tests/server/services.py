"""Real servers on loopback, each in a folder of its own: PostgreSQL with PostGIS, stac-fastapi on pgstac,
nginx.

Every class is a context manager that starts its process and ends exactly that one. ``missing()`` says what
a machine lacks; ``tests/server/setup.sh`` installs it.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import requests

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.environ.get("PGSTAC_VENV", ROOT / ".venv-pgstac"))
_START_S = 120
_LAST = "/last-request-"


def missing() -> list[str]:
    """Return what is not installed, with how to get it."""
    lacks = []
    if _pg_bin() is None:
        lacks.append("PostgreSQL (Debian: postgresql-15)")
    if not any(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        lacks.append("PostGIS (Debian: postgresql-15-postgis-3)")
    if _nginx() is None:
        lacks.append("nginx (Debian: nginx-light)")
    if not (VENV / "bin" / "uvicorn").exists():
        lacks.append(f"{VENV.name} with stac-fastapi on pgstac (tests/server/setup.sh)")
    if os.geteuid() == 0 and not _has_user("postgres"):
        lacks.append("the system user postgres (comes with postgresql-15)")
    return lacks


def _pg_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _nginx() -> str | None:
    return shutil.which("nginx") or next((p for p in ("/usr/sbin/nginx",) if Path(p).exists()), None)


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerError(RuntimeError):
    """A server did not start."""


class Process:
    """A child process with its output in a file."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as stream:
            self.child = subprocess.Popen(command, stdout=stream, stderr=stream, env=env, start_new_session=True)

    def wait_until(self, ready, name: str) -> None:
        deadline = time.monotonic() + _START_S
        while not ready():
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerError(f"{name} did not start: {self.log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def _answers(url: str):
    def ready() -> bool:
        try:
            return requests.get(url, timeout=2).status_code < 500
        except requests.RequestException:
            return False

    return ready


class Postgres:
    """PostgreSQL on 127.0.0.1 with a database that holds pgstac.

    PostgreSQL refuses to run as root, so root runs it as the system user postgres.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="icefront-pg-"))
        self.port = free_port()
        self._bin = _pg_bin()
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._user = "postgres" if self._as else pwd.getpwuid(os.geteuid()).pw_name
        self._process: Process | None = None

    @property
    def env(self) -> dict[str, str]:
        """Environment of clients: libpq's and, with the same names, stac-fastapi's."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": self._user,
            "PGPASSWORD": "unused",
            "PGDATABASE": "stac",
        }

    def __enter__(self) -> Self:
        data = self.folder / "data"
        if self._as:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run(["initdb", "-D", str(data), "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "shared_buffers": "64MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*self._as, str(self._bin / "postgres"), "-D", str(data), "-p", str(self.port), *options]
        self._process = Process(command, self.folder.with_suffix(".log"))
        ready = [str(self._bin / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        self._process.wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL")
        self._run(["createdb", "-h", "127.0.0.1", "-p", str(self.port), "stac"])
        self.pypgstac("migrate")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            # runuser passes SIGTERM on; PostgreSQL then ends when its clients have left.
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGINT)
            self._process.child.wait(30)
            self._process.log.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            [*self._as, str(self._bin / command[0]), *command[1:]],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
        )
        if done.returncode:
            raise ServerError(f"{command[0]} failed: {done.stderr[-1500:]}")

    def pypgstac(self, *arguments: str) -> None:
        """Run pypgstac on the database."""
        command = [str(VENV / "bin" / "pypgstac"), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | self.env)
        if done.returncode:
            raise ServerError(f"pypgstac {arguments[0]} failed: {(done.stderr or done.stdout)[-1500:]}")

    def load(self, collections: list[dict], items: list[dict]) -> None:
        """Load collections and items, in place of those with the same ids."""
        with tempfile.TemporaryDirectory(prefix="icefront-load-") as folder:
            for kind, records in (("collections", collections), ("items", items)):
                path = Path(folder) / f"{kind}.ndjson"
                path.write_text("".join(json.dumps(record) + "\n" for record in records))
                self.pypgstac("load", kind, str(path), "--method", "upsert")


class StacApi:
    """stac-fastapi on pgstac, on 127.0.0.1."""

    def __init__(self, database: Postgres) -> None:
        self.database = database
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="icefront-api-"))
        self._process: Process | None = None

    def __enter__(self) -> Self:
        names = {
            "STAC_FASTAPI_TITLE": "icefront tests",
            "STAC_FASTAPI_DESCRIPTION": "t",
            "STAC_FASTAPI_LANDING_ID": "t",
        }
        app = ["stac_fastapi.pgstac.app:create_app", "--factory", "--host", "127.0.0.1", "--port", str(self.port)]
        command = [str(VENV / "bin" / "uvicorn"), *app, "--log-level", "warning", "--timeout-graceful-shutdown", "1"]
        self._process = Process(command, self._folder / "log", os.environ | self.database.env | names)
        self._process.wait_until(_answers(f"{self.url}/"), "stac-fastapi")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_other(path: str) -> bool:
    return path != "/" and not path.startswith(_LAST)


class Nginx:
    """nginx on 127.0.0.1 that serves a folder, with range requests and an access log.

    More directives can be given for its blocks ``http`` and ``server``.
    """

    def __init__(self, root: Path, *, http: str = "", server: str = "") -> None:
        self.root = Path(root).resolve()
        self._http, self._server = http, server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="icefront-www-"))
        self._process: Process | None = None
        self._asked = 0

    def __enter__(self) -> Self:
        user = "user root;" if os.geteuid() == 0 else ""
        places = " ".join(
            f"{name}_temp_path {self._folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = self._folder / "nginx.conf"
        config.write_text(f"""
{user}
worker_processes 1;
daemon off;
pid {self._folder}/pid;
error_log {self._folder}/error.log;
events {{ worker_connections 256; }}
http {{
  {places}
  types {{ image/tiff tif tiff TIF; application/json json; }}
  default_type application/octet-stream;
  log_format asked '$status $request_method $uri $http_range $body_bytes_sent';
  access_log {self._folder}/access.log asked;
  {self._http}
  server {{
    listen 127.0.0.1:{self.port};
    root {self.root};
    {self._server}
  }}
}}
""")
        command = [str(_nginx()), "-p", str(self._folder), "-c", str(config), "-e", f"{self._folder}/error.log"]
        self._process = Process(command, self._folder / "log")
        self._process.wait_until(_answers(f"{self.url}/"), "nginx")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def requests(self) -> list[tuple[int, str, str, str, int]]:
        """Return what was asked: status, method, path, range, bytes sent.

        nginx answers before it writes its log, one request after the other: once the log has a request of
        our own, all that came before it are there.
        """
        self._asked += 1
        last = f"{_LAST}{self._asked}"
        requests.get(f"{self.url}{last}", timeout=_START_S)
        deadline = time.monotonic() + _START_S
        while True:
            lines = (self._folder / "access.log").read_text().splitlines()
            parts = [line.split(" ") for line in lines]
            if any(p[2] == last for p in parts):
                return [(int(p[0]), p[1], p[2], p[3], int(p[4])) for p in parts if _is_other(p[2])]
            if time.monotonic() > deadline:
                raise ServerError(f"nginx did not log {last}")
            time.sleep(0.01)
