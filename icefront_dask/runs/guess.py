"""The likeliest line of an image in which the tracing sees no front: for comparison with a label, not for use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from skimage.graph import MCP_Geometric

from icefront_dask.fronts import Status, trace_scene

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.fronts import TracedFront
    from icefront_dask.fronts.options import FrontOptions

    Array: TypeAlias = npt.NDArray[np.float32]
    Floats: TypeAlias = npt.NDArray[np.float64]

__all__ = ["best_guess", "least_cost_path"]

_STEP_PX = 50  # ends of a path are tried at these distances along both sides
_PEAK = 0.95  # what the strongest front probabilities are raised to


def best_guess(
    ice: Array, front: Array, valid: npt.NDArray[np.bool_], options: FrontOptions, **known: Any
) -> list[Floats]:
    """Return the lines (n, 2), x and y in pixels, that are the likeliest front; none without valid pixels.

    The image is traced again, first keeping what was traced but is too short or too doubtful for a front, then with the
    front probability raised so that its strongest pixels make a ridge. If that gives no line either, it is the
    path of least 1 - P(front) from side to side.

    Parameters
    ----------
    ice, front : (H, W) float32 ndarray
        P(land or ice) and P(front), NaN where there is none.
    valid : (H, W) bool ndarray
    options : FrontOptions
        Those by which no front was found.
    **known
        ``pixel_size_m``, ``fjord``, ``flow`` of `icefront_dask.fronts.trace_scene`.
    """
    seen = valid & np.isfinite(front)
    if not seen.any():
        return []
    lenient = replace(options, min_shown_share=0.0, max_hidden_share=1.0, min_length_m=0.0, min_valid_share=0.0)
    peak = max(float(np.quantile(front[seen], 0.995)), 1e-6)
    raised = np.minimum(front * np.float32(_PEAK / peak), np.float32(1)) if peak < _PEAK else front
    for strength in (front, raised):
        traced = trace_scene(ice, strength, valid, options=lenient, **known)
        if lines := [one.xy for one in traced if _is_line(one)]:
            return lines
    path = least_cost_path(np.where(seen, front, np.nan))
    return [path] if len(path) > 1 else []


def _is_line(traced: TracedFront) -> bool:
    return traced.status not in {Status.NO_FRONT, Status.FAILED} and len(traced.xy) > 1


def least_cost_path(front: Array) -> Floats:
    """Return the path (n, 2), x and y in pixels, of least cost from the left to the right of what was predicted.

    The cost of a pixel is 1 - P(front); both ends are tried every 50 px (Mohajerani et al. 2019,
    doi:10.3390/rs11010074).
    """
    seen = np.isfinite(front)
    rows, cols = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, left = rows[0], cols[0]
    cost = 1 - np.nan_to_num(front[top : rows[-1] + 1, left : cols[-1] + 1], nan=0.0).astype(np.float64) + 1e-6
    last = cost.shape[1] - 1
    nodes = range(0, cost.shape[0], _STEP_PX)
    best: tuple[float, list[tuple[int, int]]] = (np.inf, [])
    for start in nodes:
        search = MCP_Geometric(cost)
        total, _ = search.find_costs([(start, 0)])
        end = min(nodes, key=lambda row: total[row, last])
        if total[end, last] < best[0]:
            best = (float(total[end, last]), search.traceback((end, last)))
    path = np.array(best[1], dtype=np.float64)
    return np.column_stack([path[:, 1] + left, path[:, 0] + top]) + 0.5
