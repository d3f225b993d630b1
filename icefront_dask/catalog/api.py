"""A STAC API, page by page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pystac import Link
from pystac_client import ItemSearch
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import mapping

from icefront_dask.catalog.filters import to_text
from icefront_dask.catalog.geometry import with_counterpart
from icefront_dask.catalog.page import Page
from icefront_dask.config import section
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from icefront_dask.catalog.filters import Interval
    from icefront_dask.catalog.http import Http

__all__ = ["Api"]


class _ApiIO(StacApiIO):
    """pystac-client's reader over our session: retried by cause, and kept on the host it was sent to."""

    def __init__(self, http: Http, root: str) -> None:
        super().__init__(max_retries=None)
        self._http = http
        self._host = urlsplit(root)[:2]

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        if urlsplit(href)[:2] != self._host:
            raise CatalogError(
                f"the API at {self._host[0]}://{self._host[1]} sends the search on to "
                f"{urlsplit(href).hostname!r}; search that host by its own address if it is meant"
            )
        verb = (method or "GET").upper()
        body = {"json": parameters} if verb == "POST" else {"params": parameters}
        return self._http.request(verb, href, headers=headers, **body).content.decode("utf-8")


class Api:
    """A STAC API with item search.

    Parameters
    ----------
    url : str
        Landing page.
    root : mapping
        Its JSON.
    http : Http
        Session.
    """

    roots: tuple[Path, ...] = ()

    def __init__(self, url: str, root: Mapping[str, Any], http: Http) -> None:
        self.url = url
        self._io = _ApiIO(http, url)
        links = [link for link in root.get("links", ()) if isinstance(link, dict) and "href" in link]
        found = [link for link in links if link.get("rel") == "search"]
        post = next((link for link in found if str(link.get("method", "GET")).upper() == "POST"), None)
        self._method = "POST" if post else "GET"
        self._search_url = urljoin(_folder(url), (post or found[0])["href"])
        data = next((link["href"] for link in links if link.get("rel") == "data"), None)
        self._collections_url = None if data is None else urljoin(_folder(url), data)
        self._has_query = any(str(c).endswith("item-search#query") for c in root.get("conformsTo", ()))
        self._page_size = int(section("catalog")["page_size"])
        self._known: list[str] | None = None

    def announce(self, geometries: Sequence[Any]) -> None:
        """Do nothing: each geometry is searched for by itself."""

    def collections(self) -> list[str]:
        """Return the ids of the API's collections, none where it does not list them."""
        if self._known is None:
            pages = self._io.get_pages(self._collections_url) if self._collections_url else iter(())
            self._known = [str(c["id"]) for page in pages for c in page.get("collections", ()) if "id" in c]
        return self._known

    def pages(
        self,
        geometry: Any,
        collections: Sequence[str] | None,
        span: Interval | None,
        query: Mapping[str, Any] | None,
        start: Mapping[str, Any] | None = None,
    ) -> Iterator[Page]:
        """Yield pages of items, each with the URL that its relative hrefs start from.

        Parameters
        ----------
        geometry, collections, span, query
            What is wanted.
        start : mapping, optional
            ``following`` of the last page that was had, to go on after it.

        Raises
        ------
        CatalogError
            For a request that fails, and an answer that is not a page of items, or leads in circles.
        """
        search = ItemSearch(
            self._search_url,
            method=self._method,
            stac_io=self._io,
            limit=self._page_size,
            collections=list(collections) if collections else None,
            intersects=mapping(with_counterpart(geometry)),
            datetime=None if span is None else to_text(span),
            query=dict(query) if query and self._has_query else None,
        )
        parameters = search.get_parameters()
        link = start
        followed: set[str] = set()
        while True:
            followed.add(_text(link))
            page, following = self._page(link, parameters)
            if not page and link is not None:
                return
            yield Page(page, following)
            if following is None or not page:
                return
            if _text(following) in followed:
                raise CatalogError(
                    f"{self._search_url} leads from page {len(followed)} back to an earlier one; tell those who run it"
                )
            link = following

    def _page(
        self, link: Mapping[str, Any] | None, parameters: dict[str, Any]
    ) -> tuple[list[tuple[dict[str, Any], str]], dict[str, Any] | None]:
        """Return the items of a page, the first one without a link to it, and the link to the next."""
        try:
            if link is None:
                page = self._io.read_json(self._search_url, method=self._method, parameters=parameters)
            else:
                page = self._io.read_json(Link.from_dict(dict(link)), parameters=parameters)
            items = [(item, _self(item, self._search_url)) for item in page["features"]]
            links = [link for link in page.get("links") or () if link.get("rel") == "next"]
            return items, (dict(links[0], href=urljoin(self._search_url, links[0]["href"])) if links else None)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CatalogError(
                f"{self._search_url} does not answer with pages of STAC items ({error}); check that "
                f"{self.url} is the landing page of a STAC API"
            ) from error


def _text(link: Mapping[str, Any] | None) -> str:
    return json.dumps(link, sort_keys=True)


def _self(item: Mapping[str, Any], default: str) -> str:
    return next((str(link["href"]) for link in item.get("links", ()) if link.get("rel") == "self"), default)


def _folder(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"
