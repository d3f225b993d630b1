"""Sub-regions and ice sheets: positions of many glaciers joined, weighted by their widths, on Dask with flox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import flox
import numpy as np
import pandas as pd
import xarray as xr

from icefront_dask.change.quantities import daily_positions
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["aggregate_regions", "monthly_table"]

_FREQUENCY = {"monthly": "MS", "annual": "YS"}


def monthly_table(
    series: pd.DataFrame, *, method: str, flowline: str | None = None, period: str = "monthly"
) -> xr.Dataset:
    """Return one position a region and period, from the accepted rows of one method.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series` or :func:`reduce_regions`.
    method : str
        Method whose rows are taken.
    flowline : str, optional
        Flowline whose rows are taken; the first of each region by default.
    period : {"monthly", "annual"}

    Returns
    -------
    Dataset
        Dims (region, time): ``position_m`` (median of the period's days), ``sigma_m`` (1 sigma of one of its
        days), NaN where there is none; (region) ``width_m``. float64.

    Raises
    ------
    InputError
        For another period, or no rows of the method.
    """
    if period not in _FREQUENCY:
        raise InputError(f"there is no period {period!r}; there are: {', '.join(_FREQUENCY)}")
    rows = series[series["method"] == method]
    if rows.empty:
        there = ", ".join(sorted(set(series["method"]))) or "none"
        raise InputError(f"the series has no rows by {method!r}; its methods: {there}")
    parts: dict[str, pd.DataFrame] = {}
    for name, group in rows.groupby("region", sort=True):
        line = min(set(group["flowline"])) if flowline is None else flowline
        days = daily_positions(group[group["flowline"] == line])
        if len(days):
            start = days["datetime"].dt.tz_localize(None).dt.to_period(_FREQUENCY[period][0]).dt.to_timestamp()
            parts[str(name)] = days.groupby(start)[["position_m", "position_sigma_m", "width_m"]].median()
    if not parts:
        raise InputError(f"no region has an accepted position by {method!r}")
    times = pd.date_range(
        min(part.index.min() for part in parts.values()),
        max(part.index.max() for part in parts.values()),
        freq=_FREQUENCY[period],
    )
    stacked = {name: part.reindex(times) for name, part in parts.items()}
    return xr.Dataset(
        {
            "position_m": (("region", "time"), np.stack([p["position_m"].to_numpy() for p in stacked.values()])),
            "sigma_m": (("region", "time"), np.stack([p["position_sigma_m"].to_numpy() for p in stacked.values()])),
            "width_m": ("region", [float(part["width_m"].median()) for part in parts.values()]),
        },
        {"region": list(stacked), "time": times},
        {"method": method, "period": period},
    )


def aggregate_regions(
    table: xr.Dataset, groups: Mapping[str, str], *, widths: Mapping[str, float] | None = None, chunk: int = 256
) -> xr.Dataset:
    """Build the width-weighted mean change of groups of glaciers. Nothing is computed here.

    Changes from one period to the next are averaged and then summed, so that a glacier that comes into the
    record or leaves it moves no mean by its level. A glacier counts in the steps between its first and its last
    period; over periods without a front between them its change is spread evenly, as in CALFIN's regional curves
    (Cheng et al. 2021): left out, it would be lost to the sum, and of records of summers only the retreats would
    remain.

    Parameters
    ----------
    table : Dataset
        From :func:`monthly_table`.
    groups : mapping
        Region → group, as a sub-region or an ice sheet; regions without one are left out.
    widths : mapping, optional
        Region → width in metres, where the method measures none.
    chunk : int
        Regions a Dask chunk.

    Returns
    -------
    Dataset
        Lazy (Dask), dims (group, time), float64: ``change_m`` (weighted mean change since the period before),
        ``sigma_m`` (its 1 sigma, the glaciers' errors being independent), ``position_m`` (sum of the changes,
        0 before the first), ``area_change_m2`` (sum over glaciers of change × width), ``n_regions`` and
        ``width_m`` that count in the step, ``n_seen`` of them with a front in both of its periods. A step that no
        glacier of the group has is NaN, and what follows counts from there as if nothing had happened:
        ``n_regions`` 0 says so.

    Raises
    ------
    InputError
        If no region has a group, or one has no width.
    """
    names = [str(name) for name in table["region"].to_numpy()]
    chosen = [k for k, name in enumerate(names) if name in groups]
    if not chosen:
        raise InputError(f"none of the regions {', '.join(names[:5])} has a group; map region names to groups")
    picked = table.isel(region=chosen)
    width = np.array([float((widths or {}).get(names[k], table["width_m"].to_numpy()[k])) for k in chosen])
    if lacking := [names[k] for k, w in zip(chosen, width, strict=True) if not w > 0]:
        raise InputError(f"{', '.join(lacking[:5])}: no width is known; pass widths, or take a method with one")
    given = da.from_array(picked["position_m"].to_numpy(), chunks=(chunk, -1))
    position = da.map_blocks(_between, given, dtype=float)
    sigma = da.map_blocks(_between, da.from_array(picked["sigma_m"].to_numpy(), chunks=(chunk, -1)), dtype=float)
    weight = da.from_array(width[:, None], chunks=(chunk, 1))
    step = da.diff(position, axis=1)
    seen = da.isfinite(step)
    variance = sigma[:, 1:] ** 2 + sigma[:, :-1] ** 2
    labels = np.array([groups[names[k]] for k in chosen])
    wanted = np.array(sorted(set(labels)))

    def total(values: Any) -> Any:
        return flox.groupby_reduce(da.nan_to_num(values).T, labels, func="sum", expected_groups=wanted, fill_value=0.0)[
            0
        ].T

    widths_seen = total(seen * weight)
    area = total(da.where(seen, step, 0.0) * weight)
    spread = da.sqrt(total(da.where(seen, variance, 0.0) * weight**2))
    some = widths_seen > 0
    safe = da.where(some, widths_seen, 1.0)
    change = da.where(some, area / safe, np.nan)
    dims = ("group", "time")
    return xr.Dataset(
        {
            "change_m": (dims, change),
            "sigma_m": (dims, da.where(some, spread / safe, np.nan)),
            "position_m": (dims, da.cumsum(da.nan_to_num(change), axis=1)),
            "area_change_m2": (dims, da.where(some, area, np.nan)),
            "width_m": (dims, widths_seen),
            "n_regions": (dims, total(seen.astype(float)).astype("int64")),
            "n_seen": (dims, total(da.isfinite(da.diff(given, axis=1)).astype(float)).astype("int64")),
        },
        {"group": wanted, "time": table["time"].to_numpy()[1:]},
        dict(table.attrs),
    )


def _between(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (n, time) rows in which what is missing between known values is interpolated."""
    out = rows.copy()
    at = np.arange(rows.shape[1])
    for row in out:
        known = np.flatnonzero(np.isfinite(row))
        if len(known) > 1:
            inside = slice(known[0], known[-1] + 1)
            row[inside] = np.interp(at[inside], known, row[known])
    return out
