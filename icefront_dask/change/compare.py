"""Fronts of two products compared: pairs of nearly one date, over the width that both see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from icefront_dask.change.areas import line_across
from icefront_dask.change.boxes import check_flowline
from icefront_dask.change.ground import Ground
from icefront_dask.change.guides import named_flowlines
from icefront_dask.change.inputs import in_crs, prepare_fronts
from icefront_dask.change.lines import ACROSS_STEP, lines_of
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    import numpy.typing as npt
    from shapely.geometry import LineString

    from icefront_dask.change.guides import FlowlineDirection
    from icefront_dask.regions import Region

__all__ = ["Comparison", "compare_fronts", "offsets"]

_SAMPLE_M = 10.0


@dataclass(frozen=True)
class Comparison:
    """What two products differ by.

    Attributes
    ----------
    pairs : DataFrame
        One row a pair: datetime, reference_datetime, days (ours − reference), scene_id, sensor, author,
        bias_m (mean signed distance, seaward +), mean_m, median_m, p95_m (of the distance across the common
        span), common_m (its width), trimmed_share (of the wider line, left out).
    summary : dict
        n_pairs, bias_m (mean over pairs), median_m, mean_m, p95_m (pooled over all points), trimmed_share,
        and their bootstrap over dates of bias_m: bias_low_m, bias_high_m.
    by_sensor : DataFrame
        sensor, n_pairs, bias_m, median_m, p95_m.
    between_authors : DataFrame
        authors, n_pairs, bias_m, median_m, p95_m of reference fronts of one date by two authors; empty where
        there are none.
    """

    pairs: pd.DataFrame
    summary: dict[str, Any]
    by_sensor: pd.DataFrame
    between_authors: pd.DataFrame


def compare_fronts(
    ours: Any,
    reference: Any,
    region: Region | None = None,
    *,
    flowlines: Any = None,
    flowline_direction: FlowlineDirection = "inland-to-sea",
    max_days: float = 3.0,
    true_scale: bool = True,
    date_column: str | None = None,
) -> Comparison:
    """Compare fronts with those of another product.

    Each accepted front of ours is paired with the reference fronts (one an author) nearest in time, at most
    `max_days` apart. Both are cut to the across-flow span that they share, less two pixels at both ends, and
    their along-flow distance is taken every 10 m.

    Parameters
    ----------
    ours : GeoDataFrame
        Fronts with dates, as for :func:`front_series`.
    reference : GeoDataFrame
        From :func:`read_reference`: datetime, lines, where known sensor and author.
    region : Region, optional
    flowlines : geometry, sequence, GeoSeries or GeoDataFrame, optional
        Instead of the region's; the first says which way the sea is.
    flowline_direction : {"inland-to-sea", "sea-to-inland"}
    max_days : float
        Largest difference in time.
    true_scale : bool
        True ground measure; ``False`` for metres of the map.
    date_column : str, optional
        Of `ours`.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        For tables that cannot be used, no flowline, no pair within `max_days`, or no pair with a common span.
    """
    dated = prepare_fronts(ours, region, date_column=date_column)
    given_in = ours.crs if region is None else None
    lines = named_flowlines(flowlines, region, dated.crs, given_in=given_in, direction=flowline_direction)
    if not lines:
        raise InputError("a comparison needs a flowline, which says where seaward is; pass one, or a region with one")
    flowline = check_flowline(next(iter(lines.values())))
    reference = in_crs(reference, dated.crs, what="the reference fronts")
    mine = dated.table.assign(geometry=dated.geometry)
    mine = mine[(mine["status"] == Status.ACCEPTED) & mine["geometry"].notna()]
    theirs = pd.DataFrame(
        {
            "datetime": reference["datetime"].to_numpy(),
            "author": reference["author"].astype(str).to_numpy() if "author" in reference else "",
            "geometry": reference.geometry.to_numpy(),
        }
    )
    theirs["datetime"] = pd.to_datetime(theirs["datetime"], utc=True)
    theirs = theirs[theirs["geometry"].notna()]
    ground = Ground(dated.crs if true_scale else None)
    rows, pooled = [], []
    scenes: list[dict[str, Any]] = mine.to_dict("records")  # type: ignore[assignment]
    for row in scenes:
        size = float(row["pixel_size_m"])
        pixel = size if size > 0 else float(section("change")["pixel_size_m"])
        for author, group in theirs.groupby("author", sort=True):
            apart = ((row["datetime"] - group["datetime"]) / pd.Timedelta(days=1)).to_numpy()
            k = int(np.argmin(np.abs(apart)))
            if abs(apart[k]) > max_days:
                continue
            nearest = group.iloc[k]
            found = _measured(row["geometry"], nearest["geometry"], flowline, ground, pixel)
            if found is not None:
                base = {"datetime": row["datetime"], "reference_datetime": nearest["datetime"],
                        "days": float(apart[k]), "scene_id": row["scene_id"], "sensor": row["sensor"],
                        "author": author}  # fmt: skip
                rows.append(base | found[0])
                pooled.append(found[1])
    if not rows:
        raise InputError(
            f"no front has a reference front within {max_days:g} days that it shares a span with across the flow; "
            "check dates and CRS, or allow more days"
        )
    pairs = pd.DataFrame(rows)
    return Comparison(
        pairs,
        _summary(pairs, np.concatenate(pooled)),
        _grouped(pairs, pooled, "sensor"),
        _authors(theirs, flowline, ground),
    )


def offsets(
    front: Any, reference: Any, flowline: LineString, *, trim: float
) -> tuple[npt.NDArray[np.float64], float, float] | None:
    """Return along-flow distances of a front from another every 10 m across flow, where both are seen.

    Parameters
    ----------
    front, reference : LineString or MultiLineString
    flowline : LineString
        Inland → sea.
    trim : float
        Left out at both ends of the common span, metres of the map.

    Returns
    -------
    (ndarray, float, float) or None
        Distances (seaward +, metres of the map), width of the common span after trimming, share of the wider
        of both lines that was left out. None where they share nothing.
    """
    across = line_across(reference, flowline) or line_across(front, flowline)
    if across is None:
        return None
    profiles = []
    for line in (front, reference):
        parts = lines_of(line)
        if not parts:
            return None
        profiles.append([_flow_coordinates(part, across) for part in parts])
    spans = [(min(float(n.min()) for n, _ in parts), max(float(n.max()) for n, _ in parts)) for parts in profiles]
    low, high = max(s[0] for s in spans) + trim, min(s[1] for s in spans) - trim
    if high - low < 2 * _SAMPLE_M:
        return None
    at = np.arange(low, high, _SAMPLE_M)
    ours, theirs = (_seaward_profile(parts, at) for parts in profiles)
    distance = ours - theirs
    distance = distance[np.isfinite(distance)]
    if not len(distance):
        return None
    return distance, float(high - low), 1 - (high - low) / max(s[1] - s[0] for s in spans)


def _flow_coordinates(line: LineString, across: LineString) -> tuple[Any, Any]:
    """Return across-flow and along-flow coordinates of a densified line relative to a straight line across."""
    xy = shapely.get_coordinates(shapely.segmentize(line, ACROSS_STEP))
    a, b = shapely.get_coordinates(across)[[0, -1]]
    unit = (b - a) / np.hypot(*(b - a))
    return (xy - a) @ unit, (xy - a) @ np.array([-unit[1], unit[0]])


def _seaward_profile(parts: list[tuple[Any, Any]], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the most seaward along-flow coordinate of a line at places across flow, NaN where it is not seen."""
    out = np.full(len(at), -np.inf)
    for n, s in parts:
        for k in range(len(n) - 1):
            i, j = np.searchsorted(at, sorted((n[k], n[k + 1])))
            if i < j:
                share = (at[i:j] - n[k]) / (n[k + 1] - n[k])
                out[i:j] = np.maximum(out[i:j], s[k] + share * (s[k + 1] - s[k]))
    return np.where(np.isfinite(out), out, np.nan)


