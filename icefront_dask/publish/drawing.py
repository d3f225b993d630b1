"""SVG by ElementTree (which escapes all text), the scale of colours for dates, axes' ticks."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # builds documents here, parses none

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

__all__ = [
    "DATE_RAMP",
    "child",
    "date_colour",
    "markup",
    "nice_step",
    "path_data",
    "svg",
    "text",
    "time_ticks",
    "years",
]

# Perceptually uniform from early (violet) to late (yellow): matplotlib's plasma from 0.16 to 0.96.
DATE_RAMP = (
    *("#5901a5", "#7701a8", "#920fa3", "#aa2395", "#bf3984", "#d14e72"),
    *("#e06363", "#ed7a52", "#f79143", "#fdac33", "#fdca26", "#f6e826"),
)


def svg(width: float, height: float, title: str, description: str, name: str) -> ET.Element:
    """Return a drawing that scales with the page; `title` and `description` are for screen readers."""
    root = ET.Element("svg", {"viewBox": f"0 0 {_number(width)} {_number(height)}", "class": name, "role": "img"})
    root.set("aria-label", f"{title}. {description}")
    return root


def child(parent: ET.Element, tag: str, content: str | None = None, **attributes: object) -> ET.Element:
    """Append an element; ``stroke_width`` is written ``stroke-width``, ``class_`` is ``class``."""
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    values = {names[key]: _number(v) if isinstance(v, float) else str(v) for key, v in attributes.items()}
    element = ET.SubElement(parent, tag, values)
    element.text = content
    return element


def text(parent: ET.Element, x: float, y: float, content: str, anchor: str = "start", **attributes: object) -> None:
    """Append a line of text."""
    child(parent, "text", content, x=float(x), y=float(y), text_anchor=anchor, **attributes)


def markup(root: ET.Element) -> Markup:
    """Return a drawing as HTML."""
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  ElementTree has escaped all text


def path_data(lines: Iterable[npt.NDArray[np.float64]]) -> str:
    """Return the ``d`` of lines given as (n, 2) arrays of pixels, a tenth of a pixel fine."""
    parts = []
    for line in lines:
        points = np.round(line, 1)
        keep = np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]
        parts.append("M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points[keep]))
    return "".join(parts)


def date_colour(share: float) -> str:
    """Return the colour of a date which lies at `share` (0 … 1) between the first and the last."""
    at = min(max(share, 0.0), 1.0) * (len(DATE_RAMP) - 1)
    low = min(int(at), len(DATE_RAMP) - 2)
    first, second = ([int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (DATE_RAMP[low], DATE_RAMP[low + 1]))
    mixed = [round(a + (b - a) * (at - low)) for a, b in zip(first, second, strict=True)]
    return "#" + "".join(f"{value:02x}" for value in mixed)


def nice_step(span: float, count: int) -> float:
    """Return a step of 1, 2 or 5 times a power of ten with about `count` steps in `span`."""
    raw = max(span, 1e-9) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= raw * 0.999)


def years(first: datetime, last: datetime) -> Sequence[int]:
    """Return the calendar years that the span touches."""
    return range(first.year, last.year + 1)


def time_ticks(first: datetime, last: datetime, most: int) -> list[tuple[datetime, str]]:
    """Return the ticks of a time axis: years, months or days, about `most` of them, with their labels."""
    days = (last - first) / timedelta(days=1)
    if days > 365.25 * 2.2:
        step = max(1, math.ceil(days / 365.25 / most))
        return [
            (datetime(y, 1, 1, tzinfo=UTC), str(y))
            for y in years(first, last)
            if y % step == 0 and first <= datetime(y, 1, 1, tzinfo=UTC) <= last
        ]
    if days > 50:
        step = next((s for s in (1, 2, 3, 6) if days / 30.4 / s <= most), 12)
        months = [datetime(y, m, 1, tzinfo=UTC) for y in years(first, last) for m in range(1, 13, step)]
        inside = [month for month in months if first <= month <= last]
        return [(m, f"{m:%b %Y}" if m.month == 1 or m == inside[0] else f"{m:%b}") for m in inside]
    step = max(1, math.ceil(days / most))
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    ticks = [start + timedelta(days=step * i) for i in range(int(days / step) + 2)]
    return [(tick, f"{tick.day} {tick:%b}") for tick in ticks if first <= tick <= last]


def _number(value: float) -> str:
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if "." in f"{value:.2f}" else f"{value:.2f}"
    return "0" if shown == "-0" else shown
