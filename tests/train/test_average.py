"""``tools/average.py``: the mean of weights of one architecture, and of no others."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from icefront_dask.models import registry
from icefront_dask.models.weights import read_weights, sha256_of, write_weights

TOOL = Path(__file__).resolve().parents[2] / "tools" / "average.py"
OPTIONS = {"in_channels": 3, "out_channels": 2, "width": 4, "norm": "batch", "pooling": False}


def _weights(path, seed, **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write_weights(path, registry.build("unet_aspp", OPTIONS | changes).state_dict())
    return path


def _average(*files):
    return subprocess.run([sys.executable, TOOL, *files], check=False, capture_output=True, text=True, timeout=120)


def test_every_tensor_is_the_mean(tmp_path):
    files = [_weights(tmp_path / f"{seed}.safetensors", seed) for seed in range(3)]
    out = tmp_path / "mean.safetensors"
    done = _average(out, *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == sha256_of(out)
    states, found = [read_weights(file) for file in files], read_weights(out)
    assert set(found) == set(states[0])
    for name, value in found.items():
        expected = sum(state[name].double() for state in states) / 3
        torch.testing.assert_close(value.double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("count", "said"), [(1, "two files"), (2, "other architectures")])
def test_what_has_no_mean_is_refused(tmp_path, count, said):
    files = [_weights(tmp_path / f"{k}.safetensors", k, width=4 * (k + 1)) for k in range(count)]
    done = _average(tmp_path / "mean.safetensors", *files)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "mean.safetensors").exists()
