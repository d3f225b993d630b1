"""The map of a region's fronts, coloured by date, over its newest scene."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.publish.background import png_data_uri
from icefront_dask.publish.drawing import child, date_colour, markup, nice_step, svg, text
from icefront_dask.publish.map_view import LEFT, TOP, WIDTH, View, draw_graticule, transformers
from icefront_dask.publish.wording import date, plain

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import geopandas as gpd
    import numpy.typing as npt
    from markupsafe import Markup

    from icefront_dask.publish.background import Background
    from icefront_dask.regions import Region

    Bounds = tuple[float, float, float, float]

__all__ = ["front_map"]

_BAR = 58.0  # room for the bar of dates below the map
_MARGIN = 0.2  # of the larger side of the fronts' extent
_ASPECT = 0.72, 1.05  # least and largest height over width
_CASED = 60  # more fronts than that are drawn thinner and without a casing


def front_map(
    region: Region, fronts: gpd.GeoDataFrame | None, background: Background | None, max_px: int, *, key: str = ""
) -> tuple[Markup, float]:
    """Return the map as SVG and its height in units of the drawing.

    Parameters
    ----------
    region : Region
    fronts : GeoDataFrame or None
        The region's rows in its CRS.
    background : Background or None
        In the region's CRS; without one the map has a plain ground.
    max_px : int
        Largest side of the picture under the map.
    key : str
        Told apart by this are several maps of one region on a page.
    """
    rows = None if fronts is None else fronts[~fronts.geometry.isna() & ~fronts.geometry.is_empty]
    view = View(_bounds(region, rows, background))
    count = 0 if rows is None else len(rows)
    height = TOP + view.height + (_BAR if count else 6.0)
    root = svg(
        WIDTH,
        height,
        f"Map of ice fronts, {region.name}",
        f"{count} lines coloured by date" + (f" over {background.label}" if background else ""),
        "map",
    )
    frame: dict[str, Any] = {"x": LEFT, "y": TOP, "width": view.width, "height": view.height}
    clip = f"clip-{region.name}{key}"
    child(child(root, "clipPath", id=clip), "rect", **frame)
    child(root, "rect", class_="ground", **frame)
    inside = child(root, "g", clip_path=f"url(#{clip})")
    if background is not None:
        _picture(inside, view, background, max_px)
    draw_graticule(root, inside, view, region.crs)
    _guides(inside, view, region)
    if rows is not None and count:
        _lines(inside, view, rows)
    child(root, "rect", class_="frame", **frame)
    _furniture(root, view, region)
    if rows is not None and count:
        _date_bar(root, view, rows)
    return markup(root), height


def _bounds(region: Region, rows: gpd.GeoDataFrame | None, background: Background | None) -> Bounds:
    """Return the view: the fronts with a margin, inside the picture where there is one, no strip."""
    whole = background.bounds if background is not None else region.outline.bounds
    if rows is None or not len(rows):
        return tuple(whole)
    west, south, east, north = rows.total_bounds
    margin = max(_MARGIN * max(east - west, north - south), 1000.0)
    west, south, east, north = west - margin, south - margin, east + margin, north + margin
    width, height = east - west, north - south
    wider, taller = max(height / _ASPECT[1] - width, 0.0) / 2, max(_ASPECT[0] * width - height, 0.0) / 2
    west, east, south, north = west - wider, east + wider, south - taller, north + taller
    clipped = max(west, whole[0]), max(south, whole[1]), min(east, whole[2]), min(north, whole[3])
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        return west, south, east, north
    return clipped


def _picture(parent: Element, view: View, background: Background, max_px: int) -> None:
    cropped = background.crop(view.bounds, max_px)
    if cropped is None:
        return
    array, (west, south, east, north) = cropped
    (left, top), (right, bottom) = view.place(np.array([[west, north], [east, south]]))
    child(
        parent,
        "image",
        href=png_data_uri(array),
        x=float(left),
        y=float(top),
        width=float(right - left),
        height=float(bottom - top),
        preserveAspectRatio="none",
        class_="picture",
    )


def _guides(parent: Element, view: View, region: Region) -> None:
    guides = [("fjord", region.fjord), ("box", region.box), ("reference", region.reference_line)]
    guides += [("flowline", line) for line in region.flowlines]
    for name, geometry in guides:
        if geometry is not None and (data := view.path(geometry)):
            child(child(parent, "path", d=data, class_=f"guide {name}"), "title", plain(name))


def _lines(parent: Element, view: View, rows: gpd.GeoDataFrame) -> None:
    rank = {"rejected": 0, "review": 1, "accepted": 2}
    share = _date_shares(rows)
    order = sorted(range(len(rows)), key=lambda i: (rank.get(rows["status"].iloc[i], 0), share[i]))
    crowded = len(rows) > _CASED
    newest = next((i for i in reversed(order) if rows["status"].iloc[i] == "accepted"), None)
    for i in order:
        row = rows.iloc[i]
        data = view.path(row.geometry)
        if not data:
            continue
        group = child(
            parent,
            "g",
            class_=f"front {row['status']}" + (" newest" if i == newest else " thin" if crowded else ""),
        )
        reason = f" ({plain(row['reason'])})" if row["reason"] else ""
        sigma = row["uncertainty_m"]
        child(
            group,
            "title",
            f"{date(row['datetime'])}, {row['sensor']}, {plain(row['status'])}{reason}"
            + (f", ±{sigma:.0f} m" if sigma == sigma else "")  # noqa: PLR0124  not a number
            + f"\n{row['scene_id']}",
        )
        if i == newest or not crowded:
            child(group, "path", d=data, class_="casing")
        child(group, "path", d=data, class_="line", stroke=date_colour(share[i]))


def _date_shares(rows: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    times = rows["datetime"]
    span = (times.max() - times.min()).total_seconds()
    if span == 0:
        return np.full(len(rows), 0.5)
    shares: npt.NDArray[np.float64] = ((times - times.min()).dt.total_seconds() / span).to_numpy(np.float64)
    return shares


def _date_bar(root: Element, view: View, rows: gpd.GeoDataFrame) -> None:
    first, last = rows["datetime"].min(), rows["datetime"].max()
    top = TOP + view.height + 16
    if first == last:
        child(root, "rect", x=LEFT, y=top, width=26.0, height=9.0, fill=date_colour(0.5), class_="one-date")
        text(root, LEFT + 33, top + 9, date(first), class_="tick one-date")
        return
    name = f"dates-{rows['region'].iloc[0]}"
    gradient = child(child(root, "defs"), "linearGradient", id=name)
    for i in range(11):
        child(gradient, "stop", offset=f"{i * 10}%", stop_color=date_colour(i / 10))
    child(root, "rect", x=LEFT, y=top, width=view.width, height=9.0, fill=f"url(#{name})", class_="bar")
    marks = sorted({round(float(share), 3) for share in _date_shares(rows)})
    child(
        root,
        "path",
        d="".join(f"M{LEFT + share * view.width:.1f} {top + 9:.1f}v4" for share in marks[:400]),
        class_="axis",
    )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        label = date(first + share * (last - first))
        text(root, LEFT + share * view.width, top + 27, label, anchor, class_="tick")


def _furniture(root: Element, view: View, region: Region) -> None:
    """Draw the scale bar in true metres and the arrow to true north."""
    metres = nice_step(view.width / view.scale / region.scale_factor, 5)
    length = metres * region.scale_factor * view.scale
    label = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    x, y = LEFT + 12, TOP + view.height - 14
    plate = child(root, "g", class_="plate")
    child(plate, "rect", x=x - 6, y=y - 18, width=length + 12, height=26.0, rx=3.0)
    text(plate, x + length / 2, y - 5, label, "middle")
    child(plate, "path", d=f"M{x:.1f} {y - 3:.1f}v4h{length:.1f}v-4")
    x, y = LEFT + view.width - 24, TOP + 26
    plate = child(root, "g", class_="plate")
    child(plate, "circle", cx=x, cy=y, r=17.0)
    arrow = child(plate, "g", transform=f"translate({x:.1f} {y:.1f}) rotate({_north(view, region.crs):.1f})")
    child(arrow, "title", "true north")
    child(arrow, "path", d="M0-12L4.5 5L0 2L-4.5 5Z", class_="needle")
    text(arrow, 0, 13, "N", "middle", class_="north")


def _north(view: View, crs: str) -> float:
    """Return the clockwise angle from up to true north, degrees."""
    to_lonlat, from_lonlat = transformers(crs)
    west, south, east, north = view.bounds
    x, y = (west + east) / 2, (south + north) / 2
    lon, lat = to_lonlat.transform(x, y)
    x2, y2 = from_lonlat.transform(lon, lat + (1e-3 if lat < 89.9 else -1e-3))
    angle = math.degrees(math.atan2(x2 - x, y2 - y))
    return angle if lat < 89.9 else angle + 180
