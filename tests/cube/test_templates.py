"""The metadata of the stores as it is checked in: a change of layout shows, and is meant or not.

Run ``python -m tests.cube.test_templates`` to write them anew after a change that is meant.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from icefront_dask.cube import create_store, scenes
from tests.cube import builders
from tests.cube.writers import REGION, items

FOLDER = Path(__file__).parent / "templates"
FAMILIES = {"sentinel-1": ("hh", "hv"), "landsat": ("green", "nir")}


def metadata(family: str, folder: Path) -> dict:
    """Return every ``zarr.json`` of an empty cube of two scenes, by path."""
    some = items()[:2] if family == "sentinel-1" else [builders.archive_item(n) for n in range(2)]
    found = scenes(some, REGION, family)
    create_store(folder, found, REGION, family, REGION.geobox(30), FAMILIES[family])
    return {str(path.relative_to(folder)): json.loads(path.read_text()) for path in sorted(folder.rglob("zarr.json"))}


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
        with tempfile.TemporaryDirectory() as folder:
            described = json.dumps(metadata(family, Path(folder)), indent=1, sort_keys=True)
        (FOLDER / f"{family}.json").write_text(f"{described}\n")


if __name__ == "__main__":
    main()
