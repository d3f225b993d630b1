"""Image and line pairs: sides, windows, real data."""

import numpy as np
import pytest
import rasterio

from icefront_dask.errors import InputError
from icefront_dask.train.pairs import glacier_of, read_pairs, restyle, window

NAME = "LC08_L1TP_231012_20150804_20170406_01_T1_B2"


def write_png(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="PNG", height=array.shape[0], width=array.shape[1], count=1, dtype="uint8"
    ) as f:
        f.write(array, 1)


@pytest.fixture
def folder(tmp_path):
    rows, _ = np.mgrid[0:120, 0:100]
    image = np.where(rows < 60, 200, 90).astype(np.uint8)
    line = np.full(image.shape, 255, np.uint8)
    line[60, 20:80] = 0
    write_png(tmp_path / "images" / f"{NAME}_Subset.png", image)
    write_png(tmp_path / "labels_1px" / f"{NAME}_Front.png", line)
    return tmp_path


def test_sides_are_known_near_the_line_only(folder):
    (pair,) = read_pairs(folder)
    assert pair.glacier == "kangerlussuaq"
    known = pair.weight > 0
    rows, cols = np.nonzero(known)
    assert rows.min() == 60 - 40
    assert rows.max() == 60 + 40
    assert (cols.min(), cols.max()) == (24, 75)
    assert not known[58:63].any()
    assert (pair.ice[63:101, 24:76] == 1).all()
    assert (pair.ice[20:58, 24:76] == 0).all()


def test_window_keeps_line_and_sides_together(folder):
    (pair,) = read_pairs(folder)
    rng = np.random.default_rng(0)
    for _ in range(20):
        sample = window(pair, rng, 96)
        ice = (sample.ice > 0.5) & (sample.weight > 0)
        ocean = (sample.ice < 0.5) & (sample.weight > 0)
        assert sample.front.any()
        if ice.any() and ocean.any():
            assert np.nanmean(sample.primary[ice]) < 110
            assert np.nanmean(sample.primary[ocean]) > 180
        assert not sample.weight[np.isnan(sample.primary)].any()


def test_a_window_turns_and_scales_as_far_as_it_is_told(folder):
    (pair,) = read_pairs(folder)
    rng = np.random.default_rng(3)
    ways, lengths, free = [], [], []
    for _ in range(60):
        sample = window(pair, rng, 160, scales=(0.8, 1.2), turn_deg=15)
        ways.append(inland(sample))
        lengths.append(sample.front.sum() / 3)
        free.append(inland(window(pair, rng, 160, scales=(0.8, 1.2))))
    off = np.abs((np.array(ways) + 90) % 180 - 90)
    assert off.max() < 17
    assert off.max() > 8
    assert 15 < np.sum(np.cos(np.radians(ways)) > 0) < 45
    assert np.abs((np.array(free) + 90) % 180 - 90).max() > 60
    assert max(lengths) < 60 * 1.2 * 1.15
    assert max(lengths) > 60 * 1.2 * 0.85


def inland(sample):
    """Angle (degrees) from straight down to where the ice lies."""
    known = sample.weight > 0
    ice, ocean = np.argwhere(known & (sample.ice > 0.5)), np.argwhere(known & (sample.ice < 0.5))
    if not len(ice) or not len(ocean):
        return 0.0
    row, column = ice.mean(axis=0) - ocean.mean(axis=0)
    return float(np.degrees(np.arctan2(column, row)))


def test_restyling_changes_tones_and_never_the_frame(folder):
    (pair,) = read_pairs(folder)
    rng = np.random.default_rng(1)
    styles = [restyle(pair, rng) for _ in range(30)]
    assert all(style.shape == pair.image.shape and np.isfinite(style).all() for style in styles)
    darker = [style[20:55, 30:70].mean() < style[65:100, 30:70].mean() for style in styles]
    assert 3 < sum(darker) < 27


def test_what_is_wrong_is_named(folder):
    label = folder / "labels_1px" / f"{NAME}_Front.png"
    image = folder / "images" / f"{NAME}_Subset.png"
    write_png(label, np.full((120, 100), 255, np.uint8))
    with pytest.raises(InputError, match="no line"):
        read_pairs(folder)
    write_png(label, np.zeros((50, 100), np.uint8))
    with pytest.raises(InputError, match="differ in size"):
        read_pairs(folder)
    image.unlink()
    with pytest.raises(InputError, match="has no image"):
        read_pairs(folder)
    label.unlink()
    with pytest.raises(InputError, match="no pair"):
        read_pairs(folder)
    with pytest.raises(InputError, match="path 100"):
        glacier_of("LC08_L1TP_100012_x")


@pytest.mark.real
def test_all_real_pairs_are_read(real_data):
    pairs = read_pairs(real_data / "greenland-landsat-fronts")
    count = {glacier: sum(p.glacier == glacier for p in pairs) for glacier in {p.glacier for p in pairs}}
    assert count == {"sverdrup": 70, "jakobshavn": 30, "kangerlussuaq": 23}
    assert all(0.05 < p.weight.mean() < 0.3 for p in pairs)
