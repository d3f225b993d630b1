"""Clutter: moments, distribution and correlation against their formulas."""

import numpy as np
import pytest
from scipy.stats import gamma, kstest

from icefront_dask.simulate.independent.clutter import correlated_normal, gamma_texture, look_weights, speckle

SHAPE = (384, 384)


def autocorrelation(field, rows, cols):
    a = field - field.mean()
    shifted = np.roll(a, (rows, cols), axis=(0, 1))
    return float((a * shifted).mean() / a.var())


@pytest.mark.parametrize("looks", [1.0, 1.5, 4.4, 10.7])
def test_weights_of_looks_give_their_equivalent_number(looks):
    weights = look_weights(looks)
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(looks, rel=1e-12)
    assert (weights > 0).all()
    assert (weights <= 1).all()


@pytest.mark.parametrize("looks", [1.0, 4.4, 10.7])
def test_speckle_has_its_looks_and_is_correlated_as_the_impulse_response(looks):
    width = (1.5, 2.5)
    field = speckle(np.random.default_rng(1), SHAPE, looks, width)
    assert field.mean() == pytest.approx(1, abs=0.02)
    assert field.mean() ** 2 / field.var() == pytest.approx(looks, rel=0.06)
    for rows, cols in ((1, 0), (2, 0), (0, 1), (0, 2), (1, 1)):
        expected = np.exp(-2 * np.log(2) * ((rows / width[0]) ** 2 + (cols / width[1]) ** 2))
        assert autocorrelation(field, rows, cols) == pytest.approx(expected, abs=0.03)


def test_single_look_speckle_is_exponential():
    field = speckle(np.random.default_rng(2), SHAPE, 1.0, (0.6, 0.6))
    assert kstest(field[::8, ::8].ravel(), "expon").pvalue > 0.01


def test_normal_fields_are_correlated_over_their_length():
    field = correlated_normal(np.random.default_rng(3), SHAPE, 3.0)
    assert field.std() == pytest.approx(1, abs=0.05)
    for step in (1, 2, 4):
        assert autocorrelation(field, step, 0) == pytest.approx(np.exp(-((step / 3) ** 2)), abs=0.05)


@pytest.mark.parametrize("order", [3.0, 20.0])
def test_texture_is_gamma_and_makes_k_distributed_clutter(order):
    texture = gamma_texture(np.random.default_rng(4), SHAPE, order, 1.5)
    assert kstest(texture[::12, ::12].ravel(), gamma(order, scale=1 / order).cdf).pvalue > 0.01
    power = texture * speckle(np.random.default_rng(5), SHAPE, 4.4, (1.2, 1.2))
    expected = (1 + 1 / order) * (1 + 1 / 4.4) - 1
    assert power.var() / power.mean() ** 2 == pytest.approx(expected, rel=0.08)
