"""Logs, curves and events; a resumed run writes none of them twice."""

import csv

import pytest
import torch

from icefront_dask.errors import ConfigError
from icefront_dask.train.config import Schedule
from icefront_dask.train.fit import fit_scored
from icefront_dask.train.records import draw_curves
from tests.train import trees
from tests.train.test_papers import paper


class StopError(RuntimeError):
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return trees.caffe(tmp_path_factory.mktemp("caffe"))


def steps(path):
    with path.open() as stream:
        return [int(row["step"]) for row in csv.DictReader(stream)]


def early(out, data, **changes):
    """Stops early: at a rate this low nothing gets better by much, and plateau lowers it on the way."""
    config = paper("caffe-zones", out, data, crop_px=64, steps=40, optimiser="adam")
    plan = Schedule(name="plateau", patience=1, factor=0.5, min_delta=0.5)
    check = config.validation.model_copy(update={"every": 2, "patience": 2, "monitor": "iou_rock"})
    given = {"schedule": plan, "learning_rate": 1e-5, "validation": check, "checkpoint_every": 3}
    return config.model_copy(update=given | changes)


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(tmp_path, data):
    whole = fit_scored(early(tmp_path / "whole", data))
    assert 4 <= whole.steps < 40

    def stop(step, _):
        if step == whole.steps - 1:
            raise StopError

    with pytest.raises(StopError):
        fit_scored(early(tmp_path / "cut", data), stop)
    resumed = fit_scored(early(tmp_path / "cut", data))
    assert (resumed.steps, resumed.best, resumed.best_step) == (whole.steps, whole.best, whole.best_step)
    assert resumed.weights.read_bytes() == whole.weights.read_bytes()
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "cut")]
    assert states[0]["rates"] == states[1]["rates"]
    assert states[0]["rates"]["factor"] < 1
    for key, value in states[0]["network"].items():
        assert torch.equal(value, states[1]["network"][key])
    for name in ("log.csv", "validation.csv"):
        assert steps(tmp_path / "cut" / name) == steps(tmp_path / "whole" / name)
    assert steps(tmp_path / "cut" / "log.csv") == list(range(whole.steps))
    # A run that is over is left alone.
    again = fit_scored(early(tmp_path / "cut", data), lambda *_: pytest.fail("made a step"))
    assert (again.steps, again.best) == (whole.steps, whole.best)


def test_curves_and_events(tmp_path, data):
    config = early(tmp_path / "out", data, curves=True, tensorboard=True).model_copy(update={"steps": 2})
    fit_scored(config)
    picture = tmp_path / "out" / "curves.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"loss/training", "rate", "loss/validation", "iou_rock/validation"} <= tags
    assert [event.step for event in events.Scalars("loss/training")] == [0, 1]
    with (tmp_path / "out" / "log.csv").open() as stream:
        logged = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert [event.value for event in events.Scalars("loss/training")] == pytest.approx(logged, abs=1e-4)


def test_curves_of_nothing(tmp_path):
    (tmp_path / "log.csv").write_text("step,loss,rate,seconds\n")
    assert draw_curves(tmp_path) is None


def test_a_watched_score_must_exist(tmp_path, data):
    config = early(tmp_path / "out", data)
    check = config.validation.model_copy(update={"monitor": "calfin"})
    with pytest.raises(ConfigError, match="iou_glacier"):
        fit_scored(config.model_copy(update={"validation": check}))
