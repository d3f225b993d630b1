from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec

import dask.array as da
import numpy as np
import pytest
import torch
import xarray as xr

from icefront_dask.errors import ConfigError, DependencyError, InputError
from icefront_dask.models import registry
from icefront_dask.predict.encode import ATTRS, INVALID, from_uint8, to_uint8
from icefront_dask.predict.engine import ENGINES, make_engine, resolve_engine
from icefront_dask.predict.torch_engine import TorchEngine, fold_batch_norm
from tests.predict.networks import TinyUNet

SHIPPED = {"in_channels": 3, "out_channels": 2, "width": 4, "norm": "batch", "pooling": False}


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
    assert name.endswith("-fp32")  # reduced precision moves the fronts of the shipped network too far
    assert name in ENGINES
    assert resolve_engine(name) == name
    make_engine(TinyUNet(), name)(_batch())
    with pytest.raises(ConfigError, match="auto, torch-fp32, torch-bf16"):
        resolve_engine("onnx")


@pytest.mark.parametrize(("name", "bound"), [("openvino-fp32", 1e-5), ("openvino-bf16", 0.03)])
def test_openvino_gives_what_pytorch_gives_at_every_shape(name: str, bound: float) -> None:
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = registry.build("unet_aspp", SHIPPED)
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
