"""The batches of a training that has begun stay what they are, so that its next stage can go on with them.

Means and deviations, not digests: the last bits of exponentials differ between processors.
"""

from pathlib import Path

import pytest

from icefront_dask.train.batches import Batches
from icefront_dask.train.config import Mix, read_train_config

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "icefront-2a.yaml"
# Mean and standard deviation of x, targets and weights in the first batch, with one scene held.
SIMULATED = [[0.281895, 0.919569], [0.41752, 0.493151], [1.0, 0.0]]
REAL = [[0.275541, 0.932596], [0.311666, 0.463174], [0.867695, 0.338822]]


def statistics(**changes):
    config = read_train_config(CONFIG).model_copy(update={"cache": 1, "stop_after": 1} | changes)
    (batch,) = Batches(config)
    return [[float(part.double().mean()), float(part.double().std())] for part in batch]


def flat(pairs):
    return [value for pair in pairs for value in pair]


def test_simulated_batches_are_unchanged():
    found = statistics(mix=Mix(pairs=0, sar=1, optical=1), pairs=None)
    assert flat(found) == pytest.approx(flat(SIMULATED), abs=2e-5)


@pytest.mark.real
def test_batches_of_the_running_training_are_unchanged(real_data):
    found = statistics(pairs=real_data / "greenland-landsat-fronts")
    assert flat(found) == pytest.approx(flat(REAL), abs=2e-5)
