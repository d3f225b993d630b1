"""The statistics of a region as a table for people: a row a quantity, a column a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.publish.wording import date, flowline_name, method_rank, plain, sentence, signed, value_with_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GROUPS", "HEADLINES", "Quantity", "headlines", "statistics_table"]


@dataclass(frozen=True)
class Quantity:
    """A row of the table: columns of the statistics, and how they are called.

    ``ends`` says that two dates stand in ``<stem>_from`` and ``<stem>_to``; an interval is looked for in
    ``<stem>_low<unit>`` and ``<stem>_high<unit>``.
    """

    column: str
    label: str
    unit: str = ""
    stem: str = ""
    ends: bool = False

    @property
    def bounds(self) -> tuple[str, str]:
        """Return the columns of the interval."""
        unit = self.column.removeprefix(self.stem)
        return f"{self.stem}_low{unit}", f"{self.stem}_high{unit}"


HEADLINES = (
    Quantity("net_change_m", "Net change", "m", "net_change", ends=True),
    Quantity("rate_m_per_year", "Rate", "m a⁻¹", "rate"),
    Quantity("seasonal_amplitude_m", "Seasonal amplitude", "m", "seasonal_amplitude"),
    Quantity("largest_retreat_m", "Largest single retreat", "m", "largest_retreat", ends=True),
)
GROUPS = {
    "Change": (
        *HEADLINES[:2],
        Quantity("theil_sen_m_per_year", "Theil–Sen slope of annual medians", "m a⁻¹", "theil_sen"),
        Quantity("theil_sen_years", "Years in that slope"),
        Quantity("interannual_sd_m", "Scatter from year to year", "m"),
        Quantity("kendall_tau", "Seasonal Kendall tau"),
        Quantity("kendall_p", "Its probability without a trend"),
        Quantity("kendall_years", "Years in that test"),
        HEADLINES[2],
        Quantity("amplitude_lower_bound_m", "Seasonal amplitude, at least", "m"),
        Quantity("day_of_maximum", "Most advanced about"),
        Quantity("day_of_minimum", "Most retreated about"),
        HEADLINES[3],
        Quantity("retreat_over_gap_m", "Largest retreat over a gap", "m", "retreat_over_gap", ends=True),
        Quantity("n_calving_events", "Calving events"),
        Quantity("n_change_points", "Changes of the level"),
        Quantity("change_point_m", "Largest change of the level", "m", "change_point", ends=True),
        Quantity("terminus_mass_change_gt", "Mass change of the terminus", "Gt", "terminus_mass_change"),
    ),
    "Record": (
        Quantity("n", "Dates with an accepted front"),
        Quantity("n_review", "Scenes for review"),
        Quantity("n_rejected", "Scenes rejected"),
        Quantity("n_no_front", "Scenes without a front"),
        Quantity("n_failed", "Scenes failed"),
        Quantity("first_date", "First date"),
        Quantity("last_date", "Last date"),
        Quantity("span_years", "Length", "a"),
        Quantity("mean_interval_days", "Mean interval", "d"),
        Quantity("longest_gap_days", "Longest gap", "d"),
        Quantity("n_gaps", "Gaps that are counted"),
        Quantity("mean_width_m", "Width of the box", "m"),
    ),
}
_SUBJECTS = {"theil_sen": "Theil–Sen slope", "theil_sen interval": "Interval of the Theil–Sen slope"}
_NOTHING = {"value": "–", "interval": "", "dates": ""}
_DECIMALS = {"a": 1, "d": 0}
_COUNTS_WORTH_A_ROW = {"n"}


def statistics_table(statistics: pd.DataFrame) -> dict[str, Any] | None:
    """Return methods, rows and notes; None without statistics. Rows that say nothing are left out."""
    records = _records(statistics)
    if not records:
        return None
    groups = []
    for title, quantities in GROUPS.items():
        rows: list[dict[str, Any]] = []
        for quantity in quantities:
            cells = [_cell(record, quantity) for record in records]
            if any(cell["value"] != "–" for cell in cells):
                rows.append({"label": quantity.label, "unit": quantity.unit, "cells": cells})
        if rows:
            groups.append({"title": title, "rows": rows})
    return {
        "methods": [name for name, _ in _named(records)],
        "groups": groups,
        "notes": _notes(records),
    }


def headlines(statistics: pd.DataFrame) -> tuple[list[dict[str, str]], str]:
    """Return the headline values of the first method that has most of them, and that method's name."""
    best: tuple[list[dict[str, str]], str] = ([], "")
    for name, record in _named(_records(statistics)):
        cells = [{"label": q.label, "unit": q.unit, **_cell(record, q)} for q in HEADLINES]
        cells = [cell for cell in cells if cell["value"] != "–"]
        if len(cells) > len(best[0]):
            best = cells, name
    return best


