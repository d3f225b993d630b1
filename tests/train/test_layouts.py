"""Every layout gives the layers that its files hold, knows what it does not know, and refuses what is not whole."""

import numpy as np
import pytest

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.train.config import Data
from icefront_dask.train.layouts import entries
from tests.score.images import write_png
from tests.train import trees


def test_caffe(tmp_path):
    trees.caffe(tmp_path)
    trees.caffe(tmp_path, names=("COL_2011-11-13_TDX_7_1_092",), split="test")
    found = entries(Data(layout="caffe", path=tmp_path))
    assert [e.name for e in found] == sorted(trees.CAFFE)
    assert {e.group for e in found} == {"JAC", "Crane", "SI"}
    (test,) = entries(Data(layout="caffe", path=tmp_path, split="test"))
    assert test.group == "COL"
    ice, front, rock, nothing, image = trees.scene(0, (96, 80))
    one = test.read()
    np.testing.assert_array_equal(one.image[0], image.astype(np.uint8))
    np.testing.assert_array_equal(one.front, front)
    np.testing.assert_array_equal(one.ice_known, ~nothing)
    np.testing.assert_array_equal(one.ice & one.ice_known, ice & ~nothing)
    np.testing.assert_array_equal(one.zones, np.select([nothing, rock, ice], [0, 1, 2], 3))
    assert one.front_known.all()


def test_calfin(tmp_path):
    found = entries(Data(layout="calfin", path=trees.calfin(tmp_path)))
    assert (found[0].name, found[0].group, found[0].shape) == (trees.CALFIN[0], "Helheim", (260, 300))
    one = found[0].read()
    ice, *_ = trees.scene(0, (260, 300))
    np.testing.assert_array_equal(one.ice, ice)
    assert one.zones is None
    around = np.pad(ice, 1, mode="edge")
    ocean_near = [[not around[r : r + 3, c : c + 3].all() for c in range(300)] for r in range(260)]
    np.testing.assert_array_equal(one.front, ice & np.array(ocean_near))


def test_pairs_know_the_sides_near_the_line_only(tmp_path):
    found = entries(Data(layout="pairs", path=trees.pairs(tmp_path)))
    assert {e.group for e in found} == {"kangerlussuaq", "jakobshavn", "sverdrup"}
    one = next(e for e in found if e.name == trees.PAIRS[0]).read()
    ice, front, *_ = trees.scene(0, (140, 110))
    np.testing.assert_array_equal(one.front, front)
    assert one.ice_known.any()
    np.testing.assert_array_equal(one.ice[one.ice_known], ice[one.ice_known])
    assert not one.ice_known[:20].any()
    columns = np.flatnonzero(front.any(axis=0))
    assert not one.front_known[70, columns[0] - 5]


@pytest.mark.parametrize("sensor", ["sar", "optical"])
def test_simulated(sensor):
    data = Data(layout="simulated", sensor=sensor, scenes=2, scene_px=64, first_seed=77)
    first, second = entries(data)
    one = first.read()
    assert one.image.shape == ((2 if sensor == "sar" else 1), 64, 64)
    np.testing.assert_array_equal(one.ice, one.zones != 3)
    assert set(np.unique(one.zones)) <= {1, 2, 3}
    np.testing.assert_array_equal(one.image, first.read().image)
    assert not np.array_equal(one.ice, second.read().ice)


def remove(tmp_path, pattern):
    found = sorted(tmp_path.rglob(pattern))
    assert found
    found[0].unlink()


@pytest.mark.parametrize(
    ("layout", "pattern", "message"),
    [
        ("caffe", "sar_images/train/*.png", "label.*without image"),
        ("caffe", "fronts/train/*.png", "image.*without label"),
        ("caffe", "zones/train/*.png", "no zones"),
        ("calfin", "*_B4.png", "label.*without image"),
        ("calfin", "*_mask.png", "image.*without label"),
        ("pairs", "images/*.png", "has no image"),
        ("pairs", "labels_1px/*.png", "without a label"),
    ],
)
def test_nothing_is_trained_on_less(tmp_path, layout, pattern, message):
    getattr(trees, layout)(tmp_path)
    remove(tmp_path, pattern)
    with pytest.raises(InputError, match=message):
        entries(Data(layout=layout, path=tmp_path))


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("caffe", f"data_raw/zones/train/{trees.CAFFE[0]}_zones.png"),
        ("caffe", f"data_raw/fronts/train/{trees.CAFFE[0]}_front.png"),
        ("calfin", f"{trees.CALFIN[0]}_mask.png"),
        ("pairs", f"labels_1px/{trees.PAIRS[0]}_Front.png"),
    ],
)
def test_labels_of_another_size(tmp_path, layout, file):
    getattr(trees, layout)(tmp_path)
    grey = np.full((50, 41), 127)
    grey[25] = 0 if layout == "pairs" else 254
    write_png(tmp_path / file, grey)
    with pytest.raises(InputError, match=r"equal|differ in size"):
        entries(Data(layout=layout, path=tmp_path))


@pytest.mark.parametrize(
    ("layout", "file", "empty"),
    [
        ("caffe", f"data_raw/fronts/train/{trees.CAFFE[0]}_front.png", 0),
        ("calfin", f"{trees.CALFIN[0]}_mask.png", 255),
        ("pairs", f"labels_1px/{trees.PAIRS[0]}_Front.png", 255),
    ],
)
def test_labels_without_a_front(tmp_path, layout, file, empty):
    getattr(trees, layout)(tmp_path)
    shape = {"caffe": (96, 80), "calfin": (260, 300), "pairs": (140, 110)}[layout]
    write_png(tmp_path / file, np.full(shape, empty))
    with pytest.raises(InputError, match=r"no front|no line"):
        entries(Data(layout=layout, path=tmp_path))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="unknown layout 'pears'; known: pairs, caffe, calfin, cube, simulated"):
        entries(Data(layout="pears", path=tmp_path))
    with pytest.raises(ConfigError, match="needs 'path'"):
        entries(Data(layout="caffe"))
    with pytest.raises(InputError, match="no such folder"):
        entries(Data(layout="calfin", path=tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nothing in layout"):
        entries(Data(layout="calfin", path=tmp_path))
    trees.caffe(tmp_path)
    with pytest.raises(InputError, match="no split 'validation'"):
        entries(Data(layout="caffe", path=tmp_path, split="validation"))
    with pytest.raises(ConfigError, match="fronts"):
        entries(Data(layout="cube", path=tmp_path))
