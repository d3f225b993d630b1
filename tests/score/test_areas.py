"""Overlaps that a data set allows: zones and box of CaFFe, ice and edge of CALFIN."""

from dataclasses import replace

import numpy as np
import pytest

from icefront_dask.runs.published import Outputs
from icefront_dask.score import read_dataset
from icefront_dask.score.areas import mean_overlaps, overlaps_of
from icefront_dask.score.caffe import read_zones, zones_of
from icefront_dask.score.sides import fjord_of, ocean_above, ocean_of
from tests.score.images import write_png
from tests.train import trees


def caffe(folder):
    root = trees.caffe(folder) / "data_raw"
    (root / "bounding_boxes").mkdir()
    for name in trees.CAFFE:
        (root / "bounding_boxes" / f"{name}.txt").write_text("header\n10, 70\n10, 20\n60, 20\n60, 70\n")
    return read_dataset(folder, "caffe").samples[0]


def test_perfect_and_shifted_zones(tmp_path):
    sample = caffe(tmp_path / "c")
    true = read_zones(zones_of(sample.image))
    perfect = overlaps_of(sample, "caffe", Outputs(None, None, true))
    assert perfect == {"precision": 1, "recall": 1, "f1": 1, "iou": 1, "box_accuracy": 1}
    wrong = true.copy()
    wrong[30:40, 20:30] = 1
    found = overlaps_of(sample, "caffe", Outputs(None, None, wrong))
    assert found["box_accuracy"] == pytest.approx((wrong == true)[20:70, 10:60].mean())
    assert found["iou"] < 1
    assert overlaps_of(sample, "caffe", Outputs(true.astype(np.float32), None)) == {}
    assert overlaps_of(sample, "caffe", None) == {}


def test_ice_and_edge_of_calfin_by_hand(tmp_path):
    folder = trees.calfin(tmp_path / "c")
    write_png(folder / "fjords" / "Helheim.png", np.full((260, 300), 255))
    sample = read_dataset(folder, "calfin").samples[0]
    assert fjord_of(sample).all()
    ice = ~ocean_of(sample, "calfin")
    line = np.zeros(sample.shape, bool)
    cols, rows = np.floor(sample.true_pixels).astype(int).T
    line[rows, cols] = True
    found = overlaps_of(sample, "calfin", Outputs(ice.astype(np.float32), line.astype(np.float32)))
    assert found["iou_ice"] == pytest.approx(1, abs=1e-6)
    assert found["iou_front"] == pytest.approx(1, abs=0.05)
    half = overlaps_of(sample, "calfin", Outputs(np.where(ice, 0.8, 0.3).astype(np.float32), None))
    assert half == {"iou_ice": pytest.approx(0.8)}  # (0.8 x ice) / ice; the ocean's 0.3 is not in the union
    outside = replace(sample, fjord=None)
    assert fjord_of(outside) is None


def test_the_sea_lies_above_a_line_but_for_its_ends():
    line = np.zeros((20, 30), bool)
    line[10, 3:27] = True
    line[5:11, 15] = True
    ocean = ocean_above(line)
    expected = np.zeros_like(line)
    expected[:10, 7:23] = True
    expected[line] = False
    assert np.array_equal(ocean, expected)


def test_means_are_over_the_images_that_have_a_value():
    assert mean_overlaps([{"iou": 0.5}, {"iou": 0.7, "f1": 1.0}, {}, {"iou": float("nan")}]) == {
        "iou": pytest.approx(0.6),
        "f1": 1.0,
    }
    assert mean_overlaps([{}, {}]) == {}
