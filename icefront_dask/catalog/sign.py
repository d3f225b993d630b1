"""Access to assets is granted just before opening; a signed href is never stored, logged or sent on."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from icefront_dask.catalog.hrefs import check_href, unsigned
from icefront_dask.catalog.http import Http
from icefront_dask.config import section
from icefront_dask.errors import CatalogError, ConfigError

__all__ = ["PlanetaryComputerSigner", "Signer", "signed", "signer"]

TOKEN_URL = "https://planetarycomputer.microsoft.com/api/sas/v1/token"  # noqa: S105
_BLOB_HOST = ".blob.core.windows.net"
_PUBLIC_ACCOUNTS = {"ai4edatasetspublicassets"}
_MARGIN = dt.timedelta(minutes=5)


@runtime_checkable
class Signer(Protocol):
    """Turns a stored href into one that may be opened now."""

    def sign(self, href: str) -> str:
        """Return the href with what grants access to it."""

    def forget(self, href: str) -> None:
        """Drop what is known of the href's access, after a server has refused it."""


class _Plain:
    """Public data: hrefs are opened as they are."""

    def sign(self, href: str) -> str:
        return href

    def forget(self, href: str) -> None:
        del href


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    expires: dt.datetime


class PlanetaryComputerSigner:
    """Signs blobs with the public shared-access tokens of Microsoft's Planetary Computer.

    One token a storage container is asked for and kept until five minutes before it expires. Hrefs of other
    hosts and of the service's public accounts stay as they are.

    Parameters
    ----------
    token_url : str
        Token service; account and container are appended.
    http : Http, optional
        Session for the token service.
    """

    def __init__(self, token_url: str = TOKEN_URL, http: Http | None = None) -> None:
        self._token_url = token_url.rstrip("/")
        self._http = http or Http()
        self._tokens: dict[tuple[str, str], _Token] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def sign(self, href: str) -> str:
        """Return the href with a valid token, which is fetched at most once a container and lifetime.

        Raises
        ------
        CatalogError
            When the token service fails or answers something else than a token.
        """
        key = _container(href)
        if key is None:
            return href
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            token = self._tokens.get(key)
            if token is None or token.expires - _MARGIN <= dt.datetime.now(dt.UTC):
                token = self._tokens[key] = self._fetch(key)
        return f"{unsigned(href)}?{token.text}"

    def forget(self, href: str) -> None:
        """Drop the token of the href's container."""
        key = _container(href)
        if key is not None:
            self._tokens.pop(key, None)

    def _fetch(self, key: tuple[str, str]) -> _Token:
        response = self._http.request("GET", f"{self._token_url}/{key[0]}/{key[1]}")
        try:
            body = response.json()
            expires = dt.datetime.fromisoformat(body["msft:expiry"])
            text = body["token"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CatalogError(
                f"the token service {self._token_url} gave no token for {'/'.join(key)}; check the setting "
                "catalog.signing_url"
            ) from error
        return _Token(text.lstrip("?"), expires if expires.tzinfo else expires.replace(tzinfo=dt.UTC))

    def __repr__(self) -> str:
        return f"PlanetaryComputerSigner({self._token_url!r})"

    def __reduce__(self) -> tuple[type[PlanetaryComputerSigner], tuple[str]]:
        """Pickle without tokens: each process asks for its own."""
        return (type(self), (self._token_url,))


def _container(href: str) -> tuple[str, str] | None:
    parts = urlsplit(href)
    host = parts.hostname or ""
    if not host.endswith(_BLOB_HOST):
        return None
    account, container = host.removesuffix(_BLOB_HOST), parts.path.lstrip("/").partition("/")[0]
    return None if account in _PUBLIC_ACCOUNTS or not container else (account, container)


_signers: dict[tuple[str, str], Signer] = {}
_signers_lock = threading.Lock()


def signer(method: str | None = None, url: str | None = None) -> Signer:
    """Return this process's signer of a method.

    Parameters
    ----------
    method : {"auto", "none", "planetary-computer"}, optional
        ``catalog.signing`` without it. ``auto`` signs Azure blobs by the Planetary Computer and nothing else.
    url : str, optional
        Token service; ``catalog.signing_url`` without it.

    Raises
    ------
    ConfigError
        For another method.
    """
    options = section("catalog", signing=method, signing_url=url)
    key = (str(options["signing"]), str(options["signing_url"] or TOKEN_URL))
    if key[0] not in {"auto", "none", "planetary-computer"}:
        raise ConfigError(f"catalog.signing is {key[0]!r}; it must be auto, none or planetary-computer")
    with _signers_lock:
        if key not in _signers:
            _signers[key] = _Plain() if key[0] == "none" else PlanetaryComputerSigner(key[1])
        return _signers[key]


def signed(href: str, method: str | None = None) -> str:
    """Return an href of an item as it may be opened now: checked, and signed by the configured method.

    Call it in the worker just before opening; do not keep its result.

    Raises
    ------
    CatalogError
        For an href that may not be opened, and when the token service fails.
    """
    return signer(method).sign(check_href(href))
