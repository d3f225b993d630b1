"""Front positions against time: one panel a method and flowline, one mark a sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.publish.drawing import (
    child,
    markup,
    nice_step,
    path_data,
    svg,
    text,
    time_ticks,
    years,
)
from icefront_dask.publish.wording import date, flowline_name, method_rank, plain, sentence, signed

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import numpy.typing as npt
    import pandas as pd
    from markupsafe import Markup

    Floats = npt.NDArray[np.float64]

__all__ = ["sensor_styles", "series_chart"]

_WIDTH = 620.0
_LEFT, _RIGHT = 62.0, 12.0
_HEAD, _FOOT = 30.0, 20.0  # above each panel; below the last one
_PANEL = 110.0, 240.0  # least and largest height of a panel
_MOST_PANELS = 4
_JOIN = timedelta(days=120)  # a longer gap is not bridged by a line
_SHAPES = (
    "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0Z",
    "M-2.8-2.8H2.8V2.8H-2.8Z",
    "M0-3.9L3.7 2.7H-3.7Z",
    "M0-3.9L3.6 0L0 3.9L-3.6 0Z",
    "M0 3.9L3.7-2.7H-3.7Z",
    "M-3.4 0L-1.2-3.2L3-2L3 2L-1.2 3.2Z",
)

Styles = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class _Axes:
    """Where a panel lies and what it spans."""

    top: float
    height: float
    first: datetime
    last: datetime
    low: float = 0.0
    high: float = 1.0

    def x(self, when: datetime) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((when - self.first) / (self.last - self.first))

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - (value - self.low) / (self.high - self.low))


def sensor_styles(sensors: list[str]) -> Styles:
    """Return the class (which has the colour) and the shape of each sensor's marks."""
    kinds = [(f"sensor-{i}", shape) for i, shape in enumerate(_SHAPES)]
    return {name: kinds[i % len(kinds)] for i, name in enumerate(sorted(sensors))}


def series_chart(name: str, series: pd.DataFrame, styles: Styles, height: float) -> tuple[Markup | None, int]:
    """Return the positions as SVG and the number of panels that were left out; None where there is nothing.

    Parameters
    ----------
    name : str
        The region.
    series : DataFrame
        Its rows, with a column ``sensor``.
    styles : dict
        From :func:`sensor_styles`.
    height : float
        What the drawing should come near to, in its units.
    """
    rows = series[series["position_m"].notna()].sort_values("datetime", kind="stable")
    if rows.empty:
        return None, 0
    panels = _panels(rows)
    shown = panels[:_MOST_PANELS]
    first, last = _time_span(rows["datetime"])
    each = min(max((height - _FOOT) / len(shown) - _HEAD, _PANEL[0]), _PANEL[1])
    total = len(shown) * (each + _HEAD) + _FOOT
    description = f"{len(rows)} positions by {len(panels)} methods or flowlines"
    root = svg(_WIDTH, total, f"Front positions of {name}", description, "series")
    for i, (label, part) in enumerate(shown):
        _panel(root, _Axes(i * (each + _HEAD) + _HEAD - 8, each, first, last), label, part, styles)
    for when, label in time_ticks(first, last, 8):
        text(root, _Axes(0, 1, first, last).x(when), total - 10, label, "middle", class_="tick")
    return markup(root), len(panels) - len(shown)


