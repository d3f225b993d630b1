"""Why a row of a series is not accepted, has no value, or rests on an assumption: a closed list."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["SEPARATOR", "SeriesReason", "add_reason", "without_reason"]

SEPARATOR = "; "


class SeriesReason(StrEnum):
    """One reason; several are joined by ``"; "`` and follow those of the front itself."""

    # no value
    NO_GEOMETRY = "no_geometry"  # the scene has no front
    FIRST_DATE = "first_date"  # nothing before it to change from
    OUTSIDE_BOX = "front_outside_box"
    DOES_NOT_CUT_BOX = "front_does_not_cut_box"
    INLAND_OF_BOX = "front_inland_of_box"
    FLOWLINE_NOT_MET = "flowline_not_met"
    NO_FLOWLINE = "no_flowline"
    NO_BOX = "no_box"
    BESIDE_LINE = "front_beside_line"  # no part of it lies straight across from the reference line
    NO_VARIABLE_BOX = "no_variable_box"  # the front is not near the flowline, or a box as wide as it folds over itself
    # a value which must be looked at
    PARTLY_SEEN = "front_partly_seen"  # less of the width than closing by shortest distance allows
    LEAVES_BOX = "front_leaves_box"  # through its inland or seaward edge: the position is cut off there
    EXTRAPOLATED = "front_extrapolated"
    SEVERAL_FRONTS = "several_fronts"  # parts of the front lie behind each other
    IMPLAUSIBLE_ADVANCE = "implausible_advance"
    ADVANCE_UNDONE = "advance_undone"
    RETREAT_UNDONE = "retreat_undone"
    MELANGE = "melange_suspected"
    MELT = "melt_suspected"  # a retreat undone within 30 days while the whole scene turned dark
    SAME_DAY_DIFFERS = "same_day_differs"  # another front of the day lies elsewhere and fits the series better
    UNDECIDED = "position_undecided"  # another reading of the series, borne out about as well, has no room for it
    ROUGH_LINE = "rough_line"
    ODD_LENGTH = "odd_length"
    AREA_CHANGE_UNDONE = "area_change_undone"
    SAME_DAY = "same_day"
    # notes on values which stand
    CLOSED_TO_SIDE = "closed_to_side"  # the front ends short of a side of the box by at most a fifth of the width
    UNCERTAINTY_ASSUMED = "uncertainty_assumed"
    GUIDE_DRAWN = "guide_drawn"  # the flowline or box was drawn from the fjord, not given
    FLOATING = "floating"  # seaward of the grounding line: the ice behind the front floats
    BY_HAND = "by_hand"  # a person accepted or rejected it
    DIRECTION_INFERRED = "direction_inferred"  # the sea was found from the record and the ice sheet's interior


def add_reason(present: str, *reasons: str) -> str:
    """Return the joined reasons without repetition, in the order in which they came."""
    words = [word for word in present.split(SEPARATOR) if word]
    return SEPARATOR.join(dict.fromkeys([*words, *(str(reason) for reason in reasons if reason)]))


def without_reason(present: str, reason: str) -> str:
    """Return the joined reasons less one."""
    return SEPARATOR.join(word for word in present.split(SEPARATOR) if word != str(reason))
