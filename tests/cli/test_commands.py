"""Each command: its help, its last line, and what it leaves."""

from __future__ import annotations

import json
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from pyproj import Transformer

from icefront_dask.publish import read_fronts
from icefront_dask.runs import images
from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.working_grid import working_grid
from icefront_dask.simulate.archive import read_truth
from tests.runs import tiny

COMMANDS = (
    "simulate",
    "providers",
    "search",
    "cube",
    "segment",
    "trace",
    "series",
    "score",
    "compare",
    "ablate",
    "run",
    "train",
    "tune",
    "demo",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(icefront, command):
    outcome = icefront(command, "--help")
    assert outcome.status == 0
    assert f"Example:  icefront {command} " in outcome.stdout
    assert "--json" in outcome.stdout


def test_help_lists_every_command_and_version_is_the_packages(icefront):
    import icefront_dask

    outcome = icefront("--help")
    assert all(f"  {command} " in outcome.stdout for command in COMMANDS)
    assert icefront("--version").stdout.strip() == icefront_dask.__version__


def test_run(icefront, archive, model, finished, tmp_path):
    config = tiny.write_config(tmp_path / "run.yaml", archive, model)
    planned = icefront("run", config, "--plan", "--json")
    assert (planned.json["scenes"], planned.json["units"]) == (4, 4)
    assert not (tmp_path / "out" / "spec.json").exists()
    outcome = icefront("run", config, "--workers", 0, "--json")
    assert outcome.status == 0
    assert outcome.json["units_done"] == 4
    assert outcome.json["report"] == str(tmp_path / "out" / "report.html")
    assert "units: 0 of 4 done" in outcome.stderr
    assert tiny.tree(tmp_path / "out") == tiny.tree(finished.output)
    text = icefront("run", config, "--workers", 0)
    assert "units kept" in text.stdout


def test_step_by_step_gives_the_fronts_of_a_run(icefront, archive, model, finished, tmp_path):
    """``search``, ``cube``, ``segment`` and ``trace`` compose to what ``run`` does."""
    regions = ("--regions", archive.regions)
    found = icefront("search", archive.items, *regions, "--out", tmp_path / "items.parquet", "--json")
    assert found.json["items"] == archive.scenes
    assert found.json["collections"] == {"landsat-c2-l2": 2, "sentinel-1-rtc": 2}
    store = tmp_path / "cube.zarr"
    cube = icefront("cube", tmp_path / "items.parquet", *regions, "--family", "sentinel-1", "--out", store, "--json")
    assert cube.json["scenes"] == 2
    assert cube.json["variables"] == ["hh", "hv", "quality"]
    predicted = icefront("segment", store, *regions, "--model", model, "--json")
    assert predicted.json["scenes"] == 2
    traced = icefront("trace", store, *regions, "--out", tmp_path / "fronts.parquet", "--json")
    assert traced.json["scenes"] == 2
    fronts = read_fronts(tmp_path / "fronts.parquet")
    whole = read_fronts(finished.output / "fronts.parquet")
    assert set(fronts["scene_id"]) == set(whole["scene_id"][whole["sensor"] == "C-SAR"])
    out = icefront(
        "series", tmp_path / "fronts.parquet", *regions, "--out", tmp_path / "series.csv", "--statistics",
        tmp_path / "statistics.parquet", "--json",
    )  # fmt: skip
    assert out.json["rows"] == len(pd.read_csv(tmp_path / "series.csv")) > 0
    assert len(pd.read_parquet(tmp_path / "statistics.parquet")) > 0


def test_series_of_any_lines_with_dates(icefront, tmp_path):
    """Straight fronts across a straight flowline, 100 m further inland each year."""
    dates = pd.date_range("2015-07-01", periods=5, freq="365D")
    lines = [shapely.LineString([(5000 - 100 * k, -2000), (5000 - 100 * k, 2000)]) for k in range(5)]
    gpd.GeoDataFrame({"datetime": dates}, geometry=lines, crs="EPSG:32624").to_file(tmp_path / "lines.gpkg")
    flow = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (10_000, 0)])], crs="EPSG:32624")
    flow.to_file(tmp_path / "flow.gpkg")
    outcome = icefront(
        "series", tmp_path / "lines.gpkg", "--flowline", tmp_path / "flow.gpkg", "--method", "centreline",
        "--projected", "--out", tmp_path / "series.parquet", "--json",
    )  # fmt: skip
    assert outcome.json["rows"] == 5
    series = pd.read_parquet(tmp_path / "series.parquet")
    np.testing.assert_allclose(series["position_m"], [5000, 4900, 4800, 4700, 4600], atol=0.01)
    assert outcome.json["net_change_m"] == {"centreline 0": pytest.approx(-400, abs=0.1)}
    assert icefront("series", tmp_path / "none.gpkg").status == 2


