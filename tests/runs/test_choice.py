"""Weights chosen by what a scene has: co + cross, co or optical (IceLines' rule), and the choice on record."""

import json

import dask
import numpy as np
import pytest

from icefront_dask.errors import ModelMismatchError
from icefront_dask.models import registry
from icefront_dask.models.polarisation import floor_share
from icefront_dask.runs.image_file import Image
from icefront_dask.runs.images import front_in
from tests.runs import tiny

SHAPE = (64, 64)
KINDS = {
    "both": {"primary": ("hh", "vv"), "cross_required": True},
    "single": {"primary": ("hh", "vv"), "cross": ()},
    "optical": {"primary": ("nir", "red", "grey"), "cross": ()},
}


@pytest.fixture(scope="module", autouse=True)
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    for name, changes in KINDS.items():
        card = tiny.tiny_model(folder, name).with_suffix(".json")
        card.write_text(json.dumps(json.loads(card.read_text()) | changes))
    with dask.config.set({"icefront.models.folders": [str(folder)], "icefront.models.order": list(KINDS)}):
        yield


def backscatter(db, seed=1):
    return (10 ** ((db + np.random.default_rng(seed).normal(0, 1.5, SHAPE)) / 10)).astype(np.float32)


@pytest.mark.parametrize(
    ("variables", "seen", "chosen"),
    [
        (["hh", "hv"], True, "both"),
        (["vv", "vh"], True, "both"),
        (["hh", "hv"], False, "single"),
        (["hh"], True, "single"),
        (["nir", "red"], True, "optical"),
        (["grey"], True, "optical"),
    ],
)
def test_the_first_model_that_is_of_use(variables, seen, chosen):
    assert registry.choose(variables, cross_seen=seen) == chosen


def test_a_model_that_needs_a_band_says_so():
    with (
        dask.config.set({"icefront.models.order": ["both"]}),
        pytest.raises(ModelMismatchError, match=r"hh, vv and, above its noise floor, one of hv, vh"),
    ):
        registry.choose(["hh"])


@pytest.mark.parametrize("calibration", ["gamma0", "uncalibrated"])
@pytest.mark.parametrize(
    ("cross_db", "model", "channels"), [(-18.0, "both", "hh+hv"), (-40.0, "single", "hh"), (None, "single", "hh")]
)
def test_an_image_without_a_signal_in_its_cross_channel_falls_back(calibration, cross_db, model, channels):
    bands = [backscatter(-10.0), *([] if cross_db is None else [backscatter(cross_db, 2)])]
    data = np.stack(bands) if calibration == "gamma0" else 10 * np.log10(np.stack(bands))
    front = front_in(Image(data.astype(np.float32), ("hh", "hv")[: len(bands)], calibration))
    assert (front.model, front.channels) == (model, channels)


def test_share_at_the_floor_counts_valid_pixels_up_to_one_decibel_above():
    db = np.array([[-36, -34.1, -33.9, np.nan]], np.float32)
    assert floor_share(db, power=False) == pytest.approx(2 / 3)
    assert floor_share((10 ** (db / 10)).astype(np.float32)) == pytest.approx(2 / 3)
    assert floor_share(np.full((1, 2), np.nan, np.float32)) == 1.0
