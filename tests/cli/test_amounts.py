"""Areas, sub-regions and mass from the command line, against what rectangles and straight lines give."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from icefront_dask.publish import write_fronts
from icefront_dask.regions import Region, write_regions
from tests.publish.builders import front_row, fronts

FJORD = shapely.box(0, 0, 10_000, 4_000)
ORIGIN = (300_000.0, -2_560_000.0)  # EPSG:3413, 66 degrees north


def moved(geometry):
    return shapely.affinity.translate(geometry, *ORIGIN)


@pytest.fixture
def glacier(tmp_path):
    """A straight fjord of 4 km and fronts at 6, 5.5 and 5 km; the last is in review, one more ends in mid-fjord."""
    region = Region(
        "straight",
        moved(shapely.box(-2_000, -2_000, 12_000, 6_000)),
        "EPSG:3413",
        fjord=moved(FJORD),
        flowlines=(moved(shapely.LineString([(0, 2_000), (10_000, 2_000)])),),
    )
    lines = [shapely.LineString([(x, 0), (x, 4_000)]) for x in (6_000, 5_500, 5_000)]
    lines.append(shapely.LineString([(4_000, 1_500), (4_000, 2_500)]))
    status = ["accepted", "accepted", "review", "accepted"]
    rows = [
        front_row("straight", f"s{k}", f"20{19 + k}-08-01", status=word, reason="clouds" if word == "review" else "")
        for k, word in enumerate(status)
    ]
    write_regions([region], tmp_path / "regions.gpkg")
    write_fronts(fronts(rows, [moved(line) for line in lines]), tmp_path / "fronts.parquet")
    return tmp_path, region


@pytest.mark.parametrize("command", ["areas", "aggregate", "mass-change"])
def test_help_shows_an_example(icefront, command):
    outcome = icefront(command, "--help")
    assert f"Example:  icefront {command} " in outcome.stdout
    assert "--json" in outcome.stdout
    assert f"  {command} " in icefront("--help").stdout


def test_areas(icefront, glacier):
    folder, region = glacier
    common = ("areas", folder / "fronts.parquet", "--regions", folder / "regions.gpkg", "--json")
    outcome = icefront(*common, "--out", folder / "areas.gpkg")
    assert (outcome.status, outcome.json["scenes"], outcome.json["region"]) == (0, 2, "straight")
    assert outcome.json["not_closed"] == 1
    found = gpd.read_file(folder / "areas.gpkg")
    ice = found[found["kind"] == "ice"].set_index("scene_id")["area_m2"] * region.areal_scale
    np.testing.assert_allclose(ice[["s0", "s1"]], [6_000 * 4_000, 5_500 * 4_000], rtol=1e-3)
    assert icefront(*common, "--out", folder / "more.parquet", "--with-review").json["scenes"] == 3
    assert icefront(*common, "--out", folder / "areas.csv").status == 2


def test_series_to_mass(icefront, glacier):
    folder, region = glacier
    made = icefront("series", folder / "fronts.parquet", "--regions", folder / "regions.gpkg", "--method",
                    "curvilinear-box", "--width", 3_000, "--out", folder / "series.csv", "--json")  # fmt: skip
    assert made.status == 0
    outcome = icefront("mass-change", folder / "series.csv", "--thickness", 500, "--thickness-sigma", 50, "--out",
                       folder / "mass.csv", "--json")  # fmt: skip
    (change,) = outcome.json["mass_change_gt"].values()
    width, length = 3_000, 500 / region.scale_factor
    assert change == pytest.approx(-917 * 500 * width * length / 1e12, rel=0.02)
    row = pd.read_csv(folder / "mass.csv").iloc[0]
    assert row["terminus_mass_change_low_gt"] < change < row["terminus_mass_change_high_gt"]
    pd.DataFrame({"region": ["straight", "other"], "thickness_m": [250, 1]}).to_csv(folder / "h.csv", index=False)
    each = icefront("mass-change", folder / "series.csv", "--thicknesses", folder / "h.csv", "--out",
                    folder / "mass.parquet", "--json")  # fmt: skip
    assert next(iter(each.json["mass_change_gt"].values())) == pytest.approx(change / 2)
    for wrong in ((), ("--thickness", 1, "--thicknesses", folder / "h.csv"), ("--thickness", -5)):
        assert icefront("mass-change", folder / "series.csv", *wrong, "--out", folder / "m.csv").status == 2


def series_file(path):
    """Two glaciers that retreat by 100 and 400 m a year, 2 and 6 km wide, and one by itself."""
    rows = [
        {"region": name, "datetime": f"{year}-08-01", "scene_id": f"{name}{year}", "method": "rectilinear-box",
         "flowline": "", "crossing": 0, "position_m": 9_000 + step * (year - 2015), "position_sigma_m": 10.0,
         "width_m": width, "sensor": "OLI", "status": "accepted", "reason": ""}
        for name, step, width in (("a", -100, 2_000.0), ("b", -400, 6_000.0), ("c", 50, 1_000.0))
        for year in range(2015, 2019)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_aggregate(icefront, tmp_path):
    series = series_file(tmp_path / "series.csv")
    groups = pd.DataFrame({"region": ["a", "b", "c"], "group": ["east", "east", "west"]})
    groups.to_csv(tmp_path / "groups.csv", index=False)
    outcome = icefront(
        "aggregate", series, "--groups", tmp_path / "groups.csv", "--out", tmp_path / "joined.csv", "--json"
    )
    assert (outcome.json["groups"], outcome.json["steps"]) == (2, 3)
    mean = (-100 * 2 - 400 * 6) / 8
    assert outcome.json["change_m"] == {"east": pytest.approx(3 * mean), "west": pytest.approx(150)}
    assert outcome.json["area_change_m2"]["east"] == pytest.approx(3 * (-100 * 2_000 - 400 * 6_000))
    joined = pd.read_csv(tmp_path / "joined.csv").set_index("group")
    assert joined.loc["east", "n_regions"].tolist() == [2, 2, 2]
    groups.assign(width_m=[1_000, 1_000, np.nan]).to_csv(tmp_path / "groups.csv", index=False)
    again = icefront(
        "aggregate", series, "--groups", tmp_path / "groups.csv", "--out", tmp_path / "j.parquet", "--json"
    )
    assert again.json["change_m"]["east"] == pytest.approx(3 * -250)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("aggregate", "series.csv", "--groups", "series.csv", "--out", "o.csv"), "lacks the column group"),
        (("aggregate", "groups.csv", "--groups", "groups.csv", "--out", "o.csv"), "lacks the column datetime"),
        (("aggregate", "series.csv", "--groups", "groups.csv", "--method", "area", "--out", "o.csv"), "no rows by"),
        (("aggregate", "series.csv", "--groups", "groups.csv", "--out", "o.csv"), "has a group"),
        (("mass-change", "series.csv", "--thicknesses", "groups.csv", "--out", "o.csv"), "lacks the column thick"),
        (("mass-change", "none.csv", "--thickness", "1", "--out", "o.csv"), "there is no file"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(icefront, tmp_path, arguments, message):
    series_file(tmp_path / "series.csv")
    pd.DataFrame({"region": ["x"], "group": ["east"]}).to_csv(tmp_path / "groups.csv", index=False)
    command, *words = arguments
    outcome = icefront(command, *(tmp_path / word if word.endswith(".csv") else word for word in words))
    assert outcome.status == 2
    assert message in outcome.error