@pytest.fixture
def labelled(archive, tmp_path):
    """Return a folder in layout scenes: two Landsat bands with their true fronts, one of them without."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    truth = read_truth(archive.folder)
    files = sorted((archive.folder / "landsat-c2-l2").glob("*/*_SR_B4.TIF"))
    for file in files:
        shutil.copy(file, folder / f"{file.parent.name}.tif")
    row = truth[truth["item_id"] == files[0].parent.name].iloc[0]
    line = gpd.GeoSeries([row.geometry], crs=row.crs).to_crs(4326)
    (folder / f"{files[0].parent.name}.geojson").write_text(line.to_json())
    return folder, [file.parent.name for file in files]


def test_score_of_scenes(icefront, labelled, model, tmp_path):
    folder, (known, unknown) = labelled
    outcome = icefront(
        "score", folder, "--layout", "scenes", "--model", model, "--lines", tmp_path / "lines", "--out",
        tmp_path / "scores", "--json",
    )  # fmt: skip
    assert outcome.status == 0
    assert outcome.json["images"] == 2
    assert outcome.json["labelled"] == 1
    assert outcome.json["unlabelled"] == [unknown]
    assert outcome.json["without_front"] == 0
    assert (tmp_path / "scores" / "scores.md").exists()
    assert (tmp_path / "scores" / "worst.png").exists()
    for name in (known, unknown):
        (feature,) = json.loads((tmp_path / "lines" / f"{name}.geojson").read_text())["features"]
        assert feature["properties"]["status"] == outcome.json["status"][name]
        assert feature["properties"].get("guessed", False) == (name in outcome.json["guessed"])
        line = shapely.geometry.shape(feature["geometry"])
        with rasterio.open(folder / f"{name}.tif") as source:
            bounds = rasterio.warp.transform_bounds(source.crs, 4326, *source.bounds)
        assert shapely.box(*bounds).buffer(1e-3).covers(line)


def test_compare_of_two_models(icefront, labelled, model, tmp_path):
    folder, (known, _) = labelled
    other = tmp_path / "other.safetensors"
    shutil.copy(model, other)
    shutil.copy(model.with_suffix(".json"), other.with_suffix(".json"))
    outcome = icefront(
        "compare", folder, "--layout", "scenes", "--model", model, "--model", other, "--out", tmp_path / "out", "--json"
    )
    assert outcome.status == 0
    first, second = outcome.json["models"]
    assert (first["model"], second["model"]) == (str(model), str(other))
    assert first["mean_px"] == second["mean_px"]
    assert len(pd.read_csv(tmp_path / "out" / "compare.csv")) == 2
    assert (tmp_path / "out" / "other" / "scores.csv").exists()
    assert icefront("compare", folder, "--layout", "scenes", "--model", model, "--model", model).status == 2
    (folder / f"{known}.geojson").unlink()
    assert icefront("compare", folder, "--layout", "scenes", "--model", model).status == 2


def test_score_of_a_folder_without_labels(icefront, labelled, model):
    folder, names = labelled
    (folder / f"{names[0]}.geojson").unlink()
    outcome = icefront("score", folder, "--layout", "scenes", "--model", model, "--json")
    assert outcome.status == 0
    assert (outcome.json["labelled"], outcome.json["unlabelled"]) == (0, names)


def test_images_in_degrees_are_warped_and_lines_come_back(labelled, model, tmp_path):
    """A pixel of the warped grid and the same point in the file's pixels are one place on the ground."""
    folder, names = labelled
    path = tmp_path / "degrees.tif"
    with rasterio.open(folder / f"{names[0]}.tif") as source:
        transform, width, height = rasterio.warp.calculate_default_transform(
            source.crs, "EPSG:4326", source.width, source.height, *source.bounds, resolution=(0.0008, 0.00027)
        )
        profile = {
            "driver": "GTiff",
            "dtype": source.dtypes[0],
            "count": 1,
            "nodata": 0,
            "crs": "EPSG:4326",
            "transform": transform,
            "width": width,
            "height": height,
        }
        with rasterio.open(path, "w", **profile) as target:
            rasterio.warp.reproject(rasterio.band(source, 1), rasterio.band(target, 1))
    image = read_image(path)
    grid = working_grid(image, 30.0)
    assert grid.pixel_size_m == pytest.approx(32.6, abs=1.5)  # 0.0008 degrees of longitude at 68.5 degrees north
    transform, crs = grid.place
    assert crs == "EPSG:3413"
    assert np.isfinite(grid.bands()["grey"]).mean() > 0.3
    xy = np.array([[10.5, 20.5], [40.0, 33.3]])
    in_file = grid.to_file(xy)
    lonlat = np.column_stack(image.transform * (in_file[:, 0], in_file[:, 1]))
    metres = np.column_stack(Transformer.from_crs(4326, crs, always_xy=True).transform(*lonlat.T))
    np.testing.assert_allclose(metres, np.column_stack(transform * (xy[:, 0], xy[:, 1])), atol=1e-3)
    front = images.front_of_image(path, model=str(model))
    assert front.crs == "EPSG:4326"


