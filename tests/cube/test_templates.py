"""The metadata of the stores as it is checked in: a change of layout shows, and is meant or not.

Run ``python -m tests.cube.test_templates`` to write them anew after a change that is meant.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import dask.config
import numpy as np
import pytest

from icefront_dask.cube import create_store, scenes, write_layers
from icefront_dask.runs.prediction import create_prediction
from tests.cube import builders
from tests.cube.writers import REGION, items

FOLDER = Path(__file__).parent / "templates"
FAMILIES = {"sentinel-1": ("hh", "hv"), "landsat": ("green", "nir")}


def metadata(family: str, folder: Path) -> dict:
    """Return every ``zarr.json`` of a cube of two scenes with its predictions and layers, by path."""
    some = items()[:2] if family == "sentinel-1" else [builders.archive_item(n) for n in range(2)]
    grid = REGION.geobox(30)
    elevation = builders.cog(folder / "dem.tif", np.full(grid.shape.yx, 100.0, "float32"), grid)
    place = REGION.patch(elevation=elevation, geoid="38.5")
    store = folder / "cube.zarr"
    cube = create_store(store, scenes(some, REGION, family), REGION, family, grid, FAMILIES[family])
    create_prediction(cube, {"model": "name", "model_sha256": "0" * 64, "settings_sha256": "1" * 64})
    write_layers(cube, place)
    return {
        str(path.relative_to(store)): json.loads(path.read_text().replace(elevation, "dem.tif"))
        for path in sorted(store.rglob("zarr.json"))
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_stores_have_the_checked_in_layout(family, tmp_path):
    checked_in = json.loads((FOLDER / f"{family}.json").read_text())
    now = metadata(family, tmp_path)
    assert sorted(now) == sorted(checked_in)
    for path, described in now.items():
        assert described == checked_in[path], path


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder, dask.config.set({"icefront.catalog.allow_roots": ["/"]}):
            described = json.dumps(metadata(family, Path(folder)), indent=1, sort_keys=True)
        (FOLDER / f"{family}.json").write_text(f"{described}\n")


if __name__ == "__main__":
    main()
