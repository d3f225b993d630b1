"""The CaFFe layout in its published form, and its error inside the bounding box."""

import numpy as np
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score import mde, read_dataset, score_lines
from icefront_dask.score.caffe import describe, read_bounding_box, read_zones
from tests.score.images import write_png

NAMES = ("COL_2011-11-13_TDX_7_1_092", "Mapple_2009-06-24_TSX_7_2_024", "COL_2012-07-01_S1_20_3_010")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "caffe" / "data_raw"
    for split in ("train", "test"):
        for kind in ("sar_images", "zones", "fronts"):
            (root / kind / split).mkdir(parents=True)
    (root / "bounding_boxes").mkdir()
    for number, name in enumerate(NAMES):
        write_png(root / "sar_images" / "test" / f"{name}.png", np.full((40, 60), 90, np.uint8))
        front = np.zeros((40, 60), np.uint8)
        front[10 + number, 5:55] = 255
        write_png(root / "fronts" / "test" / f"{name}_front.png", front)
        zones = np.full((40, 60), 254, np.uint8)
        zones[: 10 + number] = 127
        zones[:, :5], zones[0, 0] = 64, 0
        write_png(root / "zones" / "test" / f"{name}_zones.png", zones)
        text = "header\n5, 35\n5, 2\n55, 2\n55, 35\n"
        (root / "bounding_boxes" / f"{name}.txt").write_text(text)
    return tmp_path / "caffe"


def test_names_say_what_the_benchmark_breaks_down_by():
    found = describe("COL_2011-11-13_TDX_7_1_092")
    assert (found["glacier"], found["sensor"], found["resolution"], found["season"]) == ("COL", "TDX", "7", "winter")
    assert describe("COL_2011-07-13_TDX_7_1_092")["season"] == "summer"
    assert describe("Mapple_2011-07-13_S1_20_1_092")["season"] == "winter"
    assert describe("Crane_2011-01-13_S1_20_1_092")["season"] == "summer"
    for wrong in ("COL_2011-11-13_TDX", "COL_2011-13-41_TDX_7_1_092"):
        with pytest.raises(InputError, match=wrong):
            describe(wrong)


def test_box_is_between_the_lower_and_the_upper_corners(folder):
    file = next((folder / "data_raw" / "bounding_boxes").glob("COL*"))
    assert read_bounding_box(file) == (2, 5, 35, 55)
    file.write_text("header\n5, 2\n5, 2\n55, 2\n55, 35\n")
    with pytest.raises(InputError, match="empty"):
        read_bounding_box(file)
    file.write_text("nothing")
    with pytest.raises(InputError, match="not a bounding box"):
        read_bounding_box(file)


def test_zones_have_four_grey_values(folder):
    file = next((folder / "data_raw" / "zones" / "test").glob("COL_2011*"))
    assert [int((read_zones(file) == c).sum()) for c in range(4)] == [1, 199, 550, 1650]
    write_png(file, np.full((4, 4), 128, np.uint8))
    with pytest.raises(InputError, match="128"):
        read_zones(file)


def test_error_is_pooled_in_metres_inside_the_box_with_its_breakdown(folder):
    dataset = read_dataset(folder, "caffe")
    assert [sample.name for sample in dataset] == sorted(NAMES)
    # Each line lies 3 px below the true one; the second one goes on far outside the box; one has none.
    lines = {name: shapely.LineString([(5.5, 13.5 + n), (54.5, 13.5 + n)]) for n, name in enumerate(NAMES)}
    lines[NAMES[1]] = shapely.LineString([(5.5, 14.5), (59.5, 14.5), (59.5, 39.5)])
    lines[NAMES[2]] = None
    scores = score_lines(lines, dataset)
    assert scores.pooled["without_front"] == 1
    true = [sample.true_pixels for sample in dataset]
    order = {sample.name: t for sample, t in zip(dataset, true, strict=True)}
    shifted = {name: order[name] + np.array([0, 3]) for name in NAMES[:2]}
    expected = mde([(shifted[n], order[n]) for n in NAMES[:2]], [7, 7]).value
    assert scores.pooled["mean_m"] == pytest.approx(expected, rel=1e-9)
    table = scores.breakdown.set_index(["by", "value"])
    assert table.loc[("season", "winter"), "images"] == 2
    assert table.loc[("glacier+sensor", "COL S1"), "without_front"] == 1
    assert set(scores.breakdown["by"]) >= {"glacier", "sensor", "season", "resolution", "glacier+season"}
    assert "| season | winter |" in scores.to_markdown()


def test_a_front_without_a_box_or_line_is_refused(folder):
    root = folder / "data_raw"
    (root / "bounding_boxes" / f"{NAMES[0]}.txt").unlink()
    with pytest.raises(InputError, match="no box"):
        read_dataset(folder, "caffe")
    write_png(root / "fronts" / "test" / f"{NAMES[0]}_front.png", np.zeros((40, 60), np.uint8))
    with pytest.raises(InputError, match="no front"):
        read_dataset(folder, "caffe")
    write_png(root / "fronts" / "test" / f"{NAMES[0]}_front.png", np.zeros((40, 61), np.uint8))
    with pytest.raises(InputError, match="must be equal"):
        read_dataset(folder, "caffe")
    (root / "fronts" / "test" / f"{NAMES[0]}_front.png").unlink()
    with pytest.raises(InputError, match="without label"):
        read_dataset(folder, "caffe")
