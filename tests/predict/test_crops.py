"""Second looks at parts of a scene."""

from __future__ import annotations

import numpy as np

from icefront_dask.cube.quality import Quality
from icefront_dask.models import registry
from icefront_dask.predict import get_model, predict_scene, resolve_options
from icefront_dask.predict.crops import crop_predictor


def test_crop_is_predicted_as_a_scene_of_its_own():
    rng = np.random.default_rng(0)
    band = rng.gamma(4, 0.02, (150, 200)).astype(np.float32)
    quality = np.zeros(band.shape, np.uint16)
    quality[60:80, 50:90] = Quality.NODATA
    options = resolve_options(passes="coarse-fine", tta="none")
    name, sha256 = registry.fingerprint(registry.choose(["hh"], "gamma0"))
    model = get_model(name, sha256, options.engine, options.threads)
    scene = {"pixel_size_m": 20.0, "calibration": "gamma0", "network": model.engines}
    rows, cols = slice(40, 140), slice(30, 130)
    ice, front = crop_predictor({"hh": band}, quality, options=options, **scene)(rows, cols)
    alone = predict_scene(
        {"hh": band[rows, cols]}, quality[rows, cols], options=resolve_options(passes="fine", tta="none"), **scene
    )
    assert ice.shape == front.shape == (100, 100)
    assert np.array_equal(ice, alone.ice, equal_nan=True)
    assert np.array_equal(front, alone.front, equal_nan=True)
    assert np.isnan(ice[20:40, 20:60]).all()
    assert np.isfinite(ice[50:]).all()
