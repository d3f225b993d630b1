"""Tones of the papers, against the library that one of them uses and by hand."""

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from icefront_dask.train.toning import decibel_to_grey, enhance_edges, stretch_to_grey, three_tones


def by_pillow(grey):
    image = ImageOps.equalize(ImageOps.autocontrast(Image.fromarray(grey)))
    return np.asarray(image.filter(ImageFilter.SMOOTH).filter(ImageFilter.EDGE_ENHANCE))


@pytest.mark.parametrize("kind", ["noise", "narrow", "two", "flat"])
def test_enhanced_edges_are_pillows(rng, kind):
    grey = {
        "noise": rng.integers(0, 256, (40, 31)),
        "narrow": rng.integers(90, 131, (40, 31)),
        "two": np.where(rng.random((40, 31)) > 0.1, 200, 50),
        "flat": np.full((40, 31), 77),
    }[kind].astype(np.uint8)
    np.testing.assert_array_equal(enhance_edges(grey.astype(np.float32)), by_pillow(grey))


def test_nodata_is_black():
    grey = np.full((20, 20), 100, np.float32)
    grey[:5] = np.nan
    assert np.isfinite(enhance_edges(grey)).all()
    assert (three_tones(grey)[:, :4] == 0).all()


def test_three_tones(rng):
    grey = rng.uniform(0, 255, (64, 64)).astype(np.float32)
    raw, mapped, lifted = three_tones(grey)
    np.testing.assert_allclose(raw, grey, atol=1e-4)
    assert ((mapped >= 0) & (mapped <= 255)).all()
    dark, bright = grey < 50, grey > 205
    assert (lifted[dark] > grey[dark]).all()
    assert (lifted[bright] < grey[bright]).all()
    # By hand: v = 0.25 gives 0.75 * 0.25^0.6 + 0.25 * 0.25^1.6.
    one = three_tones(np.full((8, 8), 0.25 * 255, np.float32))
    np.testing.assert_allclose(one[2], 255 * (0.75 * 0.25**0.6 + 0.25 * 0.25**1.6), rtol=1e-4)


def test_ranges():
    np.testing.assert_allclose(stretch_to_grey(np.array([0.0, 1000.0, 500.0], np.float32)), [0, 255, 127.5])
    np.testing.assert_allclose(stretch_to_grey(np.array([10.0, 200.0], np.float32)), [10, 200])
    np.testing.assert_allclose(
        decibel_to_grey(np.array([-40.0, -30, -15, 0, 5], np.float32), -30.0), [0, 0, 127.5, 255, 255]
    )
