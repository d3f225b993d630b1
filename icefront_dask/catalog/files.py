"""Items in files: stac-geoparquet, a static catalogue, an ItemCollection, newline-delimited JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.hrefs import check_href, is_url, resolve_href
from icefront_dask.catalog.items import REQUIRED, Items, concatenated, open_table
from icefront_dask.catalog.page import Page
from icefront_dask.catalog.remote import RemoteStream, remote_file
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from icefront_dask.catalog.filters import Interval
    from icefront_dask.catalog.http import Http

__all__ = ["Documents", "ParquetIndex", "is_lines", "is_table"]

_MAX_DEPTH = 32
_ROWS = 1000  # a page
_SCAN_ROWS = 65_536
_THREADS = 4


class ParquetIndex:
    """A stac-geoparquet file, however large: rows are read only where collection, time and footprint fit.

    One pass over a few columns finds the rows that may fit any of the regions which were announced; a second one
    reads these rows. Of a remote file only the parts are fetched that hold these columns and rows.

    Parameters
    ----------
    source : str
        Path or URL.
    """

    def __init__(self, source: str) -> None:
        self.base = source
        self.roots: tuple[Path, ...] = () if is_url(source) else (Path(source).resolve().parent,)
        self._file = open_table(source, _stream(source) if is_url(source) else None)
        self._found: tuple[Items, npt.NDArray[np.float64]] | None = None
        self._wanted: list[Any] = []

    def announce(self, geometries: Sequence[Any]) -> None:
        """Say which geometries will be asked for, so that the file is gone through once for all of them."""
        self._wanted, self._found = list(geometries), None

    def collections(self) -> list[str]:
        """Return the ids of the collections that the file holds."""
        if "collection" not in self._file.schema_arrow.names:
            return []
        found: set[str] = set()
        for batch in self._file.iter_batches(_SCAN_ROWS, columns=["collection"]):
            found |= set(pc.unique(batch["collection"]).to_pylist())
        return sorted(name for name in found if name)

    def pages(
        self,
        geometry: Any,
        collections: Sequence[str] | None,
        span: Interval | None,
        query: Mapping[str, Any] | None,
        start: Mapping[str, Any] | None = None,
    ) -> Iterator[Page]:
        """Yield the items whose collection, footprint and time fit, each with the place it was read from."""
        del start
        if not any(geometry.equals(known) for known in self._wanted):
            self.announce([geometry])
        items, bounds = self._candidates()
        keep = _near(bounds, geometry)
        if collections:
            keep &= np.isin(items.collections, list(collections))
        timed = "datetime" in items.table.column_names and not items.table["datetime"].null_count
        if span is not None and "datetime" in items.table.column_names:
            keep &= _in_span(items.table["datetime"], span)
        shapely.prepare(geometry)
        rows = np.flatnonzero(keep)
        rows = rows[_across(bounds[rows]) | shapely.intersects(geometry, items.take(rows).footprints)]
        found = items.take(rows)
        if not query and (span is None or timed):
            yield Page([], table=(found, self.base))
            return
        for first in range(0, len(rows), _ROWS):
            last = min(first + _ROWS, len(rows))
            yield Page([(item, self.base) for item in found.to_dicts(range(first, last))])

    def _candidates(self) -> tuple[Items, npt.NDArray[np.float64]]:
        """Return the items near any announced geometry, and their bounds in longitude and latitude."""
        if self._found is None:
            groups = range(self._file.num_row_groups)
            if is_url(self.base):
                read = [self._rows_near(self._file, group) for group in groups]
            else:
                read = self._rows_near_in_threads(groups)
            parts = [part for part, _ in read if part is not None]
            bounds = [extent for _, extent in read]
            table = concatenated(parts)
            self._found = Items(table), np.concatenate(bounds) if bounds else np.empty((0, 4))
        return self._found

    def _rows_near_in_threads(self, groups: Sequence[int]) -> list[tuple[pa.Table | None, npt.NDArray[np.float64]]]:
        """Read groups side by side: Arrow decodes the fields of one struct column one after the other."""
        own = threading.local()

        def near(group: int) -> tuple[pa.Table | None, npt.NDArray[np.float64]]:
            if not hasattr(own, "file"):
                own.file = pq.ParquetFile(self.base, metadata=self._file.metadata)
            return self._rows_near(own.file, group)

        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            return list(pool.map(near, groups))

    def _rows_near(self, file: pq.ParquetFile, group: int) -> tuple[pa.Table | None, npt.NDArray[np.float64]]:
        """Return the rows of one group that are near any announced geometry, and their bounds."""
        shapes = Items(file.read_row_group(group, columns=list(REQUIRED[:2])), partial=True).footprints
        extent = shapely.bounds(shapes)
        near = np.zeros(len(extent), dtype=bool)
        for geometry in self._wanted:
            near |= _near(extent, geometry)
        if not near.any():
            return None, extent[near]
        return file.read_row_group(group).filter(pa.array(near)), extent[near]


def _stream(url: str) -> RemoteStream:
    """Return a file that the user has named himself, wherever it is."""
    access = Access.resolve()
    if url.startswith(("https://", "http://")):
        access = dataclasses.replace(access, allow_hosts=access.trusted(url))
    return RemoteStream(remote_file(url, access, "catalogue"))


def _across(bounds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which boxes are empty, or of footprints that may cross ±180° without a split, or lie beyond."""
    west, _, east, _ = bounds.T
    return np.asarray(~((east - west < 180.0) & (west >= -180.0) & (east <= 180.0)), dtype=bool)


