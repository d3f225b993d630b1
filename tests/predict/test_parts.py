"""Scenes in parts, and windows as published: no value depends on how a scene is cut or chunked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import xarray as xr
from dask.utils import key_split
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from icefront_dask.errors import ConfigError
from icefront_dask.fronts import trace_scene
from icefront_dask.predict import from_uint8, segment, to_uint8
from icefront_dask.predict.blend import predict_tiled
from icefront_dask.predict.halo import aligned_halo
from icefront_dask.predict.options import resolve_options
from icefront_dask.predict.parts import scene_parts
from icefront_dask.predict.scene import predict_scene
from icefront_dask.predict.tiles import plan_tiles, plan_windows
from icefront_dask.predict.torch_engine import TorchEngine
from tests.helpers import raise_if_dask_computes
from tests.predict.networks import BrightIce, TinyUNet, bright_scene, save_model

if TYPE_CHECKING:
    from pathlib import Path

COMMON = {"pixel_size_m": 20.0, "calibration": "gamma0"}
FINE = {"engine": "torch-fp32", "tta": "none", "passes": "fine"}


class MeanAware(TinyUNet):
    """What a pixel gets depends on the mean of all that the network sees."""

    shift_equivariant = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + 5 * x.mean(dim=(1, 2, 3), keepdim=True)


def _bands(shape: tuple[int, int], seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    power = rng.gamma(4, 0.02, shape) * np.where(np.arange(shape[0])[:, None] < shape[0] / 2, 1, 0.1)
    power[: shape[0] // 9, : shape[1] // 3] = np.nan
    return {"hh": power.astype(np.float32), "hv": (power * rng.uniform(0.1, 0.3, shape)).astype(np.float32)}


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.integers(8, 200),
    st.integers(0, 60),
    st.sampled_from([1, 4, 12]),
)
@settings(max_examples=100, deadline=None)
def test_parts_cover_a_scene_once(shape: tuple[int, int], block_px: int, reach_px: int, multiple: int) -> None:
    covered = np.zeros(shape, dtype=int)
    for part in scene_parts(shape, block_px=block_px, reach_px=reach_px, multiple=multiple):
        covered[part.core] += 1
        assert all(axis.start % multiple == 0 for axis in part.core)
        assert max(axis.stop - axis.start for axis in part.core) < block_px + multiple
        whole, inside = np.zeros(shape, bool), np.ones(shape, bool)[part.window]
        whole[part.window] = part.answers_for(inside)
        assert whole[part.core].all()
        assert whole.sum() == whole[part.core].size
    assert (covered == 1).all()


@pytest.fixture(scope="module")
def engines() -> dict[str, TorchEngine]:
    return {
        "equivariant": TorchEngine(TinyUNet(), "torch-fp32", threads=1),
        "not": TorchEngine(MeanAware(), "torch-fp32", threads=1),
    }


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.integers(33, 200), st.integers(33, 200)),
    st.sampled_from(["equivariant", "not"]),
    st.sampled_from(["fine", "coarse-fine"]),
    st.integers(40, 120),
    st.integers(0, 2**31),
)
def test_a_scene_in_parts_is_the_whole_scene(
    engines: dict[str, TorchEngine], shape: tuple[int, int], kind: str, passes: str, block_px: int, seed: int
) -> None:
    bands = _bands(shape, seed)
    options = {**FINE, "passes": passes, "one_tile_px": 40, "band_m": 200, "band_coarse_px": 2}
    if kind == "not":
        options |= {"tile_px": 32, "overlap_px": 16}
    found = [
        predict_scene(bands, **COMMON, network=engines[kind], options=resolve_options(**options, block_px=side))
        for side in (1000, block_px)
    ]
    for layer in ("ice", "front", "ice_std", "disagreement"):
        np.testing.assert_allclose(getattr(found[1], layer), getattr(found[0], layer), atol=1e-5)
    assert found[0].factor == found[1].factor


def test_windows_of_a_network_that_is_not_equivariant_are_those_of_the_paper() -> None:
    """Brute force: every window of the lattice, plain means of whatever lies over a pixel."""
    rng = np.random.default_rng(0)
    scene = rng.normal(size=(1, 75, 50)).astype(np.float32)

    def forward(batch: np.ndarray) -> np.ndarray:
        return batch + batch.mean(axis=(2, 3), keepdims=True)

    plan = plan_windows((75, 50), stride=4, window_px=32, overlap=16)
    found = predict_tiled(scene, plan, forward, window="mean", batch=5)
    padded = np.pad(scene, ((0, 0), (0, 1), (0, 2)), mode="reflect")
    total, count = np.zeros((76, 52)), np.zeros((76, 52))
    for top in (0, 16, 32, 44):
        for left in (0, 16, 20):
            piece = padded[0, top : top + 32, left : left + 32]
            total[top : top + 32, left : left + 32] += piece + piece.mean()
            count[top : top + 32, left : left + 32] += 1
    np.testing.assert_allclose(found[0], (total / count)[:75, :50], atol=1e-5)
    assert len(plan_windows((20, 20), stride=4, window_px=32, overlap=16).tiles) == 1
    with pytest.raises(ConfigError, match=r"predict\.overlap_px below"):
        plan_windows((75, 50), stride=4, window_px=32, overlap=32)


def test_networks_that_are_not_equivariant_take_their_published_window() -> None:
    options = resolve_options(**FINE)
    assert (options.settled(None).tile_px, options.settled(None).overlap_px) == (2304, 0)
    engine = TorchEngine(MeanAware(), "torch-fp32")
    settled = options.settled(engine.windows)
    assert (settled.windows, settled.tile_px, settled.overlap_px, settled.window) == (True, 256, 128, "hann")
    assert resolve_options(engine="torch-fp32").settled(engine.windows).passes == "fine"
    assert resolve_options(tile_px=64).settled(engine.windows).tile_px == 64


def test_the_measured_halo_is_the_least_that_is_exact() -> None:
    network = TinyUNet()
    halo = aligned_halo(network, 3, network.stride, network.receptive_radius)
    scene = np.random.default_rng(1).normal(size=(3, 96, 96)).astype(np.float32)
    engine = TorchEngine(network, "torch-fp32")
    whole = predict_tiled(scene, plan_tiles((96, 96), stride=4, halo=halo, tile_px=4096), engine)
    for width, exact in ((halo, True), (halo - 4, False)):
        tiled = predict_tiled(scene, plan_tiles((96, 96), stride=4, halo=width, tile_px=48), engine)
        assert (np.abs(tiled - whole).max() < 1e-5) == exact

    class Pooled(TinyUNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + nn.functional.adaptive_avg_pool2d(x, 1).mean(dim=1, keepdim=True)

    assert aligned_halo(Pooled(), 3, 4, 13) is None


def test_lazy_parts_are_the_whole_and_nothing_is_computed_before(tmp_path: Path) -> None:
    model = save_model(tmp_path, "parts", seed=9, depth=4, fold=2)
    bands = _bands((150, 170), 4)
    cube = xr.Dataset(
        {name: (("time", "y", "x"), np.stack([band, band[::-1]])) for name, band in bands.items()},
        {"y": -20.0 * np.arange(150), "x": 20.0 * np.arange(170)},
        {"calibration": "gamma0"},
    ).rio.write_crs("EPSG:3413")
    options = {"engine": "torch-fp32", "tta": "flips", "one_tile_px": 48, "passes": "coarse-fine", "band_m": 300}
    options |= {"extra": ["ice_std", "disagreement"], "block_px": 64}
    expected = {
        step: predict_scene(
            {name: cube[name].values[step] for name in bands},
            **COMMON,
            network=_loaded(model).engines,
            options=resolve_options(**options),
        )
        for step in (0, 1)
    }
    for chunks in ({}, {"time": 1, "y": 37, "x": 170}, {"time": 2, "y": 64, "x": 33}):
        with raise_if_dask_computes():
            lazy = segment(cube.chunk(chunks), model=model, **options)
        names = {key_split(key) for key in lazy.__dask_graph__()}
        assert {"segment-summary", "segment-context", "segment-part"} <= names
        done = lazy.compute(scheduler="threads")
        for step, scene in expected.items():
            for layer in ("ice", "front", "ice_std", "disagreement"):
                np.testing.assert_allclose(done[layer].values[step], getattr(scene, layer), atol=1e-5)


def _loaded(model: str):
    from icefront_dask.models import registry
    from icefront_dask.predict import get_model

    return get_model(*registry.fingerprint(model), "torch-fp32")


def test_a_front_which_crosses_parts_is_one_line_and_the_same() -> None:
    bands = {"hh": bright_scene(1040, 1100, 510, noise=1)}
    engine = TorchEngine(BrightIce(), "torch-fp32", threads=1)
    lines = []
    for block_px in (4096, 520):
        plan = resolve_options(**FINE, block_px=block_px)
        found = predict_scene(bands, **COMMON, network=engine, options=plan)
        ice, front = (from_uint8(to_uint8(layer)) for layer in found)
        (traced,) = trace_scene(ice, front, np.isfinite(ice), pixel_size_m=20.0)
        lines.append(traced.xy)
    assert np.ptp(lines[0][:, 0]) > 1000  # over all three columns of parts
    np.testing.assert_allclose(lines[1], lines[0], atol=1e-9)
