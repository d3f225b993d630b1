"""Memory that does not suffice, in a process that has little; a GPU that is lost; engines measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from icefront_dask import connect
from icefront_dask.cube.quality import Quality, invalid
from icefront_dask.fronts import trace_scene
from icefront_dask.predict import measure, predict_scene, resolve_options, to_uint8
from icefront_dask.predict.engine import ENGINES, resolve_engine
from icefront_dask.predict.memory import is_out_of_memory, is_spoilt_device, tile_bytes
from icefront_dask.predict.plugin import ends_with_its_device
from icefront_dask.predict.torch_engine import TorchEngine
from icefront_dask.runs.planning import worker_bytes
from tests.predict.networks import BrightIce, bright_scene

if TYPE_CHECKING:
    from pathlib import Path

SHORT = """
import json, resource, sys
import numpy as np
import torch
from icefront_dask.predict import predict_scene, resolve_options
from icefront_dask.predict.torch_engine import TorchEngine
from tests.predict.networks import TinyUNet

torch.set_num_threads(1)
engine = TorchEngine(TinyUNet(), "torch-fp32", threads=1)
power = np.random.default_rng(0).gamma(4, 0.02, (1200, 1200)).astype(np.float32)
options = dict(engine="torch-fp32", tta="none", passes="fine", tile_px=400, levels=[1])
scene = dict(pixel_size_m=20.0, calibration="gamma0", network=engine)
expected = predict_scene({"hh": power}, **scene, options=resolve_options(**options))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]) * 2**20,) * 2)
try:
    found = predict_scene({"hh": power}, **scene, options=resolve_options(**options | json.loads(sys.argv[2])))
    print(json.dumps([found.batch_changed, float(np.abs(found.ice - expected.ice).max())]))
except MemoryError as error:
    print(json.dumps(str(error)))
"""


def _short(mebibytes: int, **options: object) -> object:
    command = [sys.executable, "-W", "ignore", "-c", SHORT, str(mebibytes), json.dumps(options)]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    env = os.environ | one_thread  # so that the address space is what the arrays take
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited by Linux's means")
@pytest.mark.parametrize("options", [{"batch": 64, "tile_px": 400}, {"batch": 1, "tile_px": 2304}])
def test_short_memory_makes_batches_and_tiles_smaller_and_says_so(options: dict[str, int]) -> None:
    changed, difference = _short(150, **options)
    assert changed
    assert difference < 1e-5
    changed, difference = _short(8000, **options)
    assert not changed
    assert difference < 1e-5


def test_what_is_short_memory_and_what_a_lost_gpu() -> None:
    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    for error in (
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("Exception from src/inference: std::bad_alloc"),
    ):
        assert is_out_of_memory(error)
        assert not is_spoilt_device(error)
    assert is_spoilt_device(lost)
    assert not is_out_of_memory(lost)
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_spoilt_device(RuntimeError("shapes differ"))


def _lose_gpu(flag: str) -> int:
    """Fail as a spoilt CUDA context does, the first time."""
    with ends_with_its_device():
        if not os.path.exists(flag):  # noqa: PTH110
            open(flag, "w").close()  # noqa: PTH123
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
    return os.getpid()


def test_a_worker_ends_with_its_gpu_and_its_nanny_starts_another(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="CUDA error"):
        _lose_gpu(str(tmp_path / "here"))
    with connect(workers=1) as client:
        (before,) = client.run(os.getpid).values()
        after = client.submit(_lose_gpu, str(tmp_path / "there")).result()
        assert after != before
        assert list(client.run(os.getpid).values()) == [after]


def test_auto_is_measured_once_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = measure.fastest(["torch-fp32", "torch-bf16"])
    kept = json.loads((tmp_path / "icefront" / "engines.json").read_text())
    ((key, seconds),) = kept.items()
    assert key.startswith(measure.machine())
    assert first == min(seconds, key=seconds.get)
    # The other one is chosen because the file says so: nothing is measured again.
    other = ({*seconds} - {first}).pop()
    (tmp_path / "icefront" / "engines.json").write_text(json.dumps({key: {first: 2.0, other: 1.0}}))
    assert measure.fastest(["torch-fp32", "torch-bf16"]) == other
    (tmp_path / "icefront" / "engines.json").write_text('{"cut o')
    assert measure.fastest(["torch-fp32"]) == "torch-fp32"
    assert resolve_engine("auto") in ENGINES


@pytest.mark.parametrize("block_px", [4096, 640])
def test_arrays_of_a_unit_in_a_fjord_take_what_the_plan_says(block_px: int) -> None:
    side = 1536
    options = resolve_options(engine="torch-fp32", tta="none", block_px=block_px)
    model = {"network": TorchEngine(BrightIce(), "torch-fp32", threads=1), "options": options}
    tracemalloc.start()
    bands = {"hh": bright_scene(side, side, side / 2, noise=1)}
    bands["hv"] = bands["hh"] / 4
    quality = np.zeros((side, side), np.uint16)
    quality[:, 700:720] = Quality.CLOUD
    fjord = np.zeros((side, side), dtype=bool)
    fjord[:, 200:1300] = True
    ahead = {name: band.copy() for name, band in bands.items()} | {"quality": quality.copy()}  # the next scene
    tracemalloc.reset_peak()
    flow = [((5.0, 750.0), (1530.0, 750.0))]
    found = predict_scene(
        bands, quality, pixel_size_m=20.0, calibration="gamma0", fjord_mask=fjord, flows=flow, **model
    )
    layers = [to_uint8(layer) for layer in found]
    (traced, *_) = trace_scene(
        *layers, ~invalid(quality), pixel_size_m=20.0, fjord=fjord, flow=flow,
        cloud=(quality & np.uint16(Quality.CLOUD)) != 0, block_px=block_px,
    )  # fmt: skip
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(traced.xy) > 1000
    assert len(ahead) == 3
    beside = worker_bytes(0, 0, options) + tile_bytes((side, side), options)  # not counted by Python
    assert peak <= worker_bytes(side, side, options) - beside
