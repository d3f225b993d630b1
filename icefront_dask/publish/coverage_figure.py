"""Scenes a month and sensor: used, and left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from icefront_dask.publish.drawing import child, markup, svg, text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from markupsafe import Markup

__all__ = ["coverage_chart"]

_LEFT, _RIGHT, _ROW, _TOP = 128.0, 8.0, 24.0, 6.0
_WIDTH = 1264.0
_NUMBER_PX = 15.0  # cells at least this wide carry their number
_LARGEST_PX = 46.0
_NAME_PX, _YEAR_PX = 34.0, 40.0  # room that the name of a month or a year needs
_CHARACTERS = 20


def coverage_chart(name: str, scenes: pd.DataFrame) -> Markup | None:
    """Return a grid of months and sensors as SVG, None without a dated scene.

    Parameters
    ----------
    name : str
        The region.
    scenes : DataFrame
        One row a scene: ``datetime``, ``sensor``, ``used`` (bool).
    """
    scenes = scenes[scenes["datetime"].notna()]
    if scenes.empty:
        return None
    month = scenes["datetime"].dt.year * 12 + scenes["datetime"].dt.month - 1
    first, last = int(month.min()), int(month.max())
    sensors = sorted(scenes["sensor"].unique())
    cell = min((_WIDTH - _LEFT - _RIGHT) / (last - first + 1), _LARGEST_PX)
    counts = scenes.groupby([scenes["sensor"], month, "used"]).size()
    most = int(counts.xs(True, level="used").max()) if scenes["used"].any() else 1
    bottom = _TOP + _ROW * len(sensors)
    root = svg(
        _WIDTH,
        bottom + 38,
        f"Scenes of {name} by month",
        f"{int(scenes['used'].sum())} used of {len(scenes)}",
        "coverage",
    )
    for i, sensor in enumerate(sensors):
        y = _TOP + i * _ROW
        label = sensor if len(sensor) <= _CHARACTERS else sensor[: _CHARACTERS - 1] + "…"
        text(root, _LEFT - 8, y + 16, label, "end", class_="tick")
        child(root, "rect", x=_LEFT, y=y + 1, width=cell * (last - first + 1), height=_ROW - 2, class_="empty")
        for at in sorted(set(month[scenes["sensor"] == sensor])):
            used, out = (int(counts.get((sensor, at, flag), 0)) for flag in (True, False))
            group = child(root, "g", class_="used" if used else "out")
            child(group, "title", f"{at // 12}-{at % 12 + 1:02d}, {sensor}: {used} used, {out} left out")
            x, gap = _LEFT + (at - first) * cell, min(1.0, cell / 8)
            shade = f"{0.2 + 0.8 * used / most:.2f}" if used else "1"
            child(
                group,
                "rect",
                x=x + gap,
                y=y + 1,
                width=cell - 2 * gap,
                height=_ROW - 2,
                rx=2.0,
                fill_opacity=shade,
            )
            if used and out:
                child(
                    group,
                    "rect",
                    x=x + gap,
                    y=y + _ROW - 4,
                    width=cell - 2 * gap,
                    height=3.0,
                    class_="also-out",
                )
            if cell >= _NUMBER_PX:
                weight = "strong" if used and used / most > 0.5 else "weak"
                text(group, x + cell / 2, y + 16, str(used or out), "middle", class_=f"count {weight}")
    _months(root, first, last, cell, bottom)
    return markup(root)


def _months(root: Element, first: int, last: int, cell: float, y: float) -> None:
    """Name months where there is room for them, and years below."""
    each = next((n for n in (1, 2, 3, 6) if cell * n >= _NAME_PX), 0)
    years = math.ceil(_YEAR_PX / (12 * cell))
    for at in range(first, last + 1):
        x = _LEFT + (at - first + 0.5) * cell
        year, month = divmod(at, 12)
        if each and month % each == 0:
            text(root, x, y + 16, f"{pd.Timestamp(year, month + 1, 1):%b}", "middle", class_="tick")
        room = 12 - month >= _YEAR_PX / cell or first // 12 == last // 12
        if (month == 0 and year % years == 0) or (at == first and room and each):
            text(root, x, y + (31 if each else 16), str(year), "middle", class_="tick year")
