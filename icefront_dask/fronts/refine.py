"""From a line along pixels to a sub-pixel line, by what both outputs say across it.

Coordinates are pixel x, y with the centre of pixel [r, c] at (c + 0.5, r + 0.5) and y downward. Lines have
the glacier on their left as one looks at the image, so that offsets across a line grow seaward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from icefront_dask.fronts.bridges import bridged
from icefront_dask.fronts.spacing import resample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float: TypeAlias = npt.NDArray[np.float64]
    Image: TypeAlias = npt.NDArray[np.float32]

__all__ = [
    "Across",
    "bridged",
    "look_across",
    "oriented",
    "refine",
    "resample",
    "sample",
    "seaward",
    "smooth_line",
    "without_loops",
]

_FRONT_VARIANCE_PX2 = 0.75  # of a box of ± 1.5 px: what the front output means by "front"
_STEP_PX = 0.25
_WHOLE_PX = 2.0


@dataclass(frozen=True)
class Across:
    """What both outputs show across a line, one value a vertex; offsets in pixels, seaward positive.

    Attributes
    ----------
    ridge : (n,) float64 ndarray
        Offset of the ridge of the front output, NaN where there is none.
    peak : (n,) float64 ndarray
        Its largest probability, 0 where there is none.
    crossing : (n,) float64 ndarray
        Offset of the nearest place where the ice output falls below 0.5, NaN where it does not.
    variance : (n,) float64 ndarray
        Variance of the position that the outputs' spread implies, NaN where neither shows a front.
    contrast : (n,) float64 ndarray
        Ice probability 3 to 6 px inland less that 3 to 6 px seaward, NaN where unknown.
    """

    ridge: Float
    peak: Float
    crossing: Float
    variance: Float
    contrast: Float


def smooth_line(values: Float, sigma: float) -> Float:
    """Return values along a line smoothed by a Gaussian of `sigma` vertices; straight lines and ends stay."""
    n = len(values)
    pad = min(int(np.ceil(3 * sigma)), n - 1)
    if sigma <= 0 or pad < 1:
        return values
    head = 2 * values[:1] - values[pad:0:-1]
    tail = 2 * values[-1:] - values[-2 : -pad - 2 : -1]
    padded = np.concatenate([head, values, tail])
    smooth: Float = ndimage.gaussian_filter1d(padded, sigma, axis=0, mode="nearest", radius=pad)[pad : pad + n]
    return smooth


def sample(image: npt.NDArray[Any], xy: Float) -> Float:
    """Return bilinear values at points (…, 2), NaN outside and wherever a NaN takes part."""
    return _sampled([image], xy[..., 0], xy[..., 1])[0]


def _sampled(images: Sequence[npt.NDArray[Any]], x: Float, y: Float) -> list[Float]:
    """Return what :func:`sample` does of several images of one shape at the same points."""
    height, width = images[0].shape
    x, y = x - 0.5, y - 0.5
    inside = None
    if not (_all_within(x, width - 1) and _all_within(y, height - 1)):
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    c, r = x.astype(np.intp), y.astype(np.intp)
    if inside is not None:
        c, r = np.minimum(c, max(width - 2, 0)), np.minimum(r, max(height - 2, 0))
    u, v = x - c, y - r
    shares = (1 - u, u), (1 - v, v)
    right, down = int(width > 1), width if height > 1 else 0
    first = r * width + c
    corners = first, first + right, first + down, first + (down + right)
    out = []
    for image in images:
        flat = image.ravel()
        a, b, c_, d = (flat.take(corner) for corner in corners)
        values = _mix(_mix(a, b, shares[0]), _mix(c_, d, shares[0]), shares[1])
        out.append(values if inside is None else np.where(inside, values, np.nan))
    return out


def _all_within(values: Float, last: int) -> bool:
    """Return whether all values lie from 0 up to, but not on, the last one; not so for NaN and for no values."""
    return values.size > 0 and bool(values.min() >= 0 and values.max() < last)


def _mix(a: npt.NDArray[Any], b: npt.NDArray[Any], shares: tuple[Float, Float]) -> Float:
    """Linear, where a NaN with weight 0 does not count."""
    mixed: Float = a * shares[0] + b * shares[1]
    if np.isnan(mixed).any():
        mixed = np.where(shares[1] == 0, a, np.where(shares[1] == 1, b, mixed))
    return mixed


def seaward(xy: Float, sigma: float = 3.0) -> Float:
    """Return unit normals (n, 2) that point to the right of the line as one looks at the image."""
    smooth = smooth_line(xy, sigma)
    tangent = np.gradient(smooth, axis=0)
    norm = np.hypot(tangent[:, 0], tangent[:, 1])
    norm[norm == 0] = 1.0
    return np.column_stack([-tangent[:, 1], tangent[:, 0]]) / norm[:, None]


def oriented(xy: Float, level: Image) -> Float:
    """Return the line with the higher ice probability on its left, unchanged where that is not known."""
    if len(xy) < 2:
        return xy
    normal = seaward(xy)
    offsets = np.array([2.0, 3.0, 4.0])[:, None, None]
    difference = sample(level, xy - offsets * normal) - sample(level, xy + offsets * normal)
    seen = difference[np.isfinite(difference)]
    return xy[::-1] if len(seen) and seen.sum() < 0 else xy


def look_across(xy: Float, front: Image, level: Image, *, reach: float, weak: float, wide: float = 10.0) -> Across:
    """Measure both outputs across a line, see :class:`Across`.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
        Oriented line, n > 1.
    front, level : (H, W) float32 ndarray
        Probabilities, NaN where there is none.
    reach : float
        How far from the line a ridge or a crossing is taken for the line's own, pixels.
    weak : float
        Least front probability of a ridge.
    wide : float
        How far from the line is looked at, at least `reach`.
    """
    offsets = np.arange(-wide, wide + _STEP_PX / 2, _STEP_PX)
    normal = seaward(xy)
    x, y = (xy[:, axis, None] + offsets * normal[:, axis, None] for axis in (0, 1))
    ridges, levels = _sampled([front, level], x, y)
    # Beside a gap a ridge is cut off, and its centre is not that of the front.
    whole = np.isfinite(ridges[:, np.abs(offsets) <= _WHOLE_PX]).all(axis=1)
    ridge, peak, variance = _ridge(np.nan_to_num(ridges, nan=0.0), offsets, reach, weak)
    ridge, variance = np.where(whole, ridge, np.nan), np.where(whole, variance, np.nan)
    inland, sea = (offsets >= -6) & (offsets <= -3), (offsets >= 3) & (offsets <= 6)
    contrast = _row_mean(levels[:, inland]) - _row_mean(levels[:, sea])
    crossing = _crossing(levels, offsets, reach)
    spread = _edge_variance(levels, offsets)
    variance = np.where(np.isfinite(variance), variance, np.where(np.isfinite(crossing), spread, np.nan))
    return Across(ridge, peak, crossing, variance, contrast)


def _row_mean(values: Float) -> Float:
    seen = np.isfinite(values)
    count = seen.sum(axis=1)
    total = np.where(seen, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ridge(values: Float, offsets: Float, reach: float, weak: float) -> tuple[Float, Float, Float]:
    rows = np.arange(len(values))
    # The nearer of two like peaks.
    near = np.where(np.abs(offsets) <= reach, values - 0.02 * np.abs(offsets), -np.inf)
    top = near.argmax(axis=1)
    peak = values[rows, top]
    lobe = _connected(values >= 0.5 * peak[:, None], top) * values
    centre = _moment(lobe, offsets, 0.0)
    body = _connected(values >= 0.1 * peak[:, None], top) * values
    spread = _moment(body, (offsets[None, :] - _moment(body, offsets, 0.0)[:, None]) ** 2, np.inf)
    found = (peak >= weak) & (np.abs(centre) <= reach)
    variance = np.maximum(spread - _FRONT_VARIANCE_PX2, 0.0)
    return np.where(found, centre, np.nan), np.where(found, peak, 0.0), np.where(found, variance, np.nan)


def _connected(mask: npt.NDArray[np.bool_], start: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Keep of each row the run of True that holds its start column, which is True."""
    before = np.cumsum(~mask, axis=1, dtype=np.int32)
    run: npt.NDArray[np.bool_] = mask & (before == before[np.arange(len(mask)), start][:, None])
    return run


