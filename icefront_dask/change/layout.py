"""Where positions of one region are measured: its flowlines, boxes and scale, resolved once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString

from icefront_dask.change.boxes import check_box, check_flowline, rectilinear_box
from icefront_dask.change.curvilinear import CurvilinearBox, curvilinear_box
from icefront_dask.change.direction import box_by_evidence, interior_vote
from icefront_dask.change.ground import Along, Ground
from icefront_dask.change.inputs import in_crs
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from shapely.geometry import Polygon

    from icefront_dask.change.boxes import FlowBox
    from icefront_dask.change.inputs import DatedFronts
    from icefront_dask.regions import Region

__all__ = ["METHODS", "CurvilinearPlace", "Layout", "build_layout", "named_flowlines"]

METHODS = ("rectilinear-box", "curvilinear-box", "centreline")
FlowlineDirection = Literal["inland-to-sea", "sea-to-inland"]
_UNDECIDED = (
    "the box alone does not say where the sea is, and neither do the record's steps and seasons nor the "
    "ice sheet's interior; give a flowline (inland to sea) or a region that has one"
)
_STATIONS = 20  # places along the flowline where the fjord's width is taken


@dataclass(frozen=True)
class CurvilinearPlace:
    """A curvilinear box and the true area inland of each of its cells."""

    box: CurvilinearBox
    true_area_before: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """All that the kernels need to know of a region.

    Attributes
    ----------
    crs : str
        Projected CRS of everything here.
    ground : Ground
        Scale by which map measure becomes ground measure; of the map itself for projected measure.
    methods : tuple of str
    flowlines : dict
        Name → LineString, inland → sea.
    box : FlowBox or None
        Rectilinear box.
    curvilinear : dict
        Flowline name → box.
    direction_inferred : bool
        Whether the box's seaward end was found from evidence.
    missing : dict
        Method → what it lacks, for methods that are asked for but cannot be measured.
    """

    crs: str
    ground: Ground
    methods: tuple[str, ...]
    flowlines: dict[str, LineString]
    box: FlowBox | None
    curvilinear: dict[str, CurvilinearPlace] = field(default_factory=dict)
    direction_inferred: bool = False
    missing: dict[str, str] = field(default_factory=dict)
    _alongs: dict[tuple[str, str], Along] = field(default_factory=dict, repr=False, compare=False)

    def axis(self, method: str, flowline: str) -> LineString:
        """Return the line on which a method counts positions."""
        if method == "rectilinear-box" and self.box is not None:
            return self.box.axis
        return self.flowlines[flowline]

    def along(self, method: str, flowline: str) -> Along:
        """Return the map from arclength on that line to position."""
        key = (method, flowline)
        if key not in self._alongs:
            self._alongs[key] = self.ground.along(self.axis(method, flowline))
        return self._alongs[key]

    def scale_at(self, method: str, flowline: str, arclength: float) -> float:
        """Return the point scale (1 for projected measure) at an arclength on that line."""
        return self.along(method, flowline).scale_at(arclength)

    def width_m(self, method: str, flowline: str) -> float:
        """Return the width of a box in the measure that is asked for."""
        box = self.curvilinear[flowline].box.whole if method == "curvilinear-box" else self.box
        assert box is not None
        return box.width / self.scale_at(method, flowline, box.length / 2)

    @cached_property
    def map_scale(self) -> float:
        """Factor from ground measure to what is asked for: 1, or the point scale for projected measure."""
        if self.ground.crs is not None:
            return 1.0
        return Ground(self.crs).point_scale(self._middle()) if self._has_line() else 1.0

    @cached_property
    def north(self) -> bool | None:
        """Whether the place lies in the northern hemisphere; None if nothing says where it is."""
        if not self._has_line():
            return None
        return bool(pyproj.Proj(self.crs)(*self._middle(), inverse=True)[1] > 0)

    def _has_line(self) -> bool:
        return self.box is not None or bool(self.flowlines)

    def _middle(self) -> tuple[float, float]:
        line = self.box.axis if self.box is not None else next(iter(self.flowlines.values()))
        at = line.interpolate(0.5, normalized=True)
        return at.x, at.y


def named_flowlines(
    flowlines: Any, region: Region | None, crs: str, *, given_in: Any = None, direction: FlowlineDirection
) -> dict[str, LineString]:
    """Return flowlines by name, inland → sea, in `crs`.

    Parameters
    ----------
    flowlines : LineString, sequence of LineString, mapping, GeoSeries or GeoDataFrame, optional
        Instead of the region's own. A GeoDataFrame's column ``name`` names them; else they are called 0, 1,
        ….
    region : Region, optional
        Its flowlines are used where `flowlines` is None; they always run from inland to sea.
    crs : str
        The CRS that is wanted.
    given_in : CRS, optional
        CRS of bare geometries, where it is not `crs`.
    direction : {"inland-to-sea", "sea-to-inland"}
        How `flowlines` were digitised.
    """
    if flowlines is None:
        own = region.flowlines if region is not None else ()
        return {str(k): check_flowline(line) for k, line in enumerate(own)}
    names, lines = _geometries(flowlines, crs, given_in, what="the flowlines")
    if direction not in ("inland-to-sea", "sea-to-inland"):
        raise InputError(f"flowline_direction is 'inland-to-sea' or 'sea-to-inland', not {direction!r}")
    checked = {name: check_flowline(line) for name, line in zip(names, lines, strict=True)}
    if direction == "sea-to-inland":
        checked = {name: shapely.reverse(line) for name, line in checked.items()}
    for name, line in checked.items():
        (x0, y0), (x1, y1) = shapely.get_coordinates(line)[[0, -1]]
        if interior_vote((x0 + x1) / 2, (y0 + y1) / 2, np.array([x1 - x0, y1 - y0]), crs) < 0:
            warnings.warn(
                f"flowline {name!r} runs towards the ice sheet's interior, but flowlines run from inland to "
                "sea: retreat would be called advance; if it was digitised from the sea, pass "
                "flowline_direction='sea-to-inland'",
                stacklevel=4,
            )
    return checked


def build_layout(
    fronts: DatedFronts | None,
    region: Region | None,
    *,
    crs: str,
    methods: Sequence[str] | None,
    flowlines: Mapping[str, LineString],
    box: Any,
    given_in: Any = None,
    width_m: float | None,
    settings: Mapping[str, Any],
    true_scale: bool,
    on_missing: Literal["raise", "flag"] = "raise",
) -> Layout:
    """Resolve where positions are measured.

    `fronts` are looked at only where the box's seaward end must be inferred; with ``None`` that raises.

    Raises
    ------
    InputError
        For an unknown method, a bad box or flowline, or (``on_missing="raise"``) a method without what it
        needs.
    """
    ground = Ground(crs if true_scale else None)
    polygon = _polygon(box, region, crs, given_in)
    wanted, lacks = _methods(methods, has_box=polygon is not None, has_line=bool(flowlines))
    if lacks and on_missing == "raise":
        method, what = next(iter(lacks.items()))
        name = f" of region {region.name!r}" if region is not None else ""
        raise InputError(
            f"{method} needs a {what}, and the fronts{name} have none; pass it, or put it into the regions file"
        )
    flowbox, inferred = None, False
    if "rectilinear-box" in wanted and "rectilinear-box" not in lacks:
        flowbox, inferred = _rectilinear(polygon, flowlines, fronts, crs)
        if flowbox is None:
            if on_missing == "raise":
                raise InputError(_UNDECIDED)
            lacks["rectilinear-box"] = "flowline"
    places = {}
    if "curvilinear-box" in wanted and "curvilinear-box" not in lacks:
        places = {name: _curvilinear(line, region, width_m, settings, ground) for name, line in flowlines.items()}
    return Layout(crs, ground, wanted, dict(flowlines), flowbox, places, inferred, lacks)


def _methods(methods: Sequence[str] | None, *, has_box: bool, has_line: bool) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the methods to measure by, and what each of them lacks."""
    possible = {"rectilinear-box": has_box, "curvilinear-box": has_line, "centreline": has_line}
    if methods is None and not any(possible.values()):
        return ("centreline",), {"centreline": "flowline or box"}
    if methods is not None and (unknown := sorted(set(methods) - set(METHODS))):
        raise InputError(f"unknown method {', '.join(unknown)}; there are: {', '.join(METHODS)}")
    wanted = tuple(m for m in METHODS if (possible[m] if methods is None else m in methods))
    return wanted, {m: "box" if m == "rectilinear-box" else "flowline" for m in wanted if not possible[m]}