def test_simulate(icefront, tmp_path):
    outcome = icefront("simulate", tmp_path / "archive", "--small", "--json")
    assert outcome.json["scenes"] == 12
    assert outcome.json["regions"] == 3
    assert (tmp_path / "archive" / "items.parquet").exists()
    assert icefront("simulate", tmp_path / "archive", "--small", "--seed", 3).status == 1


def test_series_by_every_method_of_a_flowline_digitised_from_the_sea(icefront, tmp_path):
    dates = pd.date_range("2015-07-01", periods=3, freq="365D")
    lines = [shapely.LineString([(5000 - 100 * k, -2000), (5000 - 100 * k, 2000)]) for k in range(3)]
    gpd.GeoDataFrame({"Date": dates}, geometry=lines, crs="EPSG:32633").to_file(tmp_path / "lines.gpkg")
    flow = gpd.GeoDataFrame(geometry=[shapely.LineString([(10_000, 0), (0, 0)])], crs="EPSG:32633")
    flow.to_file(tmp_path / "flow.gpkg")
    methods = ("curvilinear-box", "variable-box", "centreline", "multi-centreline", "area")
    outcome = icefront(
        "series", tmp_path / "lines.gpkg", "--flowline", tmp_path / "flow.gpkg", "--flowline-direction",
        "sea-to-inland", *(word for method in methods for word in ("--method", method)), "--width", 3000,
        "--projected", "--out", tmp_path / "series.csv", "--matrix", tmp_path / "matrix.csv", "--product", "annual",
        "--product-out", tmp_path / "years.gpkg", "--json",
    )  # fmt: skip
    assert outcome.json["methods"] == sorted(methods)
    series = pd.read_csv(tmp_path / "series.csv")
    changes = series.groupby("method")["change_m"].apply(lambda c: c.dropna().tolist())
    for method in methods:
        np.testing.assert_allclose(changes[method], [-100, -100], atol=0.1, err_msg=method)
    matrix = pd.read_csv(tmp_path / "matrix.csv")
    assert matrix.shape == (3, 303)
    np.testing.assert_allclose(matrix["0.0"], [5000, 4900, 4800], atol=0.01)
    assert gpd.read_file(tmp_path / "years.gpkg")["n_dates"].tolist() == [1, 1, 1]
    refused = icefront("series", tmp_path / "lines.gpkg", "--basin", tmp_path / "flow.gpkg")
    assert refused.status == 2


def test_series_with_guides_drawn_from_fjord_and_basin(icefront, tmp_path):
    dates = pd.date_range("2015-07-01", periods=3, freq="365D")
    lines = [shapely.LineString([(5000 - 100 * k, -2100), (5000 - 100 * k, 2100)]) for k in range(3)]
    for name, geometry, columns in (
        ("lines", lines, {"Date": dates}),
        ("fjord", [shapely.box(0, -2000, 12_000, 2000)], {}),
        ("basin", [shapely.box(-9000, -9000, 1000, 9000)], {}),
    ):
        gpd.GeoDataFrame(columns, geometry=geometry, crs="EPSG:32633").to_file(tmp_path / f"{name}.gpkg")
    common = ("series", tmp_path / "lines.gpkg", "--fjord", tmp_path / "fjord.gpkg", "--projected", "--json")
    outcome = icefront(*common, "--basin", tmp_path / "basin.gpkg", "--out", tmp_path / "series.csv")
    assert outcome.json["methods"] == ["centreline", "curvilinear-box", "rectilinear-box"]
    for method, change in outcome.json["net_change_m"].items():
        assert change == pytest.approx(-200, abs=2), method
    assert icefront(*common).status == 2  # nothing says where the sea is