def _measured(
    front: Any, reference: Any, flowline: LineString, ground: Ground, pixel: float
) -> tuple[dict[str, float], npt.NDArray[np.float64]] | None:
    scale = ground.point_scale(shapely.get_coordinates(front)[0])
    found = offsets(front, reference, flowline, trim=2 * pixel * scale)
    if found is None:
        return None
    distance, width, trimmed = found[0] / scale, found[1] / scale, found[2]
    size = np.abs(distance)
    return {
        "bias_m": float(distance.mean()),
        "mean_m": float(size.mean()),
        "median_m": float(np.median(size)),
        "p95_m": float(np.quantile(size, 0.95)),
        "common_m": width,
        "trimmed_share": trimmed,
    }, distance


def _summary(pairs: pd.DataFrame, distance: npt.NDArray[np.float64]) -> dict[str, Any]:
    size = np.abs(distance)
    dates = pairs.groupby(pairs["datetime"].dt.floor("D"))["bias_m"].mean().to_numpy()
    draws = np.random.default_rng(0).choice(dates, (2000, len(dates))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "n_pairs": len(pairs),
        "bias_m": float(pairs["bias_m"].mean()),
        "bias_low_m": float(low),
        "bias_high_m": float(high),
        "mean_m": float(size.mean()),
        "median_m": float(np.median(size)),
        "p95_m": float(np.quantile(size, 0.95)),
        "trimmed_share": float(pairs["trimmed_share"].mean()),
    }


def _grouped(pairs: pd.DataFrame, pooled: list[npt.NDArray[np.float64]], column: str) -> pd.DataFrame:
    rows = []
    for name, group in pairs.groupby(column, sort=True):
        size = np.abs(np.concatenate([pooled[k] for k in group.index]))
        rows.append([name, len(group), group["bias_m"].mean(), np.median(size), np.quantile(size, 0.95)])
    return pd.DataFrame(rows, columns=[column, "n_pairs", "bias_m", "median_m", "p95_m"])


def _authors(theirs: pd.DataFrame, flowline: LineString, ground: Ground) -> pd.DataFrame:
    """Compare reference fronts of one day by different authors, the first of both as the reference."""
    days = theirs.assign(day=theirs["datetime"].dt.floor("D"))
    rows, pooled = [], []
    for _, group in days.groupby("day"):
        one = group.drop_duplicates("author").sort_values("author")
        for i in range(len(one)):
            for j in range(i + 1, len(one)):
                found = _measured(one["geometry"].iloc[j], one["geometry"].iloc[i], flowline, ground, 0.0)
                if found is not None:
                    rows.append({"authors": f"{one['author'].iloc[j]} − {one['author'].iloc[i]}"} | found[0])
                    pooled.append(found[1])
    columns = ["authors", "n_pairs", "bias_m", "median_m", "p95_m"]
    return _grouped(pd.DataFrame(rows), pooled, "authors") if rows else pd.DataFrame(columns=columns)
