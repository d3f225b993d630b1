from __future__ import annotations

import subprocess
import sys

import numpy as np

from icefront_dask.cube.quality import INVALID, Quality, cf_attributes, invalid, names


def test_bits_are_those_of_the_contract():
    expected = {
        "NODATA": 1,
        "CLOUD": 2,
        "SHADOW": 4,
        "SATURATED": 8,
        "SLC_GAP": 16,
        "BORDER_NOISE": 32,
        "READ_FAILED": 64,
        "FILLED": 128,
        "BATCH_CHANGED": 256,
        "LOW_COVERAGE": 512,
    }
    assert {flag.name: int(flag) for flag in Quality} == expected


def test_clouds_never_make_a_pixel_invalid():
    quality = np.array([0, 2, 4, 8, 1, 16, 32, 64, 2 | 64, 128, 256, 512], dtype="uint16")
    assert invalid(quality).tolist() == [False] * 4 + [True] * 5 + [False] * 3
    assert int(INVALID) == 1 + 16 + 32 + 64


def test_cf_attributes_name_each_mask():
    attributes = cf_attributes()
    meanings = attributes["flag_meanings"].split()
    assert len(meanings) == len(attributes["flag_masks"]) == 10
    assert dict(zip(meanings, attributes["flag_masks"], strict=True))["slc_gap"] == 16


def test_names_lists_the_set_bits():
    assert names(2 | 64) == ["CLOUD", "READ_FAILED"]
    assert names(0) == []


def test_the_bits_and_kernels_come_without_the_heavy_libraries():
    heavy = {"rasterio", "stackstac", "zarr", "odc.loader"}
    code = (
        "import sys, icefront_dask.cube.quality, icefront_dask.cube.decode\n"
        f"print(*sorted(m for m in {heavy} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
