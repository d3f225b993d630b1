from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.errors import ConfigError
from icefront_dask.predict.blend import axis_weights, predict_tiled
from icefront_dask.predict.tiles import plan_tiles, round_up
from icefront_dask.predict.torch_engine import TorchEngine
from tests.predict.networks import RADIUS, STRIDE, TinyUNet, random_unet

HALO = round_up(RADIUS, STRIDE)
TILE = 64


@st.composite
def _layouts(draw: st.DrawFn) -> tuple[tuple[int, int], dict[str, int]]:
    stride = draw(st.sampled_from([1, 4, 16]))
    halo = draw(st.integers(0, 3 * stride))
    overlap = draw(st.integers(0, 3 * stride))
    room = 2 * round_up(halo, stride) + round_up(overlap, stride)
    tile = room + stride * draw(st.integers(1, 8)) + draw(st.integers(0, stride - 1))
    side = st.integers(1, 3 * tile)
    margin = draw(st.integers(0, 2 * stride))
    layout = {"stride": stride, "halo": halo, "overlap": overlap, "tile_px": tile, "margin": margin}
    return (draw(side), draw(side)), layout


def _needed(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "all":
        return np.ones(shape, dtype=bool)
    if kind == "none":
        return np.zeros(shape, dtype=bool)
    if kind == "sparse":
        return rng.random(shape) < 3 / np.prod(shape)
    rows, columns = np.indices(shape)
    slope, offset = rng.normal(), rng.uniform(-0.3, 0.7) * shape[0]
    return np.abs(rows - offset - slope * columns) < 5


@settings(max_examples=150, deadline=None)
@given(_layouts(), st.sampled_from(["all", "none", "sparse", "band"]), st.integers(0, 2**31))
def test_every_needed_pixel_is_covered_and_nothing_else_computed(
    case: tuple[tuple[int, int], dict[str, int]], kind: str, seed: int
) -> None:
    shape, layout = case
    needed = _needed(kind, shape, seed)
    plan = plan_tiles(shape, **layout, needed=needed)
    stride, halo = layout["stride"], round_up(layout["halo"], layout["stride"])
    for axis, tiles in enumerate((plan.rows, plan.columns)):
        assert plan.padded[axis] >= shape[axis] + 2 * plan.margin
        assert plan.padded[axis] % stride == 0
        assert len({tile.stop - tile.start for tile in tiles}) <= 1
        for tile in tiles:
            assert tile.start % stride == tile.stop % stride == 0
            assert 0 <= tile.start < tile.stop <= plan.padded[axis]
            assert tile.stop - tile.start <= layout["tile_px"]
            assert tile.first == (tile.start + halo if tile.start else 0)
            assert tile.last == (tile.stop - halo if tile.stop < plan.padded[axis] else tile.stop)

    covered = np.zeros(plan.padded, dtype=int)
    for tile in plan.tiles:
        row, column = plan.rows[tile.row], plan.columns[tile.column]
        covered[row.first : row.last, column.first : column.last] += 1
    inner = covered[plan.margin :, plan.margin :][: shape[0], : shape[1]]
    assert (inner[needed] >= 1).all()
    assert bool(plan.tiles) == bool(needed.any())


@settings(max_examples=150, deadline=None)
@given(_layouts(), st.sampled_from(["hann", "gaussian", "mean"]))
def test_windows_sum_to_one(case: tuple[tuple[int, int], dict[str, int]], window: str) -> None:
    shape, layout = case
    plan = plan_tiles(shape, **layout)
    rows, columns = axis_weights(plan.rows, window), axis_weights(plan.columns, window)
    total = np.zeros(plan.padded, dtype=np.float64)
    for tile in plan.tiles:
        weight = rows[tile.row][:, None] * columns[tile.column]
        assert (weight >= 0).all()
        total[plan.window(tile)] += weight
    scene = total[plan.margin :, plan.margin :][: shape[0], : shape[1]]
    np.testing.assert_allclose(scene, 1, atol=1e-6)


def test_windows_differ_and_the_mean_is_plain() -> None:
    plan = plan_tiles((40, 100), stride=4, halo=8, tile_px=64, overlap=16)
    assert len(plan.columns) > 1
    shapes = {window: axis_weights(plan.columns, window)[0] for window in ("hann", "gaussian", "mean")}
    first, second = plan.columns[:2]
    shared = slice(second.first - first.start, first.last - first.start)
    assert shared.stop - shared.start >= 16
    np.testing.assert_allclose(shapes["mean"][shared], 0.5)
    for window in ("hann", "gaussian"):
        assert (np.diff(shapes[window][shared]) < 0).all()
    assert np.abs(shapes["hann"] - shapes["gaussian"]).max() > 0.01
    with pytest.raises(ConfigError, match="hamming"):
        axis_weights(plan.columns, "hamming")


@pytest.fixture(scope="module", params=["plain", "folded"])
def engine(request: pytest.FixtureRequest) -> TorchEngine:
    network = TinyUNet() if request.param == "plain" else random_unet(width=4, depth=2, fold=2)
    return TorchEngine(network, "torch-fp32", threads=1)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 3 * TILE), st.integers(1, 3 * TILE)),
    st.sampled_from(["hann", "gaussian", "mean"]),
    st.sampled_from([0, 8]),
    st.sampled_from([0, 20]),
    st.sampled_from(["all", "band"]),
    st.integers(0, 2**31),
)
def test_tiled_is_whole(
    engine: TorchEngine, shape: tuple[int, int], window: str, overlap: int, margin: int, kind: str, seed: int
) -> None:
    scene = np.random.default_rng(seed).normal(size=(3, *shape)).astype(np.float32)
    needed = _needed(kind, shape, seed)
    common = {"stride": engine.stride, "halo": engine.halo, "margin": margin}
    whole = predict_tiled(scene, plan_tiles(shape, **common, tile_px=4096), engine)
    plan = plan_tiles(shape, **common, tile_px=TILE, overlap=overlap, needed=needed)
    tiled = predict_tiled(scene, plan, engine, window=window, batch=3)
    if not needed.any():
        assert tiled.shape == (0, *shape)
        return
    assert np.isnan(tiled[:, ~needed]).all()
    np.testing.assert_allclose(tiled[:, needed], whole[:, needed], atol=1e-5)


