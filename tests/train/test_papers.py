"""The configurations of the papers: each trains, validates and leaves weights, on a tiny set in its own layout."""

import csv
from pathlib import Path

import pytest
import torch
import yaml

from icefront_dask.errors import ConfigError, ModelMismatchError, WeightsError
from icefront_dask.models import registry
from icefront_dask.models.weights import read_weights
from icefront_dask.train.config import TrainConfig, read_train_config
from icefront_dask.train.fit import fit, fit_scored
from icefront_dask.train.tasks import build_task
from tests.train import trees

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "papers"
TRAININGS = sorted(path.stem for path in FOLDER.glob("*.yaml") if "tune" not in path.stem)
# What makes the networks small; nothing else of a paper is touched but the length and the size of its windows.
SMALL = {
    "caffe-zones": {"width": 4},
    "caffe-fronts": {"width": 4},
    "glacierdl": {"width": 4},
    "calfin": {"width": 0.03, "middle": 1},
    "mohajerani": {"width": 4},
    "hed-unet": {"width": 4},
    "baumhoer": {"width": 4},
}
CUBES = {"hed-unet", "baumhoer"}  # see test_cubes


def paper(name, out, data, **changes):
    """One of the papers' trainings, with a small network and two short validations."""
    config = read_train_config(FOLDER / f"{name}.yaml").model_dump()
    config["architecture_options"] |= SMALL[name]
    config["data"]["path"] = data
    config["validation"] |= {"share": 0.34, "every": 1}
    config |= {"out": out, "epochs": None, "steps": 2, "batch": 2, "loaders": 0, "threads": 1, "curves": False}
    config |= {"hold_out": ()} if name == "glacierdl" else {}
    return TrainConfig(**(config | changes))


def test_there_is_one_for_each_paper():
    assert set(TRAININGS) == set(SMALL)


@pytest.mark.parametrize("name", TRAININGS)
def test_networks_tasks_and_channels_fit(name):
    config = read_train_config(FOLDER / f"{name}.yaml")
    task, _ = build_task(config)
    with torch.device("meta"):
        network = registry.build(config.architecture, config.architecture_options)
        assert config.crop_px % network.stride == 0
        size = 2 * network.stride
        x = torch.zeros(2, config.architecture_options["in_channels"], size, size)
        assert network(x).shape == (2, task.outputs, size, size)
    assert config.out == FOLDER / "../../out/papers" / name


@pytest.mark.parametrize("name", [name for name in TRAININGS if name not in CUBES])
def test_trains_on_its_layout(name, tmp_path):
    layout = read_train_config(FOLDER / f"{name}.yaml").data.layout
    data = getattr(trees, layout)(tmp_path / "data")
    changes = {"crop_px": 64} if layout == "caffe" else {}
    result = fit_scored(paper(name, tmp_path / "out", data, **changes))
    assert result.steps == 2
    assert result.best_step in (1, 2)
    assert all(torch.isfinite(value).all() for value in read_weights(result.weights).values())
    with (tmp_path / "out" / "validation.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["1", "2"]
    watched = read_train_config(FOLDER / f"{name}.yaml").validation.monitor
    values = [float(row[watched]) for row in rows]
    assert result.best == pytest.approx(min(values) if watched == "loss" else max(values), rel=1e-5)


def test_the_published_search():
    search = yaml.safe_load((FOLDER / "glacierdl-tune.yaml").read_text())
    assert search["trials"] == 200
    assert search["search"]["learning_rate"] == {"low": 1e-7, "high": 1e-2, "log": True}
    assert search["search"]["batch"] == {"low": 2, "high": 32}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"crop_px": 80, "architecture": "hed_unet", "architecture_options": {"in_channels": 1}}, ConfigError, "of 32"),
        ({"architecture_options": {"in_channels": 2, "out_channels": 4, "width": 4}}, ModelMismatchError, "give 1"),
        ({"architecture_options": {"in_channels": 1, "out_channels": 2, "width": 4}}, ConfigError, "4 outputs"),
        ({"accumulate": 3}, ConfigError, "evenly"),
        ({"task": "ice-front", "loss": None, "data": None}, ConfigError, "validation"),
        ({"validation": None, "data": None, "epochs": 3}, ConfigError, "set 'steps'"),
        ({"epochs": 2, "hold_out": ("nowhere",)}, ConfigError, "no glacier"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, error, message):
    config = paper("caffe-zones", tmp_path / "out", trees.caffe(tmp_path / "data"), crop_px=64)
    config = config.model_copy(update=changes)
    with pytest.raises(error, match=message):
        fit(config)


def test_weights_for_other_bands_are_no_start(tmp_path):
    data = trees.caffe(tmp_path / "data")
    first = fit(paper("caffe-zones", tmp_path / "a", data, crop_px=64, steps=1))
    with pytest.raises(WeightsError, match="other bands"):
        fit(paper("caffe-fronts", tmp_path / "b", data, crop_px=64, init=first))


def test_epochs_are_counted_over_the_windows(tmp_path):
    data = trees.caffe(tmp_path / "data", shape=(64, 128))
    result = fit_scored(paper("caffe-zones", tmp_path / "a", data, crop_px=64, epochs=2))
    assert result.steps == 4  # two images of two windows, in batches of two
