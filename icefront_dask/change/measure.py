"""The rows of one scene: kernels of the methods, brought to ground measure and given their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from icefront_dask.change.positions import box_position, centreline_crossings
from icefront_dask.change.reasons import SeriesReason, SeriesStatus, add_reason
from icefront_dask.change.uncertainty import Z95, box_sigma, crossing_sigma

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from icefront_dask.change.boxes import FlowBox
    from icefront_dask.change.layout import CurvilinearPlace, Layout

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
    if not sigma >= 0:
        sigma, notes = float(settings["default_uncertainty_m"]), [SeriesReason.UNCERTAINTY_ASSUMED]
    for method in layout.methods:
        places: dict[str, Any] = {"": layout.box} if method == "rectilinear-box" else dict(layout.flowlines)
        if method in layout.missing:
            reason = SeriesReason.NO_BOX if layout.missing[method] == "box" else SeriesReason.NO_FLOWLINE
            status = SeriesStatus.FAILED if scene["status"] == SeriesStatus.ACCEPTED else scene["status"]
            yield _row(scene, method, "", status=str(status), reasons=[reason])
            continue
        for name, line in places.items():
            if front is None:
                yield _row(scene, method, name)
            elif method == "centreline":
                by = float(settings["extrapolate_m"]) if extrapolate else 0.0
                yield from _centreline(scene, front, name, line, layout, sigma, notes, intersection, by)
            elif method == "rectilinear-box":
                extra = [SeriesReason.DIRECTION_INFERRED] if layout.direction_inferred else []
                yield _box(scene, front, method, name, layout.box, None, layout, sigma, [*extra, *notes], settings)
            else:
                place = layout.curvilinear[name]
                box = place.box.window(front)
                yield _box(scene, front, method, name, box, place, layout, sigma, notes, settings)


def _row(
    scene: Mapping[str, Any],
    method: str,
    flowline: str,
    *,
    status: str | None = None,
    reasons: Any = (),
    **values: Any,
) -> dict[str, Any]:
    return {
        **_NO_VALUE,
        "method": method,
        "flowline": flowline,
        "status": str(scene["status"]) if status is None else status,
        "reason": add_reason(str(scene["reason"]), *reasons),
        **values,
    }


def _status(scene: Mapping[str, Any], review: bool) -> str:
    own = str(scene["status"])
    return str(SeriesStatus.REVIEW) if review and own == SeriesStatus.ACCEPTED else own


def _box(
    scene: Mapping[str, Any],
    front: Any,
    method: str,
    flowline: str,
    box: FlowBox | None,
    place: CurvilinearPlace | None,
    layout: Layout,
    sigma: float,
    notes: list[SeriesReason],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    assert box is not None
    found = box_position(
        front, box, min_covered_share=settings["min_covered_share"], smooth=settings["correlation_m"] / 2
    )
    common = {"n_intersections": found.n_cuts, "covered_share": found.covered_share}
    if found.inland is None:
        return _row(scene, method, flowline, status=_status(scene, review=True), reasons=found.reasons, **common)
    along = layout.along(method, flowline)
    before = 0.0 if place is None else float(place.true_area_before[box.cells_before])
    scale = layout.scale_at(method, flowline, found.along)
    position, low, high = along(found.along), along(found.low), along(found.high)
    error = box_sigma(
        sigma * layout.map_scale,
        front_length_m=found.front_length / scale,
        width_m=box.width / scale,
        covered_share=found.covered_share,
        relief_m=found.relief / scale,
        correlation_m=settings["correlation_m"],
    )
    return _row(
        scene,
        method,
        flowline,
        status=_status(scene, found.review),
        reasons=[*found.reasons, *notes],
        position_m=position,
        position_low_m=low - Z95 * error,
        position_high_m=high + Z95 * error,
        position_sigma_m=error,
        area_m2=before + layout.ground.area(found.inland),
        width_m=layout.width_m(method, flowline),
        scale_factor=scale,
        **common,
    )


def _centreline(
    scene: Mapping[str, Any],
    front: Any,
    flowline: str,
    line: Any,
    layout: Layout,
    sigma: float,
    notes: list[SeriesReason],
    intersection: str,
    extrapolate_by: float,
) -> Iterator[dict[str, Any]]:
    method = "centreline"
    crossings = centreline_crossings(front, line, extrapolate_by=extrapolate_by)
    if not crossings:
        reasons = [SeriesReason.FLOWLINE_NOT_MET]
        yield _row(scene, method, flowline, status=_status(scene, review=True), reasons=reasons)
        return
    chosen = {"seaward": crossings[-1:], "landward": crossings[:1], "all": crossings}[intersection]
    along = layout.along(method, flowline)
    for k, crossing in enumerate(chosen):
        error = crossing_sigma(sigma * layout.map_scale, crossing.cosine)
        position = along(crossing.along)
        drawn_out = [SeriesReason.EXTRAPOLATED] if crossing.extrapolated else []
        yield _row(
            scene,
            method,
            flowline,
            status=_status(scene, crossing.extrapolated),
            reasons=[*drawn_out, *notes],
            crossing=k + 1 if intersection == "all" else 0,
            position_m=position,
            position_low_m=position - Z95 * error,
            position_high_m=position + Z95 * error,
            position_sigma_m=error,
            n_intersections=0 if crossing.extrapolated else len(crossings),
            covered_share=0.0 if crossing.extrapolated else 1.0,
            scale_factor=layout.scale_at(method, flowline, crossing.along),
        )
