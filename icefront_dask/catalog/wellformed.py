"""Items of sloppy catalogues: what is no item is refused by its name, and what cannot be used of one is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from icefront_dask.sensors import Band, Collection

__all__ = ["bands_of", "number_of", "utc", "well_formed"]

_NUMBERS = (
    "sat:absolute_orbit",
    "sat:relative_orbit",
    "landsat:wrs_path",
    "sar:looks_equivalent_number",
    "sar:pixel_spacing_range",
    "landsat:geometric_rmse_model",
)


def well_formed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item whose parts are what STAC says that they are.

    Assets without an href are left out.

    Parameters
    ----------
    item : mapping
        STAC item, as JSON.

    Raises
    ------
    CatalogError
        For something without an id, and for properties and assets that are no mappings or numbers where these are
        read.
    """
    if item.get("id") in {None, ""}:
        raise CatalogError("an item has no id; correct the catalogue")
    name = f"item {item['id']!r}"
    properties, assets = item.get("properties") or {}, item.get("assets") or {}
    for what, part in (("properties", properties), ("assets", assets)):
        if not isinstance(part, Mapping):
            raise CatalogError(
                f"{name}: its {what} are {type(part).__name__}, not a JSON object; correct the catalogue"
            )
    for key in _NUMBERS:
        number_of(item, key)
    usable = {key: asset for key, asset in assets.items() if isinstance(asset, Mapping) and asset.get("href")}
    return {**item, "properties": properties, "assets": usable}


def number_of(item: Mapping[str, Any], key: str) -> float | None:
    """Return a property as a number, ``None`` where the item does not state it.

    Raises
    ------
    CatalogError
        For one that is no number.
    """
    value = (item.get("properties") or {}).get(key)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise CatalogError(
            f"item {item.get('id')!r}: its {key} is {value!r}, no number; correct it or leave the item out"
        ) from None


def utc(text: str) -> pd.Timestamp:
    """Return a time in UTC; one without a zone is in UTC."""
    stamp = pd.Timestamp(text)
    return stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")


def bands_of(
    collection: Collection, item: Mapping[str, Any], variables: Iterable[str] | None = None
) -> dict[str, Band]:
    """Return where an item's variables lie, as :meth:`icefront_dask.sensors.Collection.bands`.

    Raises
    ------
    MissingAssetError
        As there.
    CatalogError
        As there, and for a scale, offset, nodata value or transform that is none.
    """
    try:
        return collection.bands(item, variables)
    except (TypeError, ValueError) as error:
        raise CatalogError(
            f"item {item.get('id')!r}: scale, offset, nodata or proj:transform of an asset cannot be read ({error}); "
            "correct it or leave the item out"
        ) from None
