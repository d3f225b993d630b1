"""``icefront series`` and ``compare-fronts`` over files as others write them: formats, CRS, columns, bad rows."""

from __future__ import annotations

import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.ops import substring

from tests.change.builders import front_at, straight_box, straight_flowline

DAYS = ["2019-07-01", "2019-07-13", "2019-08-06", "2019-09-03", "2020-07-02"]
POSITIONS = np.array([5_000.0, 4_900.0, 5_100.0, 4_700.0, 4_650.0])


def lines(**columns):
    return gpd.GeoDataFrame(
        {"date": DAYS} | columns, geometry=[front_at(p) for p in POSITIONS], crs="EPSG:3413"
    )  # fmt: skip


@pytest.fixture
def measured(icefront, tmp_path):
    """Return what ``series`` makes of a file with two methods, as positions of the box and the outcome."""
    for name, shape in (("flow", straight_flowline()), ("box", straight_box())):
        gpd.GeoDataFrame(geometry=[shape], crs="EPSG:3413").to_file(tmp_path / f"{name}.gpkg")

    def call(path, *more):
        out = tmp_path / "series.parquet"
        out.unlink(missing_ok=True)
        outcome = icefront(
            "series", path, "--flowline", tmp_path / "flow.gpkg", "--box", tmp_path / "box.gpkg", "--method",
            "rectilinear-box", "--method", "centreline", "--uncertainty", 20, "--out", out, *more,
        )  # fmt: skip
        if not out.exists():
            return None, outcome
        table = pd.read_parquet(out)
        return table[table["method"] == "rectilinear-box"]["position_m"].to_numpy(), outcome

    return call


@pytest.fixture
def expected(measured, tmp_path):
    lines().to_file(tmp_path / "plain.gpkg")
    positions, _ = measured(tmp_path / "plain.gpkg")
    assert np.diff(positions) == pytest.approx(np.diff(POSITIONS) / 1.0118, abs=0.1)
    return positions


def test_formats_and_crs(measured, expected, tmp_path):
    table = lines()
    table.to_file(tmp_path / "shape.shp")
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        for part in tmp_path.glob("shape.*"):
            archive.write(part, part.name)
    table.to_file(tmp_path / "flat.fgb")
    table.to_crs(4326).to_file(tmp_path / "degrees.geojson")
    table.to_file(tmp_path / "metres.geojson")
    table.rename_geometry("shape").to_parquet(tmp_path / "geo.parquet")
    table.to_crs(32624).to_file(tmp_path / "utm.gpkg")
    table.to_crs(6931).to_file(tmp_path / "ease.gpkg")
    for name in (
        "shape.shp",
        "zipped.zip",
        "flat.fgb",
        "degrees.geojson",
        "metres.geojson",
        "geo.parquet",
        "ease.gpkg",
    ):
        positions, outcome = measured(tmp_path / name)
        assert positions == pytest.approx(expected, abs=0.05), (name, outcome.stderr)
    positions, _ = measured(tmp_path / "utm.gpkg")
    assert np.diff(positions) == pytest.approx(np.diff(expected), abs=0.5)


def test_lines_however_they_are_digitised(measured, expected, tmp_path):
    fronts = list(lines().geometry)
    halves = [[substring(f, 0, 1_500), substring(f, 1_500, f.length)] for f in fronts]
    drawn = {
        "reversed": [f.reverse() for f in fronts],
        "both ways": [f.reverse() if k % 2 else f for k, f in enumerate(fronts)],
        "with heights": [shapely.force_3d(f, 12.5) for f in fronts],
        "one part": [shapely.MultiLineString([f]) for f in fronts],
        "parts in any order": [shapely.MultiLineString([b, a.reverse()]) for a, b in halves],
    }
    for name, shapes in drawn.items():
        lines().set_geometry(shapes, crs="EPSG:3413").to_file(tmp_path / "drawn.gpkg")
        positions, _ = measured(tmp_path / "drawn.gpkg")
        assert positions == pytest.approx(expected, abs=1e-6), name


