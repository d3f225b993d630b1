"""One ``search()`` for a STAC API, a stac-geoparquet file, a static catalogue and items in JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from shapely.errors import GEOSException
from shapely.geometry import shape

from icefront_dask.catalog.api import Api
from icefront_dask.catalog.failures import HttpError
from icefront_dask.catalog.filters import check_query, interval, matches, to_text, within
from icefront_dask.catalog.geometry import query_geometry, touches
from icefront_dask.catalog.hrefs import is_url, resolve_href, unsigned
from icefront_dask.catalog.items import REGIONS, Items, concatenated, sorted_table, to_table
from icefront_dask.catalog.paging import KeptPage, KeptPages
from icefront_dask.catalog.providers import provider_of
from icefront_dask.catalog.rows import with_hrefs
from icefront_dask.catalog.sources import open_source
from icefront_dask.config import section
from icefront_dask.errors import CatalogError, ConfigError, NoItemsError
from icefront_dask.regions import Region
from icefront_dask.sensors import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.catalog.filters import Interval
    from icefront_dask.catalog.page import Page
    from icefront_dask.catalog.providers import Provider
    from icefront_dask.catalog.sources import Source

__all__ = ["search"]

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".zarr")
_METADATA = (".xml", ".json", ".txt")


def search(
    source: str | Path,
    regions: Region | Sequence[Region],
    *,
    collections: Sequence[str] | str | None = None,
    datetime: Any = None,
    query: Mapping[str, Any] | None = None,
    cache: str | Path | None = None,
) -> Items:
    """Find the items that touch regions.

    Parameters
    ----------
    source : str or path
        A known provider (``planetary-computer``, see ``icefront providers``), a STAC API (URL of its landing
        page), or by path or URL a stac-geoparquet file (``.parquet``), a static catalogue, an item or ItemCollection
        (``.json``), or newline-delimited items (``.ndjson``).
    regions : Region or sequence of Region
        Where. The outline is searched in longitude and latitude, and each footprint is tested again in the
        region's own projection.
    collections : sequence of str, optional
        STAC collections; without it those of ``icefront_dask.sensors`` that the API has, or all of a file's.
    datetime : str, datetime or pair, optional
        ``"2018"``, ``"2018-06"``, ``"2018-06-01/2018-09-30"``, ``"2018-06-01/.."``.
    query : mapping, optional
        Conditions on properties, as ``{"eo:cloud_cover": {"lt": 50}}``.
    cache : path, optional
        Folder where the result is kept; the same search is not made again. Its pages are kept there as they come,
        and a search that broke off goes on after the last of them.

    Returns
    -------
    Items
        Sorted by time, each item once, with the names of the regions that it touches; hrefs absolute and
        unsigned.

    Raises
    ------
    NoItemsError
        When no item is left for any region, with what to widen.
    CatalogError
        For a source that cannot be reached or read, and hrefs that may not be opened.
    ConfigError
        For arguments that make no sense.
    """
    areas = [regions] if isinstance(regions, Region) else list(regions)
    if not areas:
        raise ConfigError("no regions to search for; name at least one")
    wanted = [collections] if isinstance(collections, str) else None if collections is None else list(collections)
    span = interval(datetime)
    check_query(query)
    provider = provider_of(str(source))
    place = provider.url if provider is not None and str(source) == provider.name else source
    kept = None if cache is None else Path(cache) / f"{_key(place, areas, wanted, span, query)}.parquet"
    if kept is not None and kept.exists():
        return Items.from_parquet(kept)
    pages = KeptPages(None if kept is None else kept.with_suffix(".pages"))
    found = _Search(open_source(str(place)), wanted, span, query, provider)
    found.source.announce([query_geometry(area) for area in areas])
    for number, area in enumerate(areas):
        found.add(area, number, pages)
    items = found.items()
    if not len(items):
        pages.remove()
        raise NoItemsError(found.explain(str(place), areas))
    if kept is not None:
        items.to_parquet(kept)
    pages.remove()
    return items


class _Search:
    """Pages of one search, filtered and collected."""

    def __init__(
        self,
        source: Source,
        collections: list[str] | None,
        span: Interval | None,
        query: Mapping[str, Any] | None,
        provider: Provider | None,
    ) -> None:
        self.source = source
        self.provider = provider
        self.named = collections is not None
        if collections is None and isinstance(source, Api):
            collections = [name for name in source.collections() if name in TABLE] or None
        self.collections, self.span, self.query = collections, span, query
        settings = section("catalog")
        self.roots = [*source.roots, *(Path(root) for root in settings["allow_roots"])]
        self.allow_hosts = settings["allow_hosts"]
        self.pages: list[pa.Table | None] = []
        self.regions: dict[tuple[str, str], list[str]] = {}
        self.without_geometry: list[str] = []
        self._asked_for = 0

    def add(self, region: Region, number: int, kept: KeptPages) -> None:
        """Search for one region, after the pages that were kept of it."""
        done = list(kept.read(number))
        for page in done:
            self._take(page, region)
        if done and done[-1].following is None:
            return
        try:
            self._search(region, number, kept, len(done), done[-1].following if done else None)
        except HttpError as error:
            if not done or not 400 <= error.status < 500 or self._asked_for > len(done):
                raise
            kept.forget(number)  # the server does not know its link any more
            self._search(region, number, kept, 0, None)

    def _search(
        self, region: Region, number: int, kept: KeptPages, first: int, start: Mapping[str, Any] | None
    ) -> None:
        self._asked_for = first
        geometry = query_geometry(region)
        for page in self.source.pages(geometry, self.collections, self.span, self.query, start):
            brought = self._judged(page, region)
            kept.write(number, self._asked_for, brought)
            self._take(brought, region)
            self._asked_for += 1

    def _judged(self, page: Page, region: Region) -> KeptPage:
        """Return what a page brings for a region."""
        if page.table is not None:
            return self._judged_table(*page.table, region)
        candidates = [(item, base) for item, base in page.items if self._fits(item)]
        footprints = [_footprint(item) for item, _ in candidates]
        hits = touches(footprints, region)
        touching = [pair for pair, hit in zip(candidates, hits, strict=True) if hit]
        new = {_identity(item): (item, base) for item, base in touching if _identity(item) not in self.regions}
        return KeptPage(
            to_table([self._stored(item, base) for item, base in new.values()]),
            [_identity(item) for item, _ in touching],
            page.following,
            [_identity(i)[1] for (i, _), footprint in zip(candidates, footprints, strict=True) if footprint is None],
        )

    def _judged_table(self, found: Items, base: str, region: Region) -> KeptPage:
        """Return what rows of a file bring, without making items of them."""
        footprints = found.footprints
        hits = touches(footprints, region)
        identities = list(zip(found.collections, found.ids, strict=True))
        new = np.asarray([hit and i not in self.regions for i, hit in zip(identities, hits, strict=True)], dtype=bool)
        first = dict.fromkeys(identities[row] for row in np.flatnonzero(new))
        new &= np.asarray([first.pop(identity, False) is None for identity in identities], dtype=bool)
        table = None
        if new.any():
            table = with_hrefs(found.filter(new).table, lambda name, key, asset: self._href(name, key, asset, base))
        return KeptPage(
            table,
            [identity for identity, hit in zip(identities, hits, strict=True) if hit],
            None,
            [
                i[1]
                for i, footprint in zip(identities, footprints, strict=True)
                if footprint is None or footprint.is_empty
            ],
        )

    def _take(self, page: KeptPage, region: Region) -> None:
        self.pages.append(page.table)
        self.without_geometry += page.without_geometry
        for identity in page.touching:
            names = self.regions.setdefault(identity, [])
            if region.name not in names:
                names.append(region.name)

    def _fits(self, item: Mapping[str, Any]) -> bool:
        if item.get("id") in {None, ""}:
            raise CatalogError(
                f"an item of {item.get('collection') or 'the catalogue'} has no id; correct the catalogue"
            )
        if self.collections and item.get("collection") not in self.collections:
            return False
        return (self.span is None or within(item, self.span)) and matches(item, self.query)

    def _stored(self, item: dict[str, Any], base: str) -> dict[str, Any]:
        """Return the item with absolute, unsigned hrefs of its rasters, and without links."""
        assets: dict[str, Any] = {}
        for key, asset in (item.get("assets") or {}).items():
            if not isinstance(asset, dict) or not asset.get("href"):
                continue
            href = self._href(str(item.get("id")), key, asset, base)
            assets[key] = {**asset, "href": href}
        return {**item, "assets": assets, "links": []}

    def _href(self, name: str, key: str, asset: Mapping[str, Any], base: str) -> str:
        """Return an asset's href absolute and unsigned, checked where it is a raster, metadata or a local file."""
        href = unsigned(str(asset["href"]))
        raster = _is_raster(asset)
        if not raster and (is_url(href) or not (_is_metadata(asset) or href.startswith(("/", "file:")))):
            return href if self.provider is None else self.provider.opened(href)
        owner = f"item {name!r}, asset {key!r}"
        href = resolve_href(href, base, self.roots, owner=owner, allow_hosts=self.allow_hosts)
        return href if self.provider is None or not raster else self.provider.stored(href, owner)

    def items(self) -> Items:
        """Return what was collected."""
        table = sorted_table(concatenated(self.pages))
        if not table.num_rows:
            return Items(table)
        rows = Items(table)
        touched = [self.regions[key] for key in zip(rows.collections, rows.ids, strict=True)]
        return Items(table.append_column(REGIONS, pa.array(touched, type=pa.list_(pa.string()))))

    def _anything(self, region: Region) -> bool:
        """Return whether any item of the collections touches a region, whenever."""
        pages = self.source.pages(query_geometry(region), self.collections, None, None)
        return any(touches(_footprints(page), region).any() for page in pages)

    def explain(self, source: str, regions: Sequence[Region]) -> str:
        """Say why nothing was found, and what to widen."""
        names = ", ".join(repr(r.name) for r in regions[:5]) + (" and others" if len(regions) > 5 else "")
        known = self.source.collections()
        if self.named and known and not set(self.collections or ()) & set(known):
            return (
                f"{source} has no collection {', '.join(self.collections or ())}; it has "
                f"{', '.join(known[:20])}: name one of these"
            )
        of = f"items of {', '.join(self.collections)}" if self.collections else "items"
        if self.without_geometry:
            return (
                f"{len(self.without_geometry)} {of} in {source} state no geometry, first "
                f"{self.without_geometry[0]!r}, and none of the others touches region {names}; "
                "add footprints to the catalogue"
            )
        limits = [f"datetime {to_text(self.span)}"] if self.span else []
        limits += [f"query {dict(self.query)}"] if self.query else []
        if not limits or not any(self._anything(region) for region in regions):
            return (
                f"region {names} lies outside the footprints of all {of} in {source}; check its outline "
                "and CRS, or search other collections"
            )
        return (
            f"no {of} in {source} touch region {names} within {' and '.join(limits)}; "
            f"widen the {' or the '.join(limit.split()[0] for limit in limits)}"
        )


