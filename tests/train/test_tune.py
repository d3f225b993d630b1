"""A search: proposed here, trained on workers, resumed where it was cut."""

import json

import pandas as pd
import pytest
import yaml

from icefront_dask.cluster import connect
from icefront_dask.errors import ConfigError
from icefront_dask.train.tune import Range, read_tune_config, tune
from tests.train import trees

TRAINING = {
    "name": "tiny",
    "out": "unused",
    "task": "zones",
    "preprocessing": "caffe",
    "augmentation": "none",
    "crop_px": 32,
    "batch": 2,
    "loaders": 0,
    "threads": 1,
    "steps": 2,
    "schedule": {"name": "constant"},
    "ema": 0.0,
    "precision": "fp32",
    "curves": False,
    "validation": {"share": 0.34, "every": 1},
    "architecture_options": {"in_channels": 1, "out_channels": 4, "width": 2},
}
SEARCH = {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "batch": {"low": 2, "high": 4}}


@pytest.fixture
def write(tmp_path):
    trees.caffe(tmp_path / "data", shape=(32, 32))

    def write(**changes):
        training = TRAINING | {"data": {"layout": "caffe", "path": "data"}} | changes.pop("training", {})
        (tmp_path / "training.yaml").write_text(yaml.safe_dump(training))
        search = {"name": "s", "out": "study", "training": "training.yaml", "search": SEARCH, "trials": 3} | changes
        (tmp_path / "tune.yaml").write_text(yaml.safe_dump(search))
        return read_tune_config(tmp_path / "tune.yaml")

    return write


def table(config):
    return pd.read_csv(config.out / "trials.csv", float_precision="round_trip")


def test_a_search_goes_on_where_it_was_cut(write, monkeypatch):
    class StopError(RuntimeError):
        pass

    from icefront_dask.train import tune as module

    config = write()
    whole, calls = module._run_trial, []

    def cut(settings):
        calls.append(settings)
        if len(calls) == 2:
            raise StopError
        return whole(settings)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_run_trial", cut)
        with pytest.raises(StopError):
            tune(config)
    found = tune(config)
    assert found["trials"] == 3
    done = table(config)
    assert (done["state"] == "COMPLETE").sum() == 3
    assert (done["state"] == "FAIL").sum() == 1  # the one that was cut; its settings were tried again
    again = done[done["params_learning_rate"] == calls[1].learning_rate]
    assert list(again["state"]) == ["FAIL", "COMPLETE"]
    assert found["best"] == pytest.approx(done["value"].min())
    assert json.loads((config.out / "best.json").read_text())["settings"] == found["settings"]
    assert 1e-5 <= found["settings"]["learning_rate"] <= 1e-2
    assert found["settings"]["batch"] in (2, 3, 4)
    assert all((config.out / name).read_bytes().startswith(b"\x89PNG") for name in ("history.png", "importance.png"))
    # More trials of the same study; those that are done are not made again.
    longer = tune(config.model_copy(update={"trials": 4}))
    assert longer["trials"] == 4
    assert list(table(config)["value"].dropna())[:3] == list(done["value"].dropna())


def test_trials_on_workers(write):
    config = write(trials=3, search={"learning_rate": {"choices": [1e-3, 1e-4]}})
    with connect(workers=1) as client:
        found = tune(config, client)
    assert found["trials"] == 3
    assert set(table(config)["params_learning_rate"]) <= {1e-3, 1e-4}
    assert len(list(config.out.glob("trial-*/checkpoint.pt"))) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {"lerning_rate": {"low": 1e-3, "high": 1.0}}}, "no setting 'lerning_rate'"),
        ({"search": {"schedule.lowest": {"low": 1e-3, "high": 1.0}}}, "no setting 'schedule.lowest'"),
        ({"search": {"learning_rate": {"low": 1.0, "high": 1e-3}}}, "low < high"),
        ({"search": {}}, "search"),
        ({"training": {"validation": None}}, "needs a validation"),
        ({"search": {"crop_px": {"choices": [33]}}}, "crop_px"),
    ],
)
def test_searches_that_cannot_be(write, changes, message):
    with pytest.raises(ConfigError, match=message):
        tune(write(**changes))


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match="no search configuration"):
        read_tune_config(tmp_path / "tune.yaml")


def test_a_range_is_an_interval_or_choices():
    assert Range(choices=(1, 2)).choices == (1, 2)
    for wrong in ({}, {"low": 1}, {"low": 1, "high": 2, "choices": (3,)}):
        with pytest.raises(ValueError, match="low < high"):
            Range(**wrong)
