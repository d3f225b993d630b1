"""Dates of other people's tables: columns of many names and kinds, and those that cannot be told for sure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from icefront_dask.change.dates import dates_of
from icefront_dask.errors import InputError

DAYS = pd.to_datetime(["2019-07-01", "2019-07-13", "2019-08-06", "2020-02-29"])
UTC_DAYS = list(DAYS.tz_localize("UTC"))


def written(form):
    return [day.strftime(form) for day in DAYS]


NAMES = [
    "datetime", "Date", "DATE_", "TP_DATE", "SourceDate", "Acquisition_Date", "acquisitio", "img_date", "ImageDate",
    "timestamp", "time", "day",
]  # fmt: skip
KINDS = {
    "text": written("%Y-%m-%d"),
    "text with a time": written("%Y-%m-%dT00:00:00Z"),
    "text with a zone": [f"{day}T02:00:00+02:00" for day in written("%Y-%m-%d")],
    "compact text": written("%Y%m%d"),
    "compact numbers": [int(text) for text in written("%Y%m%d")],
    "numbers with a gap in the column": [float(text) for text in written("%Y%m%d")],
    "year and day of the year": [int(text) for text in written("%Y%j")],
    "year and day of the year as text": written("%Y%j"),
    "slashes, year first": written("%Y/%m/%d"),
    "underscores": written("%Y_%m_%d"),
    "dots": written("%d.%m.%Y"),
    "slashes, day first": written("%d/%m/%Y"),
    "slashes, month first": written("%m/%d/%Y"),
    "slashes and a clock": [f"{text} 00:00:00" for text in written("%m/%d/%Y")],
    "without leading zeros": ["2019-7-1", "2019-7-13", "2019-8-6", "2020-2-29"],
    "month by name": written("%d %b %Y"),
    "month by name, first": written("%B %d, %Y"),
    "milliseconds": [int(day.timestamp() * 1000) for day in DAYS],
    "dates of Python": [day.date() for day in DAYS],
    "times of Python": [day.to_pydatetime() for day in DAYS],
    "times with a zone": [day.tz_localize("UTC").tz_convert("America/Nuuk") for day in DAYS],
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    table = pd.DataFrame({"id": [20190101, 2, 3, 4], name: written("%Y-%m-%d")})
    assert list(dates_of(table)) == UTC_DAYS


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind):
    dates = dates_of(pd.DataFrame({"date": KINDS[kind]}, index=[7, 5, 3, 1]))
    assert str(dates.dtype) == "datetime64[us, UTC]"
    assert list(dates) == UTC_DAYS
    assert list(dates.index) == [0, 1, 2, 3]


def test_year_month_and_day():
    table = pd.DataFrame({"Year": DAYS.year, "Month": DAYS.month, "Day": DAYS.day})
    assert list(dates_of(table)) == UTC_DAYS
    assert list(dates_of(table.assign(date=written("%Y%m%d")))) == UTC_DAYS
    with pytest.raises(InputError, match="'Year' and 'Month' and 'Day' of the fronts do not hold dates"):
        dates_of(table.assign(Day=31))


def test_decimal_years():
    dates = dates_of(pd.DataFrame({"date": [2019.0, 2019.5, 2020.5]}))
    expected = ["2019-01-01T00Z", "2019-07-02T12Z", "2020-07-02T00Z"]
    assert list(dates) == [pd.Timestamp(day) for day in expected]


def test_the_only_column_of_times_is_found():
    assert list(dates_of(pd.DataFrame({"seen": DAYS, "length": 1.0}))) == UTC_DAYS
    with pytest.raises(InputError, match=r"several columns of dates \(begin, end\); name one with date_column"):
        dates_of(pd.DataFrame({"begin": DAYS, "end": DAYS}))
    assert list(dates_of(pd.DataFrame({"begin": DAYS, "end": DAYS + pd.Timedelta("5D")}), "begin")) == UTC_DAYS


@pytest.mark.parametrize("absent", [None, "", "NaT", "n/a", np.nan, pd.NaT])
def test_missing_dates(absent):
    table = pd.DataFrame({"date": pd.Series([*written("%Y-%m-%d"), absent], dtype=object)})
    with pytest.raises(InputError, match=r"1 of 5 rows of the fronts have no date in 'date' \(the first is row 4\)"):
        dates_of(table)
    kept = dates_of(table, missing="keep")
    assert list(kept[:4]) == UTC_DAYS
    assert pd.isna(kept[4])


def test_missing_numbers_and_times():
    for values in ([20190701.0, np.nan, 0.0], [DAYS[0], pd.NaT, pd.NaT], [None, None, None]):
        table = pd.DataFrame({"date": values})
        with pytest.raises(InputError, match="have no date"):
            dates_of(table)
        assert dates_of(table, missing="keep").isna().sum() >= 2


REFUSED = {  # what cannot be told for sure: values, what the error says
    "two ways": (["01/07/2019", "02/08/2019"], "can be read in two ways.*01/07/2019.*YYYY-MM-DD"),
    "months": (["2019-07", "2019-08"], "row 0 is '2019-07'"),
    "years as text": (["2019", "2020"], "row 0 is '2019'"),
    "years": ([2019, 2020], "numbers that are no dates"),
    "serial days": ([737_606.0, 737_618.0], "numbers that are no dates"),
    "no day of the calendar": (["2019-07-01", "2019-02-30"], "row 1 is '2019-02-30'"),
    "no day, in numbers": ([20190701, 20190230], "numbers that are no dates"),
    "a word": (["2019-07-01", "soon"], "row 1 is 'soon'"),
    "long ago": (["0107-01-20", "0107-01-21"], "does not hold dates"),
    "true and false": ([True, False], "true and false"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    values, said = REFUSED[name]
    with pytest.raises(InputError, match=said):
        dates_of(pd.DataFrame({"date": values}))


def test_a_table_without_dates_says_what_it_has():
    with pytest.raises(InputError, match=r"no column of dates .*they have id, length: name it with date_column"):
        dates_of(pd.DataFrame({"id": [1], "length": [2.0]}))
    with pytest.raises(InputError, match=r"no date column 'when'; they have id"):
        dates_of(pd.DataFrame({"id": [1]}), "when")
    assert len(dates_of(pd.DataFrame({"date": []}))) == 0
