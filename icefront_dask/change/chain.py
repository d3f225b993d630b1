"""The longest sequence of a series without an implausible advance, and where another is as long (NumPy kernel)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

__all__ = ["Chain", "consistent_chain"]

_UNDECIDED_SHARE = 0.85  # of what a reading has to do without: another that has as much instead is about as good


@dataclass(frozen=True)
class Chain:
    """Which fronts of a series are believed.

    Attributes
    ----------
    kept : (n,) bool ndarray
        Fronts of the longest sequence.
    undecided : (n,) bool ndarray
        Those among them that another sequence, about as long, has to do without: two readings of the series are
        about equally well borne out, and one says that these are wrong.
    """

    kept: Mask
    undecided: Mask


def consistent_chain(
    days: Floats,
    position: Floats,
    sigma: Floats,
    pixel: Floats,
    speed: float,
    *,
    sigmas: float = 2.0,
    weight: Floats | None = None,
) -> Chain:
    """Return which fronts belong to the longest sequence without an implausible advance.

    Of equally long sequences the one with the shortest way is taken, then the earlier one. For each front outside it
    the longest sequence with that front is looked at, too: where what it has weighs at least 0.85 of what it
    leaves out of the first, the latter is undecided; between one front and another the shorter way decides. O(n²) in
    NumPy rows.

    Parameters
    ----------
    days : ndarray
        (n,) float64, sorted.
    position, sigma, pixel : ndarray
        (n,) float64 in metres: position, its 1 sigma, the pixel size of its scene.
    speed : float
        Fastest advance, m per day.
    sigmas : float
        Tolerance in standard deviations of a difference.
    weight : ndarray, optional
        (n,) float64, by how much each front makes a sequence longer; 1 by default.

    Returns
    -------
    Chain
    """
    n = len(days)
    if n == 0:
        return Chain(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    count = np.ones(n) if weight is None else weight
    ways = n * np.ptp(position) * 1.001 / count.min() + 1e-9  # the ways of all fronts together count less than one

    def fits(i: int, others: slice, sign: int) -> tuple[Mask, Floats]:
        rise = sign * (position[others] - position[i])
        limit = speed * np.abs(days[others] - days[i]) + sigmas * np.hypot(sigma[i], sigma[others])
        return rise <= limit + np.maximum(pixel[i], pixel[others]), np.abs(rise) / ways

    score, after = _best(n, count, lambda i: (slice(i + 1, n), *fits(i, slice(i + 1, n), 1)), range(n - 2, -1, -1))
    kept = _followed(int(np.argmax(score)), after, n)
    undecided = np.zeros(n, dtype=bool)
    if kept.all():
        return Chain(kept, undecided)
    reached, before = _best(n, count, lambda i: (slice(0, i), *fits(i, slice(0, i), -1)), range(1, n))
    through = score + reached - count
    seen = kept.copy()
    for other in np.argsort(-through, kind="stable"):
        if seen[other]:
            continue
        reading = _followed(int(other), after, n) | _followed(int(other), before, n)
        seen |= reading
        without = kept & ~reading
        if without.sum() > 1 and count[reading & ~kept].sum() >= _UNDECIDED_SHARE * count[without].sum():
            undecided |= without
    return Chain(kept, undecided)


def _best(
    n: int, count: Floats, look: Callable[[int], tuple[slice, Mask, Floats]], order: range
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the weight of the best sequence that begins at each front, going one way, and the front that follows."""
    score, following = count.copy(), np.full(n, -1, dtype=np.int64)
    for i in order:
        others, fits, way = look(i)
        if fits.any():
            value = np.where(fits, score[others] - way, -np.inf)
            best = int(np.argmax(value))
            score[i], following[i] = value[best] + count[i], others.start + best
    return score, following


def _followed(first: int, following: npt.NDArray[np.int64], n: int) -> Mask:
    passed = np.zeros(n, dtype=bool)
    while first >= 0:
        passed[first] = True
        first = int(following[first])
    return passed
