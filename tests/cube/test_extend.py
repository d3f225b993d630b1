from __future__ import annotations

import copy
import dataclasses
import shutil

import numpy as np
import pytest
import zarr

from icefront_dask.cube import (
    CubeStore,
    Quality,
    create_store,
    extend_store,
    open_cube,
    prepare_store,
    scenes,
    write_scenes,
)
from icefront_dask.cube.extend import write_coordinates
from icefront_dask.errors import StoreError
from tests.cube import writers
from tests.cube.writers import REGION, RESOLUTION_M, items, pixels


class StopError(Exception):
    """Raised where a writer is to be stopped."""


def grouped(some):
    return scenes(some, REGION, "sentinel-1")


def written(url, some, variables=("hh", "hv")):
    found = grouped(some)
    store = create_store(url, found, REGION, "sentinel-1", REGION.geobox(RESOLUTION_M), variables)
    for slot in range(len(found)):
        write_scenes(store, [slot], pixels(slot))
    return store


def test_new_scenes_are_appended_and_the_old_stay_where_they_are(tmp_path):
    store = written(tmp_path / "c", items()[:3])
    before = {p: p.read_bytes() for p in (tmp_path / "c").rglob("c/*/0/0")}
    earlier = copy.deepcopy(items()[5])
    earlier["properties"]["datetime"] = "2018-01-01T20:15:32Z"  # older than all: slots are not sorted by time
    slots = extend_store(store, grouped([items()[3], earlier, items()[0]]))
    assert slots == [3, 0, 4]
    for slot in (3, 4):
        write_scenes(store, [slot], pixels(slot))
    for path, content in before.items():
        assert path.read_bytes() == content
    cube = open_cube(store)
    assert cube.sizes["time"] == 5
    assert (np.diff(cube.time.values) > np.timedelta64(0)).all()
    np.testing.assert_array_equal(cube.hh[0], pixels(3)["hh"][0])
    assert cube.item_ids.values[0] == "S1A_5"
    assert cube.attrs["proj:code"] == "EPSG:3413"
    assert cube.gap_fraction.dtype == np.float32
    assert extend_store(store, grouped(items()[:3])) == [0, 1, 2]


def test_asking_again_changes_nothing(tmp_path):
    store = written(tmp_path / "c", items()[:3])
    extend_store(store, grouped(items()[3:5]))
    before = writers.content(str(tmp_path / "c"))
    assert extend_store(store, grouped(items()[3:5])) == [3, 4]
    assert writers.content(str(tmp_path / "c")) == before


def test_a_reprocessed_scene_overwrites_its_slot(tmp_path):
    store = written(tmp_path / "c", items()[:3])
    again = copy.deepcopy(items()[1])
    again["id"] = "S1A_1_reprocessed"
    again["properties"]["datetime"] = "2018-06-02T20:15:33Z"
    assert extend_store(store, grouped([again])) == [1]
    unwritten = open_cube(store)  # never the old pixels under the name of the new scene
    assert (unwritten.quality[1] == Quality.NODATA).all()
    assert np.isnan(unwritten.hh[1]).all()
    assert np.isnan(unwritten.gap_fraction.values).tolist() == [False, True, False]
    write_scenes(store, [1], pixels(9))
    cube = open_cube(store)
    assert cube.item_ids.values.tolist() == ["S1A_0", "S1A_1_reprocessed", "S1A_2"]
    np.testing.assert_array_equal(cube.hh[1], pixels(9)["hh"][0])
    np.testing.assert_array_equal(cube.hh[2], pixels(2)["hh"][0])
    ascending = copy.deepcopy(again)
    ascending["properties"]["sat:orbit_state"] = "ascending"
    ascending["id"] = "S1A_other_direction"
    assert extend_store(store, grouped([ascending])) == [3]
    both = [copy.deepcopy(again), *items()[1:2]]
    with pytest.raises(StoreError, match="are the same pass"):
        extend_store(store, [scene for item in both for scene in grouped([item])])


def test_an_interrupted_extension_is_seen_and_completed(tmp_path, monkeypatch):
    complete = written(tmp_path / "a", items()[:3])
    extend_store(complete, grouped(items()[3:5]))
    store = written(tmp_path / "b", items()[:3])
    import icefront_dask.cube.extend as module

    def stop(group, coordinates):
        names = list(coordinates)[:4]
        write_coordinates(group, {name: coordinates[name] for name in names})
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_coordinates", stop)
        with pytest.raises(KeyboardInterrupt):
            extend_store(store, grouped(items()[3:5]))
    with pytest.raises(StoreError, match="interrupted while it was extended"):
        open_cube(tmp_path / "b")
    assert extend_store(store, grouped(items()[:1])) == [0]  # whatever is asked for, it is completed
    assert writers.content(str(tmp_path / "b")) == writers.content(str(tmp_path / "a"))


