"""The rows of one scene: kernels of the methods, brought to ground measure and given their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from icefront_dask.change.areas import area_to_line
from icefront_dask.change.crossings import centreline_crossings
from icefront_dask.change.curvilinear import variable_box
from icefront_dask.change.positions import UNSEEN_WIDTHS, box_position
from icefront_dask.change.reasons import SeriesReason, add_reason
from icefront_dask.change.uncertainty import Z95, box_sigma, crossing_sigma
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from icefront_dask.change.boxes import FlowBox
    from icefront_dask.change.layout import Layout

__all__ = ["measure_scene"]

_NAN = float("nan")
_NO_VALUE: dict[str, Any] = {
    "crossing": 0,
    "position_m": _NAN,
    "position_low_m": _NAN,
    "position_high_m": _NAN,
    "position_sigma_m": _NAN,
    "change_m": _NAN,
    "area_m2": _NAN,
    "width_m": _NAN,
    "n_intersections": 0,
    "covered_share": 0.0,
    "scale_factor": _NAN,
}
_ONE_PLACE = ("rectilinear-box", "area")  # methods that do not go by flowline


def measure_scene(
    scene: Mapping[str, Any],
    front: Any,
    layout: Layout,
    settings: Mapping[str, Any],
    *,
    intersection: str = "seaward",
    extrapolate: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one scene, one a (method, flowline, crossing).

    Parameters
    ----------
    scene : mapping
        status, reason and uncertainty_m (NaN if unknown) of the front.
    front : LineString, MultiLineString or None
        In the layout's CRS.
    layout : Layout
    settings : mapping
        Section ``change`` of the configuration.
    intersection : {"seaward", "landward", "all"}
    extrapolate : bool
    """
    sigma, notes = float(scene["uncertainty_m"]), []
    if layout.drawn:
        notes.append(SeriesReason.GUIDE_DRAWN)
    if not sigma >= 0:
        sigma = float(settings["default_uncertainty_m"])
        notes.append(SeriesReason.UNCERTAINTY_ASSUMED)
    for method in layout.methods:
        if method in layout.missing:
            reason = SeriesReason.NO_BOX if layout.missing[method] == "box" else SeriesReason.NO_FLOWLINE
            status = Status.FAILED if scene["status"] == Status.ACCEPTED else scene["status"]
            yield {**_NO_VALUE, "method": method, "flowline": "", "status": str(status),
                   "reason": add_reason(str(scene["reason"]), reason)}  # fmt: skip
            continue
        for name in ("",) if method in _ONE_PLACE else tuple(layout.flowlines):
            place = _Place(scene, front, method, name, layout, sigma, tuple(notes), settings, intersection)
            if front is None:
                yield place.row()
            elif method == "centreline":
                yield from _centreline(place, float(settings["extrapolate_m"]) if extrapolate else 0.0)
            else:
                yield _ROWS[method](place)


@dataclass(frozen=True)
class _Place:
    """One front at one place by one method."""

    scene: Mapping[str, Any]
    front: Any
    method: str
    flowline: str
    layout: Layout
    sigma: float
    notes: tuple[SeriesReason, ...]
    settings: Mapping[str, Any]
    intersection: str

    def row(self, *, review: bool = False, reasons: Any = (), **values: Any) -> dict[str, Any]:
        own = str(self.scene["status"])
        position = float(values.get("position_m", _NAN))
        if self.method != "area" and self.layout.floats(self.method, self.flowline, position):
            reasons = [*reasons, SeriesReason.FLOATING]
        return {
            **_NO_VALUE,
            "method": self.method,
            "flowline": self.flowline,
            "status": str(Status.REVIEW) if review and own == Status.ACCEPTED else own,
            "reason": add_reason(str(self.scene["reason"]), *reasons),
            **values,
        }

    def mean_sigma(self, *, front_length: float, width: float, covered: float, relief: float, scale: float) -> float:
        """Return 1 sigma of a mean over the width; lengths in metres of the map."""
        return box_sigma(
            self.sigma * self.layout.map_scale,
            front_length_m=front_length / scale,
            width_m=width / scale,
            covered_share=covered,
            relief_m=relief / scale,
            correlation_m=self.settings["correlation_m"],
        )


def _rectilinear(place: _Place) -> dict[str, Any]:
    box = place.layout.box
    assert box is not None
    extra = (SeriesReason.DIRECTION_INFERRED,) if place.layout.direction_inferred else ()
    return _box(place, box, place.layout.width_m(place.method, ""), 0.0, extra)


def _curvilinear(place: _Place) -> dict[str, Any]:
    found = place.layout.curvilinear[place.flowline]
    box = found.box.window(place.front)
    width = place.layout.width_m(place.method, place.flowline)
    return _box(place, box, width, float(found.true_area_before[box.cells_before]))


def _variable(place: _Place) -> dict[str, Any]:
    layout, line = place.layout, place.layout.flowlines[place.flowline]
    box = variable_box(line, place.front, reach=layout.curvilinear[place.flowline].box.whole.width)
    if box is None:
        return place.row(review=True, reasons=[SeriesReason.NO_VARIABLE_BOX])
    return _box(place, box, box.width / layout.scale_at(place.method, place.flowline, box.length / 2), 0.0)


