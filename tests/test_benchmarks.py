"""What the benchmarks print and how they end: a bound that does not hold, a machine without a GPU."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
ALL_HOLDS = {
    "tiles": {"computed_over_fewest": 1.25},
    "graph": {"bytes_a_task": 256, "graph_grew": 0.009, "weights_grew": 100},
    "end_to_end": {
        "2x1": {"share_of_peak": 0.8, "scheduler_and_client_share": 0.03, "worker_peak_mib": 5, "plan_mib": 5},
        "1x2": {"share_of_peak": 0.7, "scheduler_and_client_share": 0.09, "worker_peak_mib": 5, "plan_mib": 5},
        "default_over_better": 0.97,
    },
    "plain": {"times_eager": 3.0, "times_sliding": 8, "front_apart_px": [0.4, 0.9]},
    "dask": {"interval": [-0.02, 0.05]},
    "workers": {"loads_a_process": [1, 1, 1, 1], "rss_slope_mib_a_task": 0.19},
    "window": {"ratio": 1.2},
    "precision": {"auto": "openvino-fp32", "engines": {"openvino-bf16": {"mean_px": 0.4, "accepted": False}}},
}


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def test_without_a_gpu_its_benchmark_says_so_and_ends_well():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "bench_gpu.py")],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, last = done.stdout.splitlines()[-2:]
    assert said.startswith("nothing to measure: no NVIDIA GPU")
    assert json.loads(last) == {"benchmark": "bench_gpu", "skipped": said.removeprefix("nothing to measure: ")}


@pytest.mark.parametrize(("share", "busy", "status"), [(0.9, 90, 0), (0.89, 95, 1), (0.95, 89, 1), (0.95, None, 1)])
def test_a_bound_of_a_gpu_that_is_broken_is_named_and_is_the_exit_status(
    benchmarks, monkeypatch, capsys, share, busy, status
):
    import bench_gpu

    found = {"device": "a GPU", "share_of_bare_loop": share, "busy_percent": busy, "times_cpu": 30.0}
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(bench_gpu, "measure", lambda: found)
    assert bench_gpu.main() == status
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["share_of_bare_loop"] == share
    assert len(last["broken"]) == status


@pytest.mark.parametrize(
    ("section", "change", "names"),
    [
        ("tiles", {"computed_over_fewest": 1.26}, "tiles"),
        ("graph", {"bytes_a_task": 257}, "bytes a task"),
        ("graph", {"graph_grew": 0.01}, "growth"),
        ("plain", {"times_eager": 2.9}, "eager"),
        ("plain", {"times_sliding": 7.9}, "sliding"),
        ("plain", {"front_apart_px": []}, "same front"),
        ("dask", {"interval": [0, 0.051]}, "cost"),
        ("workers", {"loads_a_process": [1, 1, 1, 2]}, "load"),
        ("workers", {"loads_a_process": [1, 1, 1]}, "load"),
        ("workers", {"rss_slope_mib_a_task": 0.2}, "slope"),
        ("window", {"ratio": 1.21}, "window"),
        ("precision", {"auto": "openvino-bf16"}, "precision"),
        ("end_to_end", {"default_over_better": 0.96}, "default"),
        ("end_to_end", {"2x1": {**ALL_HOLDS["end_to_end"]["2x1"], "share_of_peak": 0.79}}, "share of peak"),
        ("end_to_end", {"2x1": {**ALL_HOLDS["end_to_end"]["2x1"], "plan_mib": 4}}, "memory"),
        ("end_to_end", {"2x1": {**ALL_HOLDS["end_to_end"]["2x1"], "scheduler_and_client_share": 0.031}}, "scheduler"),
    ],
)
def test_each_bound_of_prediction_is_looked_at(benchmarks, section, change, names):
    from bench_predict import broken

    found = copy.deepcopy(ALL_HOLDS)
    assert broken(found, 2) == []
    found[section] |= change
    (line,) = broken(found, 2)
    assert line.startswith(section)
    assert names in line
    assert broken({section: ALL_HOLDS[section]}, 2) == []  # sections that did not run break nothing
    assert broken({section: ALL_HOLDS[section], "seconds": 1201}, 2) == ["seconds: <= 20 minutes in all"]
