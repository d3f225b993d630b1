"""What a search asks for, tested on items themselves: some servers ignore what they do not understand."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Interval", "interval", "matches", "within"]

Interval = tuple[pd.Timestamp | None, pd.Timestamp | None]
_PERIODS = {4: "Y", 7: "M", 10: "D"}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda value, allowed: value in allowed,
    "startsWith": lambda value, start: str(value).startswith(start),
    "endsWith": lambda value, end: str(value).endswith(end),
    "contains": lambda value, part: part in value,
}


def interval(value: Any) -> Interval | None:
    """Return a span of time from what users write.

    Parameters
    ----------
    value : str, datetime, pair of these, or None
        ``"2018"``, ``"2018-06"``, ``"2018-06-02"``, ``"2018-06-01/2018-09-30"``, ``"2018-06-01/.."``, or a
        pair.

    Returns
    -------
    tuple of Timestamp or None
        First and last instant in UTC, both inclusive; ``None`` where open.

    Raises
    ------
    ConfigError
        For what is not a time, and an end before its start.
    """
    if value is None:
        return None
    if isinstance(value, str) and "/" in value:
        ends: list[Any] = value.split("/")
    else:
        ends = list(value) if isinstance(value, tuple | list) else [value, value]
    if len(ends) != 2:
        raise ConfigError(f"datetime {value!r} is not a time or START/END; write for example 2018-06-01/2018-09-30")
    start, end = _edge(ends[0], last=False, whole=value), _edge(ends[1], last=True, whole=value)
    if start is not None and end is not None and end < start:
        raise ConfigError(f"datetime {value!r} ends before it starts; swap its ends")
    return start, end


def _edge(value: Any, *, last: bool, whole: Any) -> pd.Timestamp | None:
    if value is None or value in {"", ".."}:
        return None
    text = value.strip() if isinstance(value, str) else value
    try:
        if isinstance(text, str) and re.fullmatch(r"\d{4}(-\d{2}){0,2}", text):
            period = pd.Period(text, freq=_PERIODS[len(text)])
            stamp = period.end_time.floor("ms") if last else period.start_time
        else:
            stamp = pd.Timestamp(text)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"datetime {whole!r} is not a time or START/END; write for example 2018-06-01/2018-09-30"
        ) from error
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def to_text(span: Interval) -> str:
    """Return a span of time as STAC APIs read it."""
    return "/".join(".." if t is None else t.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for t in span)


def within(item: Mapping[str, Any], span: Interval) -> bool:
    """Return whether an item's time, or a part of its time span, lies within `span`."""
    properties = item.get("properties") or {}
    start = properties.get("start_datetime") or properties.get("datetime")
    end = properties.get("end_datetime") or properties.get("datetime")
    if properties.get("datetime"):
        start = end = properties["datetime"]
    texts = pd.Series([start, end], dtype="str")
    stamps = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    if stamps.isna().any():
        return False
    return bool((span[0] is None or stamps[1] >= span[0]) and (span[1] is None or stamps[0] <= span[1]))


def check_query(query: Mapping[str, Any] | None) -> None:
    """Raise ConfigError for operators that no STAC API has."""
    for name, conditions in (query or {}).items():
        unknown = set(conditions) - set(_OPERATORS) if isinstance(conditions, dict) else {type(conditions).__name__}
        if unknown:
            raise ConfigError(
                f"query of {name!r} has {', '.join(sorted(unknown))}; write for example "
                f"{{{name}: {{lt: 50}}}} with {', '.join(_OPERATORS)}"
            )


def matches(item: Mapping[str, Any], query: Mapping[str, Any] | None) -> bool:
    """Return whether an item's properties fulfil a query; a property that it lacks does not."""
    properties = item.get("properties") or {}
    for name, conditions in (query or {}).items():
        value = properties.get(name)
        if value is None:
            return False
        try:
            if not all(_OPERATORS[op](value, wanted) for op, wanted in conditions.items()):
                return False
        except TypeError:
            return False
    return True
