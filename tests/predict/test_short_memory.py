"""A unit of a run whose worker is short of memory goes on with smaller tiles, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.cube import open_cube
from icefront_dask.cube.quality import Quality
from icefront_dask.predict import passes
from icefront_dask.predict.blend import predict_tiled
from icefront_dask.publish import read_fronts
from icefront_dask.runs import RunResult, run
from icefront_dask.runs.prediction import open_prediction
from tests.predict.networks import save_model
from tests.runs import tiny

if TYPE_CHECKING:
    import pytest

FAMILY = {"region": "small-outlet", "family": "sentinel-1"}


def test_smaller_tiles_give_the_same_and_are_marked_in_cube_and_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tiny.tiny_archive(tmp_path / "archive")
    model = Path(save_model(tmp_path, "small", width=4, depth=2, fold=2))

    def done(name: str) -> RunResult:
        return run(tiny.write_config(tmp_path / name / "run.yaml", archive, model))

    whole = done("whole")
    sides: list[int] = []

    def short(scene: np.ndarray, plan: Any, *rest: Any, **options: Any) -> np.ndarray:
        sides.append(max(plan.tile_shape))
        if sides[-1] > 120:
            raise MemoryError
        return predict_tiled(scene, plan, *rest, **options)

    monkeypatch.setattr(passes, "predict_tiled", short)
    small = done("short")
    assert min(sides) <= 120 < max(sides)
    for result, marked in ((whole, False), (small, True)):
        quality = open_cube(result.output / "cube.zarr", **FAMILY)["quality"].to_numpy()
        assert ((quality & np.uint16(Quality.BATCH_CHANGED)) != 0).all() == marked
        table = read_fronts(result.output / "fronts.parquet")["quality"].to_numpy()
        assert ((table & int(Quality.BATCH_CHANGED)) != 0).all() == marked
    stored = [open_prediction(one.output / "cube.zarr", **FAMILY)["ice"].to_numpy() for one in (whole, small)]
    assert np.nanmax(np.abs(stored[0] - stored[1])) <= 1 / 254 + 1e-6
