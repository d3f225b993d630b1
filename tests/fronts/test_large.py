"""Scenes larger than a block: traced part by part, with the answer of one block, in memory that does not grow."""

from __future__ import annotations

import tracemalloc

import dask
import numpy as np
import pytest
import rioxarray  # noqa: F401  registers data.rio
import xarray as xr
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from icefront_dask.fronts import Status, large, trace, trace_fronts, trace_scene
from icefront_dask.fronts import ridge as ridges
from icefront_dask.fronts.bodies import Bodies
from icefront_dask.fronts.mosaic import CHUNK_PX, Mosaic
from icefront_dask.fronts.ridge import ridge_pixels, ridge_pixels_in_parts
from icefront_dask.fronts.seams import RIM_PX, find_sides_in_parts
from icefront_dask.fronts.sides import fill, find_sides
from icefront_dask.predict.encode import to_uint8
from icefront_dask.predict.parts import scene_parts
from tests.fronts.scenes import distances, logistic

SEEDS = st.integers(0, 2**31)
SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 70))


def blobs(rng, shape, width=2.0):
    noise = ndimage.gaussian_filter(rng.normal(size=shape), width)
    return noise / max(noise.std(), 1e-9)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.status, one.reason) == (other.status, other.reason)
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_equal(one.parts, other.parts)
        np.testing.assert_equal(
            (one.confidence, one.fjord_share, one.gap_fraction, one.uncertainty_px),
            (other.confidence, other.fjord_share, other.gap_fraction, other.uncertainty_px),
        )


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPES, st.integers(1, 30), st.integers(1, 3), st.booleans(), st.sampled_from([0.1, 0.4, 0.6, 0.95]))
def test_bodies_are_those_of_a_labelled_image(seed, shape, side, rim, corners, density):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density if seed % 2 else blobs(rng, shape) < 2 * density - 1
    structure = np.ones((3, 3), dtype=bool) if corners else None
    parts = scene_parts(shape, block_px=side, reach_px=rim)
    bodies = Bodies(shape, parts, structure)
    local = [bodies.add(mask[part.window]) for part in parts]
    bodies.finish()
    labels, count = ndimage.label(mask, structure=structure)
    assert len(bodies.sizes) == count + 1
    np.testing.assert_array_equal(bodies.sizes[1:], np.bincount(labels.ravel(), minlength=count + 1)[1:])
    for part, ids, own in zip(parts, bodies.ids, local, strict=True):
        np.testing.assert_array_equal(ids[own], labels[part.window])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.tuples(st.integers(1, 400), st.integers(1, 400)), st.integers(1, 40))
def test_mosaic_gives_the_values_of_the_array_whatever_it_keeps(seed, shape, kept):
    rng = np.random.default_rng(seed)
    values, known = rng.random(shape), rng.random(shape) < 0.5
    parts = scene_parts(shape, block_px=int(rng.integers(CHUNK_PX, 400)), reach_px=0, multiple=CHUNK_PX)
    mosaic = Mosaic(
        shape,
        parts,
        lambda number: {"value": values[parts[number].core], "known": known[parts[number].core]},
        {"value": np.float64, "known": np.bool_},
        kept_bytes=kept * 9 * CHUNK_PX**2,
    )
    for _ in range(3):
        rows, columns = rng.integers(0, shape[0], (40, 3)), rng.integers(0, shape[1], (40, 3))
        np.testing.assert_array_equal(mosaic["value"][rows, columns], values[rows, columns])
        np.testing.assert_array_equal((~mosaic["known"])[rows, columns], ~known[rows, columns])
        places = rows * shape[1] + columns
        np.testing.assert_array_equal(mosaic["value"].ravel().take(places), values.take(places))


def test_mosaic_loads_a_part_once_while_there_is_room():
    values = np.arange(512.0**2).reshape(512, 512)
    parts = scene_parts(values.shape, block_px=256, reach_px=0, multiple=CHUNK_PX)
    loaded = []

    def load(number):
        loaded.append(number)
        return {"value": values[parts[number].core]}

    mosaic = Mosaic(values.shape, parts, load, {"value": np.float64})
    line = np.arange(512)
    for _ in range(3):
        mosaic["value"][line, line]
    assert loaded == [0, 3]


def ridge_mask(rng, shape):
    """Strokes, blobs or noise."""
    kind = rng.integers(4)
    noise = rng.random(shape)
    if kind == 0:
        return noise < rng.choice([0.2, 0.5, 0.8])
    if kind == 1:
        return np.abs(blobs(rng, shape, rng.uniform(1, 6))) < rng.uniform(0.1, 0.8)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    stripes = (rows + columns * rng.choice([1, -1, 2, 0.5]) + rng.integers(20)) % rng.integers(8, 30)
    return (stripes < rng.integers(1, 6)) ^ (noise < rng.choice([0, 0.01, 0.05]))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.tuples(st.integers(2, 120), st.integers(2, 120)), st.integers(12, 90))
