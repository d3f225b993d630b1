"""A second look: parts of a scene predicted from their own pixels alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias

from icefront_dask.predict.scene import predict_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from icefront_dask.models.normalise import Flow
    from icefront_dask.predict.options import PredictOptions

    Image: TypeAlias = NDArray[np.float32]

__all__ = ["crop_predictor"]


def crop_predictor(
    bands: Mapping[str, Image],
    quality: NDArray[np.uint16] | None = None,
    *,
    options: PredictOptions,
    flows: Sequence[Flow] = (),
    **scene: Any,
) -> Callable[[slice, slice], tuple[Image, Image]]:
    """Return what predicts rows and columns of a scene at native resolution.

    Parameters
    ----------
    bands, quality, options, flows, **scene
        As for `icefront_dask.predict.scene.predict_scene`. The bands of a crop are scaled by its own median and
        median absolute deviation, and there is no coarse pass.

    Returns
    -------
    callable
        From (rows, columns) to P(land or ice) and P(front), float32, NaN where the scene is invalid.
    """
    fine = dataclasses.replace(options, passes="fine")

    def look_again(rows: slice, cols: slice) -> tuple[Image, Image]:
        part = {name: band[rows, cols] for name, band in bands.items()}
        own = None if quality is None else quality[rows, cols]
        near = [
            ((inland[0] - rows.start, inland[1] - cols.start), (sea[0] - rows.start, sea[1] - cols.start))
            for inland, sea in flows
        ]
        found = predict_scene(part, own, options=fine, flows=near, **scene)
        return found.ice, found.front

    return look_again
