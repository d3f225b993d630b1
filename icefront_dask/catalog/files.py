"""Items in files: stac-geoparquet, a static catalogue, an ItemCollection, newline-delimited JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from icefront_dask.catalog.hrefs import check_href, is_url, resolve_href
from icefront_dask.catalog.items import Items, read_table
from icefront_dask.catalog.page import Page
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from icefront_dask.catalog.filters import Interval
    from icefront_dask.catalog.http import Http

__all__ = ["Documents", "ParquetIndex"]

_MAX_DEPTH = 32
_ROWS = 1000  # a page


class ParquetIndex:
    """A stac-geoparquet file; rows become dictionaries only where collection, time and footprint fit."""

    def __init__(self, path: Path) -> None:
        self.base = str(path)
        self.roots: tuple[Path, ...] = (path.resolve().parent,)
        self._items = Items(read_table(path))
        self._footprints = self._items.footprints
        west, _, east, _ = shapely.bounds(self._footprints).T
        self._plain = east - west < 180.0  # the others may cross ±180° without a split, or are empty

    def collections(self) -> list[str]:
        """Return the ids of the collections that the file holds."""
        return sorted(set(self._items.collections) - {""})

    def pages(
        self,
        geometry: Any,
        collections: Sequence[str] | None,
        span: Interval | None,
        query: Mapping[str, Any] | None,
        start: Mapping[str, Any] | None = None,
    ) -> Iterator[Page]:
        """Yield the items whose collection, footprint and time fit, each with the place it was read from."""
        del query, start
        shapely.prepare(geometry)
        keep = ~self._plain | shapely.intersects(geometry, self._footprints)
        if collections:
            keep &= np.isin(self._items.collections, list(collections))
        if span is not None and "datetime" in self._items.table.column_names:
            keep &= _in_span(self._items.table["datetime"], span)
        rows = np.flatnonzero(keep).tolist()
        for first in range(0, len(rows), _ROWS):
            yield Page([(item, self.base) for item in self._items.to_dicts(rows[first : first + _ROWS])])


def _in_span(column: Any, span: Interval) -> Any:
    keep = np.ones(len(column), dtype=bool)
    for edge, compare in ((span[0], pc.greater_equal), (span[1], pc.less_equal)):
        if edge is not None:
            inside = pc.fill_null(compare(column, pa.scalar(edge.to_pydatetime(), type=column.type)), True)
            keep &= np.asarray(inside.to_pylist(), dtype=bool)
    return keep


class Documents:
    """JSON documents: an item, an ItemCollection, NDJSON, or a catalogue whose links are followed.

    Parameters
    ----------
    source : str
        URL or local path.
    http : Http
        Session for URLs.
    root : mapping, optional
        The first document, when it was read already.
    """

    def __init__(self, source: str, http: Http, root: Mapping[str, Any] | None = None) -> None:
        self.base = source
        self._http = http
        self._host = urlsplit(source)[:2]
        self.roots: tuple[Path, ...] = () if is_url(source) else (Path(source).resolve().parent,)
        self._items: list[tuple[dict[str, Any], str]] | None = None
        self._root = root

    def _all(self) -> list[tuple[dict[str, Any], str]]:
        if self._items is None:
            lines = Path(self.base).suffix in {".ndjson", ".jsonl", ".geojsonl"} and not is_url(self.base)
            self._items = list(self._lines()) if lines else list(self._walk(self.base, set(), 0, self._root))
        return self._items

    def collections(self) -> list[str]:
        """Return the ids of the collections that occur."""
        return sorted({str(item.get("collection")) for item, _ in self._all() if item.get("collection")})

    def pages(
        self,
        geometry: Any,
        collections: Sequence[str] | None,
        span: Interval | None,
        query: Mapping[str, Any] | None,
        start: Mapping[str, Any] | None = None,
    ) -> Iterator[Page]:
        """Yield all items of the collections in one page, each with the place it was read from."""
        del geometry, span, query, start
        yield Page([pair for pair in self._all() if not collections or pair[0].get("collection") in collections])

    def _lines(self) -> Iterator[tuple[dict[str, Any], str]]:
        with Path(self.base).open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield from self._of(_parsed(line, f"line {number} of {self.base}"), self.base, set(), 0)

    def _walk(
        self, place: str, seen: set[str], depth: int, document: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[dict[str, Any], str]]:
        if place in seen:
            return
        seen.add(place)
        if depth > _MAX_DEPTH:
            raise CatalogError(f"{place} lies more than {_MAX_DEPTH} links deep in {self.base}; search a part of it")
        yield from self._of(document or self._read(place), place, seen, depth)

    def _of(
        self, document: Mapping[str, Any], place: str, seen: set[str], depth: int
    ) -> Iterator[tuple[dict[str, Any], str]]:
        kind = document.get("type")
        if kind == "Feature":
            yield dict(document), place
        elif kind == "FeatureCollection":
            yield from ((dict(item), place) for item in document.get("features", ()))
        elif kind in {"Catalog", "Collection"}:
            for link in document.get("links", ()):
                if link.get("rel") in {"child", "item", "items"}:
                    yield from self._walk(self._follow(link["href"], place), seen, depth + 1)
        else:
            raise CatalogError(
                f"{place} is not STAC: its type is {kind!r}; give an API, a catalogue, an ItemCollection, "
                "NDJSON or stac-geoparquet"
            )

    def _follow(self, href: str, place: str) -> str:
        target = resolve_href(href, place, self.roots, owner=f"link in {place}", allow_hosts=self._http.allowed)
        if is_url(target) and urlsplit(target)[:2] != self._host:
            raise CatalogError(
                f"{place} links to another host, {urlsplit(target).hostname!r}; search that one by its own address"
            )
        return target

    def _read(self, place: str) -> dict[str, Any]:
        if is_url(place):
            return _parsed(self._http.request("GET", check_href(place, allow_hosts=self._http.allowed)).content, place)
        path = Path(place)
        if not path.is_file():
            raise CatalogError(f"there is no file {place}; check the path")
        return _parsed(path.read_bytes(), place)


def _parsed(text: str | bytes, place: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{place} is not JSON ({error}); give a STAC document") from error
    if not isinstance(document, dict):
        raise CatalogError(f"{place} is not a JSON object; give a STAC document")
    return document
