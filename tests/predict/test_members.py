"""Ensembles: streaming moments, dropped channels, further weights."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from icefront_dask.errors import ModelMismatchError
from icefront_dask.models import registry
from icefront_dask.predict import get_model, predict_scene, resolve_options
from icefront_dask.predict.dropout import dropped
from icefront_dask.predict.members import Spread, augmented
from tests.predict.networks import save_model

if TYPE_CHECKING:
    from pathlib import Path

SCENE = {"pixel_size_m": 20.0, "calibration": "gamma0"}


def test_moments_of_members_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    members = (0.99 + 1e-4 * rng.normal(size=(9, 2, 3, 5, 4))).astype(np.float32)  # where E[p²] - E[p]² fails
    spread = Spread()
    for member in members:
        spread.add(torch.from_numpy(member.copy()))
    found = spread.layers().numpy()
    assert found.shape == (2, 4, 5, 4)
    np.testing.assert_allclose(found[:, :3], members.astype(float).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found[:, 3], members[:, :, 0].astype(float).var(axis=0), rtol=0.02)


def test_memory_does_not_grow_with_the_members() -> None:
    batch = np.zeros((1, 2, 256, 256), np.float32)
    peaks = []
    for count in (2, 40):
        forward = augmented([lambda x: x + 1] * count, "flips")
        tracemalloc.start()
        forward(batch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] + 2**16


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder: Path = tmp_path_factory.mktemp("weights")
    options = {"in_channels": 3, "out_channels": 2, "width": 2, "dilations": [1], "norm": "batch", "pooling": False}
    with_dropout = {**options, "dropout": 0.4}
    return [save_model(folder, f"seed-{seed}", seed=seed, architecture_options=with_dropout) for seed in (1, 2)] + [
        save_model(folder, "dry", architecture_options={**options, "dropout": 0.0})
    ]


def _predicted(names: list[str], **options: object):
    settled = resolve_options(engine="torch-fp32", tta="none", passes="fine", levels=[1], **options)
    first, *others = [registry.fingerprint(name) for name in names]
    model = get_model(*first, "torch-fp32", 1, members=tuple(others), dropout_members=settled.dropout_members)
    power = np.random.default_rng(3).gamma(4, 0.02, (300, 280)).astype(np.float32)
    return predict_scene({"hh": power}, **SCENE, network=model.engines, options=settled)


def test_two_sets_of_weights_are_averaged(weights: list[str]) -> None:
    alone = [_predicted([name]) for name in weights[:2]]
    both = _predicted(weights[:2])
    np.testing.assert_allclose(both.ice, np.mean([one.ice for one in alone], axis=0), atol=1e-6)
    np.testing.assert_allclose(both.front, np.mean([one.front for one in alone], axis=0), atol=1e-6)
    np.testing.assert_allclose(both.ice_std, np.std([one.ice for one in alone], axis=0), atol=1e-6)
    assert (alone[0].ice_std == 0).all()


def test_networks_that_do_not_go_together_are_refused(weights: list[str], tmp_path: Path) -> None:
    wider = save_model(tmp_path, "wider", stride=32)
    with pytest.raises(ModelMismatchError, match=r"predict\.members"):
        _predicted([weights[0], wider])


def test_dropped_channels_are_the_same_everywhere_and_tiles_agree(weights: list[str]) -> None:
    whole = _predicted(weights[:1], dropout_members=5)
    tiled = _predicted(weights[:1], dropout_members=5, tile_px=256)
    assert float(np.median(whole.ice_std)) > 1e-4
    np.testing.assert_allclose(tiled.ice, whole.ice, atol=1e-5)
    np.testing.assert_allclose(tiled.ice_std, whole.ice_std, atol=1e-5)
    again = _predicted(weights[:1], dropout_members=5)
    np.testing.assert_array_equal(again.ice, whole.ice)


def test_dropped_members_are_the_network_on_average() -> None:
    """A dropped channel is made up for by the others: the mean over many members of a linear network is the network."""

    class Linear(nn.Module):
        stride, receptive_radius = 1, 0

        def __init__(self) -> None:
            super().__init__()
            self.first, self.drop, self.last = nn.Conv2d(3, 8, 1), nn.Dropout(0.3), nn.Conv2d(8, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.drop(self.first(x)))

    torch.manual_seed(0)
    network = Linear().eval()
    card = type("Card", (), {"stride": 1, "name": "linear"})()
    x = torch.randn(1, 3, 4, 4)
    with torch.inference_mode():
        answers = torch.stack([member(x) for member in dropped(network, card, 1500)])
        assert (answers.mean(dim=0) - network(x)).abs().max() < 5 * (answers.std(dim=0) / 1500**0.5).max()
    assert len({answer.numpy().tobytes() for answer in answers}) > 50


def test_without_dropout_there_is_no_such_ensemble(weights: list[str]) -> None:
    with pytest.raises(ModelMismatchError, match="has no dropout"):
        _predicted(weights[2:], dropout_members=3)
