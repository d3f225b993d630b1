"""The one HTTP client: what may pass when tried again is tried again, and no byte comes from an unchecked host."""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.connections import CheckedAdapter, Gate, gate
from icefront_dask.catalog.failures import HttpError, TransientError, causes, host_of, refusal, retry_after_s
from icefront_dask.catalog.hosts import HostError, check_host
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Http", "Part", "http_for"]

_TRANSIENT_STATUS = {408, 429, *range(500, 600)} - {501, 505}
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
_SCHEMES = ("https", "http")
_CHUNK = 2**16


@dataclass(frozen=True)
class Part:
    """A range of a file.

    Attributes
    ----------
    data : bytes
        From ``start`` on; fewer than asked for at the end of the file.
    start, total : int
        Offset of the first byte, and the size of the file.
    version : str
        What the server says of the file's version (ETag, else Last-Modified); empty where it says nothing.
    """

    data: bytes = field(repr=False)
    start: int
    total: int
    version: str


class Http:
    """A session which tries 408, 429, 5xx, resets, read time-outs and truncated bodies again.

    Connections go to checked addresses (``catalog.hosts``), redirects are followed only to hosts that pass the
    same checks, and so many requests run at a time to one host. Neither 400 nor 404 is tried again.

    Parameters
    ----------
    access : Access, optional
        Limits; those of the configuration without it.
    named : sequence of str
        URLs that the user has named himself, whose hosts may be private.
    **overrides
        Keys of section ``catalog``, as ``attempts``.
    """

    def __init__(self, access: Access | None = None, *, named: Sequence[str] = (), **overrides: Any) -> None:
        self.access = access or Access.resolve(**overrides)
        self.allowed = self.access.trusted(*named)
        self._backoff = tenacity.wait_random_exponential(
            multiplier=self.access.retry_wait_s, max=self.access.retry_max_wait_s
        )
        self.session = requests.Session()
        adapter = CheckedAdapter(self.allowed, self.access.connections_per_host)
        for scheme in _SCHEMES:
            self.session.mount(f"{scheme}://", adapter)

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the response of a request that succeeded, with its body.

        Raises
        ------
        CatalogError
            For a host that must not or cannot be reached, a status that does not pass, or one that did not in
            all attempts, and a body above ``catalog.max_document_mb``.
        """
        limit = int(self.access.max_document_mb * 2**20)
        return self._retried(self._document, method, url, limit, json=json, params=params, headers=headers)

    def part(self, url: str, start: int, length: int, headers: Mapping[str, str] | None = None) -> Part:
        """Return a range of a file by one request, or more where they fail in a way that may pass.

        Parameters
        ----------
        url : str
            Signed, if it needs to be.
        start, length : int
            First byte and number of bytes; a range that begins beyond the end of the file is empty.
        headers : mapping, optional
            More headers.

        Raises
        ------
        HttpError
            For a status that does not pass; its ``status`` is 401 or 403 where access is refused.
        CatalogError
            As :meth:`request`, and for a server that does not answer ranges.
        """
        asked = {"Range": f"bytes={start}-{start + length - 1}", "Accept-Encoding": "identity", **(headers or {})}
        return self._retried(self._part, "GET", url, start, length, headers=asked)

    def _retried(self, once: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.access.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(TransientError),
            reraise=True,
        )
        try:
            return retrying(once, method, url, *args, **kwargs)
        except TransientError as error:
            raise CatalogError(
                f"{host_of(url)} failed {self.access.attempts} times in a row ({error}); try again later, "
                "or raise the setting catalog.attempts"
            ) from None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TransientError) and error.retry_after_s is not None:
            return min(error.retry_after_s, self.access.retry_max_wait_s)
        return self._backoff(state)

    def _document(self, method: str, url: str, limit: int, **kwargs: Any) -> requests.Response:
        with self._answered(method, url, **kwargs) as response:
            response._content = _body(  # noqa: SLF001  what `content` and `json` go by
                response, limit, self._too_large(url)
            )
            return response

    def _part(self, method: str, url: str, start: int, length: int, **kwargs: Any) -> Part:
        with self._answered(method, url, accept=416, **kwargs) as response:
            version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            first, total = _content_range(response)
            if response.status_code == 416 and total is not None:
                return Part(b"", start, total, version)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise CatalogError(
                    f"{host_of(url)} answers with a web page, as archives do that want a login; put it into ~/.netrc "
                    "of the workers (see `icefront providers`), or check the address"
                )
            if response.status_code != 206 or first != start or total is None:
                raise CatalogError(
                    f"{host_of(url)} does not answer requests for a part of a file; serve it by a server that "
                    "does, such as nginx, or copy it here"
                )
            data = _body(response, length, TransientError("more than was asked for"))
            if len(data) != min(length, total - start):
                raise TransientError("the answer broke off")
            return Part(data, start, total, version)

    def _too_large(self, url: str) -> CatalogError:
        return CatalogError(
            f"{host_of(url)} answers with more than {self.access.max_document_mb:g} MB; search a smaller part, or "
            "raise the setting catalog.max_document_mb"
        )

    @contextmanager
    def _answered(self, method: str, url: str, accept: int = 0, **kwargs: Any) -> Iterator[requests.Response]:
        """Yield an answer that is one, with its body unread; redirects are checked and followed."""
        for _ in range(_MAX_REDIRECTS + 1):
            with self._sent(method, url, **kwargs) as response:
                status = response.status_code
                if status not in _REDIRECTS or "Location" not in response.headers:
                    if not response.ok and status != accept:
                        self._raise(url, response)
                    yield response
                    return
                _drain(response)
                url = self._redirected(url, response.headers["Location"])
            if status not in {307, 308}:
                method = "GET"
                kwargs.pop("json", None)
            kwargs.pop("params", None)
        raise CatalogError(f"{host_of(url)} redirects more than {_MAX_REDIRECTS} times; check the address")

    @contextmanager
    def _sent(self, method: str, url: str, **kwargs: Any) -> Iterator[requests.Response]:
        """Send one request through the host's gate and yield its answer, which is closed afterwards."""
        if why := self._fault_of(url):
            raise HostError(f"{host_of(url)} is refused: {why}")
        with (
            self._gate(url).passing(),
            causes(url, self.access.timeout_s),
            self.session.request(
                method, url, timeout=self.access.timeout_s, allow_redirects=False, stream=True, **kwargs
            ) as response,
        ):
            yield response

    def _raise(self, url: str, response: requests.Response) -> None:
        status = response.status_code
        body = _drain(response)
        if status not in _TRANSIENT_STATUS:
            raise HttpError(refusal(url, status, body), status)
        wait = retry_after_s(response.headers.get("Retry-After"))
        if wait is not None:
            self._gate(url).pause(min(wait, self.access.retry_max_wait_s))
        raise TransientError(f"HTTP {status}", wait)

    def _gate(self, url: str) -> Gate:
        return gate(urlsplit(url).netloc.lower(), self.access.connections_per_host)

    def _redirected(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        why = self._fault_of(target)
        if why is None and (urlsplit(url).scheme, urlsplit(target).scheme) == ("https", "http"):
            why = "it is not encrypted"
        if why is not None:
            raise HostError(f"{host_of(url)} redirects to {host_of(target)}, which is refused: {why}")
        return target

    def _fault_of(self, url: str) -> str | None:
        """Return why a URL must not be requested."""
        try:
            parts = urlsplit(url)
            if parts.scheme not in _SCHEMES:
                return f"its scheme is {parts.scheme!r}"
            if parts.username is not None or parts.password is not None:
                return "it carries a user name or password"
            check_host(parts.hostname or "", parts.port, self.allowed)
        except ValueError:
            return "it is not a URL"
        except HostError as error:
            return str(error)
        return None


def _body(response: requests.Response, limit: int, too_large: Exception) -> bytes:
    """Return the body of at most so many bytes."""
    chunks, size = [], 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def _drain(response: requests.Response) -> bytes:
    """Read the short body of an answer that is not wanted, so that its connection can be used again."""
    return bytes(response.raw.read(_CHUNK, decode_content=True))


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return first byte and size of the file that an answer states."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    return None if match.group(1) is None else int(match.group(1)), int(match.group(2))


_clients: dict[tuple[int, Access], Http] = {}
_clients_lock = threading.Lock()


def http_for(access: Access) -> Http:
    """Return this process's client of an access, whose connections all readers share."""
    key = (os.getpid(), access)  # connections must not be used on both sides of a fork
    with _clients_lock:
        if key not in _clients:
            _clients[key] = Http(access)
        return _clients[key]
