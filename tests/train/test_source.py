"""Splits, windows, order: what a step sees follows from the configuration and its number."""

import numpy as np
import pytest
import torch

from icefront_dask.errors import ConfigError
from icefront_dask.models.windows import grid
from icefront_dask.train.config import Data, TrainConfig, Validation
from icefront_dask.train.published_augment import AUGMENTATIONS
from icefront_dask.train.source import LabelledBatches, read_source, validation_batches
from tests.train import trees


@pytest.fixture(scope="module")
def caffe(tmp_path_factory):
    return trees.caffe(tmp_path_factory.mktemp("caffe"))


def zones(folder, **changes):
    given = {
        "name": "a",
        "out": "unused",
        "data": Data(layout="caffe", path=folder),
        "task": "zones",
        "preprocessing": "caffe",
        "augmentation": "caffe-zones",
        "crop_px": 32,
        "batch": 4,
        "loaders": 0,
        "steps": 6,
    }
    return TrainConfig(**(given | changes))


def test_windows_cover_every_pixel_once(caffe):
    source = read_source(zones(caffe, augmentation="none", batch=1, steps=27))
    assert source.epoch_steps == 3 * 3 * 3  # 96 x 80 px in windows of 32
    seen = sum(int((classes >= 0).sum()) for _, classes, _ in LabelledBatches(source))
    assert seen == 27 * 32 * 32
    counts = np.bincount(np.concatenate([c.numpy().ravel() for _, c, _ in LabelledBatches(source)]), minlength=4)
    truth = np.concatenate([entry.read().zones.ravel() for entry in source.training])
    beyond = 3 * 96 * 16  # rows of NA beside images of 80 columns
    np.testing.assert_array_equal(counts, np.bincount(truth, minlength=4) + np.array([beyond, 0, 0, 0]))


def test_the_grid_reaches_beyond_the_image():
    assert grid((256, 256), 256, 1.0) == [(0, 0)]
    assert grid((257, 300), 256, 0.5) == [(0, 0), (0, 128), (128, 0), (128, 128)]
    assert len(grid((256, 256), 224, 16)) == 9  # CALFIN's nine windows
    assert grid((10, 10), 32, 1.0) == [(0, 0)]


def equal(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(x, y, strict=True))


def test_a_step_depends_on_its_number_alone(caffe):
    source = read_source(zones(caffe))
    whole = list(LabelledBatches(source))
    equal(whole[4:], list(LabelledBatches(source, start=4)))
    other = list(LabelledBatches(read_source(zones(caffe, seed=1))))
    assert not torch.equal(whole[0][0], other[0][0])


def test_processes_share_a_batch(caffe):
    source = read_source(zones(caffe))
    whole = list(LabelledBatches(source))
    halves = [list(LabelledBatches(source, rank=rank, ranks=2)) for rank in (0, 1)]
    for step, batch in enumerate(whole):
        for part, tensor in enumerate(batch):
            assert torch.equal(tensor[0::2], halves[0][step][part])
            assert torch.equal(tensor[1::2], halves[1][step][part])
    with pytest.raises(ConfigError, match="evenly"):
        LabelledBatches(source, ranks=3)


def test_loaders_keep_the_order(caffe):
    source = read_source(zones(caffe, loaders=2))
    equal(list(LabelledBatches(source)), list(LabelledBatches(source).loader()))


def test_every_window_comes_once_an_epoch(caffe):
    batches = LabelledBatches(read_source(zones(caffe)))
    n = len(batches.windows)
    epochs = [
        [batches._window(k)[0].name + str(batches._window(k)[1]) for k in range(i * n, i * n + n)] for i in (0, 1)
    ]
    assert len(set(epochs[0])) == n
    assert set(epochs[0]) == set(epochs[1])
    assert epochs[0] != epochs[1]


def test_validation_is_a_fixed_share_of_the_images(caffe):
    config = zones(caffe, validation=Validation(share=0.34, seed=1))
    source, again = read_source(config), read_source(config)
    assert [e.name for e in source.validation] == [e.name for e in again.validation]
    assert len(source.validation) == 1
    assert not {e.name for e in source.validation} & {e.name for e in source.training}
    equal(list(validation_batches(source)), list(validation_batches(source)))
    others = {read_source(zones(caffe, validation=Validation(share=0.34, seed=s))).validation[0].name for s in range(9)}
    assert len(others) > 1


def test_a_glacier_held_out_is_in_neither_part(caffe):
    source = read_source(zones(caffe, hold_out=("JAC",), validation=Validation(share=0.5)))
    assert {e.group for e in (*source.training, *source.validation)} == {"Crane", "SI"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hold_out": ("Jorum",)}, "no glacier 'Jorum'.*Crane, JAC, SI"),
        ({"hold_out": ("Crane", "JAC", "SI")}, "leaves no image"),
        ({"validation": Validation(share=0.01)}, "keeps 0"),
        ({"validation": Validation(share=0.99)}, "keeps 3"),
    ],
)
def test_empty_folds(caffe, changes, message):
    with pytest.raises(ConfigError, match=message):
        read_source(zones(caffe, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocessing": "cafe"}, "unknown preprocessing 'cafe'; known: caffe"),
        ({"augmentation": "cafe"}, "unknown augmentation 'cafe'; known: none"),
    ],
)
def test_unknown_names(caffe, changes, message):
    with pytest.raises(ConfigError, match=message):
        next(iter(LabelledBatches(read_source(zones(caffe, **changes)))))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_keep_labels_on_the_image(caffe, name, rng):
    """The image tells the zones apart by brightness; after any augmentation it still does."""
    entry = read_source(zones(caffe)).training[0]
    window = entry.read()
    shapes = set()
    for _ in range(12):
        out = AUGMENTATIONS[name](window, rng, 64)
        shapes.add(out.shape)
        seen = np.isfinite(out.image[0]) & out.ice_known & (out.zones != 1)
        if (out.ice & seen).sum() > 50 and (~out.ice & seen).sum() > 50:
            ice, ocean = out.image[0][out.ice & seen], out.image[0][~out.ice & seen]
            assert np.median(ice) > np.median(ocean)
        assert not (out.front & ~out.front_known).any()
        assert out.image.dtype == np.float32
    assert shapes <= ({(64, 64)} if name in {"calfin", "recipe"} else {(96, 80), (80, 96)})
