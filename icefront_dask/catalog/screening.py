"""Leave out the items that cannot be used, and say of each one why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.catalog.duplicates import duplicates
from icefront_dask.catalog.geometry import footprint_shares
from icefront_dask.catalog.items import REGIONS, Items
from icefront_dask.catalog.wellformed import bands_of, number_of, utc, well_formed
from icefront_dask.config import section
from icefront_dask.errors import (
    CatalogError,
    ConfigError,
    IcefrontError,
    MissingAssetError,
    NoItemsError,
    NotGeoreferencedError,
)
from icefront_dask.sensors import collection_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.regions import Region
    from icefront_dask.sensors import Collection

__all__ = ["LEFT_OUT_COLUMNS", "PRIMARY", "REASONS", "screen"]

PRIMARY = {"sentinel-1": ("hh", "vv", "grey"), "landsat": ("nir", "grey")}
"""Of these variables an item needs one: a front is traced on it."""

REASONS = (
    "unknown_collection",
    "not_georeferenced",
    "no_time",
    "no_geometry",
    "missing_asset",
    "unusable",
    "small_overlap",
    "cloud_cover",
    "low_sun",
    "season",
    "platform",
    "duplicate",
)
LEFT_OUT_COLUMNS = ("region", "item_id", "collection", "datetime", "reason", "detail")

_ERRORS: dict[str, type[IcefrontError]] = {
    "unknown_collection": ConfigError,
    "not_georeferenced": NotGeoreferencedError,
    "missing_asset": MissingAssetError,
}


def screen(
    items: Items,
    region: Region,
    geobox: Any,
    options: Mapping[str, Any] | None = None,
    *,
    family: str | None = None,
    variables: Sequence[str] | None = None,
    extra_collections: Mapping[str, Any] | None = None,
    allow_empty: bool = False,
) -> tuple[Items, pd.DataFrame]:
    """Split a region's items into those to use and those to leave out.

    Parameters
    ----------
    items : Items
        Of a search; items that were found for other regions only are passed over.
    region : Region
        The region.
    geobox : odc.geo.geobox.GeoBox
        Its grid, of which a footprint must cover ``min_footprint_share``.
    options : mapping, optional
        Settings in place of those of section ``catalog``: ``max_cloud_cover``, ``min_footprint_share``,
        ``min_sun_elevation``, ``months``, ``platforms``.
    family : {"sentinel-1", "landsat"}, optional
        Pass over items of the other family.
    variables : sequence of str, optional
        An item needs one of these; ``PRIMARY`` of its family without it.
    extra_collections : mapping, optional
        Collections of the run's configuration.
    allow_empty : bool
        Return no items rather than raise.

    Returns
    -------
    kept : Items
        The usable items.
    left_out : DataFrame
        Columns region, item_id, collection, datetime, reason (one of ``REASONS``), detail; one row an item.

    Raises
    ------
    NoItemsError, NotGeoreferencedError, MissingAssetError, ConfigError
        When no item is left: the cause, where all items share one.
    """
    settings = _checked(section("catalog", **dict(options or {})))
    mine = items.for_region(region.name) if REGIONS in items.table.column_names else items
    records, footprints = mine.to_dicts(), list(mine.footprints)
    shares = footprint_shares(footprints, geobox)
    reasons: list[tuple[str, str] | None] = []
    families: list[str | None] = []
    for item, share in zip(records, shares, strict=True):
        reason, of = _judge(item, float(share), settings, variables, extra_collections)
        reasons.append(reason)
        families.append(of)
    usable = [row for row, reason in enumerate(reasons) if reason is None]
    repeats = duplicates([records[row] for row in usable], [footprints[row] for row in usable])
    for again, first in repeats.items():
        reasons[usable[again]] = ("duplicate", f"repeats {records[usable[first]]['id']!r}")
    concerned = [family is None or of in {None, family} for of in families]
    left_out = _table(mine, region.name, [r if c else None for r, c in zip(reasons, concerned, strict=True)])
    kept = mine.filter([r is None and c for r, c in zip(reasons, concerned, strict=True)])
    if not len(kept) and not allow_empty:
        raise _nothing_left(region.name, left_out)
    return kept, left_out


def _judge(
    item: Mapping[str, Any],
    share: float,
    settings: Mapping[str, Any],
    variables: Sequence[str] | None,
    extra: Mapping[str, Any] | None,
) -> tuple[tuple[str, str] | None, str | None]:
    """Return why an item is left out, if it is, and its family, if that is known."""
    try:
        item = well_formed(item)
        collection = collection_for(item, extra)
    except ConfigError as error:
        return ("unknown_collection", str(error)), None
    except NotGeoreferencedError as error:
        return ("not_georeferenced", str(error)), None
    except CatalogError as error:
        return ("unusable", str(error)), None
    try:
        fault = _lacking(item, share, collection, variables) or _unsuited(item, share, settings, collection)
    except CatalogError as error:
        fault = ("unusable", str(error))
    return fault, collection.family


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings if months and platforms are what they must be."""
    months = settings["months"]
    if not isinstance(months, list) or not all(isinstance(m, int) and 1 <= m <= 12 for m in months):
        raise ConfigError(f"catalog.months is {months!r}; write calendar months, as [6, 7, 8, 9]")
    platforms = settings["platforms"]
    if not isinstance(platforms, list) or not all(isinstance(name, str) for name in platforms):
        raise ConfigError(f"catalog.platforms is {platforms!r}; write names, as [landsat-8, sentinel-1a]")
    return settings | {"platforms": [name.lower().replace("_", "-") for name in platforms]}


