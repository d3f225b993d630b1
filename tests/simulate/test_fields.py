"""Random fields: periodic, normalised, the same for the same seed."""

import numpy as np
import pytest

from icefront_dask.simulate.fields import Atlas, line_noise, sample


@pytest.fixture(scope="module")
def atlas():
    return Atlas.from_seed(5)


def test_sampling_is_bilinear_and_periodic(atlas):
    field = atlas.rough
    rows, cols = np.array([3.0, 3.0, 3.5]), np.array([7.0, 7.5, 7.0])
    expected = [field[3, 7], (field[3, 7] + field[3, 8]) / 2, (field[3, 7] + field[4, 7]) / 2]
    np.testing.assert_allclose(sample(field, rows, cols), expected, atol=1e-6)
    np.testing.assert_allclose(sample(field, rows - 512, cols + 5 * 512), sample(field, rows, cols), atol=1e-5)


@pytest.mark.parametrize("name", ["rough", "smooth", "band", "wide"])
def test_fields_have_zero_mean_and_unit_variance(atlas, name):
    field = getattr(atlas, name)
    assert abs(field.mean()) < 1e-4
    assert field.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("name", "octaves"), [("band", 0.35), ("wide", 0.8)])
def test_band_passed_fields_vary_at_sixteen_cells(atlas, name, octaves):
    power = np.abs(np.fft.fft2(getattr(atlas, name))) ** 2
    k = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None, :])
    k[0, 0] = 1
    near = np.abs(np.log2(k * 16)) < 3 * octaves
    assert power[near].sum() > 0.95 * power.sum()


def test_blocks_have_a_tone_each_and_close_at_their_rims(atlas):
    inside = atlas.gap > 0.9
    same = inside[:, :-1] & inside[:, 1:]
    assert (atlas.tone[:, :-1] == atlas.tone[:, 1:])[same].mean() > 0.95
    assert 0 <= atlas.gap.min() < 0.05
    assert 0 <= atlas.size.min() < atlas.size.max() <= 1


def test_line_noise_is_continuous_and_periodic(atlas):
    x = np.linspace(0, 4096, 20_000, dtype=np.float32)
    values = line_noise(atlas, 1, x, 1.0, 0.0)
    assert np.abs(np.diff(values)).max() < 0.5
    assert values[0] == pytest.approx(values[-1], abs=1e-4)


def test_a_seed_is_an_atlas(atlas):
    again = Atlas.from_seed(5)
    other = Atlas.from_seed(6)
    for name in ("rough", "band", "tone", "line"):
        assert np.array_equal(getattr(atlas, name), getattr(again, name))
        assert not np.array_equal(getattr(atlas, name), getattr(other, name))
