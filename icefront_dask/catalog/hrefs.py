"""Which hrefs may be opened, where a relative one leads, and what a stored one must not carry."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit, urlunsplit

from icefront_dask.catalog.hosts import HostError, check_host
from icefront_dask.config import section
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

__all__ = ["SCHEMES", "check_href", "check_local", "is_url", "resolve_href", "unsigned"]

SCHEMES = ("https", "http", "s3", "gs", "az")
_STORES = ("s3", "gs", "az")  # whose "host" is the name of a bucket
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
_MAX_CHARACTERS = 2048
_SIGNATURES = {
    "sig", "signature", "x-amz-signature", "x-goog-signature", "x-oss-signature", "x-amz-security-token",
    "token", "access_token", "api_key", "apikey", "api-key", "subscription-key", "jwt",
}  # fmt: skip
_VSI = re.compile(
    r"/vsi(curl|s3|gs|az|adls|oss|swift|zip|gzip|tar|7z|rar|mem|std|sub|sparse|crypt|cached|hdfs|webhdfs|pmtiles)",
    re.IGNORECASE,
)
_CONNECTION = re.compile(r"^[^/]*[:<>]")  # GDAL reads DRIVER:name and XML as data sets
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


def is_url(href: str) -> bool:
    """Return whether an href names a remote resource."""
    return "://" in href and not href.startswith("file://")


def check_href(href: str, *, owner: str = "href", allow_hosts: Iterable[str] | None = None) -> str:
    """Return an absolute href unchanged, or refuse it. No name is resolved and no socket opened.

    Parameters
    ----------
    href : str
        Absolute URL, or absolute local path.
    owner : str
        What the href belongs to, for the message.
    allow_hosts : iterable of str, optional
        Hosts that may be private ones; ``catalog.allow_hosts`` without it.

    Raises
    ------
    CatalogError
        For GDAL's virtual file systems and other unknown schemes, user names and passwords in a URL, literal
        addresses and hosts of private networks, parent folders in its path and control characters.
    """
    why = _fault_of_text(href)
    if why is None and is_url(href):
        why = _fault_of_url(href, section("catalog")["allow_hosts"] if allow_hosts is None else allow_hosts)
    if why is not None:
        shown = href[:200] if "@" not in href else href.split("@", 1)[1][:200]
        raise CatalogError(f"{owner}: refused to open {shown!r}: {why}")
    return href


def _fault_of_text(href: str) -> str | None:
    """Return what is wrong with an href whatever it names."""
    plain = href if is_url(href) else href.replace(" ", "")
    if not href or _UNPRINTABLE.search(plain):
        return "it is empty or holds spaces or control characters; correct the catalogue"
    if len(href) > _MAX_CHARACTERS:
        return f"it has {len(href)} characters; correct the catalogue"
    decoded = _decoded(href)
    if _VSI.search(decoded) or "\\" in decoded:
        return "it names one of GDAL's virtual file systems or a foreign path; give a plain URL or path"
    if not is_url(href) and not href.removeprefix("file://").startswith("/"):
        return "it is neither a URL nor an absolute path; give one of these"
    return None


def _fault_of_url(href: str, allow_hosts: Iterable[str]) -> str | None:
    """Return what is wrong with a URL."""
    try:
        parts = urlsplit(href)
        port = parts.port
    except ValueError:
        return "it is not a URL; correct the catalogue"
    faults = (
        (parts.scheme not in SCHEMES, f"its scheme {parts.scheme!r} is not one of {', '.join(SCHEMES)}"),
        (
            parts.username is not None or parts.password is not None,
            "it carries a user name or password; take it out and use a signing method",
        ),
        (not parts.hostname, "it names no host"),
        (".." in _decoded(parts.path).split("/"), "its path climbs to a parent folder; write the path out"),
        (bool(parts.fragment), "it has a fragment; take out what follows the #"),
    )
    found = next((why for wrong, why in faults if wrong), None)
    if found is not None or parts.hostname is None:
        return found
    if parts.scheme in _STORES:
        return None if _BUCKET.fullmatch(parts.netloc) else f"{parts.netloc!r} is not the name of a bucket"
    try:
        check_host(parts.hostname, port, allow_hosts)
    except HostError as error:
        return str(error)
    return None


def _decoded(text: str) -> str:
    """Return a text without percent encoding, however often it was encoded."""
    for _ in range(4):
        plain = unquote(text) if "%" in text else text
        if plain == text:
            break
        text = plain
    return text


def resolve_href(
    href: str,
    base: str,
    roots: Iterable[Path] = (),
    *,
    owner: str = "href",
    allow_hosts: Iterable[str] | None = None,
) -> str:
    """Return an href as an absolute URL or local path, checked.

    Parameters
    ----------
    href : str
        As the catalogue has it.
    base : str
        URL or local path of the file that holds it.
    roots : iterable of Path
        Folders below which local files may be opened.
    owner : str
        What the href belongs to, for the message.
    allow_hosts : iterable of str, optional
        As for :func:`check_href`.

    Raises
    ------
    CatalogError
        As :func:`check_href`; also for a local file outside `roots`, and for any local file named by a remote
        catalogue when there are no roots.
    """
    if is_url(href):
        return check_href(href, owner=owner, allow_hosts=allow_hosts)
    local = href.removeprefix("file://")
    if not _is_absolute(local) and _CONNECTION.match(local):
        raise CatalogError(f"{owner}: refused to open {href!r}: it is not a path; give a plain URL or path")
    if is_url(base) and not href.startswith("file://") and not _is_absolute(local):
        parts = urlsplit(urljoin(base, local))
        plain = parts._replace(path=posixpath.normpath(parts.path))
        return check_href(urlunsplit(plain), owner=owner, allow_hosts=allow_hosts)
    check_href(local if _is_absolute(local) else f"/{local}", owner=owner)
    return _below(Path(local) if _is_absolute(local) else Path(base).parent / local, roots, owner)


def check_local(items: Iterable[Mapping[str, Any]], folder: Path | None = None) -> None:
    """Refuse items that come from no search and name local files where none may be opened.

    Parameters
    ----------
    items : iterable of mapping
        STAC items with absolute hrefs.
    folder : Path, optional
        Of the file that the items are from, below which they may name files.

    Raises
    ------
    CatalogError
        For an asset that is a local file outside `folder` and outside the folders of ``catalog.allow_roots``.
    """
    roots = [Path(root) for root in section("catalog")["allow_roots"]] + ([folder] if folder is not None else [])
    for item in items:
        for key, asset in (item.get("assets") or {}).items():
            href = str(asset.get("href") or "") if isinstance(asset, dict) else ""
            local = href.removeprefix("file://")
            if not is_url(href) and _is_absolute(local):
                _below(Path(local), roots, f"item {item.get('id')!r}, asset {key!r}")


def _below(path: Path, roots: Iterable[Path], owner: str) -> str:
    """Return a path without links and parent folders if it lies below one of the roots; refuse it otherwise."""
    resolved = path.resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise CatalogError(
            f"{owner}: refused to open the local file {str(resolved)!r}: it lies outside the catalogue's own "
            "folder; name its folder in the setting catalog.allow_roots if that is meant"
        )
    return str(resolved)


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or bool(_WINDOWS_DRIVE.match(path))


def unsigned(href: str) -> str:
    """Return an href without the query that grants access to it, if it carries one."""
    parts = urlsplit(href)
    if not parts.query:
        return href
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return urlunsplit(parts._replace(query="", fragment="")) if names & _SIGNATURES else href
