from __future__ import annotations

import copy
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icefront_dask.cube import (
    CubeStore,
    Quality,
    create_store,
    load,
    open_cube,
    read_scenes,
    scenes,
    write_scenes,
)
from icefront_dask.cube.packing import Packing, pack, unpack
from icefront_dask.cube.scene import Scene, Source
from icefront_dask.errors import StoreError
from icefront_dask.sensors import Band
from tests.cube import builders
from tests.helpers import raise_if_dask_computes

REGION = builders.region()


def tree(folder):
    """Digest of every file below a folder."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def sar_store(path, items, variables=("hh", "hv"), resolution=20, attrs=None):
    found = scenes(items, REGION, "sentinel-1")
    grid = REGION.geobox(resolution)
    return create_store(path, found, REGION, "sentinel-1", grid, variables, attrs), found, grid


@pytest.fixture
def written(s1, tmp_path):
    """A written Sentinel-1 cube: store, arrays, folder."""
    store, found, grid = sar_store(tmp_path / "cube.zarr", s1, attrs={"spec_sha256": "abc"})
    arrays = read_scenes(found, grid, ("hh", "hv"))
    write_scenes(store, [0, 1], arrays)
    return store, arrays, tmp_path / "cube.zarr"


def test_round_trip_equals_load_to_the_bit(s1, written):
    _, arrays, path = written
    with raise_if_dask_computes():
        cube = open_cube(path)
        assert cube.hh.chunks is not None
    expected = load(s1, REGION, "sentinel-1", resolution=20).compute()
    xr.testing.assert_equal(cube.compute(), expected)
    for name in ("hh", "hv", "quality"):
        np.testing.assert_array_equal(cube[name], arrays[name])
        assert cube[name].dtype == expected[name].dtype
        assert dict(cube[name].attrs) == dict(expected[name].attrs)
    assert list(cube.coords) == list(open_cube(path).coords)
    assert cube.scene_id.dtype == object
    assert cube.time.dtype == "datetime64[ns]"
    assert cube.attrs["spec_sha256"] == "abc"
    assert cube.attrs["proj:code"] == "EPSG:3413"
    assert {k: v for k, v in cube.attrs.items() if k != "spec_sha256"} == expected.attrs


def test_layout_is_one_shard_a_scene_and_variable(written):
    store, _, path = written
    group = zarr.open_group(path, path=store.group, mode="r")
    assert store.group == "helheim/sentinel-1"
    for name in ("hh", "hv", "quality"):
        array = group[name]
        assert array.metadata.zarr_format == 3
        assert array.chunks == (1, 512, 512)
        assert array.shards == (1, 512, 512)
        assert array.metadata.dimension_names == ("time", "y", "x")
        files = sorted(p for p in (path / store.group / name / "c").rglob("*") if p.is_file())
        assert len(files) <= 2
    assert group["scene_id"].dtype.kind in {"T", "O"}
    assert not (path / store.group / "zarr.json").read_text().count("consolidated_metadata")
    codecs = json.loads((path / store.group / "hh" / "zarr.json").read_text())["codecs"]
    assert "zstd" in json.dumps(codecs)


def test_shards_cover_grids_larger_than_a_chunk(s1, tmp_path):
    found = scenes(s1, REGION, "sentinel-1")
    grid = builders.region(12_000).geobox(20)  # 600 x 600
    store = create_store(tmp_path / "c", found, REGION, "sentinel-1", grid, ("hh",))
    array = zarr.open_group(tmp_path / "c", path=store.group, mode="r")["hh"]
    assert (array.shape, array.chunks, array.shards) == ((2, 600, 600), (1, 512, 512), (1, 1024, 1024))
    rng = np.random.default_rng(1)
    arrays = {"hh": rng.random((1, 600, 600), dtype="float32"), "quality": np.zeros((1, 600, 600), "uint16")}
    write_scenes(store, [1], arrays)
    files = [p for p in (tmp_path / "c" / store.group / "hh" / "c").rglob("*") if p.is_file()]
    assert len(files) == 1
    np.testing.assert_array_equal(open_cube(store).hh[1], arrays["hh"][0])


def test_writing_again_gives_the_same_bytes(s1, written, tmp_path):
    store, arrays, path = written
    before = tree(path)
    write_scenes(store, [1, 0], {name: values[::-1] for name, values in arrays.items()})
    assert tree(path) == before
    again, _, _ = sar_store(path, s1, attrs={"spec_sha256": "abc"})
    assert again == store
    assert tree(path) == before
    other, _, _ = sar_store(tmp_path / "second.zarr", list(reversed(s1)), attrs={"spec_sha256": "abc"})
    for slot in (1, 0):
        write_scenes(other, [slot], {name: values[slot : slot + 1] for name, values in arrays.items()})
    assert tree(tmp_path / "second.zarr") == before


def test_slots_can_be_written_side_by_side(written):
    store, arrays, path = written
    before = tree(path)
    jobs = [{name: values[slot : slot + 1] for name, values in arrays.items()} for slot in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda slot: write_scenes(store, [slot], jobs[slot]), [0, 1]))
    assert tree(path) == before


def test_a_damaged_shard_or_a_killed_writer_leaves_nothing_behind(written):
    store, arrays, path = written
    before = tree(path)
    shard = path / store.group / "hh" / "c" / "1" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:100])
    (shard.parent / "0.0123456789abcdef.partial").write_bytes(b"half")
    (path / store.group / "gap_fraction" / "c" / "1.0123456789abcdef.partial").write_bytes(b"half")
    write_scenes(store, [1], {name: values[1:] for name, values in arrays.items()})
    assert tree(path) == before


def test_an_all_nodata_rewrite_erases_old_data(written):
    store, arrays, _ = written
    empty = {
        "hh": np.full((1, 180, 180), np.nan, "float32"),
        "hv": np.full((1, 180, 180), np.nan, "float32"),
        "quality": np.full((1, 180, 180), Quality.NODATA, "uint16"),
    }
    write_scenes(store, [0], empty)
    cube = open_cube(store)
    assert np.isnan(cube.hh[0]).all()
    assert (cube.quality[0] == Quality.NODATA).all()
    assert cube.gap_fraction.values.tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(cube.hh[1], arrays["hh"][1])


def test_slots_that_were_not_written_are_nodata(s1, tmp_path):
    store, _, _ = sar_store(tmp_path / "c", s1)
    cube = open_cube(store)
    assert np.isnan(cube.hh).all()
    assert (cube.quality == Quality.NODATA).all()
    assert np.isnan(cube.gap_fraction).all()


def test_an_interrupted_creation_is_made_anew(s1, tmp_path):
    complete, _, _ = sar_store(tmp_path / "a", s1)
    store, _, _ = sar_store(tmp_path / "b", s1)
    group = tmp_path / "b" / store.group
    described = json.loads((group / "zarr.json").read_text())
    described["attributes"] = {"generator": "icefront_dask"}  # what is there before the last step
    (group / "zarr.json").write_text(json.dumps(described))
    shutil.rmtree(group / "hv")
    for folder in (tmp_path / "b", group.parent, group, group / "hh"):
        (folder / "zarr.0123456789abcdef.partial").write_bytes(b"half")
    with pytest.raises(StoreError, match="no finished cube"):
        open_cube(tmp_path / "b")
    sar_store(tmp_path / "b", s1)
    assert tree(tmp_path / "b") == tree(tmp_path / "a")
    assert complete.group == store.group


def test_another_cube_is_refused_with_the_difference(s1, written):
    _, _, path = written
    before = tree(path)
    with pytest.raises(StoreError, match=r"grid\.shape is \[180, 180\], not \[120, 120\].*another output folder"):
        sar_store(path, s1, resolution=30)
    with pytest.raises(StoreError, match=r"variables\.hv is .*, not None"):
        sar_store(path, s1, variables=("hh",))
    with pytest.raises(StoreError, match="other scenes; slots is 2, not 1"):
        sar_store(path, s1[:1])
    assert tree(path) == before


def test_foreign_stores_and_versions_are_refused(s1, written, tmp_path):
    store, _, path = written
    zarr.create_group(tmp_path / "foreign", path="helheim/sentinel-1", attributes={"title": "mine"})
    with pytest.raises(StoreError, match="no cube of this package"):
        sar_store(tmp_path / "foreign", s1)
    file = path / store.group / "zarr.json"
    described = json.loads(file.read_text())
    described["attributes"]["template"]["version"] = 99
    file.write_text(json.dumps(described))
    with pytest.raises(StoreError, match="version is 99, not 1"):
        sar_store(path, s1)
    with pytest.raises(StoreError, match="store version 99"):
        open_cube(path)


def test_arrays_that_do_not_fit_are_refused_before_anything_is_written(written):
    store, arrays, path = written
    before = tree(path)
    one = {name: values[:1] for name, values in arrays.items()}
    with pytest.raises(StoreError, match=r"hh takes 1 scene\(s\) of \(180, 180\) pixels"):
        write_scenes(store, [0], one | {"hh": one["hh"][:, :100]})
    with pytest.raises(StoreError, match="holds hh, hv, quality, not hh, quality"):
        write_scenes(store, [0], {"hh": one["hh"], "quality": one["quality"]})
    with pytest.raises(StoreError, match=r"no slot 2, it has 2 slots"):
        write_scenes(store, [2], one)
    assert tree(path) == before


def test_stores_whose_shards_do_not_hold_a_scene_are_refused(s1, written):
    store, arrays, path = written
    group = zarr.open_group(path, path=store.group, mode="r+")
    del group["hh"]
    group.create_array(
        "hh",
        shape=(2, 180, 180),
        chunks=(1, 60, 60),
        shards=(1, 120, 120),
        dtype="float32",
        dimension_names=("time", "y", "x"),
    )
    with pytest.raises(StoreError, match=r"shards \(1, 120, 120\).*whole scene"):
        write_scenes(store, [0], {name: values[:1] for name, values in arrays.items()})


def test_landsat_is_packed_exactly(landsat, tmp_path):
    found = scenes([landsat], REGION, "landsat")
    grid = REGION.geobox(30)
    store = create_store(tmp_path / "c", found, REGION, "landsat", grid, ("green", "nir"))
    arrays = read_scenes(found, grid, ("green", "nir"))
    write_scenes(store, [0], arrays)
    array = zarr.open_group(tmp_path / "c", path=store.group, mode="r")["nir"]
    assert array.dtype == np.uint16
    assert array.attrs["scale_factor"] == 2.75e-5
    assert array.attrs["add_offset"] == -0.2
    cube = open_cube(tmp_path / "c")
    assert cube.nir.dtype == np.float32
    for name, values in arrays.items():
        np.testing.assert_array_equal(cube[name], values)
    plain = xr.open_zarr(tmp_path / "c", group=store.group, consolidated=False)  # any CF reader
    np.testing.assert_allclose(plain.nir, arrays["nir"], atol=1e-6)
    assert np.isnan(plain.nir).equals(np.isnan(cube.nir).drop_vars(set(cube.coords) - set(plain.nir.coords)))


def test_items_of_different_scale_are_stored_as_floats(landsat, tmp_path):
    other = copy.deepcopy(landsat)
    other["id"] = "LC08_L2SP_233013_20150726_02_T1"
    other["properties"]["datetime"] = "2015-07-26T14:15:30Z"
    other["assets"]["nir08"]["raster:bands"][0] |= {"scale": 5.5e-5}
    found = scenes([landsat, other], REGION, "landsat")
    grid = REGION.geobox(30)
    store = create_store(tmp_path / "c", found, REGION, "landsat", grid, ("green", "nir"))
    group = zarr.open_group(tmp_path / "c", path=store.group, mode="r")
    assert group["nir"].dtype == np.float32
    assert group["green"].dtype == np.uint16
    arrays = read_scenes(found, grid, ("green", "nir"))
    write_scenes(store, [0, 1], arrays)
    np.testing.assert_array_equal(open_cube(store).nir, arrays["nir"])


@pytest.mark.parametrize(("scale", "offset"), [(2.75e-5, -0.2), (0.00341802, 149.0), (1.0, 0.0), (2e-5, -0.1)])
def test_every_digital_number_survives_packing(scale, offset):
    packing = Packing("uint16", scale, offset)
    numbers = np.arange(65536, dtype="uint16").reshape(256, 256)
    values = unpack(numbers, packing)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(pack(values, packing), numbers)


def test_values_that_packing_cannot_hold_are_refused():
    packing = Packing("uint16", 2.75e-5, -0.2)
    with pytest.raises(StoreError, match="no multiples"):
        pack(np.array([[0.123456]], "float32"), packing)
    with pytest.raises(StoreError, match="outside"):
        pack(np.array([[-0.3]], "float32"), packing)


def test_cubes_of_several_regions_and_families_share_a_store(s1, landsat, written):
    _, _, path = written
    found = scenes([landsat], REGION, "landsat")
    create_store(path, found, REGION, "landsat", REGION.geobox(30), ("nir",))
    elsewhere = builders.region(name="elsewhere")
    create_store(path, found, elsewhere, "landsat", elsewhere.geobox(30), ("nir",))
    assert open_cube(path, family="sentinel-1").attrs["family"] == "sentinel-1"
    assert open_cube(path, region="elsewhere").attrs["region"] == "elsewhere"
    assert open_cube(path, region=REGION, family="landsat").attrs["region"] == "helheim"
    assert open_cube(path / "helheim" / "landsat").sizes["time"] == 1
    with pytest.raises(StoreError, match=r"elsewhere/landsat, helheim/landsat, helheim/sentinel-1.*region="):
        open_cube(path)
    with pytest.raises(StoreError, match="no cube nowhere/"):
        open_cube(path, region="nowhere")


def test_nothing_to_open_is_a_store_error(tmp_path):
    with pytest.raises(StoreError, match="no cube at"):
        open_cube(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="no cube at"):
        open_cube(tmp_path / "empty")


def test_open_cube_sorts_by_time_and_takes_chunks(s1, tmp_path):
    found = list(reversed(scenes(s1, REGION, "sentinel-1")))
    grid = REGION.geobox(20)
    store = create_store(tmp_path / "c", found, REGION, "sentinel-1", grid, ("hh",))
    arrays = read_scenes(found, grid, ("hh",))
    write_scenes(store, [0, 1], arrays)
    cube = open_cube(tmp_path / "c", chunks={"time": 1, "y": 90, "x": 60})
    assert cube.hh.chunks == ((1, 1), (90, 90), (60, 60, 60))
    assert (np.diff(cube.time.values) > np.timedelta64(0)).all()
    np.testing.assert_array_equal(cube.hh, arrays["hh"][::-1])
    assert cube.item_ids.values.tolist() == sorted(i["id"] for i in s1)


def test_the_cube_can_be_written_to_netcdf_and_zarr_again(written, tmp_path):
    cube = open_cube(written[0])
    cube.to_zarr(tmp_path / "copy.zarr", consolidated=False, zarr_format=3)
    copied = xr.open_zarr(tmp_path / "copy.zarr", consolidated=False)
    np.testing.assert_array_equal(copied.hh, cube.hh)


def test_a_store_at_a_url_works_alike(s1, tmp_path):
    url = f"file://{tmp_path}/c.zarr"
    store, found, grid = sar_store(url, s1)
    write_scenes(store, [0, 1], read_scenes(found, grid, ("hh", "hv")))
    assert open_cube(url).sizes["time"] == 2
    assert isinstance(store, CubeStore)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_writes_gives_what_was_written(data, tmp_path_factory):
    count, height, width = 3, data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    found = [_slot(f"scene-{n}") for n in range(count)]
    grid = builders.utm_grid(32624, 64, 10)[:height, :width]
    folder = tmp_path_factory.mktemp("any")
    store = _small_store(folder, found, grid)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    truth = {}
    for slot in data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=6)):
        values = np.where(rng.random((height, width)) < 0.3, np.nan, rng.random((height, width)))
        arrays = {
            "hh": values[None].astype("float32"),
            "quality": rng.integers(0, 4, (1, height, width), "uint16"),
        }
        write_scenes(store, [slot], arrays)
        truth[slot] = arrays
    cube = open_cube(store)
    for slot, arrays in truth.items():
        np.testing.assert_array_equal(cube.hh[slot], arrays["hh"][0])
        np.testing.assert_array_equal(cube.quality[slot], arrays["quality"][0])


def _slot(scene_id):
    source = Source("i", "sar", (Band("hh", "hh", "/x.tif"),))
    when = np.datetime64("2020-01-01", "ns")
    return Scene(scene_id, ("i",), when, "p", "s", "", 0, "rtc", 10.0, "gamma0", (source,))


def _small_store(folder, found, grid):
    with dask.config.set({"icefront.cube.chunk_px": 16}):
        return create_store(folder / "c", found, REGION, "sentinel-1", grid, ("hh",))
