"""HTTP with retries by cause: what may pass when tried again is tried again, nothing else."""

from __future__ import annotations

import datetime as dt
import email.utils
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import tenacity

from icefront_dask.config import section
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Http"]

_TRANSIENT_STATUS = {408, 429, *range(500, 600)} - {501, 505}
_MAX_REDIRECTS = 5


class _TransientError(Exception):
    """A failure that may pass, with the server's wish for how long to wait."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Http:
    """A session which tries 408, 429, 5xx, resets, read time-outs and truncated bodies again.

    Parameters
    ----------
    timeout_s : float, optional
        Of one request; ``catalog.timeout_s`` without it.
    attempts : int, optional
        Tries of one request; ``catalog.attempts`` without it.
    retry_wait_s, retry_max_wait_s : float, optional
        First wait, which doubles, and the longest; ``Retry-After`` goes before both, up to the longest.
    """

    def __init__(
        self,
        *,
        timeout_s: float | None = None,
        attempts: int | None = None,
        retry_wait_s: float | None = None,
        retry_max_wait_s: float | None = None,
    ) -> None:
        options = section(
            "catalog",
            timeout_s=timeout_s,
            attempts=attempts,
            retry_wait_s=retry_wait_s,
            retry_max_wait_s=retry_max_wait_s,
        )
        self.timeout_s = float(options["timeout_s"])
        self.attempts = int(options["attempts"])
        self.max_wait_s = float(options["retry_max_wait_s"])
        self._backoff = tenacity.wait_random_exponential(multiplier=float(options["retry_wait_s"]), max=self.max_wait_s)
        self.session = requests.Session()
        self.session.max_redirects = _MAX_REDIRECTS

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the response of a request that succeeded.

        Raises
        ------
        CatalogError
            For a host that cannot be reached, a status that does not pass, or one that did not in all
            attempts.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(_TransientError),
            reraise=True,
        )
        try:
            return retrying(self._once, method, url, json=json, params=params, headers=headers)
        except _TransientError as error:
            raise CatalogError(
                f"{_host(url)} failed {self.attempts} times in a row ({error}); try again later, "
                "or raise the setting catalog.attempts"
            ) from error

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _TransientError) and error.retry_after_s is not None:
            return min(error.retry_after_s, self.max_wait_s)
        return self._backoff(state)

    def _once(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        try:
            response = self.session.request(method, url, timeout=self.timeout_s, **kwargs)
        except requests.exceptions.ReadTimeout as error:
            raise _TransientError(f"no answer in {self.timeout_s:g} s") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise _TransientError("the answer broke off") from error
        except requests.exceptions.ConnectionError as error:
            if _is_reset(error):
                raise _TransientError("connection reset") from error
            raise CatalogError(
                f"cannot reach {_host(url)} ({_plain(error)}); check the address and the network"
            ) from error
        except requests.exceptions.RequestException as error:
            raise CatalogError(f"request to {_host(url)} failed: {_plain(error)}; check the address") from error
        if response.status_code in _TRANSIENT_STATUS:
            raise _TransientError(f"HTTP {response.status_code}", _retry_after_s(response))
        if not response.ok:
            raise CatalogError(_refusal(url, response))
        return response


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _plain(error: BaseException) -> str:
    """Return the innermost cause in few words, without the URL, which may carry a token."""
    reason: Any = error
    while reason.args and isinstance(reason.args[0], BaseException):
        reason = reason.args[0]
    reason = getattr(reason, "reason", None) or reason
    text = str(reason).rsplit(": ", maxsplit=1)[-1]
    return text if "?" not in text else type(reason).__name__


def _is_reset(error: BaseException) -> bool:
    """Return whether an established connection was lost, in contrast to one that was never made."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
            return True
        if type(seen).__name__ in {"RemoteDisconnected", "IncompleteRead"}:
            return True
        inner = next((a for a in seen.args if isinstance(a, BaseException)), None)
        seen = inner or getattr(seen, "reason", None)
        if not isinstance(seen, BaseException):
            return False
    return False


def _retry_after_s(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((when - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def _refusal(url: str, response: requests.Response) -> str:
    status, host = response.status_code, _host(url)
    try:
        body = response.json()
        detail = str(body.get("description") or body.get("detail") or body)[:300] if isinstance(body, dict) else ""
    except ValueError:
        detail = ""
    detail = f": {detail}" if detail else ""
    if status in {401, 403}:
        remedy = "check credentials and the setting catalog.signing"
        return f"{host} refuses access (HTTP {status}){detail}; {remedy}"
    if status == 404:
        return f"{host} does not exist (HTTP 404){detail}; check the address"
    return f"{host} refuses the request (HTTP {status}){detail}; correct what was asked for"
