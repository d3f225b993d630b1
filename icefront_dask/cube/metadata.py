"""Small files beside the pixels, which a worker reads once: radar annotation, Landsat metadata."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from icefront_dask.catalog import remote
from icefront_dask.catalog.access import Access
from icefront_dask.catalog.hosts import HostError
from icefront_dask.catalog.hrefs import check_href, is_url
from icefront_dask.errors import CatalogError, ReadError

__all__ = ["MAX_BYTES", "fetch", "load_mtl"]

MAX_BYTES = 32 * 2**20  # the largest annotation of a radar scene has 5 MB
_KEPT = 64


def fetch(href: str, label: str, access: Access | None = None) -> bytes:
    """Return the content of a small file.

    Parameters
    ----------
    href : str
        Unsigned URL (http, https, s3, gs, az) or absolute local path.
    label : str
        What it belongs to, for messages.
    access : Access, optional
        How to fetch and sign; default: the configuration.

    Raises
    ------
    ReadError
        If it cannot be read, or is larger than :data:`MAX_BYTES`.
    CatalogError
        For an href that may not be opened.
    """
    if not is_url(href):
        check_href(href, owner=label)
        return _local(Path(href.removeprefix("file://")), label)
    try:
        return remote.fetch(href, access or Access.resolve(), label, limit=MAX_BYTES)
    except HostError:
        raise
    except CatalogError as error:
        raise ReadError(f"{label}: {href} cannot be read: {error}") from None


@functools.lru_cache(maxsize=_KEPT)
def load_mtl(href: str, label: str, access: Access | None = None) -> dict[str, Any]:
    """Return a Landsat metadata file (MTL, JSON).

    Raises
    ------
    ReadError
        If it cannot be read, or is no JSON object.
    """
    content = fetch(href, label, access)
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise ReadError(f"{label}: {href} is no JSON ({error}); fetch it again or leave the item out") from None
    if not isinstance(parsed, dict):
        raise ReadError(f"{label}: {href} is no Landsat metadata file; correct the item or leave it out")
    return parsed


def _local(path: Path, label: str) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadError(f"{label}: {path} cannot be read ({error.strerror}); leave the item out") from None
    if len(content) > MAX_BYTES:
        raise ReadError(f"{label}: {path} is larger than {MAX_BYTES} bytes, no metadata file; leave the item out")
    return content
