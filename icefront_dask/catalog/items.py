"""``Items``: what a search found, as one Arrow table in stac-geoparquet with unsigned hrefs."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from stac_geoparquet.arrow import parse_stac_items_to_arrow, to_parquet

from icefront_dask.catalog.rows import items_of
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt
    import pystac

__all__ = ["REGIONS", "REQUIRED", "Items"]

REGIONS = "icefront:regions"  # column: names of the regions that an item touches
REQUIRED = ("id", "geometry", "assets")
_TIMES = ("datetime", "start_datetime", "end_datetime", "created", "updated", "published", "expires")


class Items:
    """An immutable table of STAC items.

    Rows are sorted by time, collection and id. Hrefs are absolute and unsigned; access is granted when a
    worker opens them (``catalog.sign``). Row numbers are those of ``table``.

    Parameters
    ----------
    table : pyarrow.Table
        stac-geoparquet.
    partial : bool
        Take a table of some columns.

    Raises
    ------
    CatalogError
        For a table without the columns ``id``, ``geometry`` and ``assets``.
    """

    __slots__ = ("_table",)
    _table: pa.Table

    def __init__(self, table: pa.Table, *, partial: bool = False) -> None:
        if not partial and (missing := [name for name in REQUIRED if name not in table.column_names]):
            raise CatalogError(
                f"not a table of STAC items: it has no column {', '.join(missing)}; write stac-geoparquet"
            )
        object.__setattr__(self, "_table", table)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Items is immutable, cannot set {name!r}")

    def __reduce__(self) -> tuple[type[Items], tuple[pa.Table]]:
        return (type(self), (self._table,))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Items) and self._table.equals(other._table)

    __hash__ = None  # type: ignore[assignment]

    @property
    def table(self) -> pa.Table:
        """The Arrow table."""
        return self._table

    @property
    def ids(self) -> list[str]:
        """Item ids, one a row."""
        return [str(i) for i in self._table["id"].to_pylist()]

    @property
    def collections(self) -> list[str]:
        """Collection ids, one a row, empty where an item names none."""
        return [str(c or "") for c in self.column("collection")]

    @property
    def times(self) -> pd.DatetimeIndex:
        """Acquisition times in UTC, one a row: ``datetime``, else ``start_datetime``, else NaT."""
        stamps = pd.Series(self.column("datetime"), dtype="datetime64[ns, UTC]")
        if stamps.isna().any():
            stamps = stamps.fillna(pd.Series(self.column("start_datetime"), dtype="datetime64[ns, UTC]"))
        return pd.DatetimeIndex(stamps)

    @property
    def footprints(self) -> npt.NDArray[np.object_]:
        """Footprints in OGC:CRS84, one shapely geometry a row, ``None`` where an item has none."""
        column = self._table["geometry"]
        storage = column.combine_chunks()
        storage = storage.storage if isinstance(storage, pa.ExtensionArray) else storage
        values = storage.to_pylist()
        return np.asarray(shapely.from_wkb(np.asarray(values, dtype=object)), dtype=object).reshape(len(values))

    @property
    def regions(self) -> list[tuple[str, ...]]:
        """Names of the regions that each row was found for."""
        return [tuple(names or ()) for names in self.column(REGIONS)]

    def column(self, name: str) -> list[Any]:
        """Values of one column, ``None`` throughout where the table does not have it."""
        if name not in self._table.column_names:
            return [None] * len(self)
        return list(self._table[name].to_pylist())

    def filter(self, mask: Any) -> Items:
        """Return the rows where `mask` (one bool a row) holds."""
        keep = np.asarray(mask, dtype=bool)
        if keep.shape != (len(self),):
            raise ValueError(f"mask has shape {keep.shape}, expected ({len(self)},)")
        return Items(self._table.filter(pa.array(keep)))

    def take(self, rows: Any) -> Items:
        """Return rows by their numbers."""
        return Items(self._table.take(pa.array(rows, type=pa.int64())))

    def for_region(self, name: str) -> Items:
        """Return the rows that were found for one region."""
        return self.filter([name in names for names in self.regions])

    def to_dicts(self, rows: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Return items as JSON-ready dictionaries, all of them or those of some rows."""
        table = self._table if rows is None else self._table.take(pa.array(list(rows), type=pa.int64()))
        return items_of(table) if table.num_rows else []

    def to_pystac(self, rows: Sequence[int] | None = None) -> list[pystac.Item]:
        """Return items as pystac objects: for a block, not for a continent."""
        import pystac

        return [pystac.Item.from_dict(item) for item in self.to_dicts(rows)]

    def to_parquet(self, path: str | Path) -> None:
        """Write stac-geoparquet by a temporary file, which then replaces `path`."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        if len(self):
            to_parquet(self._table, part)
        else:
            pq.write_table(self._table, part)
        part.replace(path)

    @classmethod
    def from_parquet(cls, path: str | Path) -> Items:
        """Read what :meth:`to_parquet` wrote; the round trip is exact.

        Hrefs are taken as they are: a table of somebody else's goes through ``search()``, which checks them.

        Raises
        ------
        CatalogError
            For a file which is missing, or is not stac-geoparquet.
        """
        return cls(read_table(Path(path)))

    @classmethod
    def from_dicts(cls, items: Iterable[dict[str, Any]]) -> Items:
        """Build from item dictionaries, whose hrefs must be absolute and unsigned already."""
        return cls(sorted_table(concatenated([to_table(list(items))])))

    def coverage(self) -> pd.DataFrame:
        """Count scenes by region, sensor and month; see :func:`icefront_dask.catalog.coverage.coverage_table`."""
        from icefront_dask.catalog.coverage import coverage_table

        return coverage_table(self)

    def plot_coverage(self, path: str | Path | None = None) -> Any:
        """Draw :meth:`coverage`; see :func:`icefront_dask.catalog.coverage.coverage_picture`."""
        from icefront_dask.catalog.coverage import coverage_picture

        return coverage_picture(self.coverage(), path)

    def __repr__(self) -> str:
        return f"<Items: {self._summary()}>"

    def _summary(self) -> str:
        if not len(self):
            return "none"
        times = self.times.dropna()
        span = f", {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}" if len(times) else ""
        counts = pd.Series([c or "—" for c in self.collections]).value_counts(sort=False).sort_index()
        return f"{len(self)}{span} ({', '.join(f'{name}: {n}' for name, n in counts.items())})"

    def _repr_html_(self) -> str:
        table = self.coverage()
        table["month"] = table["month"].dt.strftime("%Y-%m")
        if len(table):
            keys = ["region", "sensor"]
            wide = table.pivot_table(values="scenes", index=keys, columns="month", aggfunc="sum", fill_value=0)
            body = wide.to_html(escape=True, max_cols=24)
        else:
            body = ""
        return f"<div><p><b>Items</b>: {html.escape(self._summary())}</p>{body}</div>"


def to_table(items: list[dict[str, Any]]) -> pa.Table | None:
    """Return items as an Arrow table, ``None`` for no items."""
    if not items:
        return None
    ready = [_ready(item) for item in items]
    try:
        return pa.Table.from_batches(list(parse_stac_items_to_arrow(ready)))
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, KeyError, TypeError) as error:
        raise CatalogError(
            f"items {items[0].get('id')!r} to {items[-1].get('id')!r} do not fit one table "
            f"({str(error).splitlines()[0]}); correct the catalogue, or search its collections one by one"
        ) from error


def concatenated(tables: Iterable[pa.Table | None]) -> pa.Table:
    """Join pages; columns and asset keys are united."""
    pages = [table for table in tables if table is not None]
    if not pages:
        columns = {"id": pa.string(), "geometry": pa.binary(), "assets": pa.null(), "collection": pa.string()}
        return pa.table({name: pa.array([], type=kind) for name, kind in columns.items()})
    try:
        return pa.concat_tables(pages, promote_options="permissive").combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CatalogError(
            f"the pages of the search do not fit one table ({str(error).splitlines()[0]}); "
            "search the collections one by one"
        ) from error


def sorted_table(table: pa.Table) -> pa.Table:
    """Sort rows by time, collection and id, and columns by name: the same whatever the order of pages."""
    # stac-geoparquet adds the columns of times in the order of a set, which differs from process to process.
    table = table.select([*REQUIRED, *sorted({*table.column_names} - {*REQUIRED})])
    keys = [(name, "ascending") for name in ("datetime", "collection", "id") if name in table.column_names]
    return table.take(pc.sort_indices(table, sort_keys=keys)) if table.num_rows else table


def open_table(path: str | Path, stream: Any = None) -> pq.ParquetFile:
    """Open a stac-geoparquet file without reading its rows; `stream` reads a remote one in parts."""
    if stream is None and not Path(path).exists():
        raise CatalogError(f"there is no file {path}; check the path")
    try:
        file = pq.ParquetFile(path) if stream is None else pq.ParquetFile(stream, pre_buffer=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise CatalogError(
            f"{path} is not a Parquet file ({str(error).splitlines()[0]}); give stac-geoparquet"
        ) from error
    if missing := [name for name in REQUIRED if name not in file.schema_arrow.names]:
        raise CatalogError(f"{path} has no column {', '.join(missing)}; write stac-geoparquet")
    return file


def read_table(path: Path) -> pa.Table:
    """Read a stac-geoparquet file."""
    return open_table(path).read()


def _ready(item: dict[str, Any]) -> dict[str, Any]:
    """Make an item fit the table: times as RFC 3339 in UTC, a footprint, if only an empty one.

    Bookkeeping times that are unreadable are dropped.
    """
    properties = dict(item.get("properties") or {})
    for name in _TIMES:
        value = properties.get(name)
        if value is None:
            continue
        stamp = pd.to_datetime(value, utc=True, errors="coerce")
        if not pd.isna(stamp):
            properties[name] = stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        elif name in {"datetime", "start_datetime", "end_datetime"}:
            properties[name] = None
        else:
            del properties[name]
    properties.pop("collection", None)
    ready = {**item, "properties": properties}
    if item.get("geometry") is None:
        ready |= {"geometry": {"type": "Polygon", "coordinates": []}, "bbox": [0.0, 0.0, 0.0, 0.0]}
    elif not item.get("bbox"):
        ready["bbox"] = list(shapely.geometry.shape(item["geometry"]).bounds)
    return ready
