"""Blending where the network is, with the CPU in the place of a GPU: it must give what blending in NumPy gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.errors import ModelMismatchError
from icefront_dask.predict import passes
from icefront_dask.predict.blend import predict_tiled
from icefront_dask.predict.device import are_on_a_gpu, predict_on_device
from icefront_dask.predict.engine import make_engine
from icefront_dask.predict.members import augmented
from icefront_dask.predict.options import resolve_options
from icefront_dask.predict.tiles import plan_tiles
from icefront_dask.predict.torch_engine import TorchEngine
from tests.predict.networks import TinyUNet


@pytest.fixture(scope="module")
def engines() -> list[TorchEngine]:
    return [TorchEngine(TinyUNet(seed), "torch-fp32", threads=1) for seed in (1, 2)]


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 130), st.integers(1, 130)),
    st.sampled_from(["none", "flips", "dihedral"]),
    st.sampled_from(["hann", "gaussian", "mean"]),
    st.sampled_from([0, 8]),
    st.sampled_from([0, 12]),
    st.integers(1, 3),
    st.booleans(),
)
def test_it_gives_what_blending_in_numpy_gives(
    engines: list[TorchEngine],
    shape: tuple[int, int],
    augmentation: str,
    window: str,
    overlap: int,
    margin: int,
    batch: int,
    some: bool,
) -> None:
    rng = np.random.default_rng(shape[0])
    scene = rng.normal(size=(3, *shape)).astype(np.float32)
    needed = rng.random(shape) < 0.01 if some else np.ones(shape, bool)
    needed[-1, -1] = True
    plan = plan_tiles(shape, stride=4, halo=engines[0].halo, tile_px=64, overlap=overlap, margin=margin, needed=needed)
    expected = predict_tiled(scene, plan, augmented(engines, augmentation), window=window, batch=batch)
    found = predict_on_device(scene, plan, engines, augmentation=augmentation, window=window, batch=batch)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_a_pass_goes_this_way_with_a_gpu_and_halves_the_batch_where_memory_is_short(
    engines: list[TorchEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not are_on_a_gpu(engines)
    scene = np.random.default_rng(0).normal(size=(3, 150, 90)).astype(np.float32)
    options = dataclasses.replace(resolve_options(engine="torch-fp32").settled(None), tile_px=64, batch=4)
    expected = passes.run_pass(scene, engines, options)
    batches: list[int] = []

    def short(*args: object, **kwargs: object) -> np.ndarray:
        batches.append(int(kwargs["batch"]))
        if batches[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return predict_on_device(*args, **kwargs)

    monkeypatch.setattr(passes, "are_on_a_gpu", lambda engines: True)
    monkeypatch.setattr(passes, "predict_on_device", short)
    found = passes.run_pass(scene, engines, options)
    assert batches == [4, 2]
    assert (found.batch_changed, expected.batch_changed) == (True, False)
    for layer in ("ice", "front", "ice_std"):
        np.testing.assert_allclose(getattr(found, layer), getattr(expected, layer), atol=1e-5)


def test_numbers_beyond_fp16_are_an_error_on_the_device_too(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(TinyUNet(), "torch-fp32", 1)
    assert isinstance(engine, TorchEngine)
    monkeypatch.setattr(engine, "precision", "fp16")
    engine.logits(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ModelMismatchError, match="range of fp16"):
        engine.logits(torch.full((1, 3, 8, 8), torch.inf))
