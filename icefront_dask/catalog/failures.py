"""What a failed request means: whether it may pass, what the server wishes, and how it is told without a secret."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HttpError", "TransientError", "causes", "host_of", "refusal", "retry_after_s"]


class HttpError(CatalogError):
    """A status that does not pass; ``status`` is its number."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class TransientError(Exception):
    """A failure that may pass, with the server's wish for how long to wait."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@contextmanager
def causes(url: str, timeout_s: float) -> Iterator[None]:
    """Turn the client library's errors of a block into ours: those that may pass, and those that do not.

    Raises
    ------
    TransientError
        For read time-outs, resets and bodies that broke off.
    CatalogError
        For a host that cannot be reached, and anything else.
    """
    try:
        yield
    except requests.exceptions.ReadTimeout:
        raise TransientError(f"no answer in {timeout_s:g} s") from None
    except requests.exceptions.ChunkedEncodingError:
        raise TransientError("the answer broke off") from None
    except requests.exceptions.ConnectionError as error:
        if _is_reset(error):
            raise TransientError("connection reset") from None
        if _is_read_timeout(error):
            raise TransientError(f"no answer in {timeout_s:g} s") from None
        raise CatalogError(
            f"cannot reach {host_of(url)} ({_plain(error)}); check the address and the network"
        ) from None
    except requests.exceptions.RequestException as error:
        raise CatalogError(f"request to {host_of(url)} failed: {_plain(error)}; check the address") from None


def host_of(url: str) -> str:
    """Return a URL for a message: without query, user name and password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header, which holds a number or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((when - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def refusal(url: str, status: int, body: bytes) -> str:
    """Say what a final status means and what to do."""
    host = host_of(url)
    try:
        said = json.loads(body)
        detail = str(said.get("description") or said.get("detail") or said)[:300] if isinstance(said, dict) else ""
    except (ValueError, RecursionError):
        detail = ""
    detail = f": {detail}" if detail else ""
    if status in {401, 403}:
        return f"{host} refuses access (HTTP {status}){detail}; check credentials and the setting catalog.signing"
    if status == 404:
        return f"{host} does not exist (HTTP 404){detail}; check the address"
    return f"{host} refuses the request (HTTP {status}){detail}; correct what was asked for"


def _plain(error: BaseException) -> str:
    """Return the innermost cause in few words, without the URL, which may carry a token."""
    reason: Any = error
    while reason.args and isinstance(reason.args[0], BaseException):
        reason = reason.args[0]
    reason = getattr(reason, "reason", None) or reason
    text = str(reason).rsplit(": ", maxsplit=1)[-1]
    return text if "?" not in text else type(reason).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: Any = error
    while isinstance(seen, BaseException):
        yield seen
        seen = next((a for a in seen.args if isinstance(a, BaseException)), None) or getattr(seen, "reason", None)


def _is_reset(error: BaseException) -> bool:
    """Return whether an established connection was lost, in contrast to one that was never made."""
    lost = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
    return any(
        isinstance(e, lost) or type(e).__name__ in {"RemoteDisconnected", "IncompleteRead"} for e in _chain(error)
    )


def _is_read_timeout(error: BaseException) -> bool:
    return any(type(e).__name__ == "ReadTimeoutError" for e in _chain(error))
