"""Which hrefs may be opened, where a relative one leads, and what a stored one must not carry."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit, urlunsplit

from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SCHEMES", "check_href", "is_url", "resolve_href", "unsigned"]

SCHEMES = ("https", "http", "s3", "gs", "az", "abfs")
_SIGNATURES = {"sig", "signature", "x-amz-signature", "x-goog-signature", "x-oss-signature", "token"}
_VSI = re.compile(
    r"/vsi(curl|s3|gs|az|adls|oss|swift|zip|gzip|tar|7z|rar|mem|std|sub|sparse|crypt|cached|hdfs|webhdfs|pmtiles)",
    re.IGNORECASE,
)
_CONNECTION = re.compile(r"^[^/]*[:<>]")  # GDAL reads DRIVER:name and XML as data sets
_WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


def is_url(href: str) -> bool:
    """Return whether an href names a remote resource."""
    return "://" in href and not href.startswith("file://")


def check_href(href: str, *, owner: str = "href") -> str:
    """Return an absolute href unchanged, or refuse it.

    Parameters
    ----------
    href : str
        Absolute URL, or absolute local path.
    owner : str
        What the href belongs to, for the message.

    Raises
    ------
    CatalogError
        For GDAL's virtual file systems and other unknown schemes, user names and passwords in a URL, parent
        folders in its path and control characters.
    """

    def refuse(why: str) -> CatalogError:
        shown = href if "@" not in href else href.split("@", 1)[1]
        return CatalogError(f"{owner}: refused to open {shown!r}: {why}")

    if not href or any(ord(c) < 32 for c in href):
        raise refuse("it is empty or holds control characters; correct the catalogue")
    decoded = unquote(href)
    if _VSI.search(decoded) or "\\" in decoded:
        raise refuse("it names one of GDAL's virtual file systems or a foreign path; give a plain URL or path")
    if not is_url(href):
        if not href.startswith("/"):
            raise refuse("it is neither a URL nor an absolute path; give one of these")
        return href
    parts = urlsplit(href)
    if parts.scheme not in SCHEMES:
        raise refuse(f"its scheme {parts.scheme!r} is not one of {', '.join(SCHEMES)}")
    if parts.username is not None or parts.password is not None:
        raise refuse("it carries a user name or password; take it out and use a signing method")
    if not parts.hostname:
        raise refuse("it names no host")
    if ".." in unquote(parts.path).split("/"):
        raise refuse("its path climbs to a parent folder; write the path out")
    return href


def resolve_href(href: str, base: str, roots: Iterable[Path] = (), *, owner: str = "href") -> str:
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

    Raises
    ------
    CatalogError
        As :func:`check_href`; also for a local file outside `roots`, and for any local file named by a remote
        catalogue when there are no roots.
    """
    if is_url(href):
        return check_href(href, owner=owner)
    local = href.removeprefix("file://")
    if not _is_absolute(local) and _CONNECTION.match(local):
        raise CatalogError(f"{owner}: refused to open {href!r}: it is not a path; give a plain URL or path")
    if is_url(base) and not href.startswith("file://") and not _is_absolute(local):
        parts = urlsplit(urljoin(base, local))
        plain = parts._replace(path=posixpath.normpath(parts.path))
        return check_href(urlunsplit(plain), owner=owner)
    check_href(local if _is_absolute(local) else f"/{local}", owner=owner)
    path = Path(local) if _is_absolute(local) else Path(base).parent / local
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
