"""Image files that do not say where they have no data."""

import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.nodata import beyond_the_scene, without_data

ROWS, COLS = np.mgrid[0:120, 0:160]
WEDGE = (COLS + 0.3 * ROWS < 30) | (ROWS - 0.1 * COLS > 105)
STRIPES = (ROWS + 0.2 * COLS) % 40 < 9
FJORD = (np.abs(ROWS - 60) < 20) & (COLS > 70)  # dark water between land, out to the rim
FRONT = 60 + 12 * np.sin(COLS / 9) + 6 * np.sin(COLS / 3.7)
OPEN_SEA = FRONT > ROWS  # beyond a ragged front, over the whole width
NOTHING = np.zeros(ROWS.shape, bool)


@pytest.mark.parametrize(
    ("nodata", "water"),
    [
        (WEDGE, NOTHING), (STRIPES, NOTHING), (WEDGE | STRIPES, NOTHING), (NOTHING, FJORD), (WEDGE, FJORD),
        (NOTHING, OPEN_SEA),
    ],
)  # fmt: skip
def test_zeros_beyond_the_scene_are_told_from_black_water(nodata, water):
    water = water & ~nodata
    found = beyond_the_scene(nodata | water)
    assert (found & nodata).sum() >= 0.98 * nodata.sum()
    assert (found & water).sum() <= 0.02 * water.sum()


@pytest.mark.parametrize("value", [3, 21])
def test_a_grey_wedge_is_no_data_and_what_saturates_is(value):
    noise = np.random.default_rng(1).normal(0, 9, ROWS.shape)
    grey = np.clip(90 + 60 * np.sin(COLS / 15) + noise, 0, 255).astype(np.uint8)
    grey[WEDGE] = value
    found = without_data(grey)
    assert found[WEDGE].mean() > 0.98
    assert found[~WEDGE].mean() < 0.01
    snow = np.where(OPEN_SEA, 255, grey).astype(np.uint8)
    assert without_data(snow)[OPEN_SEA & ~WEDGE].mean() < 0.02
    assert without_data(np.where(OPEN_SEA, 2, grey).astype(np.uint8))[OPEN_SEA & ~WEDGE].mean() < 0.02


@pytest.mark.parametrize("angle", [0.0, 0.07, 0.3, 1.0, -0.6])
def test_a_white_wedge_is_no_data_and_snow_that_saturates_is(angle):
    noise = np.random.default_rng(2).normal(0, 9, ROWS.shape)
    grey = np.clip(90 + 60 * np.sin(COLS / 15) + noise, 0, 255).astype(np.uint8)
    wedge = ROWS - angle * (COLS - 80) > 90
    found = without_data(np.where(wedge, 255, grey).astype(np.uint8))
    assert found[wedge].mean() > 0.98
    assert found[~wedge].mean() < 0.01
    for front in (60 + 3 * np.sin(COLS / 12), 60 - 0.002 * (COLS - 80) ** 2 + 2 * np.sin(COLS / 5), FRONT):
        ice = front < ROWS - angle * (COLS - 80)
        assert without_data(np.where(ice, 255, grey).astype(np.uint8)).mean() < 0.01


def test_zeros_inside_and_images_of_nothing():
    lake = (np.abs(ROWS - 60) < 20) & (np.abs(COLS - 80) < 20)
    assert not beyond_the_scene(lake).any()
    assert beyond_the_scene(~NOTHING).all()
    assert not beyond_the_scene(NOTHING).any()


def test_specks_in_a_wedge_do_not_make_it_ground():
    wedge = WEDGE.copy()
    wedge[3, 3] = wedge[118, 10] = False
    assert beyond_the_scene(wedge)[WEDGE].mean() > 0.98


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("fill", [0, -9999, -32768])
def test_nodata_that_is_not_stated(tmp_path, kind, fill):
    if fill < 0 and kind.startswith("u"):
        return
    values = np.where(WEDGE, fill, 100 + COLS % 50).astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            tmp_path / "a.tif", "w", driver="GTiff", height=120, width=160, count=1, dtype=kind
        ) as target:
            target.write(values, 1)
    band = read_image(tmp_path / "a.tif").data[0]
    assert np.isnan(band[WEDGE]).mean() > 0.98
    np.testing.assert_array_equal(band[~WEDGE], values[~WEDGE])