def _box(
    place: _Place, box: FlowBox, width_m: float, area_before: float, extra: tuple[SeriesReason, ...] = ()
) -> dict[str, Any]:
    layout, settings = place.layout, place.settings
    found = box_position(
        place.front, box, min_covered_share=settings["min_covered_share"], smooth=settings["correlation_m"] / 2
    )
    common = {"n_intersections": found.n_cuts, "covered_share": found.covered_share}
    if found.inland is None:
        return place.row(review=True, reasons=found.reasons, **common)
    along = layout.along(place.method, place.flowline)
    scale = layout.scale_at(place.method, place.flowline, found.along)
    error = place.mean_sigma(
        front_length=found.front_length,
        width=box.width,
        covered=found.covered_share,
        relief=found.relief,
        scale=scale,
    )
    return place.row(
        review=found.review,
        reasons=[*found.reasons, *extra, *place.notes],
        position_m=along(found.along),
        position_low_m=along(found.low) - Z95 * error,
        position_high_m=along(found.high) + Z95 * error,
        position_sigma_m=error,
        area_m2=area_before + layout.ground.area(found.inland),
        width_m=width_m,
        scale_factor=scale,
        **common,
    )


def _centreline(place: _Place, extrapolate_by: float) -> Iterator[dict[str, Any]]:
    layout = place.layout
    crossings = centreline_crossings(place.front, layout.flowlines[place.flowline], extrapolate_by=extrapolate_by)
    if not crossings:
        yield place.row(review=True, reasons=[SeriesReason.FLOWLINE_NOT_MET])
        return
    chosen = {"seaward": crossings[-1:], "landward": crossings[:1], "all": crossings}[place.intersection]
    along = layout.along(place.method, place.flowline)
    for k, crossing in enumerate(chosen):
        error = crossing_sigma(place.sigma * layout.map_scale, crossing.cosine)
        position = along(crossing.along)
        drawn_out = [SeriesReason.EXTRAPOLATED] if crossing.extrapolated else []
        yield place.row(
            review=crossing.extrapolated,
            reasons=[*drawn_out, *place.notes],
            crossing=k + 1 if place.intersection == "all" else 0,
            position_m=position,
            position_low_m=position - Z95 * error,
            position_high_m=position + Z95 * error,
            position_sigma_m=error,
            n_intersections=0 if crossing.extrapolated else len(crossings),
            covered_share=0.0 if crossing.extrapolated else 1.0,
            scale_factor=layout.scale_at(place.method, place.flowline, crossing.along),
        )


def _parallels(place: _Place) -> dict[str, Any]:
    layout, settings = place.layout, place.settings
    curvilinear = layout.curvilinear[place.flowline]
    box = curvilinear.box.whole
    at = curvilinear.profile(place.front, landward=place.intersection == "landward")
    met = at[np.isfinite(at)]
    covered = len(met) / len(at)
    if not len(met):
        return place.row(review=True, reasons=[SeriesReason.FLOWLINE_NOT_MET])
    review = covered < settings["min_covered_share"]
    mean, relief = float(met.mean()), float(met.std())
    low = high = mean
    if review:
        reach = (1 - covered) * UNSEEN_WIDTHS * box.width
        low, high = mean - reach, mean + reach
    along = layout.along(place.method, place.flowline)
    scale = layout.scale_at(place.method, place.flowline, mean)
    inside = shapely.intersection(place.front, curvilinear.box.window(place.front).polygon)
    length = float(shapely.length(shapely.simplify(inside, settings["correlation_m"] / 2)))
    error = place.mean_sigma(
        front_length=max(length, covered * box.width), width=box.width, covered=covered, relief=relief, scale=scale
    )
    return place.row(
        review=review,
        reasons=[*([SeriesReason.PARTLY_SEEN] if review else []), *place.notes],
        position_m=along(mean),
        position_low_m=along(low) - Z95 * error,
        position_high_m=along(high) + Z95 * error,
        position_sigma_m=error,
        width_m=layout.width_m(place.method, place.flowline),
        n_intersections=len(met),
        covered_share=covered,
        scale_factor=scale,
    )


def _area(place: _Place) -> dict[str, Any]:
    layout, settings = place.layout, place.settings
    line, length = layout.reference, layout.reference_length
    assert line is not None
    found = area_to_line(
        place.front, line, min_covered_share=settings["min_covered_share"], smooth=settings["correlation_m"] / 2
    )
    common = {"n_intersections": found.n_crossings, "covered_share": found.covered_share}
    if found.ring is None:
        return place.row(review=True, reasons=found.reasons, **common)
    area = layout.ground.ring_area(found.ring)
    scale = line.length / length
    error = place.mean_sigma(
        front_length=found.front_length,
        width=line.length,
        covered=found.covered_share,
        relief=found.relief,
        scale=scale,
    )
    reach = (1 - found.covered_share) * UNSEEN_WIDTHS * length if found.review else 0.0
    return place.row(
        review=found.review,
        reasons=[*found.reasons, *place.notes],
        position_m=area / length,
        position_low_m=area / length - reach - Z95 * error,
        position_high_m=area / length + reach + Z95 * error,
        position_sigma_m=error,
        area_m2=area,
        width_m=length,
        scale_factor=scale,
        **common,
    )


_ROWS = {
    "rectilinear-box": _rectilinear,
    "curvilinear-box": _curvilinear,
    "variable-box": _variable,
    "multi-centreline": _parallels,
    "area": _area,
}
