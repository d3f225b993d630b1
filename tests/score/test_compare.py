"""Several models on one set: order, shared images, the interval of their difference, and the picture of failures."""

import numpy as np
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score import read_dataset, score_lines
from icefront_dask.score.compare import compare_scores
from icefront_dask.score.figure import worst_cases
from tests.score.images import write_png

NAMES = [f"Glacier{g}_LC08_L1TP_20{10 + i}-07-01_001-001_T1_B5" for g in "AB" for i in range(6)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    mask = np.zeros((40, 50), np.uint8)
    mask[:20] = 255
    for name in NAMES:
        write_png(folder / f"{name}.png", np.tile(np.arange(50, dtype=np.uint8) * 4, (40, 1)))
        write_png(folder / f"{name}_mask.png", mask)
    return read_dataset(folder, "calfin")


def lines(offsets):
    return {
        name: None if off is None else shapely.LineString([(0.5, 19.5 + off), (49.5, 19.5 + off)])
        for name, off in zip(NAMES, offsets, strict=True)
    }


def test_models_are_compared_on_the_images_that_all_of_them_traced(dataset):
    good = [1.0] * 12
    # Better where it tries, but it gives up on half of the images.
    shy = [0.0] * 6 + [None] * 6
    bad = [3.0, 5.0] * 6
    table = compare_scores({n: score_lines(lines(o), dataset) for n, o in (("good", good), ("bad", bad), ("shy", shy))})
    assert list(table["model"]) == ["shy", "good", "bad"]
    rows = table.set_index("model")
    assert rows["without_front"].to_dict() == {"shy": 6, "good": 0, "bad": 0}
    assert rows.loc["bad", "mean_px"] == pytest.approx(4.0)
    assert rows.loc["good", "difference_px"] == pytest.approx(1.0)
    assert rows.loc["bad", "difference_px"] == pytest.approx(4.0)
    assert np.isnan(rows.loc["shy", "difference_px"])
    assert rows.loc["bad", "difference_low"] < 4.0 < rows.loc["bad", "difference_high"]
    assert rows.loc["good", "difference_low"] == pytest.approx(1.0)


def test_scores_of_other_images_do_not_compare(dataset):
    scores = score_lines(lines([1.0] * 12), dataset)
    fewer = type(scores)(scores.dataset, scores.layout, scores.images[:5], scores.groups, scores.pooled, {})
    with pytest.raises(InputError, match="other images"):
        compare_scores({"a": scores, "b": fewer})
    with pytest.raises(InputError, match="no model"):
        compare_scores({})


def test_worst_cases_shows_missing_fronts_first(dataset, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    found = lines([1.0, None, 9.0, *[0.0] * 9])
    scores = score_lines(found, dataset)
    picture = imread(worst_cases(dataset, found, scores, tmp_path / "worst.png", count=3))
    assert picture.shape[1] > 1000
    orange = (abs(picture[..., :3] - np.array([1.0, 0.549, 0.0])) < 0.1).all(-1)
    thirds = np.array_split(orange[: int(0.85 * len(orange))], 3, axis=1)
    assert [bool(third.sum() > 50) for third in thirds] == [False, True, True]
