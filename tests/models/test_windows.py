"""Windows and their blending against loops over pixels."""

import numpy as np
import pytest

from icefront_dask.models.windows import blended, grid, window_weights


def by_hand(shape, corners, weights, field):
    """Weighted mean, pixel by pixel, of what each window says: the field at the pixel plus the window's number."""
    size = len(weights)
    out = np.zeros(shape)
    for row in range(shape[0]):
        for col in range(shape[1]):
            total = weight = 0.0
            for number, (top, left) in enumerate(corners):
                r, c = row - top, col - left
                if 0 <= r < size and 0 <= c < size:
                    total += weights[r, c] * (field[row, col] + number)
                    weight += weights[r, c]
            out[row, col] = total / weight
    return out


@pytest.mark.parametrize("blend", ["gaussian", "mean", "core"])
@pytest.mark.parametrize(("shape", "size", "step"), [((16, 16), 12, 2), ((21, 30), 8, 4), ((5, 7), 8, 4)])
def test_windows_are_blended_as_by_hand(blend, shape, size, step):
    field = np.random.default_rng(1).random((shape[0] + size, shape[1] + size))
    corners, weights = grid(shape, size, step), window_weights(size, step, blend)
    numbers = {corner: number for number, corner in enumerate(corners)}

    def answer(part):
        return np.stack([field[None, r : r + size, c : c + size] + numbers[r, c] for r, c in part]).astype(np.float32)

    found = blended(shape, corners, weights, answer, batch=3)
    np.testing.assert_allclose(found[0], by_hand(shape, corners, weights, field), rtol=1e-5)


def test_calfin_has_nine_windows():
    assert grid((256, 256), 224, 16) == [(r, c) for r in (0, 16, 32) for c in (0, 16, 32)]


def test_caffe_windows_reach_the_next_half_beyond_the_image():
    corners = grid((300, 500), 256, 128)
    assert sorted({r for r, _ in corners}) == [0, 128]
    assert sorted({c for _, c in corners}) == [0, 128, 256]
    assert (300 - 256) <= 128
    assert (256 + 256 - 500) < 128


def test_the_gaussian_has_its_peak_at_the_centre_and_an_eighth_as_deviation():
    weights = window_weights(256, 128, "gaussian")
    assert weights[128, 128] == weights.max() == 1
    assert weights[128, 160] == pytest.approx(np.exp(-0.5))


def test_the_core_decides_where_a_window_has_the_pixel_in_its_middle():
    corners = grid((40, 40), 16, 8)
    tops = {top for top, _ in corners}

    def answer(part):
        return np.stack([np.full((1, 16, 16), 100 * top + left, np.float32) for top, left in part])

    found = blended((40, 40), corners, window_weights(16, 8, "core"), answer)[0]
    assert found[20, 20] == pytest.approx(100 * 16 + 16, rel=1e-4)
    assert max(tops) == 24
