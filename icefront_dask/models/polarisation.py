"""Whether a cross-polarised band says anything, on NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.models.normalise import CROSS_FLOOR_DB

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["floor_share"]


def floor_share(cross: NDArray[np.float32], *, power: bool = True) -> float:
    """Return the share of the valid pixels within 1 dB of the floor of the cross-polarised channel.

    Parameters
    ----------
    cross : (H, W) float32 ndarray
        Linear power or dB; NaN nodata.
    power : bool
        Which of the two.

    Returns
    -------
    float
        1 where no pixel is valid.
    """
    values = cross[np.isfinite(cross)]
    level = CROSS_FLOOR_DB + 1
    return float((values <= (10 ** (level / 10) if power else level)).mean()) if values.size else 1.0
