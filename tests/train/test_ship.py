"""Cards of trainings: what the weights have seen, and by which protocol they are applied."""

import pytest
import torch

from icefront_dask.errors import ConfigError
from icefront_dask.models import registry
from icefront_dask.models.weights import write_weights
from icefront_dask.train.config import Mix, TrainConfig
from icefront_dask.train.sections import Data
from icefront_dask.train.ship import SIMULATED, card_of, glaciers_of, protocol_of, ship, write_card
from tests.train import trees

OPTIONS = {"in_channels": 3, "out_channels": 2, "width": 4, "pooling": False}


def config(**changes):
    given = {"name": "a", "out": "out", "mix": Mix(pairs=0, sar=1, optical=1), "architecture_options": OPTIONS}
    return TrainConfig(**(given | changes))


def weights(path):
    torch.manual_seed(1)
    write_weights(path, registry.build("unet_aspp", OPTIONS).state_dict())
    return path


def test_glaciers_are_those_of_the_data_without_what_is_held_out(tmp_path):
    data = trees.pairs(tmp_path / "pairs")
    mixed = config(mix=Mix(pairs=1), pairs=data, hold_out=("sverdrup",))
    assert glaciers_of(mixed) == ("jakobshavn", "kangerlussuaq")
    assert glaciers_of(config(data=Data(layout="pairs", path=data))) == ("jakobshavn", "kangerlussuaq", "sverdrup")
    assert glaciers_of(config()) == ()


def test_what_initial_weights_have_seen_counts_as_seen(tmp_path):
    data = trees.pairs(tmp_path / "pairs")
    first = config(name="first", mix=Mix(pairs=1, sar=0, optical=0), pairs=data, hold_out=("sverdrup",))
    ship(weights(tmp_path / "first.safetensors"), [first], name="first", version="0", commands=[], scores={},
         known_failures=[], folder=tmp_path / "models")  # fmt: skip
    later = config(name="later", init=tmp_path / "models" / "first.safetensors")
    card = card_of([later], "0" * 64, "later")
    assert card.training_glaciers == ("jakobshavn", "kangerlussuaq")
    assert card.training_data[-1] == SIMULATED
    assert len(card.training_data) == 2
    own = card_of([config()], "0" * 64, "later").simulated_seeds
    assert card.simulated_seeds == (*registry.card(str(later.init)).simulated_seeds, *own)
    unknown = card_of([config(init=tmp_path / "first.safetensors")], "0" * 64, "a")
    assert unknown.training_glaciers is None
    assert unknown.training_data[0] == "what first.safetensors has seen, which has no card"
    assert card_of([config()], "0" * 64, "a").training_glaciers == ()


@pytest.mark.parametrize(
    ("mix", "kind"),
    [
        (Mix(pairs=0, sar=1, optical=1), None),
        (Mix(pairs=0, sar=1, optical=0), "radar"),
        (Mix(pairs=0, sar=0, optical=1), "optical"),
        (Mix(pairs=1, sar=0, optical=1), None),
        (Mix(pairs=1, sar=0, optical=1, styles={"plain": 1.0}), "optical"),
        (Mix(pairs=1, sar=1, optical=0, styles={"radar": 1.0}), "radar"),
    ],
)
def test_the_looks_of_the_last_stage_make_the_kind(mix, kind):
    card = card_of([config(), config(mix=mix)], "0" * 64, "a")
    assert card.kind == kind
    assert ("hh" in card.primary, "nir" in card.primary) == (kind != "optical", kind != "radar")
    assert bool(card.cross) == (kind != "optical")


@pytest.mark.parametrize(
    ("task", "preprocessing", "protocol"),
    [
        ("ice-front", "robust", "icefront"),
        ("zones", "caffe", "caffe-zones"),
        ("front", "caffe", "caffe-fronts"),
        ("edge-ice", "calfin", "calfin"),
        ("area-edge", "hed-unet", "hed-unet"),
        ("area-edge", "hed-unet-sar", "hed-unet-sar"),
        ("front", "mohajerani", "mohajerani"),
        ("area", "baumhoer", "baumhoer"),
        ("zones", "mohajerani", None),
    ],
)
def test_task_and_preprocessing_make_the_protocol(task, preprocessing, protocol, tmp_path):
    given = config(task=task, preprocessing=preprocessing)
    assert protocol_of(given) == protocol
    if protocol is None:
        assert write_card(given, weights(tmp_path / "a.safetensors"), "x") is None
        with pytest.raises(ConfigError, match="task zones with preprocessing mohajerani"):
            card_of([given], "0" * 64, "a")


def test_a_card_beside_its_weights_loads_them(tmp_path):
    path = weights(tmp_path / "a.safetensors")
    assert write_card(config(), path, "icefront train a.yaml") == tmp_path / "a.json"
    loaded = registry.load(str(path))
    assert loaded.card.command == ("icefront train a.yaml",)
    assert loaded.card.protocol == "icefront"
