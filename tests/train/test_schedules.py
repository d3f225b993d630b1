"""The learning rate against PyTorch's own schedulers."""

import numpy as np
import pytest
import torch

from icefront_dask.errors import ConfigError
from icefront_dask.train.config import Schedule, TrainConfig, Validation
from icefront_dask.train.schedules import Rates, build_optimiser


def config(**changes):
    return TrainConfig(name="a", out="unused", **changes)


def optimiser(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], rate)


def test_cosine_warms_up_and_falls():
    rates = Rates(config(steps=100, warm_up=10, learning_rate=1e-3, final_share=0.1))
    found = np.array([rates.rate(step) for step in range(100)])
    assert found[0] == pytest.approx(1e-4)
    assert found.argmax() in (9, 10)
    assert (np.diff(found[10:]) < 0).all()
    assert found[-1] == pytest.approx(1e-4, rel=0.1)


def test_cosine_is_torchs():
    rates = Rates(config(steps=40, warm_up=0, learning_rate=1e-3, final_share=0.1))
    theirs = optimiser(1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 40, eta_min=1e-4)
    for step in range(40):
        assert rates.rate(step) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-6)
        theirs.step()
        schedule.step()


def test_cyclic_is_torchs():
    rates = Rates(config(learning_rate=2e-4, schedule=Schedule(name="cyclic", low=4e-5, step_up=7)))
    theirs = optimiser(4e-5)
    schedule = torch.optim.lr_scheduler.CyclicLR(theirs, 4e-5, 2e-4, step_size_up=7, cycle_momentum=False)
    for step in range(40):
        assert rates.rate(step) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-6)
        theirs.step()
        schedule.step()


def test_plateau_is_torchs(rng):
    plan = Schedule(name="plateau", factor=0.5, patience=3, min_delta=1e-3)
    rates = Rates(config(learning_rate=1e-2, schedule=plan, validation=Validation()))
    theirs = optimiser(1e-2)
    # PyTorch lowers the rate after more than `patience` in vain, Keras (and this) after `patience`.
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        theirs, factor=0.5, patience=2, threshold=1e-3, threshold_mode="abs"
    )
    losses = np.concatenate([np.linspace(1, 0.5, 6), 0.5 + 0.01 * rng.random(12), [0.3], np.full(9, 0.3)])
    for step, loss in enumerate(losses):
        rates.told(loss)
        schedule.step(loss)
        assert rates.rate(step) == pytest.approx(theirs.param_groups[0]["lr"])
    again = Rates(config(learning_rate=1e-2, schedule=plan, validation=Validation()))
    again.load(rates.state())
    assert again.rate(0) == rates.rate(0) < 1e-2 / 8


def test_schedules_that_cannot_be():
    with pytest.raises(ConfigError, match="validation"):
        Rates(config(schedule=Schedule(name="plateau")))
    with pytest.raises(ConfigError, match="must be below"):
        Rates(config(learning_rate=1e-5, schedule=Schedule(name="cyclic")))


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_optimisers(name, kind):
    found = build_optimiser(config(optimiser=name, weight_decay=0.01), [torch.nn.Parameter(torch.zeros(1))])
    assert type(found) is kind
    assert found.param_groups[0]["weight_decay"] == 0.01
