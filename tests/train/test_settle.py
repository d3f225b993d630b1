"""``tools/settle.py``: statistics of batch norms that are not finite are estimated anew, all else stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from icefront_dask.models.weights import read_weights
from icefront_dask.train.config import read_train_config
from icefront_dask.train.fit import fit
from tests.train.test_fit import TINY

TOOL = Path(__file__).resolve().parents[2] / "tools" / "settle.py"
NORM = "up.0.1"


def settle(config: Path):
    done = subprocess.run([sys.executable, TOOL, config, "12"], capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_broken_variance_is_found_again(tmp_path):
    settings = {**TINY, "mix": {"pairs": 0, "sar": 1, "optical": 1}, "steps": 40, "warm_up": 2, "ema": 0.5}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({**settings, "out": "run"}), encoding="utf-8")
    config = read_train_config(path)
    whole = read_weights(fit(config))
    assert settle(path) == {"settled": [], "ratio": 1.0}
    state = torch.load(config.out / "checkpoint.pt", weights_only=True)
    state["slow"][f"{NORM}.running_var"][:] = torch.inf
    torch.save(state, config.out / "checkpoint.pt")
    said = settle(path)
    assert said["settled"] == [NORM]
    assert said["ratio"] == pytest.approx(1.0, abs=0.3)
    again = read_weights(config.out / "tiny.safetensors")
    for name, values in whole.items():
        if name.startswith(f"{NORM}.running"):
            torch.testing.assert_close(again[name], values, rtol=0.5, atol=0.3)
        else:
            assert torch.equal(again[name], values), name
