"""How numbers, names and reasons are written for people."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

__all__ = ["date", "flowline_name", "method_rank", "plain", "sentence", "signed", "span", "value_with_interval"]

_METHODS = ("rectilinear-box", "curvilinear-box", "variable-box", "centreline", "multi-centreline", "area")
_MINUS = "\N{MINUS SIGN}"


def method_rank(method: str) -> tuple[int, str]:
    """Return where a method stands among the columns and panels of the report."""
    return (_METHODS.index(method) if method in _METHODS else len(_METHODS), method)


def plain(word: Any) -> str:
    """Return a slug or an enumeration's value as words, an empty text for nothing."""
    return "" if word is None or word is pd.NA or word != word else str(word).replace("_", " ")  # noqa: PLR0124


def sentence(word: Any) -> str:
    """Return words with a capital letter at the beginning and nothing else changed."""
    words = plain(word)
    return words[:1].upper() + words[1:]


def flowline_name(name: Any) -> str:
    """Return what a flowline is called; those without a name of their own are numbered."""
    return f"flowline {plain(name)}" if plain(name).isdigit() else plain(name)


def date(value: Any) -> str:
    """Return a time as ISO date."""
    return "" if pd.isna(value) else f"{pd.Timestamp(value):%Y-%m-%d}"


def span(first: Any, last: Any) -> str:
    """Return two dates as one text."""
    return date(first) if date(first) == date(last) else f"{date(first)} to {date(last)}"


def signed(number: float, decimals: int) -> str:
    """Return a number with a true minus sign and thin spaces between thousands."""
    shown = f"{abs(number):,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return (_MINUS if number < 0 and float(f"{abs(number):.{decimals}f}") else "") + shown


def value_with_interval(value: Any, low: Any = None, high: Any = None) -> tuple[str, str]:
    """Return a value and its interval, both rounded to two digits of the interval's half width.

    Without an interval the value has three significant digits; a missing value is an en dash.
    """
    if not _is_number(value):
        return "–", ""
    if not (_is_number(low) and _is_number(high)):
        return signed(value, _decimals(abs(value), 3)), ""
    decimals = _decimals((high - low) / 2 or abs(value), 2)
    return signed(value, decimals), f"{signed(low, decimals)} to {signed(high, decimals)}"


def _is_number(value: Any) -> bool:
    return (
        value is not None
        and value is not pd.NA
        and not isinstance(value, str | bool)
        and hasattr(value, "__float__")
        and math.isfinite(float(value))
    )


def _decimals(size: float, digits: int) -> int:
    return 0 if size == 0 else max(0, digits - 1 - math.floor(math.log10(size)))