def _rectilinear(
    polygon: Any, flowlines: Mapping[str, LineString], fronts: DatedFronts | None, crs: str
) -> tuple[FlowBox | None, bool]:
    """Return the box, or None where nothing says which way the sea is, and whether that was inferred."""
    main = next(iter(flowlines.values()), None)
    if main is not None or fronts is None:
        return rectilinear_box(polygon, flowline=main), False
    box, evidence = box_by_evidence(polygon, fronts.geometry, fronts.table["datetime"], crs)
    return (box, True) if evidence.total else (None, False)


def _curvilinear(
    line: LineString,
    region: Region | None,
    width_m: float | None,
    settings: Mapping[str, Any],
    ground: Ground,
) -> CurvilinearPlace:
    middle = shapely.get_coordinates(line.interpolate(0.5, normalized=True))
    fjord = region.fjord if region is not None else None
    width = width_m * ground.point_scale(middle) if width_m is not None else None
    if width is None and fjord is not None:
        across = fjord_width(line, fjord)
        width = settings["box_fjord_share"] * across if across else None
    if width is None:
        width = settings["box_width_m"] * ground.point_scale(middle)
    box = curvilinear_box(line, width)
    return CurvilinearPlace(box, np.concatenate([[0.0], np.cumsum([ground.area(cell) for cell in box.cells])]))


