"""One page of a source's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icefront_dask.catalog.items import Items

__all__ = ["Page"]


@dataclass(frozen=True)
class Page:
    """Items of a source, and where it goes on.

    Parameters
    ----------
    items : list of (dict, str)
        Items, each with the URL or path that its relative hrefs start from.
    following : dict, optional
        The link to the next page, in JSON; ``None`` at the end, and for sources that cannot go on in their middle.
    table : Items, optional
        In place of `items`: rows of a file, whose collection and time fit, with the place that they were read from.
    """

    items: list[tuple[dict[str, Any], str]]
    following: dict[str, Any] | None = None
    table: tuple[Items, str] | None = None
