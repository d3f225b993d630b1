"""The CALFIN layout: names, masks, fjords."""

import numpy as np
import pytest

from icefront_dask.errors import InputError
from icefront_dask.score import read_dataset
from icefront_dask.score.calfin import describe, front_of_mask
from tests.score.images import write_png

NAME = "Helheim_LE07_L1TP_2003-08-31_232-014_T1_B4"


def write_set(folder, ice, name=NAME, fjord=None):
    write_png(folder / f"{name}.png", np.full(ice.shape, 80))
    write_png(folder / f"{name}_mask.png", 255 * ice)
    if fjord is not None:
        write_png(folder / "fjords" / f"{name.split('_')[0]}_fjord.png", 255 * fjord)


def half_plane(row=12, shape=(30, 40)):
    ice = np.zeros(shape, np.uint8)
    ice[:row] = 1
    return ice


def test_names():
    assert describe(NAME) == {"glacier": "Helheim", "sensor": "LE07", "date": "2003-08-31", "year": "2003"}
    sentinel = "Thwaites_S1A_EW_GRDM_2016-02-03_021_HH"
    assert describe(sentinel)["date"] == "2016-02-03"
    with pytest.raises(InputError, match="not a CALFIN name"):
        describe("Helheim_2003")


def test_front_is_the_rim_of_the_ice_in_the_fjord(tmp_path):
    ice, fjord = half_plane(), np.zeros((30, 40), np.uint8)
    ice[:, :5] = 1  # a wall along the left
    fjord[:, 5:] = 1
    write_set(tmp_path, ice, fjord=fjord)
    (sample,) = read_dataset(tmp_path, "calfin")
    assert sample.group == "Helheim"
    assert set(sample.true_pixels[:, 1]) == {11.5}
    assert sample.true_pixels[:, 0].min() == 5.5
    (tmp_path / "fjords" / "Helheim_fjord.png").unlink()
    (sample,) = read_dataset(tmp_path, "calfin")
    assert sample.true_pixels[:, 1].max() == 29.5  # without a fjord the wall counts too


def test_images_and_masks_may_lie_in_folders(tmp_path):
    write_png(tmp_path / "images" / f"{NAME}.png", np.full((30, 40), 80))
    write_png(tmp_path / "masks" / f"{NAME}_mask.png", 255 * half_plane())
    assert [sample.name for sample in read_dataset(tmp_path, "calfin")] == [NAME]


def test_front_of_mask_is_brute_force():
    rng = np.random.default_rng(0)
    ice = rng.random((12, 14)) > 0.5
    expected = np.zeros_like(ice)
    for r in range(12):
        for c in range(14):
            near = ice[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
            expected[r, c] = ice[r, c] and not near.all()
    assert np.array_equal(front_of_mask(ice), expected)


def test_bad_masks_are_named(tmp_path):
    write_set(tmp_path, np.ones((30, 40), np.uint8))
    with pytest.raises(InputError, match="no front"):
        read_dataset(tmp_path, "calfin")
    write_png(tmp_path / f"{NAME}_mask.png", 255 * half_plane(shape=(30, 41)))
    with pytest.raises(InputError, match="must be equal"):
        read_dataset(tmp_path, "calfin")
    (tmp_path / f"{NAME}_mask.png").unlink()
    with pytest.raises(InputError, match="without label"):
        read_dataset(tmp_path, "calfin")
