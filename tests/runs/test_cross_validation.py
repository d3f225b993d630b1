"""Leave one glacier out: no fold sees its own, a second run makes no step, what would leak is refused."""

import json
from pathlib import Path

import pytest
import yaml

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.models import registry
from icefront_dask.runs import cross_validation as room
from icefront_dask.runs.cross_validation import DEFAULT_TRAINING, cross_validate
from icefront_dask.train.batches import Batches
from icefront_dask.train.config import read_train_config
from icefront_dask.train.ship import SIMULATED, glaciers_of
from tests.runs import tiny
from tests.train import trees

GLACIERS = {"jakobshavn", "kangerlussuaq", "sverdrup"}


@pytest.fixture
def data(tmp_path):
    return trees.pairs(tmp_path / "pairs")


@pytest.fixture
def training(tmp_path):
    def write(**changes):
        config = {
            "name": "tiny",
            "out": ".",
            "mix": {"pairs": 2, "sar": 0, "optical": 0},
            "crop_px": 48,
            "steps": 2,
            "precision": "fp32",
            "curves": False,
            "threads": 1,
            "architecture_options": {"in_channels": 3, "out_channels": 2, "width": 4, "pooling": False},
        }
        path = tmp_path / "training.yaml"
        path.write_text(yaml.safe_dump(config | changes))
        return path

    return write


@pytest.mark.parametrize("looks", ["plain", "sar"])
def test_every_image_is_scored_by_a_network_that_has_not_seen_its_glacier(data, training, tmp_path, monkeypatch, looks):
    seen, stages = {}, []
    fit = room.fit

    def spy(config, progress):
        seen[config.hold_out] = set(Batches(config).pairs)
        return fit(config, progress)

    monkeypatch.setattr(room, "fit", spy)
    given = {
        "training": training(),
        "looks": looks,
        "lines": tmp_path / "lines",
        "report": lambda *stage: stages.append(stage),
    }
    scores, fronts = cross_validate(data, "pairs", tmp_path / "out", **given)
    assert seen == {(glacier,): GLACIERS - {glacier} for glacier in GLACIERS}
    assert set(fronts) == set(trees.PAIRS)
    assert set(scores.groups["group"]) == GLACIERS
    assert scores.pooled["images"] == 3
    assert {"mean_px", "median_px", "macro_mean_px", "macro_median_px"} <= set(scores.pooled)
    assert {front.channels for front in fronts.values()} == {"grey" if looks == "plain" else "hh"}
    assert sorted(path.stem for path in (tmp_path / "lines").glob("*.geojson")) == sorted(trees.PAIRS)
    assert {stage for stage, *_ in stages if "training" in stage} == {f"training without {g}" for g in GLACIERS}
    for glacier in GLACIERS:
        card = registry.card(str(tmp_path / "out" / f"fold-{glacier}" / "model" / f"fold-{glacier}.safetensors"))
        assert glacier in card.known_failures[0]
    stages.clear()
    again, _ = cross_validate(data, "pairs", tmp_path / "out", **given)
    assert not [stage for stage, *_ in stages if "training" in stage]
    assert again.to_json() == scores.to_json()
    with pytest.raises(ConfigError, match=r"another configuration.*steps"):
        cross_validate(data, "pairs", tmp_path / "out", training=training(steps=3))


def test_what_would_choose_or_leak_is_refused(data, training, tmp_path):
    shipped = registry.PACKAGED / "icefront-5.safetensors"
    unsaid = tmp_path / shipped.name
    unsaid.symlink_to(shipped)
    card = json.loads(shipped.with_suffix(".json").read_text()) | {"training_glaciers": None}
    unsaid.with_suffix(".json").write_text(json.dumps(card))
    for changes, message in (
        ({"init": str(shipped)}, "has seen labelled scenes of jakobshavn"),
        ({"init": str(unsaid)}, "has seen real scenes"),
        ({"task": "zones"}, "task ice-front"),
        ({"epochs": 3}, "fixed number of steps"),
        ({"data": {"layout": "pairs"}, "validation": {"share": 0.5}}, "fixed number of steps"),
    ):
        with pytest.raises(ConfigError, match=message):
            cross_validate(data, "pairs", tmp_path / "out", training=training(**changes))
    with pytest.raises(ConfigError, match="split is by glacier"):
        cross_validate(data, "caffe", tmp_path / "out", training=training())
    alone = trees.pairs(tmp_path / "alone", names=trees.PAIRS[:1])
    with pytest.raises(InputError, match="two or more"):
        cross_validate(alone, "pairs", tmp_path / "out", training=training())
    assert not (tmp_path / "out").exists()


def test_initial_weights_must_not_have_seen_what_is_left_out(data, training, tmp_path):
    seen = read_train_config(training(pairs=str(data), hold_out=["sverdrup"]))
    weights = tiny.tiny_model(tmp_path / "models")
    card = json.loads(weights.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps(card | {"training_glaciers": glaciers_of(seen)}))
    with pytest.raises(ConfigError, match="labelled scenes of jakobshavn, kangerlussuaq, which is left out"):
        cross_validate(data, "pairs", tmp_path / "out", training=training(init=str(weights)))
    base = read_train_config(training(init=str(weights)))
    room._not_seen(base, ["helheim", "sverdrup"])
    for data_seen, refused in (([SIMULATED], False), ([SIMULATED, "something real"], True)):
        content = card | {"training_glaciers": None, "training_data": data_seen}
        weights.with_suffix(".json").write_text(json.dumps(content))
        if refused:
            with pytest.raises(ConfigError, match="does not say of which glaciers"):
                room._not_seen(base, ["helheim"])
        else:
            room._not_seen(base, ["helheim"])


@pytest.mark.parametrize("name", ["cross-validation-optical", "cross-validation-sar", "ablation"])
def test_other_trainings_choose_nothing(name):
    configs = Path(__file__).resolve().parents[2] / "configs"
    config = room._checked(read_train_config(configs / f"{name}.yaml"))
    assert config.validation is None
    if config.init is not None:
        start = read_train_config(configs / "cross-validation-start.yaml")
        assert config.init.resolve() == (start.out / f"{start.name}.safetensors").resolve()
        assert (start.mix.pairs, start.data, start.init) == (0, None, None)
        assert start.architecture_options == config.architecture_options


def test_the_default_training_chooses_nothing():
    config = room._checked(read_train_config(DEFAULT_TRAINING))
    assert config.validation is None
    assert config.init is None
    fold = room._of_fold(config, "jakobshavn", DEFAULT_TRAINING.parent, "pairs", DEFAULT_TRAINING.parent)
    assert fold.hold_out == ("jakobshavn",)
    assert json.loads(fold.model_dump_json())["steps"] == config.steps
