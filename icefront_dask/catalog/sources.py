"""What ``search`` can read: the shape of a source, and which source an address names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from icefront_dask.catalog.api import Api
from icefront_dask.catalog.files import Documents, ParquetIndex, is_lines, is_table
from icefront_dask.catalog.hrefs import check_href, is_url
from icefront_dask.catalog.http import Http
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from icefront_dask.catalog.filters import Interval
    from icefront_dask.catalog.page import Page

__all__ = ["Source", "open_source"]


class Source(Protocol):
    """A catalogue of items."""

    roots: tuple[Path, ...]
    """Folders below which the hrefs of its items may name local files."""

    def announce(self, geometries: Sequence[Any]) -> None:
        """Say which geometries will be asked for, one after the other."""

    def collections(self) -> list[str]:
        """Return the ids of its collections, as far as it lists them."""

    def pages(
        self,
        geometry: Any,
        collections: Sequence[str] | None,
        span: Interval | None,
        query: Mapping[str, Any] | None,
        start: Mapping[str, Any] | None = None,
    ) -> Iterator[Page]:
        """Yield pages of items, at least those that match, from the page on that `start` leads to."""


def open_source(source: str) -> Source:
    """Return the catalogue that a URL or path names.

    Raises
    ------
    CatalogError
        For an address that cannot be reached or read, or does not answer with STAC.
    """
    if not is_url(source):
        path = Path(source.removeprefix("file://"))
        if path.is_dir():
            path = path / "catalog.json"
        if not path.exists():
            raise CatalogError(f"there is no catalogue {path}; give the URL of a STAC API or the path of a file")
        return ParquetIndex(str(path)) if is_table(str(path)) else Documents(str(path), Http())
    if is_table(source):
        return ParquetIndex(source)
    http = Http(named=[source])
    if is_lines(source):
        return Documents(source, http)
    response = http.request("GET", check_href(source, owner="catalogue", allow_hosts=http.allowed))
    if response.url.rstrip("/") != source.rstrip("/"):
        source = response.url  # it was sent on, to a host that was checked: links are relative to there, and stay there
    try:
        root = response.json()
        relations = {link.get("rel") for link in root.get("links") or ()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise CatalogError(
            f"{source} does not answer with STAC; give the landing page of a STAC API or a catalogue"
        ) from error
    return Api(source, root, http) if "search" in relations else Documents(source, http, root)
