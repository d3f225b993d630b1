"""What became of a front or a scene, and why: two closed lists."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason", "Status"]


class Status(StrEnum):
    """Column ``status`` of the fronts table."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    """A line to be looked at; ``reason`` says what for."""
    REJECTED = "rejected"
    """A line which must not be used."""
    NO_FRONT = "no_front"
    """The scene was looked at and shows no front; no geometry. ``reason`` may be one of a line that was not kept."""
    FAILED = "failed"
    """The scene could not be looked at; no geometry."""


class Reason(StrEnum):
    """Column ``reason`` of the fronts table: the gravest one, empty for an accepted front."""

    NONE = ""
    # review or rejected: a line is there
    LOW_CONFIDENCE = "low_confidence"
    CONTOUR_ONLY = "contour_only"
    """The front output shows nothing, or nothing along a stretch; there the line is the edge of the ice output."""
    OUTPUTS_DISAGREE = "outputs_disagree"
    """The ridge of the front output and the edge of the ice output lie apart."""
    DETACHED_ICE = "detached_ice"
    """Water runs behind ice that fills the fjord further out, as behind a tabular berg just calved."""
    AMBIGUOUS = "ambiguous"
    """The front output shows another ridge of like length."""
    GAPS = "gaps"
    """Too much of the line is bridged over pixels without data or without a sign of a front."""
    CLOUDS = "clouds"
    DEM_CLIFF = "dem_cliff"
    """The line lies on the elevation model's own cliff, as those of other dates do."""
    ONE_SIDED = "one_sided"
    """Nearly everything round the line is ice (CALFIN's test of balance)."""
    PARTIAL = "partial"
    """The line covers too little of the fjord's width."""
    LEAVES_SCENE = "leaves_scene"
    """As ``partial``, and an end of the line meets the edge of the valid pixels."""
    # no_front
    NO_RIDGE = "no_ridge"
    """Neither output shows a front, or the front output none and the ice output a doubtful one."""
    TOO_SHORT = "too_short"
    """What there is of a front is shorter than the least length."""
    # failed
    NO_VALID_PIXELS = "no_valid_pixels"
    """Too few valid pixels, in the fjord where there is one, to say anything."""
    READ_FAILED = "read_failed"
    PREDICT_FAILED = "predict_failed"
    TRACE_FAILED = "trace_failed"
