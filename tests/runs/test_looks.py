"""Pairs restyled as SAR: what is drawn depends on the image alone, other layouts are refused."""

import numpy as np
import pytest

from icefront_dask.errors import ConfigError
from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.looks import image_reader
from icefront_dask.score import read_dataset
from tests.train import trees


def test_restyled_images_are_one_band_of_radar_and_stay_what_they_are(tmp_path):
    data = trees.pairs(tmp_path / "pairs")
    samples = read_dataset(data, "pairs").samples
    one, two = (image_reader(data, "pairs", "sar") for _ in range(2))
    first = [one(sample).data for sample in samples]
    again = [two(sample).data for sample in reversed(samples)][::-1]
    for sample, a, b in zip(samples, first, again, strict=True):
        assert np.array_equal(a, b)
        assert a.shape == (1, *sample.shape)
        assert set(one(sample).bands) == {"hh"}
        assert one(sample).calibration == "uncalibrated"
        seen = np.isfinite(read_image(sample.image).data[0])
        assert abs(np.corrcoef(a[0][seen], read_image(sample.image).data[0][seen])[0, 1]) < 0.9
    plain = image_reader(data, "pairs")(samples[0])
    assert np.array_equal(plain.data, read_image(samples[0].image).data, equal_nan=True)


def test_other_looks_and_layouts_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="plain or sar, not 'x-ray'"):
        image_reader(tmp_path, "pairs", "x-ray")
    with pytest.raises(ConfigError, match="not 'caffe'"):
        image_reader(tmp_path, "caffe", "sar")
