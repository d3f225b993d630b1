"""What a data set hands to the loop: bands and targets of one window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icefront_dask.simulate.fields import Floats

__all__ = ["Sample"]


@dataclass
class Sample:
    """One window.

    Attributes
    ----------
    primary : ndarray (H, W) float32
        dB, reflectance or grey values; NaN nodata.
    cross : ndarray (H, W) float32 or None
        Cross-polarised dB.
    ice, front : ndarray (H, W) float32
        Targets: 1 land or ice, 0 ocean; 1 within 1.5 px of the front.
    weight : ndarray (H, W) float32
        Of the ice target: 0 where it is unknown.
    front_weight : ndarray (H, W) float32, optional
        Of the front target; 1 everywhere when not given.
    way : ndarray (H, W) float32, optional
        Which way the sea is, see :func:`icefront_dask.models.normalise.seaward`.
    """

    primary: Floats
    cross: Floats | None
    ice: Floats
    front: Floats
    weight: Floats
    front_weight: Floats | None = None
    way: Floats | None = None
