"""The published losses: worked by hand or with plain loops, masks as if left out, gradients towards the truth."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from icefront_dask.train.published_losses import (
    auto_bce,
    calfin_loss,
    cross_entropy_dice,
    deep_auto_bce,
    distance_map_dice,
    edges,
    weighted_bce,
)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def drawn(channels, size=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, channels, size, size, generator=generator)
    targets = (torch.rand(2, channels, size, size, generator=generator) > 0.6).float()
    return logits, targets, (torch.rand(2, channels, size, size, generator=generator) > 0.3).float()


def test_calfin_loss_by_loops():
    logits, targets, weights = drawn(2)
    expected = 0.0
    for channel, share in ((0, 25 / 26), (1, 1 / 26)):
        for n in range(2):
            bce = total = both = either = 0.0
            for a, y, w in zip(*(t[n, channel].flatten().tolist() for t in (logits, targets, weights)), strict=True):
                p = sigmoid(a)
                bce -= w * (y * math.log(p) + (1 - y) * math.log(1 - p))
                total += w
                both += w * p * y
                either += w * (p + y - p * y)
            expected += share * (bce / total - math.log(both / either)) / 2
    assert calfin_loss(logits, targets, weights).item() == pytest.approx(expected, rel=1e-5)


def test_auto_bce_by_loops():
    logits, targets, weights = drawn(2, seed=1)
    expected = []
    for n in range(2):
        for c in range(2):
            rows = [t[n, c].flatten().tolist() for t in (logits, targets, weights)]
            total = sum(rows[2])
            share = sum(y * w for y, w in zip(rows[1], rows[2], strict=True)) / total
            loss = sum(
                w * (-(1 - share) * y * math.log(sigmoid(a)) - share * (1 - y) * math.log(1 - sigmoid(a)))
                for a, y, w in zip(*rows, strict=True)
            )
            expected.append(loss / total)
    assert auto_bce(logits, targets, weights).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_edges_of_a_square_are_the_pixels_on_both_sides_of_its_rim():
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 3:6, 3:6] = 1
    found = edges(mask)[0, 0].bool()
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2:7, 2:7] = True
    expected[4, 4] = False
    assert torch.equal(found, expected)
    assert edges(torch.ones(1, 1, 5, 5)).sum() == 0


def test_deep_supervision_adds_a_loss_for_each_level():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    levels = [torch.zeros(1, 2, size, size) for size in (8, 2, 4, 8)]
    total = deep_auto_bce(levels, mask, torch.ones_like(mask))
    expected = 0.0
    for size in (8, 2, 4, 8):
        area = mask.reshape(1, 1, size, 8 // size, size, 8 // size).mean((3, 5))
        target = torch.cat([area, edges(area)], 1)
        expected += auto_bce(torch.zeros_like(target), target, torch.ones_like(target)).item()
    assert total.item() == pytest.approx(expected, rel=1e-6)


def test_the_rim_of_what_is_unknown_is_no_edge():
    mask, weight = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    weight[..., 4:] = 0
    sure_of_no_edge = torch.full((1, 2, 8, 8), -30.0)
    sure_of_no_edge[:, 0] = 30.0
    assert deep_auto_bce([sure_of_no_edge], mask, weight).item() < 1e-6


def test_cross_entropy_dice_is_torch_where_nothing_is_masked():
    logits, _, _ = drawn(4, seed=2)
    classes = torch.randint(0, 4, (2, 6, 6), generator=torch.Generator().manual_seed(3))
    p, one = torch.softmax(logits, 1), torch.nn.functional.one_hot(classes, 4).movedim(-1, 1)
    overlap = [
        1 - (2 * float((p[n, c] * one[n, c]).sum()) + 1) / (float(p[n, c].sum()) + float(one[n, c].sum()) + 1)
        for n in range(2)
        for c in range(4)
    ]
    expected = 0.5 * torch.nn.functional.cross_entropy(logits, classes).item() + 0.5 * np.mean(overlap)
    assert cross_entropy_dice(logits, classes, torch.ones(2, 6, 6)).item() == pytest.approx(expected, rel=1e-5)


def test_distance_map_dice_punishes_far_predictions_less_than_its_own_label():
    line = np.zeros((1, 21, 21), np.float32)
    line[0, 8:13] = 1
    distance = torch.from_numpy(distance_transform_edt(line[0])[None].astype(np.float32))
    target, weight = torch.from_numpy(line), torch.ones(1, 21, 21)
    perfect = torch.where(target > 0, 20.0, -20.0)
    spilled, shifted = perfect.clone(), torch.full_like(perfect, -20.0)
    spilled[:, 2:4] = 20.0
    shifted[:, 2:7] = 20.0
    loss = [distance_map_dice(a, target, distance, weight).item() for a in (perfect, spilled, shifted)]
    assert loss[0] < loss[1] < loss[2]
    # Rows of distance 1, 2, 3, 2, 1; the greatest value is scaled to 1.
    rows = np.array([sigmoid(d) for d in (1, 2, 3, 2, 1)]) / sigmoid(3)
    inside = 21 * rows.sum()
    assert loss[0] == pytest.approx(1 - (2 * inside + 1) / (inside + 105 + 1), rel=1e-5)
    assert loss[1] == pytest.approx(1 - (2 * inside + 1) / (inside + 0.1 * 42 + 105 + 1), rel=1e-5)


def test_weighted_bce_by_hand():
    logits, target = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[1.0, 0.0]]])
    expected = (241.15 * math.log(2) - math.log(1 - sigmoid(2))) / 2
    assert weighted_bce(logits, target, torch.ones(1, 1, 2)).item() == pytest.approx(expected, rel=1e-5)


LOSSES = {
    "calfin": (2, calfin_loss),
    "auto_bce": (2, auto_bce),
    "cross_entropy_dice": (3, lambda a, y, w: cross_entropy_dice(a, y.argmax(1), w[:, 0])),
    "distance_map_dice": (1, lambda a, y, w: distance_map_dice(a[:, 0], y[:, 0], y[:, 0], w[:, 0])),
    "weighted_bce": (1, lambda a, y, w: weighted_bce(a[:, 0], y[:, 0], w[:, 0], 82.22)),
    "deep_auto_bce": (2, lambda a, y, w: deep_auto_bce([a], y[:, :1], w[:, :1])),
}


@pytest.mark.parametrize("name", LOSSES)
def test_masked_pixels_do_not_count_and_have_no_gradient(name):
    channels, loss = LOSSES[name]
    logits, targets, weights = drawn(channels, seed=4)
    weights = weights[:, :1].expand_as(weights).contiguous()
    other = torch.where(weights > 0, logits, 7.0)
    assert loss(logits, targets, weights).item() == pytest.approx(loss(other, targets, weights).item(), rel=1e-6)
    logits.requires_grad_()
    loss(logits, targets, weights).backward()
    assert (logits.grad[weights == 0] == 0).all()
    assert (logits.grad[weights > 0] != 0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_descent_lowers_the_loss(name):
    channels, loss = LOSSES[name]
    logits, targets, weights = drawn(channels, seed=5)
    logits.requires_grad_()
    before = loss(logits, targets, weights)
    before.backward()
    assert loss((logits - 0.01 * logits.grad).detach(), targets, weights).item() < before.item()
