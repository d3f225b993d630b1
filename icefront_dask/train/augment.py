"""Changes of tone and validity that a sensor, a product or a user may have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, rotate
from scipy.special import ndtri

from icefront_dask.models.normalise import channels

if TYPE_CHECKING:
    from icefront_dask.simulate.fields import Floats
    from icefront_dask.train.sample import Sample

__all__ = ["augment", "cast_shadows", "punch_holes", "retone"]


def retone(band: Floats, rng: np.random.Generator) -> Floats:
    """Rank to Gaussian, 8-bit stretch, or a power of the range; half of the time nothing."""
    valid = np.isfinite(band)
    if valid.sum() < 16:
        return band
    values = band[valid]
    choice = rng.random()
    if choice < 0.20:
        ranks = np.empty(values.size, np.float32)
        ranks[np.argsort(values, kind="stable")] = (np.arange(values.size) + 0.5) / values.size
        values = ndtri(ranks)
    elif choice < 0.35:
        low, high = np.percentile(values, [rng.uniform(0, 2), rng.uniform(98, 100)])
        values = np.round(255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1))
    elif choice < 0.55:
        low, high = np.percentile(values, [0.5, 99.5])
        unit = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
        values = unit ** np.exp(rng.uniform(np.log(0.5), np.log(2.0)))
    out = band.copy()
    out[valid] = values
    return out


def cast_shadows(band: Floats, rng: np.random.Generator) -> Floats:
    """Darken an optical band in one to four stripes of any width and direction, or beside a line, by 30 to 90 %.

    Half of the time the edges are straight and within a pixel, as those of a cloud's or a plateau's shadow from afar;
    else they are ragged and up to a few pixels soft. What is dark is darkened towards the darkest tone of the window.
    """
    shape = band.shape
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, diagonal = rng.uniform(0, 2 * np.pi), float(np.hypot(*shape))
    away = (cols - shape[1] / 2) * np.float32(np.cos(angle)) + (rows - shape[0] / 2) * np.float32(np.sin(angle))
    if rng.random() < 0.5:
        soft = rng.uniform(0.1, 1.0)
    else:
        rough = gaussian_filter(rng.standard_normal(shape).astype(np.float32), rng.uniform(2, 12))
        away += np.float32(rng.uniform(0, 8)) * rough / np.float32(max(float(rough.std()), 1e-6))
        soft = rng.uniform(0.3, 4.0)
    shade = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        centre, half = rng.uniform(-0.4, 0.4) * diagonal, rng.uniform(0.01, 0.12) * diagonal
        inside = away - centre if rng.random() < 0.2 else half - np.abs(away - centre)
        shade = np.maximum(shade, np.clip(0.5 + inside / soft, 0, 1))
    low = np.float32(np.nanpercentile(band, 0.5)) if np.isfinite(band).any() else np.float32(0)
    return np.asarray(band - np.float32(rng.uniform(0.3, 0.9)) * shade * (band - low), np.float32)


def punch_holes(shape: tuple[int, int], rng: np.random.Generator, share: float = 0.5) -> Floats:
    """Draw a mask, 1 on pixels that stay: a cut border, rectangles, or stripes as of a failed line corrector."""
    keep = np.ones(shape, np.float32)
    h, w = shape
    if (choice := rng.random()) < 1 - share:
        return keep
    choice = 1 - 0.5 * (1 - choice) / share
    if choice < 0.7:
        rows, cols = np.mgrid[0:h, 0:w]
        angle = rng.uniform(0, 2 * np.pi)
        along = (cols - w / 2) * np.cos(angle) + (rows - h / 2) * np.sin(angle)
        keep[along > rng.uniform(0.15, 0.5) * w] = 0
    elif choice < 0.85:
        for _ in range(int(rng.integers(1, 6))):
            r, c = rng.integers(0, h), rng.integers(0, w)
            keep[r : r + rng.integers(4, h // 4), c : c + rng.integers(4, w // 4)] = 0
    else:
        period, wide = rng.uniform(25, 45), rng.uniform(1, 12)
        rows = np.arange(2 * max(h, w), dtype=np.float32)[:, None]
        grow = np.linspace(0.2, 1, 2 * max(h, w))[None, :] * wide
        stripes = ((rows + 0.1 * np.arange(2 * max(h, w))[None, :]) % period) > grow
        turned = rotate(stripes.astype(np.float32), rng.uniform(0, 360), reshape=False, order=0, mode="wrap")
        top, left = (turned.shape[0] - h) // 2, (turned.shape[1] - w) // 2
        keep = turned[top : top + h, left : left + w]
    return (keep > 0.5).astype(np.float32)


def augment(
    sample: Sample, rng: np.random.Generator, holes: float = 0.5, guided: float | None = None
) -> tuple[Floats, Floats, Floats]:
    """Turn a sample into network input, targets and weights.

    Parameters
    ----------
    sample : Sample
    rng : numpy.random.Generator
    holes : float
        Share of the windows with missing pixels.
    guided : float, optional
        Share of the windows that are told the way to the sea; None for a network that never is.

    Returns
    -------
    x : ndarray (3 or, if guided, 4, H, W) float32
    targets : ndarray (2, H, W) float32
    weights : ndarray (2, H, W) float32
    """
    primary, cross = sample.primary, sample.cross
    if rng.random() < 0.15:
        primary = np.where(np.isfinite(primary), gaussian_filter(np.nan_to_num(primary), rng.uniform(0.4, 1.2)), np.nan)
    primary = retone(primary, rng)
    keep = punch_holes(primary.shape, rng, holes)
    primary = np.where(keep > 0, primary, np.nan).astype(np.float32)
    if cross is not None:
        cross = np.where(keep > 0, cross, np.nan).astype(np.float32)
    x = channels(primary, cross, None if guided is None else np.zeros_like(primary))
    valid = x[-1]
    x[0] *= np.float32(rng.uniform(0.7, 1.2))
    x[0] += np.float32(rng.normal(0, 0.2)) * valid
    if guided is not None and sample.way is not None and rng.random() < guided:
        x[2] = sample.way
    seen = 0.3 + 0.7 * valid  # across narrow gaps the network is asked to go on, with less weight
    front_weight = np.ones_like(sample.front) if sample.front_weight is None else sample.front_weight
    return (
        x,
        np.stack([sample.ice, sample.front]),
        np.stack([sample.weight * seen, front_weight * seen]).astype(np.float32),
    )
