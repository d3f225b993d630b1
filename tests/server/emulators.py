"""Object stores other than S3 on loopback: Azurite, Microsoft's emulator of Azure Blob Storage, and for Google Cloud
Storage the XML interface that it shares with S3, served by moto.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import requests
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.helpers import let_clients_hang_up
from tests.server.services import ROOT, Process, free_port

AZURITE = Path(os.environ.get("AZURITE_FOLDER", ROOT / ".azurite")) / "node_modules" / ".bin" / "azurite-blob"
_ACCOUNT = "devstoreaccount1"  # Azurite's own, published in its manual
_AS_S3 = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def lacks_azurite() -> str | None:
    """Return why Azurite cannot be started, None where it can."""
    if not shutil.which("node"):
        return "Node.js (Debian: nodejs, npm)"
    return None if AZURITE.exists() else f"{AZURITE.parents[2].name} with Azurite (tests/server/setup.sh)"


class Azurite:
    """Azurite on 127.0.0.1, in memory, with one container.

    Attributes
    ----------
    env : dict of str to str
        What a client's environment names: account, key and endpoint.
    """

    def __init__(self, container: str) -> None:
        self._container = container
        self._port = free_port()
        self._url = f"http://127.0.0.1:{self._port}/{_ACCOUNT}"
        self._folder = Path(tempfile.mkdtemp(prefix="icefront-azurite-"))
        self._process: Process | None = None
        self.env = {
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_STORAGE_ENDPOINT": self._url,
            "AZURE_ALLOW_HTTP": "true",
        }

    def __enter__(self) -> Self:
        options = ["--blobHost", "127.0.0.1", "--blobPort", str(self._port)]
        command = [str(AZURITE), *options, "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
        self._process = Process([*command, "--silent"], self._folder / "log")
        self._process.wait_until(self._answers, "Azurite")
        self._create()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            return requests.get(self._url, timeout=2).status_code < 500
        except requests.RequestException:
            return False

    def _create(self) -> None:
        """Create the container, which no client of objects can, by a request signed with the account's key."""
        now, version = f"{dt.datetime.now(dt.UTC):%a, %d %b %Y %H:%M:%S} GMT", "2021-08-06"
        asked = f"/{_ACCOUNT}/{_ACCOUNT}/{self._container}\nrestype:container"
        text = "PUT" + "\n" * 12 + f"x-ms-date:{now}\nx-ms-version:{version}\n{asked}"
        signature = base64.b64encode(hmac.digest(base64.b64decode(_KEY), text.encode(), hashlib.sha256)).decode()
        headers = {"x-ms-date": now, "x-ms-version": version, "Authorization": f"SharedKey {_ACCOUNT}:{signature}"}
        url = f"{self._url}/{self._container}?restype=container"
        requests.put(url, headers=headers, timeout=30).raise_for_status()


class GoogleStorage:
    """The XML interface of Google Cloud Storage on 127.0.0.1, with one bucket: moto's S3, which takes no tokens of
    Google's, behind what puts a name of S3's in their place.

    Attributes
    ----------
    env : dict of str to str
        What a client's environment names: the file of a service account.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True)
        let_clients_hang_up(self._server)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._folder = Path(tempfile.mkdtemp(prefix="icefront-gcs-"))
        self._url = f"http://127.0.0.1:{self._server.port}"
        account = {"gcs_base_url": self._url, "disable_oauth": True, "client_email": "", "private_key": "",
                   "private_key_id": ""}  # fmt: skip
        (self._folder / "account.json").write_text(json.dumps(account))
        self.env = {"GOOGLE_SERVICE_ACCOUNT": str(self._folder / "account.json"), "GOOGLE_ALLOW_HTTP": "true"}
        self.tokens = 0

    def _app(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.tokens += environ.get("HTTP_AUTHORIZATION", "").startswith("Bearer")
        environ["HTTP_AUTHORIZATION"] = _AS_S3
        return self._moto(environ, start_response)

    def __enter__(self) -> Self:
        self._thread.start()
        requests.put(f"{self._url}/{self._bucket}", timeout=30).raise_for_status()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)
