"""From fronts to series of positions: one row a (scene, method, flowline)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from icefront_dask.change import check as plausibility
from icefront_dask.change.differences import with_changes
from icefront_dask.change.measure import measure_scene
from icefront_dask.change.prepared import prepare
from icefront_dask.change.verdicts import judge_series
from icefront_dask.config import section
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.change.inputs import DatedFronts
    from icefront_dask.change.layout import Layout
    from icefront_dask.regions import Region

__all__ = ["DTYPES", "KEY", "empty_series", "finish_series", "front_series", "measure_fronts"]

KEY = ["region", "method", "flowline", "datetime", "scene_id", "crossing"]
DTYPES = {
    "region": "object",
    "datetime": "datetime64[us, UTC]",
    "scene_id": "object",
    "sensor": "object",
    "method": "object",
    "flowline": "object",
    "crossing": "int64",
    "position_m": "float64",
    "position_low_m": "float64",
    "position_high_m": "float64",
    "position_sigma_m": "float64",
    "change_m": "float64",
    "area_m2": "float64",
    "width_m": "float64",
    "n_intersections": "int64",
    "covered_share": "float64",
    "pixel_size_m": "float64",
    "gamma0_db": "float64",
    "scale_factor": "float64",
    "status": "object",
    "reason": "object",
}
Intersection = Literal["seaward", "landward", "all"]


def empty_series() -> pd.DataFrame:
    """Return a series without rows, with all columns."""
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in DTYPES.items()})


def front_series(
    fronts: Any,
    region: Region | None = None,
    *,
    methods: Sequence[str] | None = None,
    flowlines: Any = None,
    flowline_direction: Literal["inland-to-sea", "sea-to-inland"] = "inland-to-sea",
    box: Any = None,
    width_m: float | None = None,
    intersection: Intersection = "seaward",
    extrapolate: bool = False,
    true_scale: bool = True,
    uncertainty_m: float | None = None,
    v_max_m_per_day: float | None = None,
    check: bool = True,
    verdicts: pd.DataFrame | None = None,
    date_column: str | None = None,
    on_missing: Literal["raise", "flag"] = "raise",
) -> pd.DataFrame:
    """Measure the position of every front. Positions grow seaward: a retreat is negative.

    Parameters
    ----------
    fronts : GeoDataFrame
        Fronts of one region, ours or another's: lines, a CRS and a column of dates (``datetime``, ``date``,
        ``tp_date``, … in any case). Read where present: region, scene_id, sensor, status, reason,
        uncertainty_m, pixel_size_m, gamma0_db. Several fronts of a scene count as one. Rows need not be sorted.
    region : Region, optional
        Gives flowlines, box, fjord, reference line and the working CRS. Where it has a fjord and no flowline,
        one is drawn along the fjord's middle (reason ``guide_drawn``). Without a region the working CRS is the
        fronts' own, or for degrees the polar or UTM projection of the place.
    methods : sequence of str, optional
        ``rectilinear-box`` (area of a fixed box inland of the front / its width), ``curvilinear-box`` (of a
        box of constant width along the flowline), ``variable-box`` (as wide as each front), ``centreline``
        (crossing of the flowline), ``multi-centreline`` (mean over parallels of the flowline 10 m apart),
        ``area`` (area between the front and the region's reference line / its length; without a reference
        line, a line across the flow at the first front). By default the first two and the centreline where
        there are a box or flowlines, and the area where there is a reference line.
    flowlines, box : geometry, sequence of them, GeoSeries or GeoDataFrame, optional
        Instead of the region's. Bare geometries are in the region's CRS, or in the fronts' without a region.
        Flowlines run from inland to sea.
    flowline_direction : {"inland-to-sea", "sea-to-inland"}
        How `flowlines` were digitised.
    width_m : float, optional
        Width of the curvilinear box; half the fjord's width, or 3000 m, by default. A rectilinear box that nobody
        gives is drawn along the flowline this wide.
    intersection : {"seaward", "landward", "all"}
        Which crossing of a flowline counts where a front crosses it several times; with ``all`` each has a
        row, numbered from the inland end in ``crossing``.
    extrapolate : bool
        Draw a front out straight to a flowline that it misses. Such rows are for review.
    true_scale : bool
        True ground measure; ``False`` gives metres of the map, in which published tables are.
    uncertainty_m : float, optional
        1 sigma of every front, normal to it, instead of the column ``uncertainty_m``.
    v_max_m_per_day : float, optional
        Fastest plausible advance for the check (1.5 × the local summer speed); estimated from the series
        otherwise.
    check : bool
        Whether to run :func:`~icefront_dask.change.check_series`.
    verdicts : DataFrame, optional
        From :func:`~icefront_dask.change.apply_verdicts`, whose fronts are given: what a person said goes before
        what the check says.
    date_column : str, optional
        Column of the dates.
    on_missing : {"raise", "flag"}
        A method without its flowline or box raises, or gives rows without a value and with that reason.

    Returns
    -------
    DataFrame
        Sorted by region, method, flowline, datetime and scene. Columns:

        - region, datetime (datetime64[us, UTC]), scene_id, sensor, method, flowline (``""`` for the
          rectilinear box), crossing (0, or 1… with ``intersection="all"``): the key, with sensor;
        - position_m from the inland end of the flowline or box, position_low_m and position_high_m (95 %
          interval, wide where part of the front is not seen), position_sigma_m (1 sigma, errors correlated
          along the front over 500 m);
        - change_m since the accepted row before of an earlier time;
        - area_m2 of the box inland of the front, or of the ice seaward of the reference line; width_m of the
          box, or length of that line: NaN for the centreline, which has neither;
        - n_intersections with the box's ring, the flowline or the reference line, or the number of parallels
          that are met; covered_share of the width (the centreline: 1 met, 0 not);
        - gamma0_db, the mean of the scene where the fronts state it; pixel_size_m, scale_factor (map length /
          ground length; 1 for projected measure);
        - status (accepted, review, rejected, no_front, failed) and reason (joined by ``"; "``): a position
          or change that is NaN always has one. Some accepted rows carry a note there, as
          ``uncertainty_assumed``, or ``floating`` where the position lies seaward of the region's grounding line.

    Raises
    ------
    InputError
        For tables, geometries, CRS, methods or options that cannot be used; the message says which and what
        to do.

    References
    ----------
    Moon & Joughin (2008), J. Geophys. Res. 113, F02022 (box); Lea et al. (2014), J. Glaciol. 60, 1116
    (curvilinear and variable box); Lea (2018), Earth Surf. Dynam. 6, 551 (multi-centreline); Cheng et al.
    (2021), The Cryosphere 15, 1663 (centreline).
    """
    if intersection not in ("seaward", "landward", "all"):
        raise InputError(f"intersection is 'seaward', 'landward' or 'all', not {intersection!r}")
    dated, layout = prepare(
        fronts,
        region,
        methods=methods,
        flowlines=flowlines,
        flowline_direction=flowline_direction,
        box=box,
        width_m=width_m,
        true_scale=true_scale,
        date_column=date_column,
        on_missing=on_missing,
    )
    rows = measure_fronts(
        dated,
        layout,
        section("change"),
        intersection=intersection,
        extrapolate=extrapolate,
        uncertainty_m=uncertainty_m,
    )
    return finish_series(rows, check=check, v_max_m_per_day=v_max_m_per_day, north=layout.north, verdicts=verdicts)


def measure_fronts(
    dated: DatedFronts,
    layout: Layout,
    settings: Mapping[str, Any],
    *,
    intersection: Intersection = "seaward",
    extrapolate: bool = False,
    uncertainty_m: float | None = None,
) -> pd.DataFrame:
    """Return the rows of a series before they are compared: what can be done a block at a time."""
    rows: list[dict[str, Any]] = []
    table = dated.table
    if uncertainty_m is not None:
        table = table.assign(uncertainty_m=float(uncertainty_m))
    names = [str(column) for column in table.columns]
    for values, geometry in zip(table.itertuples(index=False, name=None), dated.geometry, strict=True):
        scene = dict(zip(names, values, strict=True))
        key = {name: scene[name] for name in ("datetime", "scene_id", "sensor", "pixel_size_m", "gamma0_db")}
        measured = measure_scene(scene, geometry, layout, settings, intersection=intersection, extrapolate=extrapolate)
        rows += [{"region": dated.region, **key, **row} for row in measured]
    return pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES) if rows else empty_series()


def finish_series(
    rows: pd.DataFrame,
    *,
    check: bool = True,
    v_max_m_per_day: float | None = None,
    north: bool | None = None,
    verdicts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Sort the rows of a series, check them against each other, heed verdicts and fill ``change_m``."""
    series = rows.sort_values(KEY, kind="stable").reset_index(drop=True)
    if check:
        series = plausibility.check_series(series, v_max_m_per_day=v_max_m_per_day, north=north)
    if verdicts is not None:
        series = judge_series(series, verdicts)
    return with_changes(series)
