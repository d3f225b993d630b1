"""Scores of the validation by hand; when to stop."""

import math

import pytest
import torch

from icefront_dask.errors import ConfigError
from icefront_dask.train.config import TrainConfig
from icefront_dask.train.parallel import Place
from icefront_dask.train.tasks import build_task
from icefront_dask.train.validation import Stopping, check_monitor, score_batches

CPU = Place(torch.device("cpu"))


def of(task):
    return build_task(TrainConfig(name="a", out="unused", task=task))


class Fixed(torch.nn.Module):
    """Gives the first channels of its input as logits."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        return [x[:, : self.channels]]


def test_calfin_by_hand():
    task, loss = of("edge-ice")
    logits = torch.tensor([[[[1.0, 1.0, -1.0, -1.0]], [[1.0, 1.0, 1.0, -1.0]]]])
    targets = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]], [[1.0, 1.0, 0.0, 0.0]]]])
    weights = torch.ones_like(targets)
    scores = score_batches(Fixed(2), [(logits, targets, weights)], task, loss, CPU)
    assert scores["iou_edge"] == pytest.approx(1 / 3)
    assert scores["iou_ice"] == pytest.approx(2 / 3)
    assert scores["mean_iou"] == pytest.approx(0.5)
    assert scores["calfin"] == pytest.approx((25 / 3 + 2 / 3) / 26)
    assert scores["loss"] == pytest.approx(loss([logits], targets, weights).item(), rel=1e-6)


def test_counts_are_pooled_over_batches_and_classes_that_are_nowhere_do_not_count():
    task, loss = of("zones")
    right = torch.zeros(3, 4, 2, 2)
    right[:, 2, 0], right[:, 3, 1] = 5.0, 5.0
    truth = torch.tensor([[[2, 2], [3, 3]], [[2, 2], [3, 3]], [[2, 3], [3, 3]]])
    weight = torch.ones(3, 2, 2)
    batches = [(right[:2], truth[:2], weight[:2]), (right[2:], truth[2:], weight[2:])]
    scores = score_batches(Fixed(4), batches, task, loss, CPU)
    assert scores["iou_glacier"] == pytest.approx(5 / 6)
    assert scores["iou_ocean"] == pytest.approx(6 / 7)
    assert math.isnan(scores["iou_rock"])
    assert scores["mean_iou"] == pytest.approx((5 / 6 + 6 / 7) / 2)
    each = [loss([right[i : i + 1]], truth[i : i + 1], weight[i : i + 1]).item() for i in range(3)]
    assert scores["loss"] == pytest.approx(sum(each) / 3, rel=1e-5)


def test_pixels_without_weight_are_not_counted():
    task, loss = of("area")
    logits, truth = torch.tensor([[[[3.0, 3.0, -3.0]]]]), torch.tensor([[[1.0, 0.0, 0.0]]])
    weight = torch.tensor([[[1.0, 0.0, 1.0]]])
    assert score_batches(Fixed(1), [(logits, truth, weight)], task, loss, CPU)["iou_ice"] == 1.0


def test_stops_after_patience_in_vain_and_keeps_the_best():
    stopping = Stopping("loss", patience=2)
    told = [stopping.told(step, {"loss": loss}) for step, loss in enumerate([3.0, 2.0, math.nan, 1.0, 1.0])]
    assert told == [True, True, False, True, False]
    assert (stopping.best, stopping.best_step, stopping.over) == (1.0, 3, False)
    again = Stopping("loss", patience=2)
    again.load(stopping.state())
    again.told(5, {"loss": 1.5})
    assert again.over
    upward = Stopping("mean_iou")
    assert [upward.told(0, {"mean_iou": value}) for value in (0.2, 0.5, 0.4)] == [True, True, False]
    assert upward.best == 0.5
    assert not upward.over


def test_a_score_that_a_task_has_not_is_refused():
    check_monitor("calfin", of("edge-ice")[0])
    with pytest.raises(ConfigError, match="iou_ocean"):
        check_monitor("calfin", of("zones")[0])
    with pytest.raises(ConfigError, match="unknown task 'zone'"):
        of("zone")
    with pytest.raises(ConfigError, match="cross-entropy-dice, dice"):
        build_task(TrainConfig(name="a", out="unused", task="zones", loss="calfin"))
