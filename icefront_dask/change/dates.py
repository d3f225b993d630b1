"""Dates of a table, whatever its column is called and however it writes them; what can be read two ways is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["DATE_COLUMNS", "dates_of"]

DATE_COLUMNS = (
    "datetime", "date", "tp_date", "acquisition_date", "acq_date", "sourcedate", "img_date", "image_date",
    "timestamp", "time", "day",
)  # fmt: skip
_PARTS = ("year", "month", "day")
_SHAPEFILE_NAME = 10  # characters of a column's name that a shapefile keeps
_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y_%m_%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
_DIGITS = {7: "%Y%j", 8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
_ISO = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{4}-W\d{2}-\d")
_NO_DATE = frozenset({"", "nat", "nan", "na", "n/a", "none", "null", "<na>", "0", "-", "--"})
_EARLIEST, _LATEST = 1800, 2200


def dates_of(table: Any, column: str | None = None, *, what: str = "the fronts", missing: str = "raise") -> pd.Series:
    """Return the dates of a table as UTC times; times without a zone are UTC.

    Parameters
    ----------
    table : DataFrame
        With a column of dates, or with the columns year, month and day.
    column : str, optional
        Name of the column. By default the first of ``DATE_COLUMNS`` whatever its case, then year, month and
        day, then the only column of times, then the only one whose name holds "date".
        It may hold times, dates, text (ISO 8601, ``20190701``, ``2019182`` of year and day of the year, days
        and months by name, by dots as 1.7.2019, or by slashes where the whole column can be read in one way
        only), integers of that kind, milliseconds since 1970, or decimal years.
    what : str
        Name of the table in errors.
    missing : {"raise", "keep"}
        What to do about rows without a date.

    Returns
    -------
    Series
        (n,) datetime64[us, UTC], numbered from 0; NaT where there is none.

    Raises
    ------
    InputError
        If there is no such column, several could be meant, its values are no dates, could be read in two ways
        or lack the day, or a date is missing.
    """
    found = _column(table, column, what)
    where = " and ".join(repr(name) for name in found)
    if len(found) == 1:
        dates = _read(table[found[0]].reset_index(drop=True), f"column {where} of {what}")
    else:
        dates = _joined(table[list(found)].reset_index(drop=True), f"columns {where} of {what}")
    absent = dates.isna().to_numpy()
    if missing == "raise" and absent.any():
        row = table.index[absent][0]
        raise InputError(
            f"{int(absent.sum())} of {len(dates)} rows of {what} have no date in {where} (the first is row {row}); "
            "date them or leave them out"
        )
    return dates.dt.as_unit("us")


def _column(table: Any, column: str | None, what: str) -> Sequence[Any]:
    """Return the name of the column, or the three names of year, month and day."""
    if column is not None:
        if column not in table:
            raise InputError(f"{what} have no date column {column!r}; they have {_listed(table.columns)}")
        return [column]
    names = {str(name).strip("_").lower(): name for name in reversed(list(table.columns))}
    parts = [names[part] for part in _PARTS if part in names]
    for key in DATE_COLUMNS:
        if key == "day" and len(parts) == len(_PARTS):
            return parts
        for known in (key, key[:_SHAPEFILE_NAME]):
            if known in names:
                return [names[known]]
    times = [name for name in table.columns if pd.api.types.is_datetime64_any_dtype(table[name].dtype)]
    said = [name for key, name in names.items() if "date" in key and key != "update"]
    for candidates in (times, said):
        if len(candidates) == 1:
            return candidates
        if candidates:
            raise InputError(
                f"{what} have several columns of dates ({_listed(candidates)}); name one with date_column "
                "(--date-column)"
            )
    raise InputError(
        f"{what} have no column of dates ({', '.join(DATE_COLUMNS)}, or year, month and day); they have "
        f"{_listed(table.columns)}: name it with date_column (--date-column)"
    )


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)


def _joined(parts: pd.DataFrame, where: str) -> pd.Series:
    try:
        numbers = parts.set_axis(list(_PARTS), axis=1).apply(pd.to_numeric)
        known = numbers[numbers.notna().all(axis=1)]
        return _filled(pd.to_datetime(known.astype(int), utc=True), parts.index)
    except (ValueError, TypeError) as error:
        raise InputError(f"the {where} do not hold dates: {error}") from error


def _read(values: pd.Series, where: str) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pd.to_datetime(values, utc=True)
    if pd.api.types.is_bool_dtype(values.dtype):
        raise InputError(f"{where} does not hold dates but true and false; name another column")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _numbers(values.astype(float), where)
    text = values.map(_text)
    known = text[text.notna()]
    return _filled(_one_way(known, where) if len(known) else pd.to_datetime(known, utc=True), values.index)


def _text(value: Any) -> str | None:
    """Return a date as text, None for what stands for no date."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value.isoformat() if hasattr(value, "isoformat") else str(value).strip()
    return None if text.lower() in _NO_DATE else text