def _records(statistics: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = statistics.to_dict("records")  # type: ignore[assignment]
    return sorted(records, key=lambda record: (method_rank(record["method"]), plain(record.get("flowline"))))


def _named(records: Iterable[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Name each column by its method, and by its flowline where a method has several."""
    records = list(records)
    methods = [record["method"] for record in records]
    return [
        (
            sentence(record["method"])
            + (f", {flowline_name(record['flowline'])}" if methods.count(record["method"]) > 1 else ""),
            record,
        )
        for record in records
    ]


def _cell(record: dict[str, Any], quantity: Quantity) -> dict[str, str]:
    value = record.get(quantity.column)
    if value is None or pd.isna(value):
        return _NOTHING
    if quantity.column == "amplitude_lower_bound_m" and pd.notna(record.get("seasonal_amplitude_m")):
        return _NOTHING  # it is the lower end of that interval
    if (words := _in_words(quantity.column, value)) is not None:
        return {**_NOTHING, "value": words}
    if not quantity.unit:
        whole = signed(float(value), 0)
        return _NOTHING if whole == "0" and quantity.column not in _COUNTS_WORTH_A_ROW else {**_NOTHING, "value": whole}
    low, high = (record.get(name) for name in quantity.bounds) if quantity.stem else (None, None)
    shown, interval = value_with_interval(value, low, high)
    if not quantity.stem and quantity.unit in _DECIMALS:
        shown = signed(float(value), _DECIMALS[quantity.unit])
    dates = ""
    if quantity.ends:
        first, last = (date(record.get(f"{quantity.stem}_{end}")) for end in ("from", "to"))
        dates = f"{first} to {last}" if first and last else ""
        if dates and record.get(f"{quantity.stem}_same_season") is False:
            dates += ", different seasons"
    return {"value": shown, "interval": interval, "dates": dates}


def _in_words(column: str, value: Any) -> str | None:
    """Return a date, a day of the year or a pure number as text; None for what has a unit or is a count."""
    if isinstance(value, pd.Timestamp):
        return date(value)
    if column.startswith("day_of_"):
        day = pd.Timestamp(2001, 1, 1) + pd.Timedelta(days=float(value) - 1)
        return f"{day.day} {day:%B}"
    decimals = {"kendall_tau": 2, "kendall_p": 3}.get(column)
    return None if decimals is None else signed(float(value), decimals)


def _notes(records: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return why values are missing, once for the methods that share it."""
    methods: dict[str, list[str]] = {}
    for name, record in _named(records):
        for reason in str(record.get("reason") or "").split("; "):
            subject, colon, why = reason.partition(": ")
            if reason:
                said = f"{_SUBJECTS.get(subject, sentence(subject))}{colon}{why}"
                methods.setdefault(said, []).append(name)
    everyone = [name for name, _ in _named(records)]
    return [{"methods": "" if names == everyone else ", ".join(names), "note": said} for said, names in methods.items()]
