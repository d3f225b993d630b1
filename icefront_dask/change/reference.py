"""Fronts and positions of other products, read by a schema: a column mapping in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import yaml

from icefront_dask.change.dates import dates_of
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["known_schemas", "read_reference", "read_schema"]

_FOLDER = Path(__file__).with_name("schemas")
_FIELDS = {
    "date", "year", "month", "day", "glacier", "sensor", "author", "scene", "quality", "uncertainty_m", "position_m",
}  # fmt: skip
_OURS = {"date": "datetime", "scene": "scene_id", "glacier": "glacier"}


def known_schemas() -> tuple[str, ...]:
    """Return the names of the schemas that the package has."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


def read_schema(name: str | Path) -> dict[str, Any]:
    """Return a schema: ``title`` and ``columns`` (field of ours → column of theirs).

    Parameters
    ----------
    name : str or path
        One of :func:`known_schemas`, or a YAML file.

    Raises
    ------
    InputError
        For an unknown name, which says how to add one, or a file that is no schema.
    """
    path = _FOLDER / f"{name}.yaml" if str(name) in known_schemas() else Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise InputError(
            f"there is no schema {str(name)!r}; there are: {', '.join(known_schemas())}. For another product write a "
            f"YAML file with 'title: NAME' and 'columns:' of pairs 'FIELD: COLUMN' "
            f"(fields: {', '.join(sorted(_FIELDS))}; a date, or year, month and day, is needed) and pass its path"
        )
    try:
        schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not a readable YAML file: {error}") from error
    columns = schema.get("columns") if isinstance(schema, dict) else None
    if not isinstance(columns, dict) or not all(isinstance(v, str) for v in columns.values()):
        raise InputError(f"{path} is no schema: it needs 'columns:' of pairs 'FIELD: COLUMN'")
    if unknown := sorted(set(columns) - _FIELDS):
        raise InputError(f"{path}: unknown field {', '.join(unknown)}; fields: {', '.join(sorted(_FIELDS))}")
    if "date" not in columns and not {"year", "month", "day"} <= set(columns):
        raise InputError(f"{path}: a schema needs a date, or year, month and day")
    return {"title": str(schema.get("title", path.stem)), "columns": columns}


def read_reference(table: Any, schema: Mapping[str, Any]) -> Any:
    """Return another product's table with our column names.

    Parameters
    ----------
    table : GeoDataFrame or DataFrame
        As it was read; column names are compared without regard to case.
    schema : mapping
        From :func:`read_schema`.

    Returns
    -------
    GeoDataFrame or DataFrame
        datetime (datetime64[us, UTC]) and, where the schema has them, glacier, sensor, author, scene_id,
        quality, uncertainty_m, position_m; the geometry of a GeoDataFrame.

    Raises
    ------
    InputError
        For a column that is not there, or dates that cannot be read.
    """
    names = {str(column).lower(): column for column in table.columns}
    columns = schema["columns"]
    if missing := [column for column in columns.values() if column.lower() not in names]:
        raise InputError(
            f"the table has no column {', '.join(missing)} of the schema {schema['title']}; it has "
            f"{', '.join(map(str, table.columns))}"
        )
    found = {field: table[names[column.lower()]] for field, column in columns.items()}
    given = pd.DataFrame({field: found[field] for field in ("date", "year", "month", "day") if field in found})
    date = dates_of(given, "date" if "date" in found else None, what=f"the table of {schema['title']}")
    out = {"datetime": date.set_axis(table.index)}
    out |= {_OURS.get(f, f): found[f] for f in found if f not in {"date", "year", "month", "day"}}
    if isinstance(table, gpd.GeoDataFrame):
        return gpd.GeoDataFrame(out, geometry=table.geometry, crs=table.crs)
    return pd.DataFrame(out)
