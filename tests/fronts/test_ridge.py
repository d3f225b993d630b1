"""The ridge of the front output: its skeleton, without holes and specks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label
from skimage.morphology import skeletonize

from icefront_dask.fronts.ridge import _HOLE_PX, _without_holes, bounding_slices, ridge_pixels
from tests.fronts.scenes import level_edge

SHAPE = (80, 100)


def skeleton(front, domain=None):
    domain = np.ones(front.shape, bool) if domain is None else domain
    (pixels,) = ridge_pixels(front, domain, thresholds=(0.33,), smooth_px=0.7, min_px=(4,))
    return pixels


def test_ridge_of_a_line_is_one_pixel_wide_and_on_it():
    _, front = level_edge(40.5)
    pixels = skeleton(front)
    assert np.abs(pixels[:, 0] - 40).max() <= 1
    assert np.mean(pixels[:, 0] == 40) > 0.95
    assert len(np.unique(pixels[:, 1])) == len(pixels) >= 96


def test_ridge_keeps_to_the_domain_and_drops_specks_holes_and_unknown_pixels():
    _, front = level_edge(40.5)
    front = front.copy()
    front[10, 10] = front[60, 30] = 1.0
    front[40, 50] = 0.0
    front[:, 70:75] = np.nan
    domain = np.ones(SHAPE, bool)
    domain[:, :20] = False
    pixels = skeleton(front, domain)
    assert pixels[:, 1].min() >= 20
    assert set(pixels[:, 0]) <= {39, 40, 41}
    assert not np.isin(pixels[:, 1], [71, 72, 73]).any()
    assert len(skeleton(front, np.zeros(SHAPE, bool))) == 0


def test_bounding_slices():
    mask = np.zeros(SHAPE, bool)
    assert bounding_slices(mask, 3) is None
    mask[10, 97] = mask[20, 50] = True
    assert bounding_slices(mask, 3) == (slice(7, 24), slice(47, 100))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([0.0, 0.03, 0.3, 0.45, 0.6, 0.9, 1.0]),
)
def test_holes_are_those_of_labels_of_the_whole_grid(seed, shape, density):
    mask = np.random.default_rng(seed).random(shape) < density
    labels = label(~mask)[0]
    small = np.bincount(labels.ravel(), minlength=1) <= _HOLE_PX
    small[0] = False
    assert np.array_equal(_without_holes(mask), mask | small[labels])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 260), st.integers(1, 260)),
    st.sampled_from([0.0, 1.0, 3.0, 8.0]),
    st.sampled_from([0.7, 0.95, 0.995]),
)
def test_pieces_far_apart_are_thinned_as_in_one_image(seed, shape, width, share):
    """Specks, ridges and areas, at the rim of the grid as well."""
    front = gaussian_filter(np.random.default_rng(seed).random(shape), width)
    mask = front > np.quantile(front, share)
    labels = label(~mask)[0]
    small = np.bincount(labels.ravel(), minlength=1) <= _HOLE_PX
    small[0] = False
    whole = np.argwhere(skeletonize(mask | small[labels])) if mask.any() else np.empty((0, 2))
    (pixels,) = ridge_pixels(
        mask.astype(np.float32), np.ones(shape, bool), thresholds=(0.5,), smooth_px=0.0, min_px=(1,)
    )
    assert np.array_equal(pixels, whole)