def _moment(weight: Float, values: Float, empty: float) -> Float:
    total = weight.sum(axis=1)
    return np.where(total > 0, (weight * values).sum(axis=1) / np.where(total > 0, total, 1.0), empty)


def _crossing(levels: Float, offsets: Float, reach: float) -> Float:
    a, b = levels[:, :-1], levels[:, 1:]
    row, column = np.nonzero((a >= 0.5) & (b < 0.5))
    high, low = a[row, column], b[row, column]
    at = np.full(a.shape, np.inf)
    at[row, column] = offsets[column] + (high - 0.5) / (high - low) * _STEP_PX
    nearest = np.abs(at).argmin(axis=1)
    found = at[np.arange(len(at)), nearest]
    return np.where(np.abs(found) <= reach, found, np.nan)


def _edge_variance(levels: Float, offsets: Float) -> Float:
    """Variance of the position whose distribution function the ice output is across the line."""
    density = np.clip(np.nan_to_num(levels[:, :-1] - levels[:, 1:], nan=0.0), 0.0, None)
    middle = offsets[:-1] + _STEP_PX / 2
    centre = _moment(density, middle, 0.0)
    return _moment(density, (middle[None, :] - centre[:, None]) ** 2, np.inf)


def refine(
    xy: Float,
    front: Image,
    level: Image,
    *,
    reach: float,
    weak: float,
    ice_weight: float,
    smooth_px: float,
    max_smoothing_px: float,
) -> Float:
    """Move a line onto the ridge of the front output and the crossing of the ice output.

    Each vertex moves across the line to the centre of the ridge and, where the crossing lies within 2 px of
    that, to their mean; where only one of them is found, to that one; where none is, by what its neighbours
    along the line move. The offsets are smoothed along the line by at most `max_smoothing_px`.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
        Line along pixels, oriented, n > 1.
    front, level : (H, W) float32 ndarray
        Probabilities, NaN where there is none.
    reach : float
        Largest movement in one of the three passes, pixels.
    weak : float
        Least front probability of a ridge.
    ice_weight : float
        Weight of the crossing, 0 to 1, where both are found.
    smooth_px : float
        Standard deviation of the smoothing along the line.
    max_smoothing_px : float
        Largest distance of a vertex from where the outputs put it.

    Returns
    -------
    (m, 2) float64 ndarray
        About one vertex a pixel.
    """
    line = resample(smooth_line(resample(xy), 1.5))
    for _ in range(3):
        if len(line) < 3:
            break
        across = look_across(line, front, level, reach=reach, weak=weak, wide=reach + 3)
        both = np.abs(across.ridge - across.crossing) <= 2.0
        mean = (1 - ice_weight) * across.ridge + ice_weight * across.crossing
        target = np.where(both, mean, np.where(np.isfinite(across.ridge), across.ridge, across.crossing))
        moved = _smoothed(target, smooth_px, max_smoothing_px)
        line = resample(bridged(line + moved[:, None] * seaward(line), np.isfinite(target), front))
    return without_loops(line)