def test_ridges_do_not_depend_on_the_parts(seed, shape, side):
    rng = np.random.default_rng(seed)
    front = np.where(ridge_mask(rng, shape), np.float32(0.9), np.float32(0.05))
    front[rng.random(shape) < rng.choice([0, 0.02])] = np.nan
    domain = blobs(rng, shape, 8) < rng.choice([0.5, 9])
    how = {"thresholds": (0.33, 0.15), "smooth_px": float(rng.choice([0, 0.7])), "min_px": (4, 8)}
    parts = scene_parts(shape, block_px=side, reach_px=0)
    found = ridge_pixels_in_parts(lambda window: (front[window], domain[window]), shape, parts, **how)
    for pixels, expected in zip(found, ridge_pixels(front, domain, **how), strict=True):
        np.testing.assert_array_equal(pixels, expected)


def test_more_is_read_round_a_ridge_that_is_thinned_from_afar(monkeypatch):
    """A slanting band of two pixels is thinned from its end on, however long it is; a broad one from its rim."""
    monkeypatch.setattr(ridges, "_REACH_PX", 8)
    shape = (200, 200)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for half in (1.0, 30.0):
        mask = (np.abs(rows - columns) <= half) & (rows > 5) & (rows < 195)
        front = mask.astype(np.float32)
        how = {"thresholds": (0.33,), "smooth_px": 0.0, "min_px": (1,)}
        windows = []

        def read(window, front=front, windows=windows):
            windows.append(window)
            return front[window], np.ones(shape, dtype=bool)[window]

        parts = scene_parts(shape, block_px=50, reach_px=0)
        (found,) = ridge_pixels_in_parts(read, shape, parts, **how)
        (expected,) = ridge_pixels(front, np.ones(shape, dtype=bool), **how)
        np.testing.assert_array_equal(found, expected)
    assert max(window[0].stop - window[0].start for window in windows) == 200


def scene(seed, shape):
    """A front across, with bergs, polynyas, gaps and noise: outputs as stored, valid, and what is known of a fjord."""
    rng = np.random.default_rng(seed)
    height, width = shape
    columns = np.arange(width)
    place = height * (0.5 + 0.2 * np.sin(columns * 5 / width + rng.uniform(0, 6)))
    place += 6 * blobs(rng, width, 3)
    away = np.arange(height)[:, None] - place
    texture = blobs(rng, shape, rng.uniform(1, 6))
    ice = logistic(-away / 3 - texture * rng.uniform(0, 3))
    front = logistic((2 - np.abs(away)) / 0.6 - texture * rng.uniform(0, 2))
    valid = rng.random(shape) >= rng.choice([0, 0.02])
    if rng.random() < 0.5:
        valid[(np.arange(height)[:, None] + 0.3 * columns) % 60 < 5] = False
    known = {}
    if rng.random() < 0.6:
        fjord = np.ones(shape, dtype=bool)
        fjord[:, : int(width * 0.1)] = fjord[:, int(width * 0.93) :] = False
        known["fjord"] = fjord
        if rng.random() < 0.7:
            known["flow"] = [((3.0, width / 2), (height - 3.0, width / 2))]
    if rng.random() < 0.3:
        known["cloud"] = rng.random(shape) < 0.3
    if rng.random() < 0.3:
        known["elevation_m"] = np.where(away < -0.3 * height, np.float32(900), np.float32(np.nan))
    packed = [to_uint8(np.where(valid, layer, np.nan).astype(np.float32)) for layer in (ice, front)]
    return packed, valid, known


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.tuples(st.integers(60, 330), st.integers(60, 330)), st.integers(20, 300))
def test_a_front_does_not_depend_on_the_blocks(seed, shape, block_px):
    (ice, front), valid, known = scene(seed, shape)
    expected = trace_scene(ice, front, valid, pixel_size_m=30.0, **known)
    found = trace_scene(ice, front, valid, pixel_size_m=30.0, block_px=block_px, **known)
    assert_same(found, expected)


@pytest.mark.soak
def test_fronts_of_many_scenes_do_not_depend_on_the_blocks():
    for seed in range(1000, 1300):
        rng = np.random.default_rng(seed)
        shape = tuple(int(side) for side in rng.integers(60, 500, 2))
        (ice, front), valid, known = scene(seed, shape)
        expected = trace_scene(ice, front, valid, pixel_size_m=30.0, **known)
        found = trace_scene(ice, front, valid, pixel_size_m=30.0, block_px=int(rng.integers(20, 400)), **known)
        assert_same(found, expected)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.tuples(st.integers(12, 120), st.integers(12, 120)), st.integers(6, 60), st.sampled_from([0, 1, 2]))
