"""Scores of a whole set: pooled values, intervals, files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine

from icefront_dask.errors import InputError
from icefront_dask.score import Dataset, Sample, score_lines
from icefront_dask.score.bootstrap import clustered_interval


def sample(name, group, row, length=20, crs=None, transform=None):
    truth = shapely.LineString([(0.5, row + 0.5), (length - 0.5, row + 0.5)])
    return Sample(name, group, None, None, (60, 60), truth, None, transform, crs)


def shifted(line, dy):
    return shapely.transform(line, lambda xy: xy + np.array([0, dy]))


@pytest.fixture
def dataset():
    utm = Affine(20, 0, 500_000, 0, -10, 7_400_000)  # pixels of 20 × 10 m
    samples = [
        sample(n, g, 10, length, "EPSG:32624", utm) for n, g, length in (("a", "x", 10), ("b", "x", 30), ("c", "y", 20))
    ]
    return Dataset("set", "scenes", (*samples, sample("d", "y", 20, 20, "EPSG:32624", utm)))


@pytest.fixture
def scores(dataset):
    shifts = {"a": 1, "b": 4, "c": 0}
    lines = {s.name: shifted(s.truth, shifts[s.name]) if s.name in shifts else None for s in dataset}
    return score_lines(lines, dataset, draws=200)


def test_pooled_values_by_hand(scores):
    pooled = scores.pooled
    assert (pooled["images"], pooled["without_front"]) == (4, 1)
    # 20 pixels at 1, 60 at 4 and 40 at 0, of both lines.
    assert pooled["mean_px"] == pytest.approx((20 * 1 + 60 * 4) / 120)
    assert pooled["median_px"] == pytest.approx(2.5)
    assert pooled["image_mean_px"] == pytest.approx(5 / 3)
    assert pooled["macro_mean_px"] == pytest.approx((260 / 80 + 0) / 2)
    assert pooled["index_matched_px"] == pytest.approx(5 / 3)
    # Pixels are 10 m high; UTM's scale is 0.9996 here, so the ground is 4 parts in 10 000 longer.
    assert pooled["mean_m"] == pytest.approx(10 / 0.9996 * 260 / 120, rel=1e-5)
    assert pooled["index_matched_m"] == pytest.approx(10 / 0.9996 * 5 / 3, rel=1e-5)


def test_a_missing_front_is_nan_and_counted(scores):
    row = scores.images.set_index("name").loc["d"]
    assert not row["predicted"]
    assert np.isnan(row["mean_px"])
    assert scores.groups.set_index("group").loc["y", "without_front"] == 1


def test_pixels_of_a_label_image_are_used_as_they_are():
    label = np.array([[5.5, 10.5], [6.5, 10.5], [6.5, 11.5]])
    truth = shapely.LineString(label[[0, 2]])
    one = Sample("a", "a", None, None, (20, 20), truth, label)
    scored = score_lines({"a": shapely.LineString([(5.5, 10.5), (6.5, 10.5)])}, Dataset("d", "pairs", (one,)))
    assert scored.pooled["mean_px"] == pytest.approx(1 / 5)
    assert np.isnan(scored.pooled["mean_m"])


def test_intervals_hold_the_value_and_are_reproducible(scores, dataset):
    low, high = scores.intervals["mean_px"]
    assert low <= scores.pooled["mean_px"] <= high
    assert low < high
    lines = {s.name: shifted(s.truth, 2) for s in dataset}
    again = score_lines(lines, dataset, draws=50)
    assert again.intervals["mean_px"] == (2.0, 2.0)
    assert again.intervals == score_lines(lines, dataset, draws=50).intervals


def test_clusters_widen_the_interval(rng):
    levels = np.repeat(rng.normal(size=8), 20)
    values = [np.array([level + 0.1 * rng.normal()]) for level in levels]
    apart = clustered_interval(values, list(range(160)), np.mean)
    together = clustered_interval(values, list(np.repeat(range(8), 20)), np.mean)
    assert together[1] - together[0] > 2.5 * (apart[1] - apart[0])


def test_interval_of_independent_images_is_that_of_the_mean(rng):
    values = [np.array([v]) for v in rng.normal(size=400)]
    low, high = clustered_interval(values, list(range(400)), np.mean, draws=3000)
    # Drawing singletons at both stages is the plain bootstrap: 1.96 standard errors either way.
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(np.concatenate(values)) / 20, rel=0.1)
    assert all(np.isnan(clustered_interval([np.ones(3), np.empty(0)], ["a", "b"], np.mean)))
    with pytest.raises(InputError, match="1 clusters for 2 images"):
        clustered_interval([np.ones(3), np.ones(3)], ["a"], np.mean)


def test_files(scores, tmp_path):
    files = scores.write(tmp_path / "new")
    assert [f.name for f in files] == ["scores.csv", "scores.md", "scores.json"]
    assert pd.read_csv(files[0])["name"].tolist() == ["a", "b", "c", "d"]
    content = json.loads(files[2].read_text())
    assert content["pooled"]["without_front"] == 1
    assert content["images"][3]["mean_px"] is None
    text = files[1].read_text()
    assert "| all | 4 | 1 |" in text
    assert "95 % interval of mean_px" in text


def test_predictions_must_fit_the_set(dataset):
    with pytest.raises(InputError, match="no prediction for a"):
        score_lines({}, dataset)
    with pytest.raises(InputError, match="a prediction for e, which is not in set"):
        score_lines(dict.fromkeys("abcde"), dataset)


def test_a_set_without_any_front(dataset):
    scored = score_lines(dict.fromkeys("abcd"), dataset)
    assert scored.pooled["without_front"] == 4
    assert scored.to_dict()["pooled"]["mean_px"] is None
    assert "| all | 4 | 4 |" in scored.to_markdown()
