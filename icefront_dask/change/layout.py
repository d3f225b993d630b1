"""Where positions of one region are measured: its flowlines, boxes and scale, resolved once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyproj
import shapely

from icefront_dask.change.areas import line_across
from icefront_dask.change.boxes import check_flowline, rectilinear_box
from icefront_dask.change.crossings import profile
from icefront_dask.change.curvilinear import CurvilinearBox, curvilinear_box
from icefront_dask.change.direction import box_by_evidence, interior_vote
from icefront_dask.change.drawn import draw_box, draw_flowline
from icefront_dask.change.ground import Along, Ground
from icefront_dask.change.guides import fjord_width, given_box
from icefront_dask.change.lines import left_of
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from shapely.geometry import LineString

    from icefront_dask.change.boxes import FlowBox
    from icefront_dask.change.inputs import DatedFronts
    from icefront_dask.regions import Region

__all__ = ["METHODS", "STANDARD_METHODS", "CurvilinearPlace", "Layout", "build_layout"]

METHODS = (
    "rectilinear-box", "curvilinear-box", "variable-box", "centreline", "multi-centreline", "area",
)  # fmt: skip
STANDARD_METHODS = ("rectilinear-box", "curvilinear-box", "centreline")
_NEEDS = {"rectilinear-box": "box", "area": "flowline, box or reference line"}  # all others need a flowline
_UNDECIDED = (
    "the box alone does not say where the sea is, and neither do the record's steps and seasons nor the "
    "ice sheet's interior; give a flowline (inland to sea) or a region that has one"
)


@dataclass(frozen=True)
class CurvilinearPlace:
    """A curvilinear box, the true area inland of each of its cells, and where the parallels of its flowline run."""

    box: CurvilinearBox
    true_area_before: npt.NDArray[np.float64]
    parallels: npt.NDArray[np.float64]

    def profile(self, front: Any, *, landward: bool = False) -> npt.NDArray[np.float64]:
        """Return where a front meets each parallel, see :func:`icefront_dask.change.crossings.profile`."""
        return profile(front, self.box.whole, self.parallels, landward=landward)


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
    reference : LineString or None
        Line from which areas count, the sea on its left.
    direction_inferred : bool
        Whether the box's seaward end was found from evidence.
    drawn : bool
        Whether flowline or box were drawn, because nobody gave them.
    missing : dict
        Method → what it lacks, for methods that are asked for but cannot be measured.
    grounding_line : geometry or None
    """

    crs: str
    ground: Ground
    methods: tuple[str, ...]
    flowlines: dict[str, LineString]
    box: FlowBox | None
    curvilinear: dict[str, CurvilinearPlace] = field(default_factory=dict)
    reference: LineString | None = None
    direction_inferred: bool = False
    drawn: bool = False
    missing: dict[str, str] = field(default_factory=dict)
    grounding_line: Any = None
    _alongs: dict[tuple[str, str], Along] = field(default_factory=dict, repr=False, compare=False)
    _grounded: dict[tuple[str, str], float] = field(default_factory=dict, repr=False, compare=False)

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

    def floats(self, method: str, flowline: str, position_m: float) -> bool:
        """Return whether a position on that line lies seaward of the grounding line, where that is known."""
        key = (method, flowline)
        if key not in self._grounded:
            at = np.inf
            if self.grounding_line is not None and (method == "rectilinear-box" or flowline in self.flowlines):
                axis = self.axis(method, flowline)
                met = shapely.get_coordinates(shapely.intersection(axis, self.grounding_line))
                if len(met):
                    at = self.along(*key)(float(np.max(shapely.line_locate_point(axis, shapely.points(met)))))
            self._grounded[key] = at
        return position_m > self._grounded[key]

    def scale_at(self, method: str, flowline: str, arclength: float) -> float:
        """Return the point scale (1 for projected measure) at an arclength on that line."""
        return self.along(method, flowline).scale_at(arclength)

    def width_m(self, method: str, flowline: str) -> float:
        """Return the width of a box, or the length of the reference line, in the measure that is asked for."""
        if method == "area":
            return self.reference_length
        box = self.box if method == "rectilinear-box" else self.curvilinear[flowline].box.whole
        assert box is not None
        return box.width / self.scale_at(method, flowline, box.length / 2)

    @cached_property
    def reference_length(self) -> float:
        """Length of the reference line in the measure that is asked for."""
        assert self.reference is not None
        return self.ground.length(self.reference)

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
        return self.box is not None or bool(self.flowlines) or self.reference is not None

    def _middle(self) -> tuple[float, float]:
        lines = [self.box.axis if self.box is not None else None, *self.flowlines.values(), self.reference]
        line = next(line for line in lines if line is not None)
        at = line.interpolate(0.5, normalized=True)
        return at.x, at.y


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
    lines, drawn = dict(flowlines), False
    fjord = region.fjord if region is not None else None
    if not lines and box is None and fjord is not None and (line := draw_flowline(fjord, crs=crs)) is not None:
        lines, drawn = {"0": check_flowline(line)}, True
    polygon = given_box(box, region, crs, given_in)
    if polygon is None and lines and "rectilinear-box" in (methods or ()) and (fjord, width_m) != (None, None):
        polygon, drawn = _drawn_box(next(iter(lines.values())), fjord, fronts, width_m, settings, ground), True
    has_reference = region is not None and region.reference_line is not None
    wanted, lacks = _methods(methods, has_box=polygon is not None, has_line=bool(lines), has_reference=has_reference)
    flowbox, inferred = None, False
    if polygon is not None and {"rectilinear-box", "area"} & (set(wanted) - set(lacks)):
        flowbox, inferred = _rectilinear(polygon, lines, fronts, crs)
        if flowbox is None:
            if on_missing == "raise" and "rectilinear-box" in wanted:
                raise InputError(_UNDECIDED)
            lacks |= {"rectilinear-box": "flowline"} if "rectilinear-box" in wanted else {}
    reference = None
    if "area" in wanted and "area" not in lacks:
        reference = _reference(region, lines, flowbox, fronts, crs)
        if reference is None:
            lacks["area"] = "flowline that a front meets" if lines else "flowline"
    if lacks and on_missing == "raise":
        method, what = next(iter(lacks.items()))
        name = f" of region {region.name!r}" if region is not None else ""
        raise InputError(
            f"{method} needs a {what}, and there is none for the fronts{name}; pass it, or put it into the regions file"
        )
    places = {}
    if {"curvilinear-box", "multi-centreline", "variable-box"} & (set(wanted) - set(lacks)):
        places = {name: _curvilinear(line, region, width_m, settings, ground) for name, line in lines.items()}
    grounding_line = region.grounding_line if region is not None else None
    return Layout(crs, ground, wanted, lines, flowbox, places, reference, inferred, drawn, lacks, grounding_line)


