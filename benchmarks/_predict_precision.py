"""How far reduced precision moves a front, with the shipped weights, on real and on simulated scenes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask
import numpy as np
import shapely
from _scenes import chosen, scene, settled

from icefront_dask.errors import DependencyError
from icefront_dask.fronts import trace_scene
from icefront_dask.predict import get_model, predict_scene, resolve_engine
from icefront_dask.predict.engine import ENGINES
from icefront_dask.predict.measure import measured
from icefront_dask.runs.images import front_of_image

HELHEIM = "helheim-scenes"
LEAST_PX = 0.05
"""Mean shift on any of the real scenes from which on reduced precision is not accepted."""
_STEP_PX = 0.25


def precision(tta: str = "flips", most: int = 4, side: int = 1024) -> dict[str, Any]:
    """Shift of the fronts of each reduced engine from those in float32, pixels, and how much faster it is.

    A shift is the mean distance of the points of one line, every 0.25 px, from the other line: of both lines' points
    the larger. ``farthest_px`` is the farthest point of any real scene.
    """
    auto = settled().engine
    exact, *reduced = _engines(auto)
    root = Path(os.environ.get("ICEFRONT_REAL_DATA", Path(__file__).parents[2] / "shared" / "data")) / HELHEIM
    real = {path.stem: _real(path, tta, [exact, *reduced]) for path in sorted(root.glob("*.tif"))[:most]}
    simulated = [_simulated(tta, side, seed, [exact, *reduced]) for seed in range(min(most, 2))]
    seconds = measured([exact, *reduced])
    table = {}
    for engine in reduced:
        moved = {name: _apart(lines[exact], lines[engine]) for name, lines in real.items()}
        known = [shift for shift in moved.values() if shift is not None]
        means = {name: shift and round(shift[0], 4) for name, shift in moved.items()}
        table[engine] = {
            "moved_px": means or {"skipped": f"no real scenes in {HELHEIM}"},
            "mean_px": round(float(np.mean([mean for mean, _ in known])), 4) if known else None,
            "farthest_px": round(max((far for _, far in known), default=0.0), 2),
            "simulated_px": [
                shift and round(shift[0], 4) for shift in (_apart(o[exact], o[engine]) for o in simulated)
            ],
            "times_faster": round(seconds[exact] / seconds[engine], 2),
            "accepted": len(known) == len(moved) > 0 and max(mean for mean, _ in known) < LEAST_PX,
        }
    return {"auto": auto, "exact": exact, "engines": table}


def _engines(auto: str) -> list[str]:
    """Engines of the library that ``auto`` takes, that in float32 first, which this machine can run."""
    kind, found = ENGINES[auto], []
    for name, other in ENGINES.items():
        if (other.library, other.device) == (kind.library, kind.device):
            try:
                found.append(resolve_engine(name))
            except DependencyError:
                continue
    return sorted(found, key=lambda name: not name.endswith("-fp32"))


def _real(path: Path, tta: str, engines: list[str]) -> dict[str, Any]:
    lines = {}
    for engine in engines:
        with dask.config.set({"icefront.predict.engine": engine, "icefront.predict.tta": tta}):
            lines[engine] = front_of_image(path).line
    return lines


def _simulated(tta: str, side: int, seed: int, engines: list[str]) -> dict[str, Any]:
    name, sha256 = chosen()
    lines = {}
    for engine in engines:
        model = get_model(name, sha256, engine)
        found = predict_scene(
            {"hh": scene(side, seed)}, pixel_size_m=20, calibration="gamma0", network=model.engines,
            options=settled(engine=engine, tta=tta), primary=model.card.primary, cross=model.card.cross,
        )  # fmt: skip
        xy = trace_scene(found.ice, found.front, np.isfinite(found.ice), pixel_size_m=20)[0].xy
        lines[engine] = shapely.LineString(xy) if len(xy) else None
    return lines


def _apart(one: Any, other: Any) -> tuple[float, float] | None:
    """Mean distance of two lines, of both directions the larger, and the largest distance."""
    if one is None and other is None:
        return 0.0, 0.0
    if one is None or other is None:
        return None
    away = [shapely.distance(_points(line), to) for line, to in ((one, other), (other, one))]
    return max(float(d.mean()) for d in away), max(float(d.max()) for d in away)


def _points(line: Any) -> np.ndarray:
    return np.asarray(shapely.points(shapely.get_coordinates(shapely.segmentize(line, _STEP_PX))))
