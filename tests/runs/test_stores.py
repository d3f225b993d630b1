"""Runs into stores that the run file names: Zarr or Icechunk, made, extended and published."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from icefront_dask.catalog import Items
from icefront_dask.cube import layers as layers_module
from icefront_dask.cube import open_cube, open_layers
from icefront_dask.cube.repository import batch, open_repository, publish
from icefront_dask.errors import ConfigError, RunError, StoreError
from icefront_dask.publish import read_fronts
from icefront_dask.regions import read_regions, write_regions
from icefront_dask.runs import plan, run, unit
from icefront_dask.runs.ledger import Ledger
from icefront_dask.runs.prediction import open_prediction
from tests.cube import builders, writers
from tests.runs import tiny

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("zarr", "icechunk")
FAMILY = "sentinel-1"


def place(kind: str, folder: Path) -> str:
    return f"icechunk+file://{folder}/cubes" if kind == "icechunk" else str(folder / "cubes")


@pytest.fixture(scope="module")
def dates(archive):
    """The dates of the two radar scenes."""
    items = Items.from_parquet(archive.items)
    return sorted(f"{t:%Y-%m-%d}" for t, c in zip(items.times, items.collections, strict=True) if c.startswith(FAMILY))


def config(folder, name, archive, model, store, **changes):
    """Write the run file of a run over the radar scenes."""
    changes = {"families": [FAMILY], "collections": ["sentinel-1-rtc"], **changes}
    changes["runs"] = {"scenes_per_unit": 1, "units_per_commit": 1, **changes.get("runs", {})}
    return tiny.write_config(folder / name / "run.yaml", archive, model, store=store, **changes)


def cubes(store):
    return open_cube(store, family=FAMILY).compute(), open_prediction(store, family=FAMILY).compute()


@pytest.fixture(scope="module")
def whole(finished):
    """Cube and prediction of a run into its own store."""
    return cubes(str(finished.output / "cube.zarr"))


def assert_same(store, whole):
    for found, expected in zip(cubes(store), whole, strict=True):
        xr.testing.assert_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_is_written_then_extended_and_runs_are_not_redone(
    kind, archive, model, finished, whole, dates, tmp_path
):
    store = place(kind, tmp_path)
    first = run(config(tmp_path, "first", archive, model, store, datetime=dates[1]))
    assert (first.done, first.kept) == (1, 0)
    assert open_cube(store).sizes["time"] == 1
    pixels = open_cube(store).hh[0].to_numpy()
    second = run(config(tmp_path, "second", archive, model, store))
    assert (second.done, second.kept) == (2, 0)
    assert_same(store, whole)  # sorted by time, whatever the slots
    np.testing.assert_array_equal(open_cube(store).hh[1], pixels)
    ledger = Ledger(second.output, second.plan.spec.sha256).frame(second.plan.units)
    assert ledger["slot"].tolist() == [1, 0]  # the later scene was there before
    fronts, expected = (read_fronts(r.output / "fronts.parquet") for r in (second, finished))
    expected = expected[expected["sensor"] == "C-SAR"].reset_index(drop=True)
    assert fronts.drop(columns="geometry").equals(expected.drop(columns="geometry"))
    before = writers.content(store)
    again = [
        run(config(tmp_path, name, archive, model, store, **more))
        for name, more in (("first", {"datetime": dates[1]}), ("second", {}))
    ]
    assert [r.done for r in again] == [0, 0]
    assert writers.content(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_cannot_hold_the_scenes_says_why_and_stays_as_it_is(kind, archive, model, dates, tmp_path):
    store = place(kind, tmp_path)
    run(config(tmp_path, "first", archive, model, store, datetime=dates[0]))
    before = writers.content(store)
    other = tiny.tiny_model(tmp_path / "models", "other")
    for name, changes, message in (
        ("grid", {"resolution": {FAMILY: 40}}, r"grid\.shape is .*another store, or on its grid"),
        ("bands", {"variables": {FAMILY: ["hh"]}}, r"holds hh, hv, the run would write hh; .*sentinel-1: \[hh, hv\]"),
        ("model", {"model": other}, "holds another prediction"),
        ("settings", {"predict": {"tta": "flips", "engine": "torch-fp32"}}, "holds another prediction"),
    ):
        network = changes.pop("model", model)
        with pytest.raises(StoreError, match=message):
            run(config(tmp_path, name, archive, network, store, **changes))
        assert writers.content(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_was_lost_is_not_made_anew_in_silence(kind, archive, model, dates, tmp_path):
    store = place(kind, tmp_path)
    path = config(tmp_path, "first", archive, model, store, datetime=dates[0])
    run(path)
    shutil.rmtree(tmp_path / "cubes")
    with pytest.raises(StoreError, match=r"has lost the (cube small-outlet/sentinel-1|branch)"):
        run(path)


def test_readers_see_a_run_when_it_is_whole(archive, model, tmp_path):
    copied = tmp_path / "archive"
    shutil.copytree(archive.folder, copied)
    (broken, _) = sorted((copied / "sentinel-1-rtc").glob("*/iw-hh.rtc.tiff"))
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 3])
    store = place("icechunk", tmp_path)
    path = config(tmp_path, "run", archive, model, store)
    path.write_text(path.read_text().replace(str(archive.folder), str(copied)))
    with pytest.raises(RunError, match=r"1 of 2 units failed.*The other 1 are kept"):
        run(path)
    with pytest.raises(StoreError, match="no cube at"):
        open_cube(store)
    broken.write_bytes(content)
    repaired = run(path)
    assert (repaired.done, repaired.kept) == (1, 1)
    assert np.isfinite(open_cube(store).gap_fraction).all()
    # What was committed says which units it holds.
    history = [dict(snapshot.metadata) for snapshot in open_repository(store).ancestry(branch="main")]
    assert [len(metadata.get("units", {})) for metadata in history][:3] == [1, 1, 0]
    assert {metadata["spec_sha256"] for metadata in history[:3]} == {repaired.plan.spec.sha256}


def test_units_that_were_committed_and_not_recorded_are_not_redone(archive, model, tmp_path, monkeypatch):
    store = place("icechunk", tmp_path)
    path = config(tmp_path, "run", archive, model, store)
    undisturbed = config(tmp_path, "undisturbed", archive, model, place("icechunk", tmp_path / "other"))
    run(undisturbed)
    done = []
    work = unit.run_unit
    monkeypatch.setattr("icefront_dask.runs.driver.run_unit", lambda u, **how: done.append(u.key) or work(u, **how))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            run(path)
    assert len(done) == 1
    assert not (path.parent / "out" / "ledger").exists()
    result = run(path)
    assert (result.done, result.kept) == (1, 1)
    assert len(set(done)) == len(done) == 2
    assert writers.content(store) == writers.content(place("icechunk", tmp_path / "other"))


def test_what_another_run_published_meanwhile_is_never_dropped(archive, model, dates, tmp_path, monkeypatch):
    store = place("icechunk", tmp_path)
    path = config(tmp_path, "run", archive, model, store)
    with monkeypatch.context() as patch:
        patch.setattr("icefront_dask.runs.stores.publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(path)
    with batch(store, "somebody", "else") as at:
        writers._created(store, at.session)
    publish(store, "somebody")
    with pytest.raises(StoreError, match="another run has published there since this one began; choose another output"):
        run(path)
    elsewhere = config(tmp_path, "again", archive, model, store)
    assert run(elsewhere).done == 2
    assert open_cube(store, region="small-outlet").sizes["time"] == 2
    assert open_cube(store, region="helheim").sizes["time"] == writers.SCENES


def test_elevation_is_aligned_once_a_cube(archive, model, dates, tmp_path, monkeypatch):
    (region,) = read_regions(archive.regions)
    grid = region.geobox(60.0)
    heights = np.full(grid.shape.yx, 120.0, "float32")
    elevation = builders.cog(tmp_path / "dem.tif", heights, grid)
    write_regions([region.patch(elevation=elevation, geoid="38.5")], tmp_path / "regions.parquet")
    reads = []
    read = layers_module._read
    monkeypatch.setattr(layers_module, "_read", lambda *args: reads.append(args[0]) or read(*args))
    layers_module.read_elevation.cache_clear()
    store = place("icechunk", tmp_path)
    path = config(tmp_path, "run", archive, model, store, regions=str(tmp_path / "regions.parquet"))
    run(path)
    assert reads == [elevation]
    found = open_layers(store).compute()
    np.testing.assert_array_equal(found.geoid, 38.5)
    assert float(found.elevation.median()) == 120.0
    assert found.elevation.shape == open_cube(store).hh.shape[1:]
    (tmp_path / "dem.tif").unlink()
    run(config(tmp_path, "more", archive, model, store, regions=str(tmp_path / "regions.parquet"), datetime=dates[0]))
    assert reads == [elevation]  # a later run reads the store, not the file
    assert (found.attrs["region"], found.elevation.attrs["source"]) == ("small-outlet", elevation)


def test_the_run_file_says_where(archive, model, tmp_path):
    named = plan(config(tmp_path, "a", archive, model, "cubes/all.zarr"))
    assert named.spec.content["store"] == str(tmp_path / "a" / "cubes" / "all.zarr")
    assert json.loads(named.spec.text)["store"].endswith("all.zarr")
    with pytest.raises(ConfigError, match="must not hold credentials"):
        plan(config(tmp_path, "b", archive, model, "icechunk+s3://key:secret@bucket/x"))