def _methods(
    methods: Sequence[str] | None, *, has_box: bool, has_line: bool, has_reference: bool
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the methods to measure by, and what each of them lacks."""
    possible = dict.fromkeys(METHODS, has_line)
    possible |= {"rectilinear-box": has_box, "area": has_box or has_line or has_reference}
    if methods is not None and (unknown := sorted(set(methods) - set(METHODS))):
        raise InputError(f"unknown method {', '.join(unknown)}; there are: {', '.join(METHODS)}")
    standard = (*STANDARD_METHODS, "area") if has_reference else STANDARD_METHODS
    wanted = tuple(m for m in METHODS if (m in standard and possible[m] if methods is None else m in methods))
    if not wanted:
        return ("centreline",), {"centreline": "flowline or box"}
    return wanted, {m: _NEEDS.get(m, "flowline") for m in wanted if not possible[m]}


def _reference(
    region: Region | None,
    flowlines: Mapping[str, LineString],
    box: FlowBox | None,
    fronts: DatedFronts | None,
    crs: str,
) -> LineString | None:
    """Return the region's reference line with the sea on its left, or a line across the flow at the first front."""
    axes = [*flowlines.values(), *([box.axis] if box is not None else [])]
    if region is None or region.reference_line is None:
        good = (
            []
            if fronts is None or not axes
            else [g for g, s in zip(fronts.geometry, fronts.table["status"], strict=True) if s == Status.ACCEPTED]
        )
        crossing = (line_across(front, axes[0]) for front in good if front is not None)
        return next((line for line in crossing if line is not None), None)
    line = shapely.line_merge(region.reference_line)
    if line.geom_type != "LineString":
        raise InputError(f"the reference line of region {region.name!r} has parts that do not join; draw one line")
    at = line.interpolate(0.5, normalized=True)
    votes = [np.diff(left_of(line, shapely.get_coordinates(axis)[[0, -1]], 100.0))[0] for axis in axes]
    if region.grounding_line is not None:
        votes.append(-left_of(line, shapely.get_coordinates(region.grounding_line), 100.0).mean())
    if not votes:
        (x0, y0), (x1, y1) = shapely.get_coordinates(line)[[0, -1]]
        votes.append(interior_vote(at.x, at.y, np.array([y0 - y1, x1 - x0]), crs))
    vote = sum(np.sign(votes))
    return None if vote == 0 else line if vote > 0 else shapely.reverse(line)


def _rectilinear(
    polygon: Any, flowlines: Mapping[str, LineString], fronts: DatedFronts | None, crs: str
) -> tuple[FlowBox | None, bool]:
    """Return the box, or None where nothing says which way the sea is, and whether that was inferred."""
    main = next(iter(flowlines.values()), None)
    if main is not None or fronts is None:
        return rectilinear_box(polygon, flowline=main), False
    box, evidence = box_by_evidence(polygon, fronts.geometry, fronts.table["datetime"], crs)
    return (box, True) if evidence.total else (None, False)


def _drawn_box(
    line: LineString,
    fjord: Any,
    fronts: DatedFronts | None,
    width_m: float | None,
    settings: Mapping[str, Any],
    ground: Ground,
) -> Any:
    middle = shapely.get_coordinates(line.interpolate(0.5, normalized=True))
    width = None if width_m is None else width_m * ground.point_scale(middle)
    record = None if fronts is None else fronts.geometry
    return draw_box(line, fjord, record, share=settings["box_fjord_share"], width=width)


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
    spacing = settings["parallel_m"] * ground.point_scale(middle)
    half = min(int(width / 2 / spacing), int(settings["most_parallels"]) // 2)
    before = np.concatenate([[0.0], np.cumsum([ground.area(cell) for cell in box.cells])])
    return CurvilinearPlace(box, before, spacing * np.arange(-half, half + 1))
