"""How far reduced precision moves a front, with the shipped weights, on real and on simulated scenes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask
import numpy as np
import shapely
from _scenes import chosen, scene
from scipy.spatial import KDTree

from icefront_dask.fronts import trace_scene
from icefront_dask.predict import get_model, predict_scene, resolve_engine, resolve_options
from icefront_dask.runs.images import front_of_image

HELHEIM = "helheim-scenes"
LEAST_PX = 0.05
"""Mean shift over the real scenes from which on reduced precision is not accepted."""


def precision(tta: str = "flips", most: int = 4, side: int = 1024) -> dict[str, Any]:
    """Mean distance of the fronts in bfloat16 to those in float32, pixels, by scene."""
    auto = resolve_engine("auto")
    library = auto.rsplit("-", 1)[0]
    engines = [f"{library}-fp32", f"{library}-bf16"]
    root = Path(os.environ.get("ICEFRONT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")) / HELHEIM
    moved = {}
    for path in sorted(root.glob("*.tif*"))[:most]:
        lines = []
        for engine in engines:
            with dask.config.set({"icefront.predict.engine": engine, "icefront.predict.tta": tta}):
                line = front_of_image(path).line
            lines.append(np.empty((0, 2)) if line is None else _points(line))
        moved[path.stem] = _apart(*lines)
    simulated = [_apart(*(_simulated(engine, tta, side, seed) for engine in engines)) for seed in range(min(most, 2))]
    known = [shift for shift in moved.values() if shift is not None]
    mean = round(float(np.mean(known)), 4) if known else None
    return {
        "engines": engines,
        "auto": auto,
        "moved_px": moved or {"skipped": f"no real scenes in {HELHEIM}"},
        "simulated_px": simulated,
        "mean_px": mean,
        "accepted": mean is not None and mean < LEAST_PX,
    }


def _simulated(engine: str, tta: str, side: int, seed: int) -> np.ndarray:
    name, sha256 = chosen()
    model = get_model(name, sha256, engine)
    found = predict_scene(
        {"hh": scene(side, seed)}, pixel_size_m=20, calibration="gamma0", network=model.engines,
        options=resolve_options(engine=engine, tta=tta), primary=model.card.primary, cross=model.card.cross,
    )  # fmt: skip
    xy = trace_scene(found.ice, found.front, np.isfinite(found.ice), pixel_size_m=20)[0].xy
    return _points(shapely.LineString(xy)) if len(xy) else xy


def _points(line: Any) -> np.ndarray:
    return np.asarray(shapely.get_coordinates(shapely.segmentize(line, 0.25)))


def _apart(exact: np.ndarray, short: np.ndarray) -> float | None:
    return round(float(KDTree(exact).query(short)[0].mean()), 4) if len(exact) and len(short) else None
