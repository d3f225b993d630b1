"""Where a line stops being a front, for scenes whose fjord is not known.

Past its end a front's ridge goes on along fjord walls and coasts: weaker, in another direction, and with less
difference of the ice output from one side to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter1d

from icefront_dask.fronts.refine import smooth_line

if TYPE_CHECKING:
    import numpy.typing as npt

    Float: TypeAlias = npt.NDArray[np.float64]
    Mask: TypeAlias = npt.NDArray[np.bool_]

__all__ = ["front_stretch", "heaviest_run"]

_ALONG_PX = 5.0  # evidence is smoothed along the line by this
_TANGENT_PX = 3.0
_ASKEW = 0.7  # cosine to the front's direction below which a vertex speaks against it
_MOST = 2.0  # one vertex says no more than this


def front_stretch(
    xy: Float,
    peak: Float,
    contrast: Float,
    *,
    strength: float,
    direction: float,
    offset: float,
    relative: float = 0.0,
) -> tuple[int, int]:
    """Return the stretch of a line that is front rather than wall or coast.

    Each vertex speaks for or against the front; the stretch with the largest sum stays, as of log-odds. What
    speaks are the log-odds of the ridge, less a share of those that the front has in its middle, and, as far as the ice
    output does not tell glacier from ocean there, how far the line turns from the front's main direction.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
        Line with about one vertex a pixel.
    peak : (n,) float64 ndarray
        Front probability on it; NaN where there are no data, which speaks neither way.
    contrast : (n,) float64 ndarray
        Ice probability inland less that seaward, NaN where unknown.
    strength, direction, offset : float
        Weights of the ridge's log-odds, of the direction, and of neither; 0 for all keeps the whole line.
    relative : float, default 0
        Share of the median log-odds of the stretch, where they are above 0, that those of a vertex are held against: a
        ridge of 0.5 is the end of a front that is sure elsewhere, and the middle of one that is not.

    Returns
    -------
    start, stop : int
    """
    n = len(xy)
    if n < 3 or (strength == 0 and direction == 0 and offset == 0):
        return 0, n
    seen = np.isfinite(peak)
    if not seen.any():
        return 0, n
    probable = np.clip(np.where(seen, peak, 0.5), 0.01, 0.99)
    sure = np.clip(np.nan_to_num(contrast, nan=0.0), 0.0, 1.0)
    odds = _calm(np.log(probable / (1 - probable)), seen)
    doubt = 1.0 - _calm(sure, seen)
    tangent = np.gradient(smooth_line(xy, _TANGENT_PX), axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    start, stop = 0, n
    for _ in range(2):
        main = _main_direction(tangent[start:stop], (probable * sure * seen)[start:stop])
        along = _calm(np.abs(tangent @ main), seen)
        usual = float(np.median(odds[start:stop][seen[start:stop]])) if seen[start:stop].any() else 0.0
        gain = strength * (odds - relative * max(usual, 0.0)) + direction * doubt * (along - _ASKEW) + offset
        start, stop = heaviest_run(np.where(seen, np.clip(gain, -_MOST, _MOST), 0.0))
    return (start, stop) if stop - start > 2 else (0, n)


def heaviest_run(gain: Float) -> tuple[int, int]:
    """Return start and stop of the run of values with the largest sum, the shortest of such, or empty."""
    total = np.concatenate([[0.0], np.cumsum(gain)])
    stop = int((total - np.minimum.accumulate(total)).argmax())
    return stop - int(total[stop::-1].argmin()), stop


def _calm(values: Float, seen: Mask) -> Float:
    """Return values smoothed along the line, of what is seen of it."""
    share = gaussian_filter1d(seen.astype(np.float64), _ALONG_PX, mode="nearest")
    total = gaussian_filter1d(np.where(seen, values, 0.0), _ALONG_PX, mode="nearest")
    calm: Float = total / np.maximum(share, 1e-9)
    return calm


def _main_direction(tangent: Float, weight: Float) -> Float:
    """Return the direction that a weighted set of directions has most of, whatever their sign."""
    moments = np.einsum("ni,nj,n->ij", tangent, tangent, weight + 1e-9)
    main: Float = np.linalg.eigh(moments)[1][:, -1]
    return main