def without_loops(xy: Float, longest: int = 60) -> Float:
    """Cut small loops out of a line, those of up to `longest` vertices."""
    line = xy
    for _ in range(len(xy)):
        found = _first_loop(line, longest)
        if found is None:
            break
        start, stop, crossing = found
        line = np.vstack([line[: start + 1], crossing, line[stop + 1 :]])
    return line


def _first_loop(xy: Float, longest: int) -> tuple[int, int, Float] | None:
    """Return the first two segments of a line that cross and where, None for a line without loops."""
    step = np.diff(xy, axis=0)
    if len(step) < 3:
        return None
    # Segments cross only where they begin within the sum of their lengths.
    reach = 2 * float(np.hypot(step[:, 0], step[:, 1]).max())
    near = KDTree(xy[:-1]).query_pairs(reach * (1 + 1e-9), output_type="ndarray")
    lag = near[:, 1] - near[:, 0]
    i, j = near[(lag >= 2) & (lag <= longest)].T
    p, u, q, v = xy[i], step[i], xy[j], step[j]
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    safe = np.where(cross == 0, 1.0, cross)
    gap = q - p
    s = (gap[:, 0] * v[:, 1] - gap[:, 1] * v[:, 0]) / safe
    t = (gap[:, 0] * u[:, 1] - gap[:, 1] * u[:, 0]) / safe
    hits = np.flatnonzero((cross != 0) & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1))
    if not len(hits):
        return None
    first = hits[np.lexsort((j[hits], i[hits]))[0]]
    return int(i[first]), int(j[first]), p[first] + s[first] * u[first]


def _smoothed(target: Float, smooth_px: float, largest: float) -> Float:
    seen = np.isfinite(target)
    if not seen.any():
        return np.zeros_like(target)
    index = np.arange(len(target))
    whole = np.interp(index, index[seen], target[seen])
    calm = ndimage.median_filter(whole, size=5, mode="nearest") if len(whole) >= 5 else whole
    smooth = smooth_line(calm, smooth_px)
    return np.where(seen, np.clip(smooth, whole - largest, whole + largest), smooth)
