from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from icefront_dask.errors import ConfigError, DependencyError, InputError, ModelMismatchError
from icefront_dask.models import registry
from icefront_dask.predict.encode import ATTRS, INVALID, from_uint8, to_uint8
from icefront_dask.predict.engine import ENGINES, make_engine, resolve_engine
from icefront_dask.predict.options import resolve_options
from icefront_dask.predict.torch_engine import TorchEngine, fold_batch_norm
from tests.predict.networks import TinyUNet, save_model

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = {"in_channels": 3, "out_channels": 2, "width": 4, "norm": "batch", "pooling": False}
FOLDED = {**SHIPPED, "depth": 4, "fold": 2}


def _batch(side: int = 32) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(2, 3, side, side)).astype(np.float32)


def test_the_engine_gives_what_the_network_gives() -> None:
    network = TinyUNet()
    batch = _batch()
    with torch.inference_mode():
        expected = network(torch.from_numpy(batch)).numpy()
    engine = TorchEngine(network, "torch-fp32", threads=1)
    assert (engine.stride, engine.receptive_radius) == (network.stride, network.receptive_radius)
    result = engine(batch)
    assert result.dtype == np.float32
    assert result.shape == (2, 2, 32, 32)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert (engine.halo, engine.windows) == (12, None)


def test_reduced_precision_is_close_and_another() -> None:
    batch = _batch()
    full = TorchEngine(TinyUNet(), "torch-fp32", threads=1)(batch)
    half = TorchEngine(TinyUNet(), "torch-bf16", threads=1)(batch)
    assert half.dtype == np.float32
    difference = np.abs(half - full).max() / np.abs(full).max()
    assert 1e-6 < difference < 0.03


def test_batch_normalisation_is_folded_into_the_architecture_that_is_shipped() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = registry.build("unet_aspp", SHIPPED).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -1, 1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2)
    batch = torch.from_numpy(_batch())
    with torch.inference_mode():
        expected = network(batch)
        folded = fold_batch_norm(network)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
        torch.testing.assert_close(folded(batch), expected, atol=1e-4, rtol=1e-4)


def test_the_network_that_was_handed_in_stays_as_it_was() -> None:
    network = TinyUNet().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    TorchEngine(network, "torch-fp32")(_batch())
    assert network.training
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_threads_are_set_in_whatever_thread_calls() -> None:
    seen = []

    class Counts(TinyUNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > 1:  # a batch, not the strip that measures the halo
                seen.append(torch.get_num_threads())
            return super().forward(x)

    before = torch.get_num_threads()
    engines = [TorchEngine(Counts(), "torch-fp32", threads=count) for count in (1, 2)]
    try:
        for engine in (*engines, engines[0]):
            worker = threading.Thread(target=engine, args=(_batch(),))
            worker.start()
            worker.join()
            engine(_batch())
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 2, 2, 1, 1]


def test_auto_is_resolved_to_something_that_runs() -> None:
    name = resolve_engine("auto")
    assert name.endswith("-fp32")
    assert name in ENGINES
    assert resolve_engine(name) == name
    make_engine(TinyUNet(), name)(_batch())
    with pytest.raises(ConfigError, match="auto, torch-fp32, torch-bf16"):
        resolve_engine("onnx")


def _require(name: str) -> None:
    try:
        resolve_engine(name)
    except DependencyError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("options", [SHIPPED, FOLDED], ids=["plain", "folded"])
