"""Rock, ice and sea of no place: textures drawn at random, so that a network learns shapes, not a simulator's looks.

Arrays are (H, W) float32, in dB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK

if TYPE_CHECKING:
    from icefront_dask.simulate.fields import Floats
    from icefront_dask.simulate.layers import Layers
    from icefront_dask.simulate.sar import Radar

__all__ = ["bare", "bare_looks", "foreign_looks", "random_texture"]

_WAVELENGTHS = (2.5, 48.0)  # px
_ROCK_LEVEL = (-8.0, 8.0)  # dB beside what the simulator draws
_BARE_CONTRAST = (0.3, 4.0)  # dB, standard deviation
_BARE_STEP = 3.0  # dB, standard deviation of what glacier and sea differ by besides what was drawn
_CONTRAST = {ROCK: (0.5, 7.0), OCEAN: (0.0, 3.5), GLACIER: (0.0, 2.5)}  # dB, standard deviation


def random_texture(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return a texture of any grain, direction and tone distribution; zero mean, unit variance.

    Noise band-passed at a wavelength of 2.5 … 48 px (0.2 … 1.5 octaves wide), drawn out up to eight times in any
    direction, at times with a broader texture added; its tones are as they are, skewed, folded to ridges, or cut into
    two or three levels.
    """
    field = _band(rng, shape)
    if rng.random() < 0.4:
        field = field + rng.uniform(0.3, 1.2) * _band(rng, shape)
        field /= field.std()
    kind = rng.random()
    if kind < 0.25:
        field = np.exp(rng.choice([-1, 1]) * rng.uniform(0.4, 1.0) * field)
    elif kind < 0.4:
        field = np.abs(field)
    elif kind < 0.6:
        field = np.digitize(field, np.sort(rng.normal(0, 0.8, int(rng.integers(1, 3))))) + 0.2 * field
    field = field - field.mean()
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


def _band(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    wavelength = np.exp(rng.uniform(*np.log(_WAVELENGTHS)))
    octaves, angle = rng.uniform(0.2, 1.5), rng.uniform(0, np.pi)
    stretch = np.exp(rng.uniform(0, np.log(8))) if rng.random() < 0.5 else 1.0
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    along, across = kx * np.cos(angle) + ky * np.sin(angle), ky * np.cos(angle) - kx * np.sin(angle)
    k = np.maximum(np.hypot(stretch * along, across), 1e-6)
    gain = np.exp(-0.5 * (np.log2(k * wavelength) / octaves) ** 2)
    gain[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, s=shape)
    return np.asarray(field / max(float(field.std()), 1e-12), np.float32)


def foreign_looks(layers: Layers, rng: np.random.Generator) -> Floats:
    """Return what is added to the backscatter of a scene to give it looks of no place.

    Rock always gets a texture and a level of its own; the sea and the glacier each in half of the scenes, weaker, so
    that what tells them apart stays: crevasses, flow, blocks and the shape of the fjord.

    Parameters
    ----------
    layers : Layers
        Each (H, W).
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (H, W) float32
        dB.
    """
    added = np.zeros(layers.kind.shape, np.float32)
    for kind, contrast in _CONTRAST.items():
        if kind != ROCK and rng.random() < 0.5:
            continue
        level = rng.uniform(*_ROCK_LEVEL) if kind == ROCK else rng.uniform(-1.5, 1.5)
        added += _looks_of(layers, kind, level, contrast, rng)
    return added


def _looks_of(
    layers: Layers, kind: int, level: float, contrast: tuple[float, float], rng: np.random.Generator
) -> Floats:
    """Return a level with a random texture (dB) where a class lies, 0 elsewhere."""
    looks = level + rng.uniform(*contrast) * random_texture(rng, layers.kind.shape)
    return np.where(layers.kind == kind, looks, np.float32(0))


def bare(radar: Radar) -> Radar:
    """Return a radar that sees no texture of the simulator's glacier and sea; levels, cliffs and speckle stay."""
    return replace(radar, texture=0.0, fine=0.0, stripe=0.0, low=0.0, tone=0.0, rim=0.0, relief=0.0)


def bare_looks(layers: Layers, rng: np.random.Generator) -> Floats:
    """Return what is added to the backscatter of a scene that :func:`bare` left without texture.

    Glacier, sea and rock each have one random texture and a level, and nothing else tells them apart: a network has to
    find where one texture ends and another begins. Parameters and result are those of :func:`foreign_looks`.
    """
    added = np.zeros(layers.kind.shape, np.float32)
    for kind in (ROCK, GLACIER, OCEAN):
        contrast, spread = (_CONTRAST[ROCK], 4.0) if kind == ROCK else (_BARE_CONTRAST, _BARE_STEP / np.sqrt(2))
        added += _looks_of(layers, kind, rng.normal(0, spread), contrast, rng)
    return added
