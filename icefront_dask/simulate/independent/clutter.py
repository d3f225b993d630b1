"""K-distributed clutter: gamma texture times multi-look speckle of complex fields, on NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.special import gammaincinv, ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["correlated_normal", "gamma_texture", "look_weights", "speckle"]


def look_weights(looks: float) -> NDArray[np.float64]:
    """Return weights w of independent looks whose equivalent number (sum w)^2 / sum w^2 is `looks`.

    All are 1 but the last, which makes up for the fraction.
    """
    whole = int(np.floor(looks + 1e-9))
    rest = looks - whole
    if rest < 1e-9:
        return np.ones(whole)
    # (n + w)^2 = looks (n + w^2), the root that is at most 1.
    n = float(whole)
    a, b, c = 1 - looks, 2 * n, n * n - looks * n
    root = (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a)
    return np.append(np.ones(whole), root)


def _response(shape: tuple[int, int], resolution_px: tuple[float, float]) -> NDArray[np.float64]:
    """Spectrum of a Gaussian impulse response of given widths (-3 dB of its power, rows and columns)."""
    gains = []
    for n, width in zip(shape, resolution_px, strict=True):
        sigma = width / (2 * np.sqrt(np.log(2)))  # of the amplitude, whose square has half its peak at width / 2
        gains.append(np.exp(-2 * (np.pi * sigma * np.fft.fftfreq(n)) ** 2))
    return np.outer(*gains)


def speckle(
    rng: np.random.Generator, shape: tuple[int, int], looks: float, resolution_px: tuple[float, float]
) -> NDArray[np.float32]:
    """Return speckle of mean 1 and variance 1 / looks.

    Each look is the power of a complex circular Gaussian field behind the sensor's impulse response; so values are
    gamma distributed, and neighbours are correlated as the response, a Gaussian, says: exp(-2 ln 2 (d / width)^2).

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (int, int)
    looks : float
        Equivalent number, from 1 on.
    resolution_px : (float, float)
        Width of the impulse response along rows and columns where its power has fallen by 3 dB.
    """
    response, weights = _response(shape, resolution_px), look_weights(looks)
    total = np.zeros(shape)
    for weight in weights:
        white = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        field = fft.ifft2(fft.fft2(white) * response)
        total += weight * (field.real**2 + field.imag**2)
    power = 2 * np.mean(response**2) * weights.sum()
    return (total / power).astype(np.float32)


def correlated_normal(rng: np.random.Generator, shape: tuple[int, int], length_px: float) -> NDArray[np.float64]:
    """Return a standard normal field whose correlation is exp(-(d / length)^2)."""
    gain = np.outer(*(np.exp(-((np.pi * length_px * np.fft.fftfreq(n)) ** 2) / 2) for n in shape))
    field = fft.ifft2(fft.fft2(rng.standard_normal(shape)) * gain).real
    return field / np.sqrt(np.mean(gain**2))


def gamma_texture(
    rng: np.random.Generator, shape: tuple[int, int], order: float, length_px: float
) -> NDArray[np.float32]:
    """Return gamma distributed texture of mean 1 and variance 1 / order, correlated over ``length_px``.

    Speckle of L looks times this is K-distributed: its normalised variance is (1 + 1 / order) (1 + 1 / L) - 1 (Jakeman
    and Pusey 1976, IEEE Trans. Antennas Propag. 24, 806).
    """
    share = np.clip(ndtr(correlated_normal(rng, shape, length_px)), 1e-9, 1 - 1e-9)
    return (gammaincinv(order, share) / order).astype(np.float32)
