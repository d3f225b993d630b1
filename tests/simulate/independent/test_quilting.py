"""Quilting: seams against all paths, values that are the source's own, stripes that go on across patches."""

import itertools

import numpy as np
import pytest

from icefront_dask.simulate.independent.quilting import best_seam, even_crop, quilt


@pytest.mark.parametrize("seed", range(5))
def test_a_seam_is_the_best_of_all_paths(seed):
    error = np.random.default_rng(seed).random((5, 4))
    paths = [p for p in itertools.product(range(4), repeat=5) if all(abs(a - b) <= 1 for a, b in itertools.pairwise(p))]
    least = min(sum(error[row, col] for row, col in enumerate(path)) for path in paths)
    seam = best_seam(error)
    assert np.abs(np.diff(seam)).max() <= 1
    assert error[np.arange(5), seam].sum() == pytest.approx(least)


def test_every_value_is_one_of_the_source():
    rng = np.random.default_rng(1)
    source = rng.standard_normal((50, 60)).astype(np.float32)
    made = quilt(source, (70, 45), rng, patch=16)
    assert made.shape == (70, 45)
    assert np.isin(made, source).all()


def test_stripes_go_on_across_patches():
    """Of horizontal stripes every patch whose overlap fits continues them, so rows stay almost of one value."""
    source = np.repeat((np.arange(64) // 4 % 2).astype(np.float32)[:, None], 64, axis=1)
    made = quilt(source, (60, 60), np.random.default_rng(2), patch=24)
    assert np.mean(made == np.round(made.mean(axis=1))[:, None]) > 0.9


def test_an_even_crop_leaves_the_edge_out():
    image = np.random.default_rng(3).standard_normal((120, 120)).astype(np.float32)
    image[:, :40] += 20
    crop = even_crop(image, 64, np.random.default_rng(4))
    assert crop.shape == (64, 64)
    assert crop.max() < 10
