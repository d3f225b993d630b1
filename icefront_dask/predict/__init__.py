"""From pixels to probabilities: tiles, blending, engines, one model a worker, the Dask map."""

from __future__ import annotations

from icefront_dask.predict.crops import crop_predictor
from icefront_dask.predict.encode import from_uint8, to_uint8
from icefront_dask.predict.engine import resolve_engine
from icefront_dask.predict.options import PredictOptions, resolve_options
from icefront_dask.predict.plugin import ModelPlugin, ends_with_its_device, get_model, load_counts
from icefront_dask.predict.scene import ScenePrediction, predict_scene
from icefront_dask.predict.segment import segment

__all__ = [
    "ModelPlugin",
    "PredictOptions",
    "ScenePrediction",
    "crop_predictor",
    "ends_with_its_device",
    "from_uint8",
    "get_model",
    "load_counts",
    "predict_scene",
    "resolve_engine",
    "resolve_options",
    "segment",
    "to_uint8",
]
