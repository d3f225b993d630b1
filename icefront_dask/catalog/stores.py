"""Objects of S3, Google Cloud Storage and Azure by URLs of HTTP, signed for a while where there are credentials."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BUCKETS", "StoreSigner", "azure_account"]

BUCKETS: Mapping[str, tuple[str, bool]] = {
    "usgs-landsat": ("us-west-2", True),
    "sentinel-s1-l1c": ("eu-central-1", True),
    "sentinel-s1-rtc-indigo": ("us-west-2", False),
    "sentinel-cogs": ("us-west-2", False),
    "copernicus-dem-30m": ("eu-central-1", False),
}
"""Region of known buckets of S3, and whether the requester pays."""

_LIFETIME = dt.timedelta(hours=1)
_KEPT_S = 3000.0
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_YES = {"1", "true", "yes", "on"}


class StoreSigner:
    """Signs objects with the credentials that the process has (``AWS_*``, ``GOOGLE_*``, ``AZURE_*``).

    Signing is arithmetic: nothing is asked for, save short-lived credentials where the platform hands these out
    (web identity, container roles). Without credentials objects are asked for as anybody may.

    Parameters
    ----------
    anonymous : bool
        Do not sign, whatever credentials there are.
    """

    def __init__(self, *, anonymous: bool = False) -> None:
        self._anonymous = anonymous
        self._stores: dict[tuple[str, str], Any] = {}
        self._urls: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def signs(href: str) -> bool:
        """Return whether an href names an object of a store."""
        return href.startswith(("s3://", "gs://", "az://"))

    def sign(self, href: str) -> str:
        """Return the URL of HTTP of an object, which is good for an hour where it is signed.

        Raises
        ------
        CatalogError
            For an object of a bucket whose requester pays without credentials, of Azure without an account, and
            where the credentials cannot be had.
        """
        with self._lock:
            known = self._urls.get(href)
            if known is not None and known[1] > time.monotonic():
                return known[0]
            url = self._signed(href)
            if len(self._urls) > 4096:
                self._urls.clear()
            self._urls[href] = (url, time.monotonic() + _KEPT_S)
            return url

    def forget(self, href: str, refused: str | None = None) -> None:
        """Sign an object anew the next time, unless its URL is another one than that refused."""
        with self._lock:
            known = self._urls.get(href)
            if known is not None and refused in {None, known[0]}:
                del self._urls[href]
                parts = urlsplit(href)
                self._stores.pop((parts.scheme, parts.netloc), None)

    def _signed(self, href: str) -> str:
        parts = urlsplit(href)
        scheme, bucket, key = parts.scheme, parts.netloc, parts.path.lstrip("/")
        pays = scheme == "s3" and BUCKETS.get(bucket, ("", False))[1]
        if self._anonymous or not _has_credentials(scheme):
            if pays:
                raise CatalogError(
                    f"{href}: the requester pays for bucket {bucket!r}, which takes credentials; set "
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY on the workers, or let them have a role, and "
                    "catalog.signing: auto"
                )
            return _public(scheme, bucket, key)
        try:
            store = self._stores.get((scheme, bucket))
            if store is None:
                store = self._stores[scheme, bucket] = _store(scheme, bucket)
            return str(obstore.sign(store, "GET", key, _LIFETIME))
        except (BaseError, OSError, ValueError) as error:
            raise CatalogError(
                f"{href} cannot be signed ({type(error).__name__}); check the credentials of the workers"
            ) from None

    def __repr__(self) -> str:
        return f"StoreSigner(anonymous={self._anonymous})"

    def __reduce__(self) -> tuple[Any, tuple[bool]]:
        """Pickle without URLs: each process signs its own."""
        return _unpickled, (self._anonymous,)


def _unpickled(anonymous: bool) -> StoreSigner:
    return StoreSigner(anonymous=anonymous)


def _has_credentials(scheme: str) -> bool:
    if scheme == "s3":
        refused = os.environ.get("AWS_SKIP_SIGNATURE", os.environ.get("AWS_NO_SIGN_REQUEST", "")).lower() in _YES
        return not refused and any(os.environ.get(name) for name in _CREDENTIALS)
    if scheme == "gs":
        return bool(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or os.environ.get("GOOGLE_SERVICE_ACCOUNT"))
    return bool(os.environ.get("AZURE_STORAGE_ACCOUNT_KEY") or os.environ.get("AZURE_STORAGE_ACCESS_KEY"))


def _endpoint() -> str | None:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((os.environ[name].rstrip("/") for name in names if os.environ.get(name)), None)


def _region(bucket: str) -> str:
    known = BUCKETS.get(bucket)
    return known[0] if known else os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def azure_account() -> str:
    """Return the account of Azure that the process works with, which its URLs do not name.

    Raises
    ------
    CatalogError
        If the environment does not name it.
    """
    account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME") or os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise CatalogError("az:// names a container, and no account; set AZURE_STORAGE_ACCOUNT_NAME on the workers")
    return account


def _store(scheme: str, bucket: str) -> Any:
    if scheme == "gs":
        return GCSStore(bucket)
    if scheme == "az":
        return AzureStore(bucket, account_name=azure_account())
    endpoint = _endpoint()
    options: dict[str, Any] = {} if endpoint is None else {"endpoint": endpoint}
    if endpoint is not None and endpoint.startswith("http://"):
        options["client_options"] = {"allow_http": True}
    return S3Store(bucket, region=_region(bucket), request_payer=BUCKETS.get(bucket, ("", False))[1], **options)


def _public(scheme: str, bucket: str, key: str) -> str:
    path = quote(key)
    if scheme == "gs":
        return f"https://storage.googleapis.com/{bucket}/{path}"
    if scheme == "az":
        return f"https://{azure_account()}.blob.core.windows.net/{bucket}/{path}"
    endpoint = _endpoint()
    if endpoint is not None:
        return f"{endpoint}/{bucket}/{path}"
    if bucket in BUCKETS:
        return f"https://s3.{_region(bucket)}.amazonaws.com/{bucket}/{path}"
    return f"https://{bucket}.s3.amazonaws.com/{path}"  # leads to the bucket's region by itself