@pytest.mark.parametrize(
    ("name", "bound"), [("openvino-fp32", 1e-5), ("openvino-bf16", 0.03), ("openvino-mixed", 0.003)]
)
def test_openvino_gives_what_pytorch_gives_at_every_shape(name: str, bound: float, options: dict[str, Any]) -> None:
    _require(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = registry.build("unet_aspp", options)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    engine, reference = make_engine(network, name, threads=1), TorchEngine(network.eval(), "torch-fp32", threads=1)
    assert (engine.name, engine.stride, engine.receptive_radius) == (name, 16, network.receptive_radius)
    results = []
    for shape in ((1, 3, 64, 48), (2, 3, 32, 32), (1, 3, 64, 48)):
        batch = np.random.default_rng(shape[0]).normal(size=shape).astype(np.float32)
        expected = reference(batch)
        results.append(engine(batch))
        assert results[-1].dtype == np.float32
        assert np.abs(results[-1] - expected).max() <= bound * np.abs(expected).max()
    np.testing.assert_array_equal(results[0], results[2])  # the first one's memory was not used again
    assert sys.modules["openvino_telemetry"] is None  # it forks the process
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_mixed_precision_begins_at_the_first_pooling() -> None:
    """A network whose first block alone needs more than the 11 bits of fp16, and one whose second does."""
    _require("openvino-mixed")

    class Hidden(nn.Module):
        """Adds 2048 to a signal and takes it off again, before the pooling or behind it."""

        stride, receptive_radius = 2, 2

        def __init__(self, *, before: bool) -> None:
            super().__init__()
            self.before = before
            self.same, self.back, self.first, self.down = (nn.Conv2d(2, 2, 1) for _ in range(4))
            offsets = {self.same: 2048.0, self.back: -2048.0, self.first: 0.0, self.down: 0.0}
            with torch.no_grad():
                for layer, offset in offsets.items():
                    layer.weight.copy_(torch.eye(2)[:, :, None, None])
                    layer.bias.fill_(offset)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            def hide(x: torch.Tensor) -> torch.Tensor:
                return self.back(torch.relu(self.same(x)))

            x = self.first(x)
            x = hide(x) if self.before else x
            x = nn.functional.max_pool2d(x, 2)
            return nn.functional.interpolate(self.down(x if self.before else hide(x)), scale_factor=2)

    batch = np.random.default_rng(0).random((1, 2, 16, 16)).astype(np.float32) / 4
    exact = Hidden(before=True).eval()
    error = make_engine(exact, "openvino-mixed", 1)(batch) - make_engine(exact, "torch-fp32", 1)(batch)
    assert np.abs(error).max() < 1e-3
    with pytest.raises(ModelMismatchError, match="changes the answers"):
        make_engine(Hidden(before=False).eval(), "openvino-mixed", 1)(batch)


@pytest.mark.parametrize("layer", ["first", "second"])
def test_numbers_beyond_fp16_are_an_error(layer: str) -> None:
    """Of an activation behind the first pooling, and of a weight."""
    _require("openvino-mixed")
    network = TinyUNet()
    with torch.no_grad():
        getattr(network, layer)[0].weight.mul_(1e7)
    make_engine(network, "openvino-fp32", 1)(_batch())
    with pytest.raises(ModelMismatchError, match=r"'openvino-mixed' .*range of fp16; set predict\.engine"):
        make_engine(network, "openvino-mixed", 1)(_batch())


def test_mixed_precision_needs_a_processor_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    monkeypatch.setattr("icefront_dask.predict.openvino_engine.capabilities", lambda: frozenset({"FP32", "BF16"}))
    with pytest.raises(DependencyError, match="multiplies fp16"):
        resolve_engine("openvino-mixed")
    assert resolve_engine("auto", ("fp32", "mixed")).endswith("-fp32")


def test_auto_takes_reduced_precision_only_where_all_cards_allow_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr("icefront_dask.predict.engine.fastest", lambda names: seen.append(names) or names[-1])
    monkeypatch.setattr("icefront_dask.predict.openvino_engine.capabilities", lambda: frozenset({"FP16", "BF16"}))
    monkeypatch.setattr("icefront_dask.predict.engine.find_spec", lambda _: "installed")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    plain = save_model(tmp_path, "plain")
    shown = save_model(tmp_path, "shown", precisions=("fp32", "mixed"))
    short = save_model(tmp_path, "short", precisions=("fp32", "bf16"))
    assert resolve_options(models=(shown,)).engine == "openvino-mixed"
    assert resolve_options(models=(short,)).engine == "openvino-bf16"
    assert resolve_options(models=(short, shown)).engine == "torch-fp32"
    assert resolve_options(models=(shown,), members=[plain]).engine == "torch-fp32"
    assert resolve_options(models=(shown, plain)).engine == "torch-fp32"
    assert resolve_options().engine == "torch-fp32"
    assert [("openvino-mixed" in names) for names in seen] == [True, False, False, False, False, False]
    assert [("openvino-bf16" in names) for names in seen] == [False, True, False, False, False, False]


_CORES_OF_AN_ENGINE = """
import os, pathlib, threading
import numpy as np
from icefront_dask.predict.engine import make_engine
from tests.predict.networks import TinyUNet

engine, batch = make_engine(TinyUNet().eval(), "openvino-fp32", 1), np.zeros((1, 3, 256, 256), "float32")
engine(batch)
seen, done = set(), threading.Event()

def watch():
    while not done.is_set():
        for task in pathlib.Path("/proc/self/task").iterdir():
            seen.add(len(os.sched_getaffinity(int(task.name))))

watcher = threading.Thread(target=watch)
watcher.start()
for _ in range(100):
    engine(batch)
done.set()
watcher.join()
print(min(seen), len(os.sched_getaffinity(0)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are told by /proc")
def test_no_thread_of_an_engine_is_pinned_to_a_core() -> None:
    """Pinned, the threads of all workers of a machine share its first core."""
    _require("openvino-fp32")
    done = subprocess.run([sys.executable, "-c", _CORES_OF_AN_ENGINE], capture_output=True, text=True, check=True)
    fewest, allowed = done.stdout.split()
    assert fewest == allowed


def test_openvino_is_left_out_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icefront_dask.predict.engine.find_spec", lambda name: None)
    assert resolve_engine("auto").startswith(("torch-", "cuda-"))
    with pytest.raises(DependencyError, match=r"icefront_dask\[openvino\]"):
        resolve_engine("openvino-fp32")


COMPILED = """
import numpy as np
from icefront_dask.predict.engine import make_engine
from tests.predict.networks import TinyUNet

batch = np.random.default_rng(2).normal(size=(2, 3, 32, 32)).astype(np.float32)
eager, compiled = (make_engine(TinyUNet(), name, 1)(batch) for name in ("torch-fp32", "torch-compile-fp32"))
np.testing.assert_allclose(compiled, eager, atol=1e-5)
"""


def test_compiled_pytorch_gives_what_eager_gives() -> None:
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    subprocess.run([sys.executable, "-c", COMPILED], check=True, timeout=240)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_cuda_engines_say_so() -> None:
    with pytest.raises(DependencyError, match=r"predict\.engine to auto"):
        resolve_engine("cuda-bf16")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU, or no CUDA build of PyTorch")
@pytest.mark.parametrize(("name", "bound"), [("cuda-fp32", 1e-4), ("cuda-bf16", 0.03)])
def test_a_gpu_gives_what_the_cpu_gives(name: str, bound: float) -> None:
    batch = _batch(64)
    expected = TorchEngine(TinyUNet(), "torch-fp32")(batch)
    result = TorchEngine(TinyUNet(), name)(batch)
    assert np.abs(result - expected).max() <= bound * np.abs(expected).max()


def test_bytes_and_back() -> None:
    values = np.arange(256, dtype=np.uint8)
    probability = from_uint8(values)
    assert probability.dtype == np.float32
    assert np.isnan(probability[INVALID])
    assert probability[254] == 1
    np.testing.assert_array_equal(to_uint8(probability), values)
    noisy = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    assert np.abs(from_uint8(to_uint8(noisy)) - noisy).max() <= 0.5 / 254 + 1e-7
    np.testing.assert_array_equal(to_uint8(np.array([-1e-6, 1 + 1e-6, np.nan])), [0, 254, 255])
    for wrong in (to_uint8, from_uint8):
        with pytest.raises(InputError):
            wrong(np.zeros(3, dtype=np.int64))


def test_lazy_bytes_stay_lazy_and_equal_cf_packing(tmp_path) -> None:
    noisy = np.random.default_rng(1).random((6, 8)).astype(np.float32)
    noisy[0, :3] = np.nan
    packed = to_uint8(da.from_array(noisy, chunks=3))
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(packed.compute(), to_uint8(noisy))
    np.testing.assert_array_equal(from_uint8(packed).compute(), from_uint8(to_uint8(noisy)))
    xr.Dataset({"ice": (("y", "x"), noisy)}).to_zarr(
        tmp_path / "p.zarr", encoding={"ice": ATTRS}, zarr_format=3, consolidated=False
    )
    raw = xr.open_zarr(tmp_path / "p.zarr", mask_and_scale=False, consolidated=False)["ice"].values
    np.testing.assert_array_equal(raw, to_uint8(noisy))