def test_a_file_that_names_no_crs(measured, expected, tmp_path):
    lines().to_file(tmp_path / "shape.shp")
    (tmp_path / "shape.prj").unlink()
    bare = {"type": "FeatureCollection", "features": lines().__geo_interface__["features"]}
    (tmp_path / "bare.geojson").write_text(pd.io.json.ujson_dumps(bare, double_precision=15))
    for name, said in (("shape.shp", "names no CRS; say which it has with --crs"), ("bare.geojson", "are no degrees")):
        assert said in measured(tmp_path / name)[1].error
        assert measured(tmp_path / name, "--crs", "EPSG:3413")[0] == pytest.approx(expected, abs=1e-3)
    assert "EPSG:0 is not known" in measured(tmp_path / "shape.shp", "--crs", "EPSG:0")[1].error


def test_fronts_without_dates_and_of_several_regions(measured, expected, tmp_path):
    lines(date=[*DAYS[:4], None]).to_file(tmp_path / "undated.gpkg")
    assert "1 of 5 rows of the fronts have no date in 'date'" in measured(tmp_path / "undated.gpkg")[1].error
    positions, outcome = measured(tmp_path / "undated.gpkg", "--skip-undated")
    assert positions == pytest.approx(expected[:4])
    assert "1 of 5 fronts have no date and are left out" in outcome.stderr
    lines(date=[None] * 5).to_file(tmp_path / "none.gpkg")
    assert (
        "none of the 5 fronts" in measured(tmp_path / "none.gpkg", "--skip-undated", "--date-column", "date")[1].error
    )
    lines(region=["a", "b", "a", "b", "a"]).to_file(tmp_path / "two.gpkg")
    assert "fronts of 2 regions; name one with --region" in measured(tmp_path / "two.gpkg")[1].error
    assert measured(tmp_path / "two.gpkg", "--region", "a")[0] == pytest.approx(expected[::2])
    assert "no fronts of region 'c'; it has a, b" in measured(tmp_path / "two.gpkg", "--region", "c")[1].error


def test_files_without_fronts(measured, tmp_path):
    lines().iloc[:0].to_file(tmp_path / "empty.gpkg")
    assert "empty.gpkg has no fronts" in measured(tmp_path / "empty.gpkg")[1].error
    pd.DataFrame(lines().drop(columns="geometry")).to_csv(tmp_path / "table.csv")
    assert "table.csv has no geometries" in measured(tmp_path / "table.csv")[1].error


def test_a_flowline_that_was_digitised_from_the_sea_is_told(icefront, tmp_path):
    lines().to_file(tmp_path / "fronts.gpkg")
    flow = gpd.GeoDataFrame(geometry=[straight_flowline().reverse()], crs="EPSG:3413")
    flow.to_file(tmp_path / "flow.gpkg")
    command = (
        "series",
        tmp_path / "fronts.gpkg",
        "--flowline",
        tmp_path / "flow.gpkg",
        "--method",
        "centreline",
        "--json",
    )
    wrong, right = icefront(*command), icefront(*command, "--flowline-direction", "sea-to-inland")
    (line,) = [line for line in wrong.stderr.splitlines() if "warning" in line]
    assert line.startswith("icefront: warning: flowline '0' runs towards the ice sheet's interior")
    assert "--flowline-direction sea-to-inland" in line
    assert "warning" not in right.stderr
    (one,), (other,) = (outcome.json["net_change_m"].values() for outcome in (wrong, right))
    assert one == pytest.approx(-other)