def test_a_halo_below_the_receptive_radius_shows(engine: TorchEngine) -> None:
    scene = np.random.default_rng(1).normal(size=(3, 96, 160)).astype(np.float32)
    whole = predict_tiled(scene, plan_tiles((96, 160), stride=STRIDE, halo=HALO, tile_px=4096), engine)
    tiled = predict_tiled(scene, plan_tiles((96, 160), stride=STRIDE, halo=4, tile_px=TILE), engine)
    assert np.abs(tiled - whole).max() > 1e-3


def test_outside_the_scene_pixels_are_reflected() -> None:
    scene = np.arange(35, dtype=np.float32).reshape(1, 5, 7)
    plan = plan_tiles((5, 7), stride=4, halo=4, tile_px=64, margin=4)
    seen: list[np.ndarray] = []

    def forward(batch: np.ndarray) -> np.ndarray:
        seen.append(batch)
        return batch

    np.testing.assert_array_equal(predict_tiled(scene, plan, forward), scene)
    assert seen[0].shape == (1, 1, 16, 16)
    np.testing.assert_array_equal(seen[0][0, 0, 4:9, 4:11], scene[0])
    np.testing.assert_array_equal(seen[0][0, 0, 3::-1], seen[0][0, 0, 5:9])
    np.testing.assert_array_equal(seen[0][0, 0, 9:13, 4:11], seen[0][0, 0, 7:3:-1, 4:11])


def test_skipped_tiles_are_never_computed() -> None:
    needed = np.zeros((400, 400), dtype=bool)
    needed[10:30, 20:380] = True
    needed[10:380, 360:380] = True
    plan = plan_tiles((400, 400), stride=16, halo=16, tile_px=128, needed=needed)
    calls = []

    def forward(batch: np.ndarray) -> np.ndarray:
        calls.append(batch.size)
        return batch

    predict_tiled(np.zeros((1, 400, 400), np.float32), plan, forward)
    assert sum(calls) == plan.computed_pixels < 0.61 * 400 * 400


def test_the_halo_costs_little_on_a_large_scene() -> None:
    plan = plan_tiles((4096, 4096), stride=16, halo=225, tile_px=2304)
    assert plan.computed_pixels <= 1.25 * 4096**2


def test_a_tile_without_room_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match=r"predict\.tile_px to at least 496"):
        plan_tiles((2000, 2000), stride=16, halo=225, tile_px=480)
    assert len(plan_tiles((300, 300), stride=16, halo=225, tile_px=480).tiles) == 1