def _one_way(text: pd.Series, where: str) -> pd.Series:
    """Read texts in the one way in which all of them are dates."""
    ways: list[tuple[str, pd.Series]] = []
    for form in _formats(text):
        try:
            read = pd.to_datetime(text, utc=True, format=form)
        except (ValueError, TypeError, OverflowError):
            continue
        if read.dt.year.between(_EARLIEST, _LATEST).all() and not any(read.equals(other) for _, other in ways):
            ways.append((form, read))
    if len(ways) == 1:
        return ways[0][1]
    if ways:
        row = next(k for k in text.index if ways[0][1][k] != ways[1][1][k])
        raise InputError(
            f"{where} can be read in two ways, {ways[0][0]} and {ways[1][0]} (row {row}: {text[row]!r}); write its "
            "dates as YYYY-MM-DD"
        )
    bad = (row for row in text.index if not _is_date(text[row]))
    row = next(bad, text.index[0])
    raise InputError(f"{where} does not hold dates: row {row} is {text[row]!r}; write its dates as YYYY-MM-DD")


def _formats(text: pd.Series) -> Sequence[str]:
    """Return the formats that texts of this kind can have."""
    if text.str.fullmatch(r"\d+").all():
        lengths = set(text.str.len())
        return [_DIGITS[length] for length in lengths if len(lengths) == 1 and length in _DIGITS]
    if text.str.match(_ISO).all():
        return ["ISO8601"]
    return [day + clock for day in _FORMATS for clock in _CLOCKS]


def _is_date(value: str) -> bool:
    one = pd.Series([value])
    return any(pd.to_datetime(one, format=form, utc=True, errors="coerce").notna().all() for form in _formats(one))


def _numbers(values: pd.Series, where: str) -> pd.Series:
    """Read 20190701, 2019182, milliseconds since 1970 or decimal years; zero is no date."""
    values = values.where(np.isfinite(values) & (values != 0))
    known = values.dropna()
    if known.empty:
        return _filled(pd.to_datetime(known, utc=True), values.index)
    number: npt.NDArray[np.float64] = known.to_numpy()
    if (number == np.round(number)).all():
        digits = {len(str(int(n))) for n in number}
        form = _DIGITS.get(min(digits)) if len(digits) == 1 and (number > 0).all() else None
        if form is not None:
            read = pd.to_datetime(known.astype("int64").astype(str), utc=True, format=form, errors="coerce")
            if read.notna().all() and read.dt.year.between(_EARLIEST, _LATEST).all():
                return _filled(read, values.index)
        read = pd.to_datetime(known, unit="ms", utc=True, errors="coerce")
        if (abs(number) > 1e10).all() and read.dt.year.between(_EARLIEST, _LATEST).all():
            return _filled(read, values.index)
    elif ((number >= _EARLIEST) & (number < _LATEST)).all():
        year = np.floor(number).astype(int)
        first, after = (pd.to_datetime(pd.Series(y.astype(str)), format="%Y", utc=True) for y in (year, year + 1))
        share = number - year
        seconds = np.round((after - first).dt.total_seconds().to_numpy() * share)
        read = (first + pd.to_timedelta(seconds, unit="s")).set_axis(known.index)
        return _filled(read, values.index)
    raise InputError(
        f"{where} holds numbers that are no dates (row {known.index[0]}: {known.iloc[0]:.10g}); write its dates as "
        "YYYY-MM-DD"
    )


def _filled(read: pd.Series, index: Any) -> pd.Series:
    return read.dt.as_unit("us").reindex(index)
