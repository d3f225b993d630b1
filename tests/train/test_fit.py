"""Training: learns, resumes exactly, refuses wrong configurations."""

import numpy as np
import pytest
import torch

from icefront_dask.errors import ConfigError, WeightsError
from icefront_dask.models import registry
from icefront_dask.models.weights import read_weights, write_weights
from icefront_dask.train.batches import Batches
from icefront_dask.train.config import Mix, TrainConfig, read_train_config
from icefront_dask.train.fit import fit, start_from

TINY = {
    "name": "tiny",
    "mix": Mix(pairs=0, sar=1, optical=1),
    "cache": 3,
    "refresh_every": 2,
    "scene_px": 64,
    "crop_px": 48,
    "threads": 1,
    "precision": "fp32",
    "curves": False,
    "architecture_options": {
        "in_channels": 3,
        "out_channels": 2,
        "width": 4,
        "norm": "batch",
        "pooling": False,
        "dropout": 0.1,
    },
}


def test_a_resumed_run_gives_the_same_weights(tmp_path):
    torch.manual_seed(3)
    config = {**TINY, "steps": 6, "warm_up": 2, "checkpoint_every": 3}
    whole = fit(TrainConfig(out=tmp_path / "whole", **config))

    class StopError(RuntimeError):
        pass

    def stop(step, _):
        if step == 4:
            raise StopError

    cut = TrainConfig(out=tmp_path / "cut", **config)
    with pytest.raises(StopError):
        fit(cut, stop)
    resumed = fit(cut)
    assert resumed.read_bytes() == whole.read_bytes()


def test_batches_depend_on_their_number_alone():
    config = TrainConfig(out="unused", **TINY, steps=5)
    whole = list(Batches(config))
    tail = list(Batches(config, start=3))
    for a, b in zip(whole[3:], tail, strict=True):
        for x, y in zip(a, b, strict=True):
            assert torch.equal(x, y)


def test_training_lowers_the_loss(tmp_path):
    losses = []
    config = TrainConfig(
        out=tmp_path, **{**TINY, "cache": 1, "refresh_every": 1000}, steps=120, warm_up=5, learning_rate=1e-2, ema=0.5
    )
    path = fit(config, lambda _, loss: losses.append(loss))
    assert np.mean(losses[-20:]) < 0.85 * np.mean(losses[:10])
    assert all(torch.isfinite(value).all() for value in read_weights(path).values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nout: o\nlerning_rate: 1", "lerning_rate"),
        ("name: X Y\nout: o", "name"),
        ("name: x\nout: o\ncrop_px: 50", "crop_px"),
    ],
)
def test_wrong_configurations_name_the_key(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_train_config(path)


def test_missing_things_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        read_train_config(tmp_path / "nothing.yaml")
    config = TrainConfig(out=tmp_path, **{**TINY, "mix": Mix(pairs=1)}, steps=1)
    with pytest.raises(ConfigError, match="pairs"):
        Batches(config)


def test_side_heads_are_taught_and_left_out_of_the_weights(tmp_path):
    options = {**TINY["architecture_options"], "deep_supervision": True}
    config = {**TINY, "architecture_options": options, "steps": 2, "warm_up": 1}
    weights = fit(TrainConfig(out=tmp_path / "deep", **config))
    assert not any(key.startswith("sides.") for key in read_weights(weights))
    state = torch.load(tmp_path / "deep" / "checkpoint.pt", weights_only=True)["network"]
    assert sum(key.startswith("sides.") for key in state) == 6
    again = fit(TrainConfig(out=tmp_path / "plain", init=weights, **{**TINY, "steps": 1}))
    fit(TrainConfig(out=tmp_path / "deeper", init=again, **config))


def test_weights_of_another_network_are_no_start(tmp_path):
    weights = fit(TrainConfig(out=tmp_path / "tiny", **{**TINY, "steps": 1}))
    wider = {**TINY, "architecture_options": {**TINY["architecture_options"], "in_channels": 3, "dilations": [1]}}
    with pytest.raises(WeightsError, match="does not fit"):
        fit(TrainConfig(out=tmp_path / "wider", init=weights, **wider))


def test_weights_that_are_told_nothing_serve_a_network_that_is(tmp_path):
    weights = fit(TrainConfig(out=tmp_path / "first", **{**TINY, "steps": 1}))
    network = registry.build("unet_aspp", {**TINY["architecture_options"], "in_channels": 4})
    start_from(network, weights)
    plain = registry.build("unet_aspp", TINY["architecture_options"])
    plain.load_state_dict(read_weights(weights))
    x = torch.randn(1, 4, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(x), plain.eval()(x[:, [0, 1, 3]]))


def test_the_levels_below_the_first_serve_a_folded_network(tmp_path):
    options = {**TINY["architecture_options"], "width": 4}
    weights = tmp_path / "plain.safetensors"
    plain = registry.build("unet_aspp", options)
    write_weights(weights, plain.state_dict())
    folded = registry.build("unet_aspp", {**options, "width": 8, "depth": 4, "fold": 2})
    start_from(folded, weights)
    x = torch.randn(1, 8, 16, 16)
    plain.load_state_dict(read_weights(weights))
    with torch.inference_mode():
        # From its second convolution on the first level of the folded network is the second level of the plain one.
        for a, b in ((folded.down[0][1:], plain.down[1][1:]), (folded.up[2], plain.up[2])):
            y = x if b is not plain.up[2] else torch.randn(1, 16, 16, 16)
            torch.testing.assert_close(a.eval()(y), b.eval()(y))
        deep = torch.randn(1, 64, 8, 8)
        torch.testing.assert_close(folded.pyramid.eval()(deep), plain.pyramid.eval()(deep))
    shallow = registry.build("unet_aspp", {**options, "width": 8, "depth": 3, "fold": 2})
    with pytest.raises(WeightsError, match="does not fit"):
        start_from(shallow, weights)
