"""Access to assets is granted just before opening; a signed href is never stored, logged or sent on."""

from __future__ import annotations

import datetime as dt
import os
import threading
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.hrefs import check_href, unsigned
from icefront_dask.catalog.http import Http
from icefront_dask.catalog.stores import StoreSigner
from icefront_dask.errors import CatalogError

__all__ = ["PlanetaryComputerSigner", "Signer", "signed", "signer"]

TOKEN_URL = "https://planetarycomputer.microsoft.com/api/sas/v1/token"  # noqa: S105
_BLOB_HOST = ".blob.core.windows.net"
_PUBLIC_ACCOUNTS = {"ai4edatasetspublicassets"}
_MARGIN = dt.timedelta(minutes=5)
_MARGIN_SHARE = 0.1  # of a lifetime that is too short for the full margin


@runtime_checkable
class Signer(Protocol):
    """Turns a stored href into one that may be requested now."""

    def sign(self, href: str) -> str:
        """Return the URL of HTTP that grants access to an href."""

    def forget(self, href: str, refused: str | None = None) -> None:
        """Drop what is known of the href's access after a server has refused the URL `refused`.

        Where another thread has renewed the access since, there is nothing to drop.
        """


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    renew: dt.datetime


class PlanetaryComputerSigner:
    """Signs blobs with the public shared-access tokens of Microsoft's Planetary Computer.

    One token a storage container is asked for and kept until five minutes before it expires, or the last tenth of
    its lifetime where that is shorter. Hrefs of other hosts and of the service's public accounts stay as they are.

    Parameters
    ----------
    token_url : str
        Token service; account and container are appended.
    http : Http, optional
        Client for the token service.
    """

    def __init__(self, token_url: str = TOKEN_URL, http: Http | None = None) -> None:
        self._token_url = token_url.rstrip("/")
        self._http = http or Http(named=[token_url])
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
            if token is None or token.renew <= dt.datetime.now(dt.UTC):
                token = self._tokens[key] = self._fetch(key)
        return f"{unsigned(href)}?{token.text}"

    def forget(self, href: str, refused: str | None = None) -> None:
        """Drop the token of the href's container, unless it is another than that of the refused URL."""
        key = _container(href)
        if key is None:
            return
        with self._lock:
            token = self._tokens.get(key)
            if token is not None and (refused is None or refused.endswith(f"?{token.text}")):
                del self._tokens[key]

    def _fetch(self, key: tuple[str, str]) -> _Token:
        response = self._http.request("GET", f"{self._token_url}/{key[0]}/{key[1]}")
        try:
            body = response.json()
            expires = dt.datetime.fromisoformat(body["msft:expiry"])
            text = body["token"].lstrip("?")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CatalogError(
                f"the token service {self._token_url} gave no token for {'/'.join(key)}; check the setting "
                "catalog.signing_url"
            ) from error
        expires = expires if expires.tzinfo else expires.replace(tzinfo=dt.UTC)
        lifetime = expires - dt.datetime.now(dt.UTC)
        return _Token(text, expires - min(_MARGIN, _MARGIN_SHARE * lifetime))

    def __repr__(self) -> str:
        return f"PlanetaryComputerSigner({self._token_url!r})"

    def __reduce__(self) -> tuple[type[PlanetaryComputerSigner], tuple[str]]:
        """Pickle without tokens: each process asks for its own."""
        return (type(self), (self._token_url,))


def _container(href: str) -> tuple[str, str] | None:
    parts = urlsplit(href)
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not host.endswith(_BLOB_HOST):
        return None
    account, container = host.removesuffix(_BLOB_HOST), parts.path.lstrip("/").partition("/")[0]
    return None if account in _PUBLIC_ACCOUNTS or not container else (account, container)


class _ByKind:
    """Objects of stores by their own signer, URLs of HTTP by another one or none."""

    def __init__(self, stores: StoreSigner, web: PlanetaryComputerSigner | None) -> None:
        self._stores, self._web = stores, web

    def _of(self, href: str) -> Signer | None:
        return self._stores if StoreSigner.signs(href) else self._web

    def sign(self, href: str) -> str:
        mine = self._of(href)
        return href if mine is None else mine.sign(href)

    def forget(self, href: str, refused: str | None = None) -> None:
        mine = self._of(href)
        if mine is not None:
            mine.forget(href, refused)


_signers: dict[tuple[int, Access], Signer] = {}
_signers_lock = threading.Lock()


def signer(access: Access | None = None) -> Signer:
    """Return this process's signer of an access; the configured one without it.

    ``auto`` and ``planetary-computer`` sign Azure blobs by the Planetary Computer's tokens; ``none`` signs
    nothing, not even objects of S3, which are then asked for as anybody may.
    """
    access = access or Access.resolve()
    key = (os.getpid(), access)
    with _signers_lock:
        if key not in _signers:
            web = None
            if access.signing != "none":
                url = access.signing_url or TOKEN_URL
                web = PlanetaryComputerSigner(url, Http(access, named=[url]))
            _signers[key] = _ByKind(StoreSigner(anonymous=access.signing == "none"), web)
        return _signers[key]


def signed(href: str, method: str | None = None) -> str:
    """Return an href of an item as it may be requested now: checked, and signed by the configured method.

    Call it in the worker just before opening; do not keep its result.

    Raises
    ------
    CatalogError
        For an href that may not be opened, and when the token service fails.
    ConfigError
        For an unknown method.
    """
    return signer(Access.resolve(signing=method)).sign(check_href(href))
