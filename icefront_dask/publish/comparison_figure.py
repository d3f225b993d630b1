"""The comparison of two products as a picture: signed bias of each pair over time, a mark a sensor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from icefront_dask.publish.drawing import child, markup, nice_step, svg, text, time_ticks
from icefront_dask.publish.files import write_bytes
from icefront_dask.publish.wording import date, signed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_comparison_figure"]

_WIDTH, _HEIGHT = 760.0, 380.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 20.0, 34.0, 46.0
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe & Ito


def write_comparison_figure(pairs: pd.DataFrame, path: str | Path, *, title: str) -> Path:
    """Write the figure as SVG.

    Parameters
    ----------
    pairs : DataFrame
        As in :class:`~icefront_dask.change.Comparison`: datetime, sensor, bias_m, p95_m.
    path : path
        The file; it is replaced in one step.
    title : str
        What is compared with what.

    Returns
    -------
    Path
        `path`.
    """
    first, last = pairs["datetime"].min().to_pydatetime(), pairs["datetime"].max().to_pydatetime()
    reach = max(float(pairs["bias_m"].abs().max()), 1.0) * 1.15
    span = max((last - first).total_seconds(), 86_400.0)

    def x(when: pd.Timestamp) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (when.to_pydatetime() - first).total_seconds() / span

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (reach - value) / (2 * reach)

    root = svg(_WIDTH, _HEIGHT, title, f"Signed bias of {len(pairs)} pairs in metres", "comparison")
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("font-family", "system-ui, sans-serif")
    root.set("font-size", "12")
    child(root, "rect", width=_WIDTH, height=_HEIGHT, fill="#ffffff")
    text(root, _LEFT, 20, title, font_weight="600")
    step = nice_step(2 * reach, 6)
    for k in range(-int(reach / step), int(reach / step) + 1):
        at = y(k * step)
        child(root, "path", d=f"M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}", stroke="#555" if k == 0 else "#ddd")
        text(root, _LEFT - 8, at + 4, signed(k * step, 0 if step >= 1 else 1), "end", fill="#444")
    if last > first:
        for when, label in time_ticks(first, last, 8):
            at = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (when - first).total_seconds() / span
            text(root, at, _HEIGHT - _BOTTOM + 18, label, "middle", fill="#444")
    mean = float(pairs["bias_m"].mean())
    child(root, "path", d=f"M{_LEFT} {y(mean):.1f}H{_WIDTH - _RIGHT}", stroke="#b00020", stroke_dasharray="5 4")
    sensors = sorted(pairs["sensor"].unique())
    rows: list[dict[str, Any]] = pairs.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        colour, bias = _COLOURS[sensors.index(row["sensor"]) % len(_COLOURS)], float(row["bias_m"])
        mark = child(root, "circle", cx=x(row["datetime"]), cy=y(bias), r=4.0, fill=colour, fill_opacity=0.75)
        said = f"{date(row['datetime'])} {row['sensor']}: bias {signed(bias, 1)} m, 95 % within {row['p95_m']:.0f} m"
        child(mark, "title", said)
    at = _LEFT
    for number, sensor in enumerate(sensors):
        label = sensor or "sensor unknown"
        child(root, "circle", cx=at + 5, cy=_HEIGHT - 12, r=4.0, fill=_COLOURS[number % len(_COLOURS)])
        text(root, at + 14, _HEIGHT - 8, label)
        at += 34 + 7 * len(label)
    text(root, _WIDTH - _RIGHT, 20, "metres, seaward +", "end", fill="#444")
    text(root, _WIDTH - _RIGHT, _HEIGHT - 8, f"dashed: mean {signed(mean, 1)} m", "end", fill="#b00020")
    path = Path(path)
    write_bytes(path, str(markup(root)).encode())
    return path