def _near(bounds: npt.NDArray[np.float64], geometry: Any) -> npt.NDArray[np.bool_]:
    """Return which boxes meet a box of the geometry's parts; empty ones and those across ±180° always do."""
    west, south, east, north = bounds.T
    near = _across(bounds)
    for part in getattr(geometry, "geoms", [geometry]):
        left, low, right, high = part.bounds
        near |= (west <= right) & (east >= left) & (south <= high) & (north >= low)
    return np.asarray(near, dtype=bool)


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
            found = self._lines() if is_lines(self.base) else self._walk(self.base, set(), 0, self._root)
            self._items = list(found)
        return self._items

    def announce(self, geometries: Sequence[Any]) -> None:
        """Do nothing: all items are read at once."""

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
        for number, line in enumerate(self._bytes(self.base).splitlines(), start=1):
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
            yield from self._pages(document, place, seen)
        elif kind in {"Catalog", "Collection"}:
            for link in document.get("links", ()):
                if link.get("rel") in {"child", "item", "items"}:
                    yield from self._walk(self._follow(link["href"], place), seen, depth + 1)
        else:
            raise CatalogError(
                f"{place} is not STAC: its type is {kind!r}; give an API, a catalogue, an ItemCollection, "
                "NDJSON or stac-geoparquet"
            )

    def _pages(self, document: Mapping[str, Any], place: str, seen: set[str]) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the items of a collection of features and of the pages that it leads on to."""
        while True:
            yield from ((dict(item), place) for item in document.get("features", ()))
            link = next((link for link in document.get("links") or () if link.get("rel") == "next"), None)
            if link is None:
                return
            if not is_url(place) or str(link.get("method") or "GET").upper() != "GET":
                raise CatalogError(
                    f"{place} is one page of several, which lead on to {link.get('href')!r}; search the API by its "
                    "landing page, or save all pages and leave that link out"
                )
            before, place = place, self._follow(link["href"], place)
            if place in seen:
                raise CatalogError(f"{before} leads back to {place}, an earlier page; tell those who run it")
            seen.add(place)
            document = self._read(place)

    def _follow(self, href: str, place: str) -> str:
        target = resolve_href(href, place, self.roots, owner=f"link in {place}", allow_hosts=self._http.allowed)
        if is_url(target) and urlsplit(target)[:2] != self._host:
            raise CatalogError(
                f"{place} links to another host, {urlsplit(target).hostname!r}; search that one by its own address"
            )
        return target

    def _read(self, place: str) -> dict[str, Any]:
        return _parsed(self._bytes(place), place)

    def _bytes(self, place: str) -> bytes:
        if is_url(place):
            return self._http.request("GET", check_href(place, allow_hosts=self._http.allowed)).content
        path = Path(place)
        if not path.is_file():
            raise CatalogError(f"there is no file {place}; check the path")
        return path.read_bytes()


def is_table(source: str) -> bool:
    """Return whether a path or URL names stac-geoparquet."""
    return _suffix(source) in {".parquet", ".geoparquet"}


def is_lines(source: str) -> bool:
    """Return whether a path or URL names newline-delimited items."""
    return _suffix(source) in {".ndjson", ".jsonl", ".geojsonl"}


def _suffix(source: str) -> str:
    return PurePosixPath(urlsplit(source).path if is_url(source) else source).suffix.lower()


def _parsed(text: bytes, place: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{place} is not JSON ({error}); give a STAC document") from error
    if not isinstance(document, dict):
        raise CatalogError(f"{place} is not a JSON object; give a STAC document")
    return document
