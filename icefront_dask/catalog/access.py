"""How a worker gets at files: the settings of section ``catalog`` that travel with a task, free of secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from icefront_dask.config import section
from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Access"]

_SIGNING = ("auto", "none", "planetary-computer")
# A user's own object store, given in the variables that every client of S3 reads.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@dataclass(frozen=True)
class Access:
    """How files are fetched and signed. Plain values: it may lie in a graph, a specification or a log.

    Parameters
    ----------
    signing : {"auto", "none", "planetary-computer"}
        ``auto`` signs blobs of the Planetary Computer, and objects of S3 where the process has credentials.
    signing_url : str, optional
        Token service in place of the Planetary Computer's.
    allow_hosts : tuple of str
        Hosts that may have private addresses or be literal ones: ``host``, ``host:port`` or ``*.suffix``.
    timeout_s, attempts, retry_wait_s, retry_max_wait_s : float
        Of one request, see ``icefront.yaml``.
    connections_per_host : int
        Requests of this process under way at one host.
    max_document_mb, max_file_gb, max_megapixels : float
        Largest JSON document, file, and raster that are opened.
    """

    signing: str = "auto"
    signing_url: str | None = None
    allow_hosts: tuple[str, ...] = ()
    timeout_s: float = 60.0
    attempts: int = 8
    retry_wait_s: float = 0.5
    retry_max_wait_s: float = 60.0
    connections_per_host: int = 8
    max_document_mb: float = 64.0
    max_file_gb: float = 64.0
    max_megapixels: float = 20_000.0

    @classmethod
    def resolve(cls, **overrides: Any) -> Access:
        """Return the configured access with overrides that are not ``None``.

        Raises
        ------
        ConfigError
            For an unknown key or method of signing.
        """
        values = section("catalog", **overrides)
        if values["signing"] not in _SIGNING:
            raise ConfigError(f"catalog.signing is {values['signing']!r}; it must be one of {', '.join(_SIGNING)}")
        if values["allow_hosts"] is None or isinstance(values["allow_hosts"], str):
            raise ConfigError("catalog.allow_hosts must be a list of hosts, as [stac.example.org:8080]")
        mine = {name: values[name] for name in cls.__dataclass_fields__}
        return cls(**mine | {"allow_hosts": tuple(str(host) for host in values["allow_hosts"])})

    def trusted(self, *urls: str | None) -> tuple[str, ...]:
        """Return ``allow_hosts`` with the hosts of URLs that the user has named himself, with their ports."""
        named = [urlsplit(url) for url in (*urls, *(os.environ.get(name) for name in _ENDPOINTS)) if url]
        hosts = [f"{part.hostname}:{part.port}" if part.port else str(part.hostname) for part in named]
        return (*self.allow_hosts, *hosts)
