"""What a series says, from the command line: change between epochs, relative length change, calving events."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

YEARS = np.arange(2000, 2021, 5)


@pytest.fixture
def glacier(tmp_path):
    """Straight fronts every five years, 200 m further inland each time, across two flowlines."""
    lines = [shapely.LineString([(9_000 - 200 * k, -2_000), (9_000 - 200 * k, 2_000)]) for k in range(len(YEARS))]
    dates = [f"{year}-08-15" for year in YEARS]
    gpd.GeoDataFrame({"date": dates}, geometry=lines, crs="EPSG:32624").to_file(tmp_path / "lines.gpkg")
    flows = [shapely.LineString([(0, y), (12_000, y)]) for y in (-500, 500)]
    gpd.GeoDataFrame({"name": ["south", "north"]}, geometry=flows, crs="EPSG:32624").to_file(tmp_path / "flow.gpkg")
    return tmp_path


COMMON = ("--method", "centreline", "--projected", "--no-check", "--uncertainty", 20, "--json")
EPOCHS = ("--epoch", "2000-08-15", "--epoch", "2010-08-20", "--epoch", "2020-08-15")


def test_help_shows_an_example(icefront):
    outcome = icefront("statistics", "--help")
    assert "Example:  icefront statistics " in outcome.stdout
    assert "--json" in outcome.stdout
    assert "  statistics " in icefront("--help").stdout
    assert "--epoch 2000-08-15 --epoch 2020-08-15" in icefront("series", "--help").stdout


def test_epochs_and_relative_length_of_fronts(icefront, glacier):
    outcome = icefront(
        "series", glacier / "lines.gpkg", "--flowline", glacier / "flow.gpkg", *COMMON, *EPOCHS,
        "--epochs-out", glacier / "epochs.csv", "--relative-length-out", glacier / "length.csv",
        "--out", glacier / "series.parquet",
    )  # fmt: skip
    assert outcome.status == 0, outcome.stderr
    changes = outcome.json["epoch_changes_m"]
    assert changes["centreline north 2000-08-15 to 2010-08-20"] == pytest.approx(-400, abs=0.1)
    assert len(changes) == 4
    epochs = pd.read_csv(glacier / "epochs.csv")
    assert epochs["change_m"].tolist() == pytest.approx([-400.0] * 4, abs=0.1)
    assert epochs["change_high_m"].tolist() == pytest.approx([-400 + 1.96 * 20 * np.sqrt(2)] * 4, abs=0.5)
    assert epochs["same_season"].all()
    lengths = pd.read_csv(glacier / "length.csv")
    assert lengths.loc[lengths["flowline"] == "south", "relative_length_change_km"].tolist() == pytest.approx(
        0.2 * np.arange(5), abs=1e-4
    )
    assert outcome.json["relative_length_change_km"] == {"north": pytest.approx(0.8), "south": pytest.approx(0.8)}


def test_the_same_of_a_series(icefront, glacier):
    icefront("series", glacier / "lines.gpkg", "--flowline", glacier / "flow.gpkg", *COMMON, "--out",
             glacier / "series.csv")  # fmt: skip
    outcome = icefront(
        "statistics", glacier / "series.csv", *EPOCHS, "--events-out", glacier / "events.parquet",
        "--relative-length-out", glacier / "length.parquet", "--out", glacier / "statistics.csv", "--json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["rows"] == len(pd.read_csv(glacier / "statistics.csv")) == 2
    assert outcome.json["net_change_m"]["centreline south"] == pytest.approx(-800, abs=0.2)
    assert outcome.json["epoch_changes_m"]["centreline south 2010-08-20 to 2020-08-15"] == pytest.approx(-400, abs=0.1)
    events = pd.read_parquet(glacier / "events.parquet")
    assert outcome.json["calving_events"] == len(events) == 8  # each retreat of 200 m exceeds its errors
    assert events["over_gap"].all()
    assert events["change_m"].tolist() == pytest.approx([-200.0] * 8, abs=0.1)
    assert outcome.json["relative_length_change_km"]["north"] == pytest.approx(0.8, abs=1e-3)
    text = icefront("statistics", glacier / "series.csv")
    assert text.status == 0
    assert "net_change_m" in text.stderr


def test_an_epoch_without_a_front_is_told(icefront, glacier):
    outcome = icefront(
        "series", glacier / "lines.gpkg", "--flowline", glacier / "flow.gpkg", *COMMON, "--epoch", "2000-08-15",
        "--epoch", "2003-08-15", "--epochs-out", glacier / "epochs.csv", "--out", glacier / "series.csv",
    )  # fmt: skip
    assert outcome.json["epoch_changes_m"] == dict.fromkeys(outcome.json["epoch_changes_m"])
    reasons = set(pd.read_csv(glacier / "epochs.csv")["reason"])
    assert reasons == {"no accepted front within 30 days of 2003-08-15"}


def test_screens(icefront, tmp_path):
    """A front of 60 that zigzags goes to review; the change of the next is that since the one before it."""
    dates = pd.date_range("2019-01-01", periods=60, freq="12D").strftime("%Y-%m-%d")
    rng = np.random.default_rng(1)
    across = np.linspace(-2_000, 2_000, 81)
    lines = [shapely.LineString(np.column_stack([5_000 + 5 * rng.standard_normal(81) + 2 * k, across]))
             for k in range(60)]  # fmt: skip
    lines[30] = shapely.LineString(np.column_stack([5_060 + 150 * rng.standard_normal(81), across]))
    gpd.GeoDataFrame({"date": dates}, geometry=lines, crs="EPSG:32624").to_file(tmp_path / "lines.gpkg")
    flow = shapely.LineString([(0, 0), (12_000, 0)])
    gpd.GeoDataFrame(geometry=[flow], crs="EPSG:32624").to_file(tmp_path / "flow.gpkg")
    common = ("series", tmp_path / "lines.gpkg", "--flowline", tmp_path / "flow.gpkg", "--method", "curvilinear-box",
              "--uncertainty", 50, "--out", tmp_path / "series.csv", "--json")  # fmt: skip
    assert icefront(*common).json["accepted"] == 60
    assert icefront(*common, "--screens").json["accepted"] < 60
    series = pd.read_csv(tmp_path / "series.csv", keep_default_na=False, na_values=["nan", ""])
    assert series.loc[30, "status"] == "review"
    assert "rough_line" in series.loc[30, "reason"]
    assert series.loc[31, "change_m"] == pytest.approx(series.loc[31, "position_m"] - series.loc[29, "position_m"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs-out", "e.csv"), "--epochs-out needs epochs"),
        (("--epoch", "2000-08-15"), "one epoch, 2000-08-15, has no change"),
        (("--epoch", "2000-08-15", "--epoch", "soon"), "the epochs are not dates"),
        (("--events-out", "e.gpkg"), "change the ending"),
        (("--region", "elsewhere"), "no rows of region 'elsewhere'"),
        (("--relative-length-out", "length.csv"), "accepted positions by the method centreline"),
    ],
)
def test_what_cannot_be_used(icefront, tmp_path, arguments, message):
    rows = pd.DataFrame(
        {"region": "here", "datetime": ["2000-08-15", "2010-08-15"], "scene_id": ["a", "b"], "method": "area",
         "flowline": "", "position_m": [0.0, 1.0], "position_sigma_m": 1.0, "status": "accepted", "reason": ""}
    )  # fmt: skip
    rows.to_csv(tmp_path / "series.csv", index=False)
    words = [tmp_path / word if word.endswith((".csv", ".gpkg")) else word for word in arguments]
    outcome = icefront("statistics", tmp_path / "series.csv", *words)
    assert outcome.status == 2
    assert message in outcome.error
    assert not (tmp_path / "e.csv").exists()