def _footprints(page: Page) -> Any:
    return [_footprint(item) for item, _ in page.items] if page.table is None else page.table[0].footprints


def _identity(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item.get("collection") or ""), str(item.get("id"))


def _footprint(item: Mapping[str, Any]) -> Any:
    geometry = item.get("geometry")
    if not geometry:
        return None
    try:
        return shape(geometry)
    except (GEOSException, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise CatalogError(
            f"item {item.get('id')!r} has a broken geometry ({error}); correct it in the catalogue"
        ) from error


def _is_raster(asset: Mapping[str, Any]) -> bool:
    kind = str(asset.get("type") or "")
    return "tiff" in kind or "jp2" in kind or str(asset["href"]).split("?")[0].lower().endswith(_RASTERS)


def _is_metadata(asset: Mapping[str, Any]) -> bool:
    return "metadata" in (asset.get("roles") or ()) or str(asset["href"]).lower().endswith(_METADATA)


def _key(
    source: str | Path,
    regions: Sequence[Region],
    collections: Sequence[str] | None,
    span: Interval | None,
    query: Mapping[str, Any] | None,
) -> str:
    stamp: Any = None
    if not is_url(str(source)) and Path(source).exists():
        status = Path(source).stat()
        stamp = [str(Path(source).resolve()), status.st_mtime_ns, status.st_size]
    outlines = [[r.name, r.crs, r.outline.wkt] for r in regions]
    parts = [str(source), stamp, outlines, collections, None if span is None else to_text(span), query]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