def test_scenes_that_the_cube_cannot_hold_are_refused(tmp_path, landsat):
    store = written(tmp_path / "c", items()[:2])
    vv = copy.deepcopy(items()[3])
    vv["assets"]["vv"] = vv["assets"]["hh"]
    before = writers.content(str(tmp_path / "c"))
    with pytest.raises(StoreError, match="has no variable vv"):
        extend_store(store, grouped([vv]))
    found = scenes([landsat], REGION, "landsat")
    packed = create_store(tmp_path / "l", found, REGION, "landsat", REGION.geobox(30), ("nir",))
    other = copy.deepcopy(landsat)
    other["id"], other["properties"]["datetime"] = "LC08_L2SP_233013_20150726_02_T1", "2015-07-26T14:15:30Z"
    other["assets"]["nir08"]["raster:bands"][0]["scale"] = 5.5e-5
    with pytest.raises(StoreError, match=r"packs nir as .*2\.75e-05.*5\.5e-05"):
        extend_store(packed, scenes([other], REGION, "landsat", variables=("nir",)))
    assert writers.content(str(tmp_path / "c")) == before
    assert zarr.open_group(tmp_path / "c", path=store.group, mode="r")["hh"].shape[0] == 2


def test_a_cube_is_made_or_extended_whichever_it_needs(tmp_path):
    grid = REGION.geobox(RESOLUTION_M)
    store, slots = prepare_store(tmp_path / "c", grouped(items()[:2]), REGION, "sentinel-1", grid, ("hh",), {"a": "b"})
    assert slots == [0, 1]
    assert prepare_store(tmp_path / "c", grouped(items()[:2]), REGION, "sentinel-1", grid, ("hh",))[1] == [0, 1]
    before = writers.content(str(tmp_path / "c"))
    _, slots = prepare_store(tmp_path / "c", grouped(items()[1:4]), REGION, "sentinel-1", grid, ("hh",))
    assert slots == [1, 2, 3]
    after = writers.content(str(tmp_path / "c"))
    assert set(before) == set(after)  # no pixel was written
    assert open_cube(store).attrs["a"] == "b"
    with pytest.raises(StoreError, match=r"grid\.shape is \[\d+, \d+\], not .*another store"):
        prepare_store(tmp_path / "c", grouped(items()[:1]), REGION, "sentinel-1", REGION.geobox(40.0), ("hh",))
    with pytest.raises(StoreError, match="has no variable hv"):
        prepare_store(tmp_path / "c", grouped(items()[:1]), REGION, "sentinel-1", grid, ("hh", "hv"))
    assert writers.content(str(tmp_path / "c")) == after


def test_an_extension_that_was_interrupted_anywhere_has_the_same_bytes(tmp_path, monkeypatch):
    """It is stopped before each of its writes in turn, and completed by the next."""
    from zarr.storage import LocalStore

    again = copy.deepcopy(items()[1])
    again["id"] = "S1A_1_reprocessed"
    new = grouped([again, *items()[3:5]])
    written(tmp_path / "begun", items()[:3])
    shutil.copytree(tmp_path / "begun", tmp_path / "whole")
    extend_store(CubeStore(str(tmp_path / "whole"), "helheim/sentinel-1"), new)
    expected = writers.content(str(tmp_path / "whole"))
    changes = {"set": LocalStore.set, "delete": LocalStore.delete}

    def stopping_at(count):
        left = [count]

        def wrapped(name):
            async def call(self, *args, **kwargs):
                if not left[0]:
                    raise StopError
                left[0] -= 1
                return await changes[name](self, *args, **kwargs)

            return call

        return {name: wrapped(name) for name in changes}

    stops = 0
    for count in range(200):
        place = tmp_path / f"stopped-{count}"
        shutil.copytree(tmp_path / "begun", place)
        store = CubeStore(str(place), "helheim/sentinel-1")
        try:
            with monkeypatch.context() as patch:
                for name, call in stopping_at(count).items():
                    patch.setattr(LocalStore, name, call)
                extend_store(store, new)
        except StopError:
            stops += 1
        else:
            break
        assert extend_store(store, new) == [1, 3, 4]
        assert writers.content(str(place)) == expected, f"stopped before write {count}"
    assert stops > 20


def test_a_variable_keeps_its_calibration_and_says_how_it_was_placed(tmp_path):
    store = written(tmp_path / "c", items()[:2])
    sigma = [dataclasses.replace(scene, calibration="sigma0") for scene in grouped(items()[2:3])]
    with pytest.raises(StoreError, match="holds hh as gamma0, the new scenes have it as sigma0"):
        extend_store(store, sigma)
    assert open_cube(store).hh.attrs["long_name"] == "HH backscatter, terrain-corrected gamma0, linear power"
    placed = [dataclasses.replace(scene, geometry="range_doppler") for scene in grouped(items()[2:3])]
    assert extend_store(store, placed) == [2]
    assert (
        open_cube(store)
        .hh.attrs["long_name"]
        .endswith("terrain-corrected where geometry is rtc, else on the ellipsoid")
    )
