"""Whole runs in this process: products, resuming, and what must not be mixed."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from icefront_dask.cube import open_cube
from icefront_dask.errors import ConfigError, ModelMismatchError, NoItemsError, RunError, StoreError
from icefront_dask.fronts import trace_fronts, validate
from icefront_dask.predict import segment
from icefront_dask.publish import read_fronts, read_series, read_statistics
from icefront_dask.regions import read_regions, write_regions
from icefront_dask.runs import plan, run
from icefront_dask.runs.prediction import open_prediction
from tests.helpers import raise_if_dask_computes
from tests.runs import tiny


def test_every_scene_has_a_row_and_every_product_is_there(finished, archive):
    out = finished.output
    fronts = read_fronts(out / "fronts.parquet")
    assert set(fronts.explode("item_ids")["item_ids"]) == set(finished.plan.items.ids)
    assert len(fronts["scene_id"].unique()) == archive.scenes
    assert fronts.crs == "EPSG:3413"
    series = read_series(out / "series.parquet")
    statistics = read_statistics(out / "statistics.parquet")
    assert set(series["scene_id"]) == set(fronts["scene_id"])
    assert set(statistics["method"]) == set(series["method"]) >= {"centreline"}
    bias = pd.read_parquet(out / "orbit_bias.parquet")
    assert list(bias.columns) == ["region", "orbit", "pairs", "bias_m", "sigma_m", "removed"]
    assert not bias["removed"].any()  # two scenes are no evidence
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "small-outlet" in report
    assert finished.plan.spec.sha256 in report
    assert finished.products["fronts"] == fronts.geometry.notna().sum()
    assert finished.summary["units_done"] == finished.summary["units"] == 4


def test_the_cube_holds_what_the_reader_reads(finished, archive):
    cube = open_cube(finished.output / "cube.zarr", region="small-outlet", family="sentinel-1")
    assert list(cube.data_vars) == ["hh", "hv", "quality"]
    item = next(item for item in finished.plan.items.to_dicts() if "hh" in item["assets"])
    with rasterio.open(item["assets"]["hh"]["href"]) as source:
        raw = source.read(1)
    values = cube["hh"].isel(time=0).to_numpy()
    assert np.isfinite(values).mean() > 0.5
    assert abs(np.log10(np.nanmedian(values)) - np.log10(np.median(raw[raw > 0]))) < 0.1


def test_stored_predictions_are_those_of_segment_and_give_the_same_fronts(finished, model):
    """The unit composes the kernels as the lazy functions do."""
    out = finished.output
    region = finished.plan.regions[0]
    for family in ("sentinel-1", "landsat"):
        cube = open_cube(out / "cube.zarr", region=region.name, family=family)
        stored = open_prediction(out / "cube.zarr", region=region.name, family=family)
        lazy = segment(cube, model=str(model), region=region, tta="none", engine="torch-fp32")
        for layer in ("ice", "front"):
            difference = np.abs(stored[layer].to_numpy() - lazy[layer].to_numpy())
            assert np.nanmax(difference) <= 0.5 / 254 + 1e-6
            assert (np.isnan(stored[layer]) == np.isnan(lazy[layer])).all()
        fronts = trace_fronts(stored, region)
        parts = [gpd.read_parquet(path) for path in sorted((out / "parts").glob(f"{region.name}.{family}.*"))]
        rows = validate(gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=region.crs))
        pd.testing.assert_frame_equal(
            pd.DataFrame(fronts.drop(columns="geometry")), pd.DataFrame(rows.drop(columns="geometry"))
        )
        assert fronts.geometry.geom_equals_exact(rows.geometry, 1e-9).all() or fronts.geometry.isna().all()


def test_a_finished_run_is_left_as_it_is(finished):
    before = tiny.tree(finished.output)
    ledger = {path: path.stat().st_mtime_ns for path in (finished.output / "ledger").iterdir()}
    again = run(finished.plan.config)
    assert (again.done, again.kept) == (0, 4)
    assert tiny.tree(finished.output) == before
    assert {path: path.stat().st_mtime_ns for path in ledger} == ledger


def test_a_rerun_never_searches_again(finished, archive, model, tmp_path):
    """The source may be gone: what was found is kept in the run folder."""
    moved = tmp_path / "items.parquet"
    shutil.copy(archive.items, moved)
    config = tiny.write_config(tmp_path / "run.yaml", archive, model, catalog={"allow_roots": [str(archive.folder)]})
    config.write_text(config.read_text().replace(str(archive.items), str(moved)))
    hrefs = (Path(href) for href in (archive.folder / "sentinel-1-rtc", archive.folder / "landsat-c2-l2"))
    for folder in hrefs:
        (tmp_path / folder.name).symlink_to(folder)
    first = plan(config)
    moved.unlink()
    assert [unit.key for unit in plan(config).units] == [unit.key for unit in first.units]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"fronts": {"threshold": 0.4}}, "settings.fronts.threshold was 0.33, is 0.4"),
        ({"datetime": "2012"}, 'datetime was null, is "2012"'),
        ({"resolution": {"landsat": 60}}, "resolution_m was 30.0, is 60.0"),
    ],
)
def test_a_folder_with_another_run_is_refused_by_name(finished, archive, model, changes, named, tmp_path):
    before = tiny.tree(finished.output)
    config = tiny.write_config(tmp_path / "run.yaml", archive, model, output=str(finished.output), **changes)
    with pytest.raises(StoreError, match="holds another run") as caught:
        run(config)
    assert named in str(caught.value)
    assert tiny.tree(finished.output) == before


def test_a_folder_with_something_else_is_refused(archive, model, tmp_path):
    config = tiny.write_config(tmp_path / "run.yaml", archive, model)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    (tmp_path / "out" / "thesis.part").write_text("a download")
    with pytest.raises(StoreError, match=r"not empty \(thesis\.part, thesis\.tex\)"):
        run(config)
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [".lock", "thesis.part", "thesis.tex"]


def test_what_a_kill_left_behind_is_no_obstacle_and_is_removed(finished, archive, model, tmp_path):
    config = tiny.write_config(tmp_path / "run.yaml", archive, model)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".search.json.1.ab.temporary").write_text("{")
    plan(config)
    (tmp_path / "out" / ".items.parquet.1.ab.temporary.part").write_text("PAR1")
    shutil.copytree(finished.output / "cube.zarr", tmp_path / "out" / "cube.zarr")
    (tmp_path / "out" / "cube.zarr" / "small-outlet" / "zarr.1f.partial").write_text("{")
    run(config)
    assert tiny.tree(tmp_path / "out") == tiny.tree(finished.output)


def test_a_failed_unit_is_named_and_the_others_are_kept(archive, model, tmp_path):
    copied = tmp_path / "archive"
    shutil.copytree(archive.folder, copied)
    (broken, _) = sorted((copied / "sentinel-1-rtc").glob("*/iw-hh.rtc.tiff"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 3])
    config = tiny.write_config(tmp_path / "run.yaml", archive, model)
    config.write_text(config.read_text().replace(str(archive.folder), str(copied)))
    with pytest.raises(RunError, match="1 of 4 units failed") as caught:
        run(config)
    assert broken.parent.name in str(caught.value)
    assert "The other 3 are kept" in str(caught.value)
    out = tmp_path / "out"
    assert len(list((out / "ledger").iterdir())) == 3
    assert not (out / "fronts.parquet").exists()
    broken.write_bytes(whole)
    repaired = run(config)
    assert (repaired.done, repaired.kept) == (1, 3)


def test_flagged_read_errors_become_failed_rows(archive, model, tmp_path):
    copied = tmp_path / "archive"
    shutil.copytree(archive.folder, copied)
    (broken, _) = sorted((copied / "sentinel-1-rtc").glob("*/iw-hh.rtc.tiff"))
    broken.write_bytes(b"II*\0 torn")
    config = tiny.write_config(tmp_path / "run.yaml", archive, model, cube={"on_read_error": "flag"})
    config.write_text(config.read_text().replace(str(archive.folder), str(copied)))
    done = run(config)
    fronts = read_fronts(done.output / "fronts.parquet")
    (failed,) = fronts[fronts["status"] == "failed"].itertuples()
    assert failed.item_ids == [broken.parent.name] or list(failed.item_ids) == [broken.parent.name]
    assert (failed.reason, failed.geometry) == ("read_failed", None)
    assert done.products["failed"] == 1


def test_a_model_that_does_not_fit_names_the_scene(archive, tmp_path):
    model = tiny.tiny_model(tmp_path / "models", "optical-only", primary=("nir",))
    with pytest.raises(ModelMismatchError, match=r"optical-only.*does not fit scene sentinel-1a-.*hh"):
        run(tiny.write_config(tmp_path / "run.yaml", archive, model))
    assert not (tmp_path / "out" / "spec.json").exists()


def test_families_without_scenes_are_named(archive, model, tmp_path):
    with pytest.raises(NoItemsError, match=r"1999.*widen the datetime"):
        plan(tiny.write_config(tmp_path / "run.yaml", archive, model, datetime="1999"))
    config = tiny.write_config(tmp_path / "b" / "run.yaml", archive, model, datetime="2012", families=["sentinel-1"])
    with pytest.raises(NoItemsError, match="families sentinel-1"):
        plan(config)


def test_settings_of_the_cube_are_refused_before_the_search(archive, model, tmp_path):
    for cube, message in (
        ({"speckle": "multitemporal"}, r"no filter over dates within 3000 m of a fjord.*set it to refined_lee or none"),
        ({"on_read_error": "ignore"}, "on_read_error 'ignore' is not one of raise, skip, flag"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan(tiny.write_config(tmp_path / "run.yaml", archive, model, cube=cube))
    assert not (tmp_path / "out" / "search.json").exists()


def test_planning_computes_nothing(archive, model, tmp_path):
    with raise_if_dask_computes():
        planned = plan(tiny.write_config(tmp_path / "run.yaml", archive, model))
    assert len(planned.units) == 4
    assert sorted(path.name for path in planned.output.iterdir()) == [".lock", "items.parquet", "search.json"]


def test_how_things_are_fetched_is_no_other_run(finished, archive, model, tmp_path):
    config = tiny.write_config(
        tmp_path / "run.yaml", archive, model, output=str(finished.output),
        catalog={"attempts": 2, "timeout_s": 5}, runs={"scenes_per_unit": 1, "window": 3, "workers": 0},
    )  # fmt: skip
    assert run(config).kept == 4


def test_plan_says_what_it_will_cost(finished):
    table = finished.plan.table
    assert list(table["scenes"]) == [2, 2]
    assert (table["memory_mib"] > 500).all()
    html = finished.plan._repr_html_()
    assert "4 scenes of 1 regions in 4 units" in html


def test_elevation_of_a_region_reaches_its_fronts(archive, model, tmp_path):
    """Ground of 1 000 m everywhere leaves no ocean, hence no line but ridges that nothing confirms."""
    (region,) = read_regions(archive.regions)
    found = []
    for height in (0, 1000):
        folder = tmp_path / str(height)
        folder.mkdir()
        dem = folder / "dem.tif"
        profile = {"driver": "GTiff", "height": 60, "width": 60, "count": 1, "dtype": "float32", "crs": region.crs}
        transform = rasterio.transform.from_bounds(*region.outline.buffer(500).bounds, 60, 60)
        with rasterio.open(dem, "w", transform=transform, **profile) as file:
            file.write(np.full((60, 60), height, np.float32), 1)
        places = folder / "regions.geojson"
        write_regions([dataclasses.replace(region, elevation=str(dem))], places)
        result = run(tiny.write_config(folder / "run.yaml", archive, model, regions=str(places)))
        found.append(read_fronts(result.output / "fronts.parquet"))
    low, high = (frame.drop(columns="geometry").to_json() for frame in found)
    assert low != high