def test_glacier_ocean_and_edge_do_not_depend_on_the_parts(seed, shape, side, flowlines):
    rng = np.random.default_rng(seed)
    ice = to_uint8(logistic(blobs(rng, shape, rng.uniform(0.5, 4))))  # 127 is a half, exactly
    ice = (ice / np.float32(254)).astype(np.float32)
    known, domain = rng.random(shape) >= 0.1, blobs(rng, shape, 8) < rng.choice([1.0, 9.0])
    ridge = np.argwhere(rng.random(shape) < rng.choice([0, 0.02]))
    ends = [[(rng.uniform(-5, shape[0]), rng.uniform(-5, shape[1])) for _ in range(2)] for _ in range(flowlines)]
    flows = [tuple(pair) for pair in ends]
    expected = find_sides(ice, known, domain, ridge, flows, fill_px=2)
    parts = scene_parts(shape, block_px=side, reach_px=RIM_PX)
    level = fill(ice, known, domain, 2)
    found = find_sides_in_parts(lambda number: level[parts[number].window], shape, parts, ridge, flows)
    assert (found is None) == (expected is None)
    if found is None or expected is None:
        return
    assert found.detached == expected.detached
    points = np.unique(np.round(expected.edge, 9), axis=0)
    np.testing.assert_allclose(np.unique(np.round(found.edge, 9), axis=0), points, atol=1e-8)
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(
            found.level(number, level[part.window])[part.inner], expected.level[part.core], strict=True
        )


def shelf(height, width):
    """A front of 400 km at 100 m a pixel, which wanders over many blocks: its truth and outputs as stored."""
    columns = np.arange(width) + 0.5
    row = height / 2 + 0.3 * height * np.sin(columns / 600) + 6 * np.sin(columns / 25)
    slope = np.hypot(1, 0.3 * height / 600 * np.cos(columns / 600) + 6 / 25 * np.cos(columns / 25))
    away = ((np.arange(height)[:, None] + 0.5 - row) / slope).astype(np.float32)
    ice, front = logistic(-away / 0.5), 0.95 * logistic((1.5 - np.abs(away)) / 0.2)
    return np.column_stack([columns, row]), to_uint8(ice), to_uint8(front)


def test_shelf_front_of_400_km_over_many_blocks_is_one_line():
    truth, ice, front = shelf(900, 4000)
    valid = np.ones(ice.shape, dtype=bool)
    (found,) = trace_scene(ice, front, valid, pixel_size_m=100.0, block_px=384)
    assert found.status == Status.ACCEPTED
    there, back = distances(found.xy, truth)
    assert np.concatenate([there, back]).mean() < 0.2
    assert max(there.max(), back.max()) < 3
    assert_same([found], trace_scene(ice, front, valid, pixel_size_m=100.0))


def test_labelled_data_beyond_a_block_are_traced_in_parts(monkeypatch):
    traced = []

    def counted(source, *arguments, **options):
        traced.append(source.shape)
        return large.trace_large(source, *arguments, **options)

    monkeypatch.setattr(trace, "trace_large", counted)
    _, ice, front = shelf(300, 700)
    where = {"y": -100.0 * np.arange(300), "x": 100.0 * np.arange(700)}
    data = xr.Dataset({"ice": (("y", "x"), ice), "front": (("y", "x"), front)}, where).rio.write_crs("EPSG:3413")
    whole = trace_fronts(data)
    assert not traced
    with dask.config.set({"icefront.predict.block_px": 512}):
        parts = trace_fronts(data.chunk(x=128))
    assert traced == [(300, 700)]
    assert_geodataframe_equal(parts, whole)


def peak_mib(height, block_px, *, guided=False):
    """Memory that tracing takes, of one front in scenes of more and less ice and sea, in a fjord or without one."""
    _, ice, front = shelf(512, 640)
    above, below = (height - 512) // 2, (height - 512 + 1) // 2
    ice = np.concatenate([np.repeat(ice[:1], above, 0), ice, np.repeat(ice[-1:], below, 0)])
    front = np.pad(front, ((above, below), (0, 0)))
    valid = np.ones(ice.shape, dtype=bool)
    known = {}
    if guided:
        known["fjord"] = fjord = np.zeros(ice.shape, dtype=bool)
        fjord[:, 20:620] = True
        known["flow"] = [((2.0, 320.0), (height - 2.0, 320.0))]
    tracemalloc.start()
    (found,) = trace_scene(ice, front, valid, pixel_size_m=100.0, block_px=block_px, **known)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert found.status == Status.ACCEPTED
    return peak


@pytest.mark.parametrize(("guided", "height"), [(False, 2560), (True, 4800)])
def test_memory_does_not_grow_with_the_scene(guided, height):
    small, large = peak_mib(640, 256, guided=guided), peak_mib(height, 256, guided=guided)
    assert large < 1.1 * small
    assert peak_mib(2560, None, guided=guided) > 1.5 * large