def _panels(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each method and flowline with a label; the first of every method come first."""
    out = []
    for method in rows["method"].unique():
        part = rows[rows["method"] == method]
        lines = part["flowline"].map(plain)
        names = sorted(lines.unique())
        for number, name in enumerate(names):
            label = sentence(method) + (f", {flowline_name(name)}" if len(names) > 1 else "")
            out.append(((number, method_rank(method)), label, part[lines == name]))
    return [(label, part) for _, label, part in sorted(out, key=lambda panel: panel[0])]


def _time_span(times: pd.Series) -> tuple[datetime, datetime]:
    first, last = times.min().to_pydatetime(), times.max().to_pydatetime()
    pad = max((last - first) * 0.03, timedelta(days=3))
    return first - pad, last + pad


def _panel(root: Element, place: _Axes, label: str, rows: pd.DataFrame, styles: Styles) -> None:
    sigma = rows["position_sigma_m"].fillna(0.0).to_numpy(np.float64)
    position = rows["position_m"].to_numpy(np.float64)
    good = (rows["status"] == "accepted").to_numpy()
    low, high = _limits(position - sigma, position + sigma, good if good.sum() > 2 else np.ones_like(good))
    axes = _Axes(place.top, place.height, place.first, place.last, low, high)
    unit = _ground(root, axes)
    text(root, _LEFT, axes.top - 8, label, class_="panel-title")
    text(root, _WIDTH - _RIGHT, axes.top - 8, f"position in {unit}, seaward up", "end", class_="tick")
    inside = position.clip(low, high)
    points = np.array(
        [(axes.x(when.to_pydatetime()), axes.y(at)) for when, at in zip(rows["datetime"], inside, strict=True)]
    )
    _join(root, rows["datetime"][good], points[good])
    for row, at, (x, y), error in zip(rows.itertuples(), position, points, sigma, strict=True):
        kind, shape = styles[str(row.sensor)]
        mark = child(root, "g", class_=f"mark {row.status} {kind}")
        child(mark, "title", _said(row, at, error))
        if error:
            ends = [axes.y(value) for value in np.clip([at - error, at + error], low, high)]
            bar = f"M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}"
            child(mark, "path", d=bar, class_="error")
        child(mark, "path", d=shape, transform=f"translate({x:.1f} {y:.1f})", class_="point")
    width = _WIDTH - _LEFT - _RIGHT
    child(root, "rect", x=_LEFT, y=axes.top, width=width, height=axes.height, class_="frame")


def _ground(root: Element, axes: _Axes) -> str:
    """Draw bands of years and the grid with its numbers; return their unit."""
    right = _WIDTH - _RIGHT
    for year in years(axes.first, axes.last):
        start = max(datetime(year, 1, 1, tzinfo=UTC), axes.first)
        stop = min(datetime(year + 1, 1, 1, tzinfo=UTC), axes.last)
        if year % 2 and start < stop:
            x, width = axes.x(start), axes.x(stop) - axes.x(start)
            child(root, "rect", x=x, y=axes.top, width=width, height=axes.height, class_="band")
    unit, factor = ("km", 1e-3) if axes.high - axes.low >= 4000 else ("m", 1.0)
    step = nice_step(axes.high - axes.low, 4 if axes.height < 160 else 6)
    decimals = max(0, -math.floor(math.log10(step * factor) + 1e-9))
    for k in range(math.ceil(axes.low / step), math.floor(axes.high / step) + 1):
        y = axes.y(k * step)
        child(root, "path", d=f"M{_LEFT:.1f} {y:.1f}H{right:.1f}", class_="grid")
        text(root, _LEFT - 7, y + 4, signed(k * step * factor, decimals), "end", class_="tick")
    bottom = axes.top + axes.height
    for when, _ in time_ticks(axes.first, axes.last, 8):
        child(root, "path", d=f"M{axes.x(when):.1f} {bottom:.1f}v4", class_="axis")
    return unit


def _said(row: Any, position: float, sigma: float) -> str:
    reason = f" ({plain(row.reason)})" if plain(row.reason) else ""
    error = f" ±{sigma:.0f} m" if sigma else ""
    return f"{date(row.datetime)}, {row.sensor}, {plain(row.status)}{reason}\n{signed(position, 0)} m{error}"


def _join(root: Element, times: pd.Series, points: Floats) -> None:
    """Join the accepted positions by a thin line, except over long gaps."""
    breaks = np.flatnonzero((times.diff() > _JOIN).to_numpy())
    pieces = [piece for piece in np.split(points, breaks) if len(piece) > 1]
    if pieces:
        child(root, "path", d=path_data(pieces), class_="join")


def _limits(low: Floats, high: Floats, good: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return what a panel spans: the accepted positions, and others as far as they do not squeeze those."""
    bottom, top = float(low[good].min()), float(high[good].max())
    room = 0.25 * (top - bottom)
    bottom, top = max(float(low.min()), bottom - room), min(float(high.max()), top + room)
    pad = max(0.08 * (top - bottom), 20.0)
    return bottom - pad, top + pad
