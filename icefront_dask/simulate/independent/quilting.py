"""Texture quilted from a crop of a real image (Efros and Freeman 2001, SIGGRAPH, 341), on NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["best_seam", "even_crop", "quilt"]

_TRIES = 40
_TOLERANCE = 1.1


def even_crop(image: NDArray[np.float32], size: int, rng: np.random.Generator, tries: int = 60) -> NDArray[np.float32]:
    """Return the window (size, size) of an image that is most alike all over, of some drawn at random.

    Judged by the spread of the means of its 8 x 8 parts over the spread of its values; windows of one value are left
    aside unless there is no other.
    """
    best, least = image[:size, :size], np.inf
    step = size // 8
    for _ in range(tries):
        row, col = (int(rng.integers(0, side - size + 1)) for side in image.shape)
        window = image[row : row + size, col : col + size]
        spread = float(window.std())
        means = window[: 8 * step, : 8 * step].reshape(8, step, 8, step).mean(axis=(1, 3))
        if spread > 0 and float(means.std()) / spread < least:
            best, least = window, float(means.std()) / spread
    return best


def best_seam(error: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the column of each row of the path from top to bottom whose sum of errors is least.

    Neighbouring rows differ by at most one column.
    """
    total = error.astype(np.float64).copy()
    wide = total.shape[1]
    for row in range(1, len(total)):
        above = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum.reduce([above[:wide], above[1 : wide + 1], above[2:]])
    seam = np.empty(len(total), dtype=np.intp)
    seam[-1] = int(total[-1].argmin())
    for row in range(len(total) - 2, -1, -1):
        low = max(seam[row + 1] - 1, 0)
        seam[row] = low + int(total[row, low : seam[row + 1] + 2].argmin())
    return seam


def quilt(
    source: NDArray[np.float32], shape: tuple[int, int], rng: np.random.Generator, *, patch: int = 32
) -> NDArray[np.float32]:
    """Return an image made of overlapping patches of a texture, cut along seams of least error.

    Every value of it is one of the source. Each patch is one of those drawn at random whose overlap fits at most 10 %
    worse than the best.

    Parameters
    ----------
    source : (h, w) float32 ndarray
        Larger than a patch.
    shape : (int, int)
    rng : numpy.random.Generator
    patch : int
        Side of a patch; a quarter of it overlaps.
    """
    overlap = patch // 4
    step = patch - overlap
    rows, cols = (-(-max(side - overlap, 1) // step) for side in shape)
    out = np.zeros((rows * step + overlap, cols * step + overlap), np.float32)
    for i in range(rows):
        for j in range(cols):
            at = slice(i * step, i * step + patch), slice(j * step, j * step + patch)
            old = out[at].copy()
            new = _fitting(source, old, i > 0, j > 0, overlap, patch, rng)
            keep = np.zeros((patch, patch), dtype=bool)  # of what lies there
            if j > 0:
                seam = best_seam((new[:, :overlap] - old[:, :overlap]) ** 2)
                keep[:, :overlap] |= np.arange(overlap)[None, :] < seam[:, None]
            if i > 0:
                seam = best_seam(((new[:overlap] - old[:overlap]) ** 2).T)
                keep[:overlap] |= np.arange(overlap)[:, None] < seam[None, :]
            out[at] = np.where(keep, old, new)
    return out[: shape[0], : shape[1]]


def _fitting(
    source: NDArray[np.float32],
    old: NDArray[np.float32],
    above: bool,
    beside: bool,
    overlap: int,
    patch: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    corners = [tuple(int(rng.integers(0, side - patch + 1)) for side in source.shape) for _ in range(_TRIES)]
    patches = [source[r : r + patch, c : c + patch] for r, c in corners]
    if not above and not beside:
        return patches[0]
    errors = np.zeros(_TRIES)
    for number, one in enumerate(patches):
        if above:
            errors[number] += float(((one[:overlap] - old[:overlap]) ** 2).sum())
        if beside:
            errors[number] += float(((one[:, :overlap] - old[:, :overlap]) ** 2).sum())
    good = np.flatnonzero(errors <= _TOLERANCE * errors.min())
    return patches[int(rng.choice(good))]
