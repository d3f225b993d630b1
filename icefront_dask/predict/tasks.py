"""What the tasks of a lazy prediction do, and the little that they carry besides pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.predict.plugin import ends_with_its_device, get_model
from icefront_dask.predict.scene import Outline, outline, predict_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from icefront_dask.models.normalise import Flow
    from icefront_dask.predict.context import Context, Summary
    from icefront_dask.predict.fjord import Fjord
    from icefront_dask.predict.options import PredictOptions
    from icefront_dask.predict.plugin import Members, WorkerModel

__all__ = ["Work", "make_scene_context", "predict_block", "predict_part", "summarise_part"]


@dataclass(frozen=True)
class Work:
    """What a task needs besides its pixels.

    Attributes
    ----------
    model, sha256 : str
        The network, which the worker has or loads.
    members : tuple of (str, str)
        Name and SHA-256 of the further networks of an ensemble.
    options : PredictOptions
    variables : tuple of str
        Names of the bands, in the order of the blocks.
    nodata : tuple of (float or None)
        Value of each band that stands for a missing pixel.
    quality : bool
        Whether the last block holds quality bits.
    layers : tuple of str
        What is to come out, fields of `icefront_dask.predict.scene.ScenePrediction`.
    pixel_size_m : float
    calibration : str
    fjord : Fjord or None
    flows : tuple of ((row, column), (row, column))
        Inland and seaward end of each flowline.
    """

    model: str
    sha256: str
    members: Members
    options: PredictOptions
    variables: tuple[str, ...]
    nodata: tuple[float | None, ...]
    quality: bool
    layers: tuple[str, ...]
    pixel_size_m: float
    calibration: str
    fjord: Fjord | None
    flows: tuple[Flow, ...] = ()

    def loaded(self) -> WorkerModel:
        """Return the networks of this process."""
        options = self.options
        return get_model(
            self.model, self.sha256, options.engine, options.threads,
            members=self.members, dropout_members=options.dropout_members,
        )  # fmt: skip

    def outline(self, shape: tuple[int, int], factor: int | None = None, *, fjord: bool = False) -> Outline:
        """Return how a scene of this size is predicted."""
        model = self.loaded()
        return outline(
            shape,
            self.variables,
            pixel_size_m=self.pixel_size_m,
            calibration=self.calibration,
            network=model.engines,
            options=self.options,
            primary=model.card.primary,
            cross=model.card.cross,
            fjord_mask=self.fjord if fjord else None,
            factor=factor,
            flows=self.flows,
        )

    def bands(
        self, blocks: Sequence[NDArray[Any]], step: Any = ...
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.uint16] | None]:
        """Return the bands with NaN for nodata, and the quality, of a time step of the blocks."""
        named = zip(self.variables, self.nodata, blocks, strict=False)
        bands = {name: _with_nan(block[step], nodata) for name, nodata, block in named}
        return bands, blocks[-1][step] if self.quality else None


def predict_block(*blocks: NDArray[Any], work: Work) -> NDArray[np.float32]:
    """Predict whole scenes: blocks (time, y, x) of each band → (layer, time, y, x)."""
    loaded = work.loaded()
    fjord = None if work.fjord is None else work.fjord.mask()
    result = np.empty((len(work.layers), *blocks[0].shape), dtype=np.float32)
    for step in range(blocks[0].shape[0]):
        bands, quality = work.bands(blocks, step)
        with ends_with_its_device():
            scene = predict_scene(
                bands,
                quality,
                pixel_size_m=work.pixel_size_m,
                calibration=work.calibration,
                network=loaded.engines,
                options=work.options,
                primary=loaded.card.primary,
                cross=loaded.card.cross,
                fjord_mask=fjord,
                flows=work.flows,
            )
        for index, layer in enumerate(work.layers):
            result[index, step] = getattr(scene, layer)
    return result


def summarise_part(
    blocks: list[NDArray[Any]], *, work: Work, shape: tuple[int, int], factor: int, part: int
) -> Summary:
    """Sum up the core of a part: blocks (1, y, x) of each band."""
    plan = work.outline(shape, factor)
    return plan.summary(plan.parts[part], *work.bands(blocks, 0))


def make_scene_context(summaries: list[Summary], *, work: Work, shape: tuple[int, int], factor: int) -> Context:
    """Bring the summaries of a scene's parts together; this makes the coarse pass."""
    with ends_with_its_device():
        return work.outline(shape, factor, fjord=True).context(summaries)


def predict_part(
    blocks: list[NDArray[Any]], context: Context, *, work: Work, shape: tuple[int, int], factor: int, part: int
) -> NDArray[np.float32]:
    """Predict a part: blocks (1, y, x) of each band, with the halo → (layer, 1, y, x) without."""
    plan = work.outline(shape, factor)
    with ends_with_its_device():
        scene = plan.predict(plan.parts[part], context, *work.bands(blocks, 0))
    return np.stack([getattr(scene, layer) for layer in work.layers])[:, None]


def _with_nan(band: NDArray[Any], nodata: float | None) -> NDArray[np.float32]:
    values = band.astype(np.float32, copy=nodata is not None)
    if nodata is not None:
        values[band == nodata] = np.nan
    return values
