"""Periodic random fields that can be sampled at any coordinate.

An :class:`Atlas` holds a few unit fields made from one seed. Every texture of a simulated scene is one of
them, sampled at scaled, rotated or drifting coordinates; so a texture is a function of position that moves
with the ice and does not depend on the grid of a scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["Atlas", "Floats", "line_noise", "sample"]

Floats = NDArray[np.floating[Any]]
SIZE = 512
BAND_CELLS = 16.0  # centre wavelength of the band-passed fields, in cells


@numba.njit(cache=True, nogil=True)
def _bilinear(field: Floats, u: Floats, v: Floats, out: Floats) -> None:
    size = field.shape[0]
    for i in range(u.size):
        fu = np.floor(u[i])
        fv = np.floor(v[i])
        a = np.float32(u[i] - fu)
        b = np.float32(v[i] - fv)
        r0 = int(fu) % size
        c0 = int(fv) % size
        r1 = (r0 + 1) % size
        c1 = (c0 + 1) % size
        top = field[r0, c0] * (1 - b) + field[r0, c1] * b
        bottom = field[r1, c0] * (1 - b) + field[r1, c1] * b
        out[i] = top * (1 - a) + bottom * a


def sample(field: Floats, u: Floats, v: Floats) -> Floats:
    """Sample a periodic field bilinearly.

    Parameters
    ----------
    field : ndarray (N, N) float32
        Periodic along both axes.
    u, v : ndarray, same shape
        Row and column coordinates in cells; wrapped.

    Returns
    -------
    ndarray float32, shape of ``u``
    """
    uu = np.ascontiguousarray(np.broadcast_to(u, np.broadcast_shapes(u.shape, v.shape)), dtype=np.float64)
    vv = np.ascontiguousarray(np.broadcast_to(v, uu.shape), dtype=np.float64)
    out = np.empty(uu.shape, np.float32)
    _bilinear(field, uu.ravel(), vv.ravel(), out.ravel())
    return out


def _spectral(rng: np.random.Generator, gain: NDArray[np.float64]) -> Floats:
    white = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
    field = np.fft.irfft2(white * gain, s=(SIZE, SIZE))
    field -= field.mean()
    return (field / field.std()).astype(np.float32)


def _wavenumber() -> NDArray[np.float64]:
    k = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    k[0, 0] = np.inf
    return k


def _fractal(rng: np.random.Generator, slope: float) -> Floats:
    """Return a field of power spectrum ``k ** -slope``, unit variance."""
    return _spectral(rng, _wavenumber() ** (-slope / 2))


def _band(rng: np.random.Generator, octaves: float) -> Floats:
    """Return a field band-passed round a wavelength of 16 cells, unit variance."""
    k = _wavenumber()
    with np.errstate(divide="ignore"):
        gain = np.exp(-0.5 * (np.log2(k * BAND_CELLS) / octaves) ** 2)
    return _spectral(rng, np.nan_to_num(gain))


def _blocks(rng: np.random.Generator, exponent: float, count: int) -> tuple[Floats, Floats, Floats]:
    """Return a mosaic of blocks whose areas follow a power law.

    Multiplicatively weighted Voronoi cells of random sites; the weights are radii drawn from
    ``p(area) ~ area ** exponent``.

    Returns
    -------
    tone, relief, gap : ndarray (N, N) float32
        A random number of each block (standard normal), its relative size (0 smallest … 1 largest), and 0
        at its rim rising to 1 inside.
    """
    area = (1 - rng.random(count) * (1 - 400.0 ** (exponent + 1))) ** (1 / (exponent + 1))
    radius = np.sqrt(area)
    site = rng.random((count, 2)) * SIZE
    shift = np.array([[a, b] for a in (-SIZE, 0, SIZE) for b in (-SIZE, 0, SIZE)], float)
    near = (site[None] + shift[:, None]).reshape(-1, 2)
    keep = np.all((near > -96) & (near < SIZE + 96), axis=1)
    index = np.tile(np.arange(count), 9)[keep]
    rows, cols = np.mgrid[0:SIZE, 0:SIZE]
    # Ragged outlines: the query points are warped by a small fractal.
    warp = 1.5 * _fractal(rng, 2.5), 1.5 * _fractal(rng, 2.5)
    query = np.stack([(rows + warp[0]).ravel(), (cols + warp[1]).ravel()], axis=1)
    distance, which = cKDTree(near[keep]).query(query, k=12, workers=1)
    owner = index[which]
    scaled = distance / radius[owner]
    order = np.argsort(scaled, axis=1)[:, :2]
    first = np.take_along_axis(owner, order[:, :1], 1)[:, 0]
    ratio = np.take_along_axis(scaled, order, 1)
    gap = np.clip((ratio[:, 1] - ratio[:, 0]) / (0.5 * (ratio[:, 1] + ratio[:, 0]) + 1e-6) * 3, 0, 1)
    tone = rng.standard_normal(count)[first]
    size = np.clip(np.log(area[first]) / np.log(400.0), 0, 1)
    return tuple(a.reshape(SIZE, SIZE).astype(np.float32) for a in (tone, size, gap))


@dataclass(frozen=True)
class Atlas:
    """Unit fields of one seed.

    Attributes
    ----------
    rough, smooth : ndarray (512, 512) float32
        Fractals of spectral slope 2.4 and 3.4.
    band, wide : ndarray (512, 512) float32
        Band-passed noise of 0.35 and 0.8 octaves round a wavelength of 16 cells.
    tone, size, gap : ndarray (512, 512) float32
        A block mosaic (see :func:`_blocks`).
    line : ndarray (4, 4096) float32
        Periodic 1-D fractals of Hurst exponent 0.6 … 0.9, unit variance.
    """

    rough: Floats
    smooth: Floats
    band: Floats
    wide: Floats
    tone: Floats
    size: Floats
    gap: Floats
    line: Floats

    @classmethod
    def from_seed(cls, seed: int) -> Atlas:
        """Make the fields of one seed (about 1 s)."""
        rng = np.random.default_rng([seed, 0xA71A5])
        k = np.fft.rfftfreq(4096)
        k[0] = np.inf
        lines = []
        for hurst in (0.6, 0.7, 0.8, 0.9):
            spectrum = np.fft.rfft(rng.standard_normal(4096)) * k ** -(hurst + 0.5)
            line = np.fft.irfft(spectrum, 4096)
            lines.append((line - line.mean()) / line.std())
        tone, size, gap = _blocks(rng, -rng.uniform(1.5, 2.2), 6000)
        return cls(
            rough=_fractal(rng, 2.4),
            smooth=_fractal(rng, 3.4),
            band=_band(rng, 0.35),
            wide=_band(rng, 0.8),
            tone=tone,
            size=size,
            gap=gap,
            line=np.asarray(lines, np.float32),
        )


def line_noise(atlas: Atlas, row: int, position: Floats, cell: float, offset: float) -> Floats:
    """Sample one of the periodic 1-D fractals at ``position / cell + offset`` cells, linearly."""
    line = atlas.line[row % len(atlas.line)]
    x = np.asarray(position, np.float64) / cell + offset
    i = np.floor(x).astype(np.int64)
    a = (x - i).astype(np.float32)
    return line[i % line.size] * (1 - a) + line[(i + 1) % line.size] * a
