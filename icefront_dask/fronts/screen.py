"""How far a line can be trusted: parts of the confidence, status and reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from icefront_dask.fronts.options import FrontOptions
    from icefront_dask.fronts.refine import Across

__all__ = ["PARTS", "agreement", "confidence", "judge", "longest_run", "sharpness", "spread_px"]

PARTS = ("ridge", "sharpness", "contrast", "agreement", "coverage", "uniqueness", "gap", "cloud")
_FLOOR = 0.05  # one part alone does not annul the others
_AGREEMENT_PX = 3.0
_STRETCH_PX = 20
_STRETCH_SHARE = 0.25
_SHARPNESS_PX = 3.0


def agreement(across: Across, *, silent: bool) -> float:
    """Return how well both outputs agree along a line, 0 to 1.

    Each vertex has exp(-d / 3 px), d the distance of ridge and crossing, 0 where one of them is missing;
    vertices with neither do not count. The result is the mean of the line's mean and that of its worst
    stretch of a quarter of the line, at least 20 px: a line that jumps from one front to another agrees
    nowhere on one of them.

    Parameters
    ----------
    across : Across
    silent : bool
        Whether the front output shows no ridge in the scene: then there is nothing to agree, NaN.
    """
    ridge, crossing = np.isfinite(across.ridge), np.isfinite(across.crossing)
    if silent:
        return math.nan
    apart = np.abs(across.ridge - across.crossing)
    alike = np.where(ridge & crossing, np.exp(-apart / _AGREEMENT_PX), 0.0)[ridge | crossing]
    if not len(alike):
        return 0.0
    size = min(max(_STRETCH_PX, int(_STRETCH_SHARE * len(alike))), len(alike))
    total = np.concatenate([[0.0], np.cumsum(alike)])
    worst = float((total[size:] - total[:-size]).min()) / size
    return (float(alike.mean()) + worst) / 2


def spread_px(across: Across) -> float:
    """Return the position's standard deviation that the outputs' own spread implies, pixels.

    Root mean square along the line of what the ridge is wider than a sharp one, and of half the distance
    between ridge and crossing; infinite where neither output shows a front.
    """
    variance = across.variance[np.isfinite(across.variance)]
    if not len(variance):
        return math.inf
    apart = (across.ridge - across.crossing) / 2
    apart = apart[np.isfinite(apart)]
    return math.sqrt(float(variance.mean()) + (float(np.mean(apart**2)) if len(apart) else 0.0))


def sharpness(spread: float) -> float:
    """Return 1 for no spread, 0.5 for 3 px, 0 for an infinite one."""
    return 1.0 / (1.0 + (spread / _SHARPNESS_PX) ** 2)


def longest_run(flags: npt.NDArray[np.bool_]) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def confidence(parts: Mapping[str, float], options: FrontOptions) -> float:
    """Return the weighted geometric mean of the parts, 0 to 1; parts that are NaN do not count.

    Parameters
    ----------
    parts : mapping
        Each of `PARTS`: ``ridge`` mean front probability on the line; ``sharpness`` of the position;
        ``contrast`` of the ice output across it; ``agreement`` of both outputs; ``coverage`` share of the
        fjord's width (NaN without a fjord); ``uniqueness`` share of all ridges that lie on the line; ``gap``
        and ``cloud`` shares that are free.
    options : FrontOptions
        ``weight_*``.
    """
    total = weights = 0.0
    for name in PARTS:
        weight = float(getattr(options, f"weight_{name}"))
        value = parts[name]
        if math.isnan(value) or weight == 0:
            continue
        total += weight * math.log(min(max(value, _FLOOR), 1.0))
        weights += weight
    return math.exp(total / weights) if weights else 0.0


def judge(
    value: float, parts: Mapping[str, float], options: FrontOptions, *, detached: bool, open_ends: int
) -> tuple[Status, Reason]:
    """Return status and the gravest reason of a line by its confidence and parts.

    A line is no front where the front output shows less than ``min_shown_share`` of it, where that output shows none
    in the whole scene and the confidence is too low as well, and where more than ``max_hidden_share`` of the line, or
    of its fjord, lies under clouds and anything else speaks against it.
    """
    cloud = 1 - parts["cloud"]
    doubts = [
        (parts["ridge"] < options.weak_threshold, Reason.CONTOUR_ONLY),
        (parts["unseen_px"] > options.max_unseen_px, Reason.CONTOUR_ONLY),
        (detached, Reason.DETACHED_ICE),
        (parts["agreement"] < options.min_agreement, Reason.OUTPUTS_DISAGREE),
        (1 - parts["gap"] > options.max_gap_fraction, Reason.GAPS),
        (parts["coverage"] < options.min_fjord_share and open_ends > 0, Reason.LEAVES_SCENE),
        (parts["coverage"] < options.min_fjord_share, Reason.PARTIAL),
        (parts["uniqueness"] < options.min_uniqueness, Reason.AMBIGUOUS),
        (cloud > options.max_cloud_share, Reason.CLOUDS),
        (value < options.accept_confidence, Reason.LOW_CONFIDENCE),
    ]
    reasons = [reason for doubtful, reason in doubts if doubtful]
    if parts["shown"] < options.min_shown_share:
        return Status.NO_FRONT, Reason.CONTOUR_ONLY
    if math.isnan(parts["shown"]) and value < options.reject_confidence:
        return Status.NO_FRONT, Reason.NO_RIDGE
    if cloud > options.max_hidden_share and any(reason is not Reason.CLOUDS for reason in reasons):
        return Status.NO_FRONT, Reason.CLOUDS
    reason = reasons[0] if reasons else Reason.NONE
    if value < options.reject_confidence:
        return Status.REJECTED, reason
    return (Status.REVIEW if reason else Status.ACCEPTED), reason