def _lacking(
    item: Mapping[str, Any], share: float, collection: Collection, variables: Sequence[str] | None
) -> tuple[str, str] | None:
    """Return what an item needs and does not state."""
    name = f"item {item['id']!r}"
    properties = item.get("properties") or {}
    if not (properties.get("datetime") or properties.get("start_datetime")):
        return "no_time", f"{name} states no datetime; add it to the catalogue"
    if math.isnan(share):
        return "no_geometry", f"{name} states no usable footprint; add its geometry to the catalogue"
    wanted = variables or PRIMARY[collection.family]
    if not set(wanted) & set(collection.variables(item)):
        listed = ", ".join(sorted(item.get("assets") or {})) or "no assets"
        return (
            "missing_asset",
            f"{name} has none of the variables {', '.join(wanted)}; its assets are {listed}",
        )
    bands_of(collection, item)
    return None


def _unsuited(
    item: Mapping[str, Any], share: float, settings: Mapping[str, Any], collection: Collection
) -> tuple[str, str] | None:
    """Return which threshold an item does not meet; what it does not state is not held against it."""
    properties = item.get("properties") or {}
    if share < settings["min_footprint_share"]:
        return "small_overlap", f"covers {100 * share:.1f} % of the grid"
    cloud, sun = number_of(item, "eo:cloud_cover"), number_of(item, "view:sun_elevation")
    if cloud is not None and cloud > settings["max_cloud_cover"]:
        return "cloud_cover", f"{cloud:.0f} % cloud"
    if collection.family == "landsat" and sun is not None and sun < settings["min_sun_elevation"]:
        return "low_sun", f"sun {sun:.1f}° above the horizon"
    month = utc(str(properties.get("datetime") or properties.get("start_datetime"))).month
    if settings["months"] and month not in settings["months"]:
        return "season", f"taken in month {month}"
    if settings["platforms"] and (collection.platform or "") not in settings["platforms"]:
        return "platform", f"taken by {collection.platform or 'an unnamed platform'}"
    return None


def _table(items: Items, region: str, reasons: Sequence[tuple[str, str] | None]) -> pd.DataFrame:
    rows = [row for row, reason in enumerate(reasons) if reason is not None]
    pairs = [reason for reason in reasons if reason is not None]
    ids, collections = items.ids, items.collections
    columns = {
        "region": [region] * len(rows),
        "item_id": [ids[row] for row in rows],
        "collection": [collections[row] for row in rows],
        "datetime": items.times[rows],
        "reason": [reason for reason, _ in pairs],
        "detail": [detail for _, detail in pairs],
    }
    return pd.DataFrame(columns, columns=list(LEFT_OUT_COLUMNS))


def _nothing_left(region: str, left_out: pd.DataFrame) -> IcefrontError:
    if left_out.empty:
        return NoItemsError(f"region {region!r} has no items; widen the search's datetime, collections or outline")
    counts = left_out["reason"].value_counts()
    if len(counts) == 1 and counts.index[0] in _ERRORS:
        more = f" (and so for {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        return _ERRORS[str(counts.index[0])](f"region {region!r}: {left_out['detail'].iloc[0]}{more}")
    listed = ", ".join(f"{n} {reason}" for reason, n in counts.items())
    return NoItemsError(
        f"region {region!r}: none of its {len(left_out)} items can be used ({listed}; first: "
        f"{left_out['detail'].iloc[0]}); widen the search, or relax catalog.max_cloud_cover and "
        "catalog.min_footprint_share"
    )
