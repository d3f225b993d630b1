"""Two processes over gloo give the gradients, and so the weights, of one process on the joint batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from icefront_dask.errors import ConfigError, DependencyError
from icefront_dask.train.config import TrainConfig
from icefront_dask.train.parallel import Place, place
from tests.train import trees

ROOT = Path(__file__).resolve().parents[2]

# Steps of plain gradient descent, so that weights which agree come from gradients which do.
SCRIPT = """
import sys
from pathlib import Path
from icefront_dask.train.config import read_train_config
from icefront_dask.train.fit import fit
fit(read_train_config(Path(sys.argv[1])))
"""
CONFIG = """
name: tiny
out: {out}
data: {{layout: caffe, path: {data}}}
validation: {{share: 0.34, every: 2, monitor: mean_iou}}
task: zones
preprocessing: caffe
augmentation: caffe-zones
crop_px: 32
batch: 4
loaders: 0
steps: 2
optimiser: sgd
learning_rate: 0.5
schedule: {{name: constant}}
weight_decay: 0.0
clip: 0.0
ema: 0.0
precision: fp32
curves: false
threads: 1
architecture: unet_aspp
architecture_options: {{in_channels: 1, out_channels: 4, width: 4, norm: none, pooling: false, dropout: 0.0}}
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(config, rank=0, ranks=1, port=0):
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": str(ranks)}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | (own if ranks > 1 else {})
    command = [sys.executable, "-c", SCRIPT, str(config)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def test_two_processes_equal_one(tmp_path):
    data = trees.caffe(tmp_path / "data")
    port = free_port()
    running = []
    for name, ranks in (("one", 1), ("two", 2)):
        config = tmp_path / f"{name}.yaml"
        config.write_text(CONFIG.format(out=tmp_path / name, data=data))
        running += [start(config, rank, ranks, port) for rank in range(ranks)]
    for process in running:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-2000:]
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two")]
    fresh = torch.zeros(())
    for key, value in states[0]["network"].items():
        torch.testing.assert_close(states[1]["network"][key], value, rtol=1e-4, atol=1e-6)
        fresh = fresh + value.abs().sum()
    assert fresh > 0
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    losses = [[float(line.split(",")[1]) for line in log[1:]] for log in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert (tmp_path / "one" / "validation.csv").read_text() == (tmp_path / "two" / "validation.csv").read_text()


def test_a_batch_is_shared_evenly_or_not_at_all():
    batch = torch.arange(6), torch.arange(6) * 2
    shares = [Place(torch.device("cpu"), rank, 3).own_rows(batch) for rank in range(3)]
    assert sorted(torch.cat([share[0] for share in shares]).tolist()) == list(range(6))
    with pytest.raises(ConfigError, match="6 cannot be shared by 4"):
        Place(torch.device("cpu"), 0, 4).own_rows(batch)


def test_devices_that_are_not_there():
    half = TrainConfig(name="a", out="x", device="cpu", precision="fp16")
    with pytest.raises(ConfigError, match="fp16"), place(half):
        pass
    if not torch.cuda.is_available():
        with pytest.raises(DependencyError, match="finds no GPU"), place(TrainConfig(name="a", out="x", device="cuda")):
            pass
