"""Fronts of days, months, seasons and years: where ice was at least half of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString, MultiLineString

from icefront_dask.change.half_time import Record, time_weights, weighted_median
from icefront_dask.change.matrix import matrix_of
from icefront_dask.change.prepared import prepare
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.change.guides import FlowlineDirection
    from icefront_dask.change.layout import Layout
    from icefront_dask.regions import Region

    Floats = npt.NDArray[np.float64]

__all__ = ["PERIODS", "front_products"]

PERIODS = {"daily": "D", "monthly": "M", "seasonal": "Q-NOV", "annual": "Y"}
_DAY = 86_400.0
_COLUMNS = [
    "region", "flowline", "period", "start", "end", "n_dates", "longest_gap_days", "position_m", "position_low_m",
    "position_high_m", "position_sigma_m", "covered_share", "reason",
]  # fmt: skip


def front_products(
    fronts: Any,
    region: Region | None = None,
    *,
    period: Literal["daily", "monthly", "seasonal", "annual"] = "monthly",
    series: pd.DataFrame | None = None,
    flowlines: Any = None,
    flowline_direction: FlowlineDirection = "inland-to-sea",
    width_m: float | None = None,
    uncertainty_m: float | None = None,
    date_column: str | None = None,
) -> gpd.GeoDataFrame:
    """Return one front a period: the boundary of what was ice for at least half of its time.

    Along each parallel of the flowline (10 m apart) that is the median of the fronts' positions, each
    weighted by the time that is nearer to its date than to others. It is never the mean of lines, which lies
    where there has never been a front after a calving event.

    Parameters
    ----------
    fronts, region, flowlines, flowline_direction, width_m, uncertainty_m, date_column
        As in :func:`front_series`; the first flowline counts.
    period : {"daily", "monthly", "seasonal", "annual"}
        Seasons are December to February and so on, years are calendar years (UTC).
    series : DataFrame, optional
        From :func:`front_series` of the same fronts: only scenes that it accepts by at least one method are
        used.

    Returns
    -------
    GeoDataFrame
        One row a period from the first to the last with a front, in the working CRS: region, flowline, period,
        start and end (UTC, end exclusive), n_dates, longest_gap_days (within the period, its ends included),
        position_m (mean over the width, true ground measure) with its 95 % interval and 1 sigma, covered_share of
        the width, reason (why a row has no value), and the line.

    Raises
    ------
    InputError
        As :func:`front_series`, and for an unknown period.

    Notes
    -----
    The interval is that of 300 records that might have been. Each front has errors normal to it which are correlated
    along it over 500 m, as for a position of :func:`front_series`: those of a wide front average out in part, those
    of a narrow one do not. Between two dates, be that within the period or the nearest ones before and after it, the
    front advances evenly and retreats at once, at any time. Where a part of the width is not seen in the whole
    period, it may lie off the rest by as much as the rest varies. What a front did between two dates that neither
    shows, such as a calving event that it made good for, is not in the interval; on simulated records of 6 and 12
    days it holds the truth of 92 to 99 % of the months.
    """
    if period not in PERIODS:
        raise InputError(f"there is no period {period!r}; there are: {', '.join(PERIODS)}")
    dated, layout = prepare(
        fronts, region, methods=["multi-centreline"], flowlines=flowlines, flowline_direction=flowline_direction,
        width_m=width_m, date_column=date_column,
    )  # fmt: skip
    matrix = matrix_of(dated, layout)
    good = matrix["status"].to_numpy() == str(Status.ACCEPTED)
    if series is not None:
        accepted = set(series.loc[series["status"] == Status.ACCEPTED, "scene_id"])
        good &= np.isin(matrix["scene_id"].to_numpy(), sorted(accepted))
    good &= np.isfinite(matrix.to_numpy()).any(axis=1)
    at = matrix.to_numpy()[good]
    times = pd.DatetimeIndex(matrix["time"].to_numpy()[good])
    place = _Place(layout)
    record = Record(
        times.to_numpy(dtype="datetime64[us]").astype("int64") / 1e6,
        at,
        _sigmas(dated.table, matrix["scene_id"].to_numpy()[good], uncertainty_m),
        matrix["across"].to_numpy(),
        float(section("change")["correlation_m"]),
    )
    rows, lines = [], []
    if len(times):
        of = times.to_period(PERIODS[period])
        for one in pd.period_range(of.min(), of.max(), freq=PERIODS[period]):
            start, end = one.start_time, (one + 1).start_time
            row, line = _product(record, np.flatnonzero(of == one), start, end, place)
            key = [matrix.attrs["region"], place.name, period, start.tz_localize("UTC"), end.tz_localize("UTC")]
            rows.append(dict(zip(_COLUMNS, [*key, *row], strict=True)))
            lines.append(line)
    return gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=_COLUMNS), geometry=gpd.GeoSeries(lines, crs=dated.crs), crs=dated.crs
    )


class _Place:
    """The flowline, and where positions on its parallels lie on the map."""

    def __init__(self, layout: Layout) -> None:
        self.name = next(iter(layout.flowlines))
        self.offsets = layout.curvilinear[self.name].parallels
        self.axis = layout.flowlines[self.name]
        self.along = layout.along("multi-centreline", self.name)

    def line(self, position: Floats) -> Any:
        """Return the line through positions on all parallels; parted where more than one in a row is unknown."""
        at = np.interp(position, self.along.true, self.along.projected)
        known = np.isfinite(position)
        before, here, after = (
            shapely.get_coordinates(
                shapely.line_interpolate_point(self.axis, np.clip(at[known] + step, 0, self.axis.length))
            )
            for step in (-50.0, 0.0, 50.0)
        )
        flow = (after - before) / np.hypot(*(after - before).T)[:, None]
        xy = here + self.offsets[known, None] * np.column_stack([-flow[:, 1], flow[:, 0]])
        parts = np.split(xy, np.flatnonzero(np.diff(np.flatnonzero(known)) > 1) + 1)
        lines = [LineString(part) for part in parts if len(part) > 1]
        return None if not lines else lines[0] if len(lines) == 1 else MultiLineString(lines)


def _sigmas(table: pd.DataFrame, scenes: Any, uncertainty_m: float | None) -> Floats:
    known = table.drop_duplicates("scene_id").set_index("scene_id")["uncertainty_m"]
    default = float(section("change")["default_uncertainty_m"])
    if uncertainty_m is not None:
        return np.full(len(scenes), float(uncertainty_m))
    return known.reindex(scenes).fillna(default).to_numpy(dtype=float)


def _product(
    record: Record, inside: npt.NDArray[np.intp], start: pd.Timestamp, end: pd.Timestamp, place: _Place
) -> tuple[list[Any], Any]:
    begin, stop = (_seconds(time) for time in (start, end))
    if not len(inside):
        return [0, (stop - begin) / _DAY, np.nan, np.nan, np.nan, np.nan, 0.0, "no_front_in_period"], None
    seconds = record.seconds[inside]
    gap = float(np.diff(np.concatenate([[begin], seconds, [stop]])).max()) / _DAY
    middle = weighted_median(record.positions[inside], np.maximum(time_weights(seconds, begin, stop), 1e-9))
    mean = float(np.nanmean(middle))
    errors = record.errors(inside, begin, stop, middle)
    low, high = np.quantile(errors, [0.025, 0.975])
    covered = float(np.isfinite(middle).mean())
    sigma = float(np.sqrt(np.mean(errors**2)))
    return [len(inside), gap, mean, mean + min(low, 0.0), mean + max(high, 0.0), sigma, covered, ""], place.line(middle)


def _seconds(time: pd.Timestamp) -> float:
    return float(np.datetime64(time, "us").astype("int64")) / 1e6
