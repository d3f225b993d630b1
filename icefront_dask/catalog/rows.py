"""Rows of an item table as STAC items in JSON, at a cost that follows what they hold and not what the table could."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import shapely
from shapely.geometry import mapping

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

__all__ = ["items_of", "with_hrefs"]

_TOP = ("type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection")
_BOX = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")


def items_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a stac-geoparquet table as items; keys without a value are left out.

    The table of many collections has a column for every key that any of its items has, nearly all of them empty in
    a row; only what is there is touched.

    Parameters
    ----------
    table : pyarrow.Table
        stac-geoparquet.

    Returns
    -------
    list of dict
        STAC items, as JSON would hold them; ``datetime`` is always there, ``None`` where an item has none.
    """
    columns = {name: _values(table[name].combine_chunks()) for name in table.column_names}
    return [_item({name: values[row] for name, values in columns.items()}) for row in range(table.num_rows)]


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "Feature", "links": [], "assets": {}}
    item |= {name: row[name] for name in _TOP if row.get(name) is not None}
    item["geometry"] = None if row.get("geometry") is None else _geojson(row["geometry"])
    if isinstance(item.get("bbox"), dict):
        item["bbox"] = [item["bbox"][side] for side in _BOX if side in item["bbox"]]
    properties = {name: value for name, value in row.items() if name not in _TOP and value is not None}
    item["properties"] = {"datetime": None} | properties
    return item


def _geojson(wkb: bytes) -> dict[str, Any]:
    return json.loads(json.dumps(mapping(shapely.from_wkb(wkb))))


def _values(array: Any) -> list[Any]:
    """Return an Arrow array as Python values: structs as dictionaries of what is not null."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.null_count == len(array):
        return [None] * len(array)
    if array.null_count:
        valid = pc.indices_nonzero(array.is_valid())
        out: list[Any] = [None] * len(array)
        for row, value in zip(valid.to_pylist(), _values(array.take(valid)), strict=True):
            out[row] = value
        return out
    if pa.types.is_struct(array.type):
        return _structs(array)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        ends = array.offsets.to_pylist()
        flat = _values(array.values[ends[0] : ends[-1]])
        return [flat[a - ends[0] : b - ends[0]] for a, b in itertools.pairwise(ends)]
    if pa.types.is_timestamp(array.type):
        return [_stamp(value) for value in array.cast(pa.timestamp("us", "UTC")).to_pylist()]
    return list(array.to_pylist())


def _structs(array: pa.StructArray) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(len(array))]
    for field, child in zip(array.type, array.flatten(), strict=True):
        if child.null_count == len(child):
            continue
        for row, value in zip(rows, _values(child), strict=True):
            if value is not None:
                row[field.name] = value
    return rows


def _stamp(value: dt.datetime) -> str:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


def with_hrefs(table: pa.Table, stored: Callable[[str, str, Mapping[str, Any]], str]) -> pa.Table:
    """Return a table whose hrefs are those to be stored, and without links.

    Parameters
    ----------
    table : pyarrow.Table
        stac-geoparquet.
    stored : callable
        Takes an item's id, an asset's key and the asset's ``href`` and ``type``; returns the href.
    """
    ids = table["id"].to_pylist()
    assets = table["assets"].combine_chunks()
    assets = assets.chunk(0) if isinstance(assets, pa.ChunkedArray) else assets
    arrays = []
    for field, child in zip(assets.type, assets.flatten(), strict=True):
        kinds = [f.name for f in child.type] if pa.types.is_struct(child.type) else []
        if "href" in kinds and child.null_count < len(child):
            parts = dict(zip(kinds, child.flatten(), strict=True))
            types = parts["type"].to_pylist() if "type" in parts else [None] * len(ids)
            parts["href"] = pa.array(
                [
                    None if href is None else stored(name, field.name, {"href": href, "type": kind})
                    for name, href, kind in zip(ids, parts["href"].to_pylist(), types, strict=True)
                ],
                type=pa.string(),
            )
            child = pa.StructArray.from_arrays(list(parts.values()), names=kinds, mask=child.is_null())  # noqa: PLW2901
        arrays.append(child)
    renewed = pa.StructArray.from_arrays(arrays, names=[f.name for f in assets.type], mask=assets.is_null())
    table = table.set_column(table.column_names.index("assets"), "assets", renewed)
    if "links" in table.column_names:
        kind = table.schema.field("links").type
        table = table.set_column(table.column_names.index("links"), "links", pa.array([[]] * len(ids), type=kind))
    return table
