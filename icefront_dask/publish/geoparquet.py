"""Tables of a fixed Arrow schema as GeoParquet 1.1 with equal bytes for equal content.

The metadata is written by hand, since that of geopandas and pandas names library versions and depends on
which columns happen to be empty.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from icefront_dask.errors import InputError, ReadError
from icefront_dask.publish.files import write_atomically
from icefront_dask.publish.lonlat import LONLAT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["arrow_table", "read_table", "with_geometry", "write_table"]

_BBOX = ("xmin", "ymin", "xmax", "ymax")
_ROW_GROUP = 65_536


def arrow_table(frame: pd.DataFrame, fields: Sequence[pa.Field], what: str, *, key: Sequence[str]) -> pa.Table:
    """Return the columns of `fields`, then any others by name, as an Arrow table sorted by `key`.

    Parameters
    ----------
    frame : DataFrame
        Without a geometry column.
    fields : sequence of pyarrow.Field
        Columns which have to be there, with their types; times without a zone are taken as UTC.
    what : str
        What an error message calls the table.
    key : sequence of str
        Columns which identify a row.

    Raises
    ------
    InputError
        For a missing column, a value that does not fit its type, or two rows with one key.
    """
    names = [field.name for field in fields]
    if missing := [name for name in names if name not in frame.columns]:
        raise InputError(f"{what}: column {', '.join(missing)} is missing; there are: {', '.join(frame.columns)}")
    arrays, schema = [], []
    for field in fields:
        arrays.append(_array(frame[field.name], field.type, f"{what}: column {field.name!r}"))
        schema.append(field)
    for name in sorted(set(frame.columns) - set(names)):
        array = _array(frame[name], None, f"{what}: column {name!r}")
        arrays.append(array.cast(pa.string()) if pa.types.is_null(array.type) else array)
        schema.append(pa.field(name, arrays[-1].type))
    table = pa.table(arrays, schema=pa.schema(schema))
    order = table.select(list(key)).to_pandas().reset_index(drop=True)
    if (duplicated := order.duplicated(keep="first")).any():
        twice = ", ".join(f"{name} {value}" for name, value in order[duplicated].iloc[0].items())
        raise InputError(f"{what}: two rows have the same {twice}")
    return table.take(pa.array(order.sort_values(list(key), kind="stable").index.to_numpy()))


def with_geometry(table: pa.Table, geometries: Sequence[Any]) -> pa.Table:
    """Append the columns ``geometry`` (WKB) and ``bbox``, and the metadata of GeoParquet 1.1.

    Parameters
    ----------
    table : pyarrow.Table
        Rows in the order of `geometries`.
    geometries : sequence of shapely geometry or None
        In degrees (OGC:CRS84), split at ±180°.
    """
    values = np.asarray(geometries, dtype=object)
    there = np.array([g is not None and not g.is_empty for g in values], dtype=bool)
    bounds = np.full((len(values), 4), np.nan)
    if there.any():
        bounds[there] = shapely.bounds(values[there])
    wkb = [shapely.to_wkb(g) if ok else None for g, ok in zip(values, there, strict=True)]
    bbox = pa.StructArray.from_arrays(
        [pa.array(bounds[:, i], pa.float64(), from_pandas=True) for i in range(4)],
        fields=[pa.field(name, pa.float64()) for name in _BBOX],
        mask=pa.array(~there),
    )
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted({g.geom_type for g in values[there]}),
        "crs": json.loads(pyproj.CRS(LONLAT).to_json()),
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in _BBOX}},
    }
    if there.any():
        column["bbox"] = [*bounds[there, :2].min(axis=0).tolist(), *bounds[there, 2:].max(axis=0).tolist()]
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = table.append_column(pa.field("geometry", pa.binary()), pa.array(wkb, pa.binary()))
    table = table.append_column(pa.field("bbox", bbox.type), bbox)
    return table.replace_schema_metadata({"geo": json.dumps(geo, sort_keys=True)})


def write_table(table: pa.Table, path: Path) -> Path:
    """Write a table atomically; equal tables give equal bytes with one release of pyarrow."""
    write_atomically(
        path,
        lambda temporary: pq.write_table(
            table,
            temporary,
            compression="zstd",
            compression_level=9,
            row_group_size=_ROW_GROUP,
            version="2.6",
        ),
    )
    return path


def read_table(path: Path, what: str) -> pa.Table:
    """Return a Parquet file's table.

    Raises
    ------
    ReadError
        For a file that is missing or is not Parquet.
    """
    try:
        return pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise ReadError(f"{what}: there is no file {path}") from None
    except pa.ArrowInvalid as error:
        raise ReadError(f"{what}: {path} is not a readable Parquet file: {error}") from error


def _array(values: pd.Series, kind: pa.DataType | None, what: str) -> pa.Array:
    if kind is not None and pa.types.is_timestamp(kind):
        values = pd.to_datetime(values, utc=True)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    try:
        array = pa.array(values, type=kind, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"{what}: {error}") from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