def test_review_and_comparison(icefront, tmp_path):
    from icefront_dask.publish import write_fronts
    from icefront_dask.regions import write_regions
    from tests.publish.test_review import REGION, fronts, saved

    write_regions([REGION], tmp_path / "regions.gpkg")
    write_fronts(fronts(), tmp_path / "fronts.parquet")
    common = ("review", tmp_path / "fronts.parquet", "--regions", tmp_path / "regions.gpkg", "--json")
    first = icefront(*common, "--out", tmp_path / "review.html")
    assert first.json["for_review"] == 2
    saved(tmp_path / "review.html", {"s03": "accept", "s09": "reject"}, tmp_path / "v.csv")
    again = icefront(*common, "--out", tmp_path / "review.html", "--verdicts", tmp_path / "v.csv",
                     "--judged", tmp_path / "judged.parquet")  # fmt: skip
    assert (again.json["for_review"], again.json["verdicts"]) == (0, {"applied": 2})
    assert icefront(*common, "--out", tmp_path / "r.html", "--judged", tmp_path / "j.parquet").status == 2

    theirs = fronts().rename(columns={"datetime": "Date", "sensor": "Satellite", "uncertainty_m": "Error"})
    theirs = theirs.assign(Date=theirs["Date"].dt.strftime("%Y-%m-%d"), **{"Glacier ID": "7"})
    theirs[["Date", "Satellite", "Error", "Glacier ID", "geometry"]].to_file(tmp_path / "theirs.gpkg")
    compared = icefront(
        "compare-fronts", tmp_path / "judged.parquet", tmp_path / "theirs.gpkg", "--schema", "autoterm",
        "--regions", tmp_path / "regions.gpkg", "--plot", tmp_path / "figure.svg", "--out", tmp_path / "p.csv",
        "--json",
    )  # fmt: skip
    assert compared.json["n_pairs"] == 11  # one was rejected
    assert compared.json["bias_m"] == pytest.approx(0, abs=0.01)
    assert len(pd.read_csv(tmp_path / "p.csv")) == 11
    assert (tmp_path / "figure.svg").stat().st_size > 1000
    unknown = icefront("compare-fronts", tmp_path / "judged.parquet", tmp_path / "theirs.gpkg", "--schema", "termpicks")
    assert unknown.status == 2


def test_comparison_with_a_table_of_positions(icefront, tmp_path):
    """A table of MaQiT whose flowline was digitised from the sea: its positions grow landward."""
    dates = pd.date_range("2015-07-01", periods=5, freq="30D")
    position = 5_000 - 100.0 * np.arange(5)
    lines = [shapely.LineString([(x, -2_000), (x, 2_000)]) for x in position]
    gpd.GeoDataFrame({"date": dates}, geometry=lines, crs="EPSG:32624").to_file(tmp_path / "lines.gpkg")
    flow = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (10_000, 0)])], crs="EPSG:32624")
    flow.to_file(tmp_path / "flow.gpkg")
    theirs = pd.DataFrame({"Year": dates.year, "Month": dates.month, "Day": dates.day,
                           "Position on flowline": 12_000 - position})  # fmt: skip
    theirs.to_csv(tmp_path / "maqit.csv", index=False)
    common = ("compare-fronts", tmp_path / "lines.gpkg", tmp_path / "maqit.csv", "--schema", "maqit", "--flowline",
              tmp_path / "flow.gpkg", "--projected", "--out", tmp_path / "pairs.csv", "--json")  # fmt: skip
    compared = icefront(*common, "--landward")
    assert compared.json["n_pairs"] == len(pd.read_csv(tmp_path / "pairs.csv")) == 5
    assert compared.json["p95_m"] == pytest.approx(0, abs=0.01)
    assert icefront(*common).json["p95_m"] > 300
    lines_of_theirs = ("compare-fronts", tmp_path / "lines.gpkg", tmp_path / "lines.gpkg", "--schema", "autoterm")
    assert icefront(*lines_of_theirs, "--landward").status == 2
