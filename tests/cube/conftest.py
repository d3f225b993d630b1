from __future__ import annotations

import copy

import dask.config
import numpy as np
import pytest

from tests.cube import builders
from tests.cube.buckets import bucket, s3_url

__all__ = ["bucket", "s3_url"]


@pytest.fixture(scope="session")
def s1_items(tmp_path_factory):
    """Two Sentinel-1 RTC items of two dates in UTM 24N, HH and HV, 10 m, without holes."""
    rng = np.random.default_rng(20180602)
    folder = tmp_path_factory.mktemp("s1")
    grid = builders.utm_grid(32624, 480, 10)
    shape = grid.shape.yx
    return [
        builders.s1_item(
            folder,
            f"S1A_IW_GRDH_1SDH_{day}_rtc",
            {"hh": builders.speckle(rng, shape), "hv": builders.speckle(rng, shape, 0.02)},
            grid,
            datetime=f"2018-06-{day}T20:15:32Z",
            **{"sat:absolute_orbit": 22_186 + 88 * n},
        )
        for n, day in enumerate(("02", "06"))
    ]


@pytest.fixture
def s1(s1_items):
    """A copy of the two Sentinel-1 items to change at will; their files are shared."""
    return copy.deepcopy(s1_items)


@pytest.fixture(scope="session")
def landsat_item(tmp_path_factory):
    """One Landsat 8 item in UTM 24N, green and NIR at 30 m, with fill, cloud, shadow and saturation."""
    rng = np.random.default_rng(20150710)
    grid = builders.utm_grid(32624, 200, 30)
    shape = grid.shape.yx
    qa_pixel = np.full(shape, 1 << 6, "uint16")
    qa_pixel[80:100, 80:100] = 1 << 3
    qa_pixel[100:110, 80:100] = 1 << 4
    qa_pixel[:, 120:] = 1
    qa_radsat = np.zeros(shape, "uint16")
    qa_radsat[90:95, 70:75] = 1 << 4
    bands = {name: rng.integers(7_500, 40_000, shape, dtype="uint16") for name in ("green", "nir08")}
    for band in bands.values():
        band[:, 120:] = 0
    return builders.landsat_item(
        tmp_path_factory.mktemp("landsat"),
        "LC08_L2SP_233013_20150710_02_T1",
        bands,
        grid,
        qa_pixel=qa_pixel,
        qa_radsat=qa_radsat,
        datetime="2015-07-10T14:15:30Z",
    )


@pytest.fixture
def landsat(landsat_item):
    """A copy of the Landsat item to change at will; its files are shared."""
    return copy.deepcopy(landsat_item)


@pytest.fixture(scope="package", autouse=True)
def local_files():
    """Items of the tests name files of temporary folders, which a user has to allow."""
    with dask.config.set({"icefront.catalog.allow_roots": ["/"]}):
        yield