def test_a_box_is_drawn_where_a_width_is_given(icefront, tmp_path):
    lines().to_file(tmp_path / "fronts.gpkg")
    gpd.GeoDataFrame(geometry=[straight_flowline()], crs="EPSG:3413").to_file(tmp_path / "flow.gpkg")
    command = "series", tmp_path / "fronts.gpkg", "--flowline", tmp_path / "flow.gpkg", "--method", "rectilinear-box"
    assert "rectilinear-box needs a box" in icefront(*command).error
    outcome = icefront(*command, "--width", 3_000, "--projected", "--json")
    assert outcome.json["net_change_m"] == {"rectilinear-box": pytest.approx(-350, abs=0.1)}


def test_comparison_of_files_without_a_crs(icefront, tmp_path):
    for name, shift in (("ours", 0.0), ("theirs", 40.0)):
        table = lines(Date=DAYS, RefName="F", Satellite="L", Author="A", ImageID="x", QualFlag=10).drop(columns="date")
        table.set_geometry([front_at(p + shift) for p in POSITIONS], crs="EPSG:3413").to_file(tmp_path / f"{name}.shp")
        (tmp_path / f"{name}.prj").unlink()
    gpd.GeoDataFrame(geometry=[straight_flowline()], crs="EPSG:3413").to_file(tmp_path / "flow.gpkg")
    command = (
        "compare-fronts", tmp_path / "ours.shp", tmp_path / "theirs.shp", "--schema", "calfin", "--flowline",
        tmp_path / "flow.gpkg", "--projected",
    )  # fmt: skip
    assert "names no CRS" in icefront(*command).error
    outcome = icefront(*command, "--crs", "EPSG:3413", "--json")
    assert outcome.json["n_pairs"] == 5
    assert outcome.json["bias_m"] == pytest.approx(-40, abs=0.1)


def test_several_glaciers_from_files_of_their_own(icefront, tmp_path):
    """Two straight fjords of 3 and 1 km width by --width, one of which retreats 350 m, the other 700 m."""
    gpd.GeoDataFrame(geometry=[straight_flowline()], crs="EPSG:3413").to_file(tmp_path / "flow.gpkg")
    files = []
    for name, width, factor in (("one", 3_000, 1), ("two", 1_000, 2)):
        shapes = [front_at(5_000 + factor * (p - 5_000)) for p in POSITIONS]
        lines().set_geometry(shapes, crs="EPSG:3413").to_file(tmp_path / f"{name}.gpkg")
        files.append(tmp_path / f"{name}.csv")
        assert icefront(
            "series", tmp_path / f"{name}.gpkg", "--flowline", tmp_path / "flow.gpkg", "--method", "rectilinear-box",
            "--width", width, "--projected", "--region", name, "--no-check", "--out", files[-1],
        ).status == 0  # fmt: skip
        assert set(pd.read_csv(files[-1])["region"]) == {name}
    (tmp_path / "groups.csv").write_text("region,group\none,east\ntwo,east\n,none\n")
    outcome = icefront(
        "aggregate", *files, "--groups", tmp_path / "groups.csv", "--out", tmp_path / "east.csv", "--json"
    )
    # annual medians of 2019 are 50 m and 100 m seaward of the middle of the first and the last two fronts
    steps = [factor * (POSITIONS[4] - np.median(POSITIONS[:4])) for factor in (1, 2)]
    assert outcome.json["change_m"] == {"east": pytest.approx((3 * steps[0] + steps[1]) / 4, abs=0.1)}
    mass = icefront("mass-change", *files, "--thickness", 500, "--out", tmp_path / "mass.csv", "--json")
    assert mass.json["rows"] == 2
    assert set(pd.read_csv(tmp_path / "mass.csv")["region"]) == {"one", "two"}
    unnamed = pd.read_csv(files[0]).assign(region="")
    unnamed.to_csv(tmp_path / "unnamed.csv", index=False)
    refused = icefront(
        "aggregate",
        tmp_path / "unnamed.csv",
        files[1],
        "--groups",
        tmp_path / "groups.csv",
        "--out",
        tmp_path / "o.csv",
    )
    assert "unnamed.csv has positions without a region; name it by `icefront series --region NAME`" in refused.error