def fjord_width(line: LineString, fjord: Any) -> float | None:
    """Return the median width of a fjord across a flowline, metres of the map; None if they do not meet."""
    inside = shapely.get_coordinates(shapely.intersection(line, fjord))
    if len(inside) < 2:
        return None
    at = shapely.line_locate_point(line, shapely.points(inside))
    reach = float(np.hypot(*(np.array(fjord.bounds[2:]) - fjord.bounds[:2])))
    widths = []
    for s in np.linspace(at.min(), at.max(), _STATIONS + 2)[1:-1]:
        here = line.interpolate(s)
        before, after = line.interpolate(max(s - 50, 0)), line.interpolate(min(s + 50, line.length))
        ux, uy = np.array([after.x - before.x, after.y - before.y]) / before.distance(after)
        across = LineString([(here.x - uy * reach, here.y + ux * reach), (here.x + uy * reach, here.y - ux * reach)])
        chords = [c for c in shapely.get_parts(shapely.intersection(across, fjord)) if c.distance(here) < 1e-6]
        widths += [c.length for c in chords if c.length > 0]
    return float(np.median(widths)) if widths else None


def _polygon(box: Any, region: Region | None, crs: str, given_in: Any) -> Polygon | None:
    if box is None:
        return check_box(region.box) if region is not None and region.box is not None else None
    _, polygons = _geometries(box, crs, given_in, what="the box")
    if len(polygons) != 1:
        raise InputError(f"one box is needed, not {len(polygons)}; choose one row")
    return check_box(polygons[0])


def _geometries(given: Any, crs: str, given_in: Any, *, what: str) -> tuple[list[str], list[Any]]:
    if isinstance(given, gpd.GeoDataFrame | gpd.GeoSeries):
        moved = in_crs(given, crs, what=what)
        lines = list(moved.geometry)
        named = isinstance(given, gpd.GeoDataFrame) and "name" in given and given["name"].is_unique
        return ([str(n) for n in given["name"]] if named else [str(k) for k in range(len(lines))]), lines
    if isinstance(given, dict):
        names, lines = [str(k) for k in given], list(given.values())
    else:
        lines = [given] if hasattr(given, "geom_type") else list(given)
        names = [str(k) for k in range(len(lines))]
    if given_in is not None and lines:
        lines = list(in_crs(gpd.GeoSeries(lines, crs=given_in), crs, what=what))
    return names, lines
