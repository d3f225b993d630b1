"""Losses against values worked out by hand."""

import pytest
import torch

from icefront_dask.train.losses import dice, joint_loss, side_loss


def test_dice_by_hand():
    probability = torch.tensor([[[1.0, 0.5, 0.0]]])
    target = torch.tensor([[[1.0, 1.0, 0.0]]])
    weight = torch.tensor([[[1.0, 1.0, 1.0]]])
    # overlap 1.5, total 3.5, smooth 1
    assert dice(probability, target, weight).item() == pytest.approx(1 - 4.0 / 4.5)


def test_pixels_without_weight_do_not_count():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 2, 8, 8), (torch.rand(2, 2, 8, 8) > 0.5).float()
    weights = (torch.rand(2, 2, 8, 8) > 0.5).float()
    other = torch.where(weights > 0, logits, 9.0)
    assert joint_loss(logits, targets, weights).item() == pytest.approx(joint_loss(other, targets, weights).item())


def test_loss_falls_towards_the_truth():
    targets = (torch.rand(1, 2, 16, 16) > 0.5).float()
    weights = torch.ones_like(targets)
    losses = [joint_loss(gain * (targets - 0.5), targets, weights).item() for gain in (-8, 0, 8, 40)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3


def test_side_loss_compares_with_the_share_of_ice_in_each_cell():
    targets = torch.zeros(1, 2, 4, 4)
    targets[0, 0, :2, :2] = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    weights = torch.ones_like(targets)
    weights[0, 0, 0, 0] = 0.0  # of the first cell, three pixels count: two of ice
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 0, 0, 0], logits[0, 0, 1, 1] = 1.0, -3.0
    p = torch.sigmoid(logits[0, 0]).double()
    share = torch.tensor([[2 / 3, 0.0], [0.0, 0.0]], dtype=torch.float64)
    bce = -(share * p.log() + (1 - share) * (1 - p).log())
    weight = torch.tensor([[0.75, 1.0], [1.0, 1.0]], dtype=torch.float64)
    assert side_loss(logits, targets, weights).item() == pytest.approx(float((bce * weight).sum() / weight.sum()))


def test_gains_scale_their_own_part():
    torch.manual_seed(2)
    logits, targets = torch.randn(2, 2, 8, 8), (torch.rand(2, 2, 8, 8) > 0.5).float()
    weights = torch.ones_like(targets)
    ice, front = (joint_loss(logits, targets, weights, front_gain=f, ice_gain=i) for f, i in ((0, 1), (1, 0)))
    assert joint_loss(logits, targets, weights, 3.0, 2.0).item() == pytest.approx(float(2 * ice + 3 * front))
