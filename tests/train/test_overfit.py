"""Each network learns four images by heart: so network, task and loss fit each other."""

import json
import sys

import pytest

from tests.train.overfit import NETWORKS, overfit


@pytest.mark.parametrize("name", NETWORKS)
def test_quarter_width(name):
    iou, _ = overfit(name, 0.25)
    assert iou > 0.98


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", NETWORKS)
def test_full_width(name):
    iou, steps = overfit(name, 1.0)
    sys.stdout.write(json.dumps({"network": name, "iou": round(iou, 4), "steps": steps}) + "\n")
    assert iou > 0.98
