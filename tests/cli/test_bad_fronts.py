"""``icefront series`` on fronts, flowlines and boxes that do not fit: an error that says so, or rows with a reason."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest

from icefront_dask.change.layout import METHODS
from tests.change.builders import assert_no_silent_nan
from tests.change.test_bad_fronts import BOX, FLAGGED, FLOW, REFUSED


def arguments(folder, fronts, box, flow):
    """Write the files, return the command by all methods."""
    tables = {"lines": fronts, "box": gpd.GeoDataFrame(geometry=[box], crs="EPSG:3413"),
              "flow": gpd.GeoDataFrame(geometry=[flow], crs="EPSG:3413")}  # fmt: skip
    for name, table in tables.items():
        table.to_file(folder / f"{name}.gpkg")
    methods = [word for method in METHODS for word in ("--method", method)]
    return ("series", folder / "lines.gpkg", "--box", folder / "box.gpkg", "--flowline", folder / "flow.gpkg",
            *methods, "--uncertainty", 20, "--out", folder / "series.parquet", "--json")  # fmt: skip


@pytest.mark.parametrize("name", FLAGGED)
def test_rows_are_flagged(icefront, tmp_path, name):
    fronts, reasons = FLAGGED[name]
    outcome = icefront(*arguments(tmp_path, fronts, BOX, FLOW))
    assert outcome.status == 0, outcome.stderr
    series = pd.read_parquet(tmp_path / "series.parquet")
    assert len(series) == outcome.json["rows"] == len(fronts) * len(METHODS)
    assert_no_silent_nan(series)
    for method, reason in reasons.items():
        assert series.loc[series["method"] == method, "reason"].str.contains(reason, regex=False).any()


@pytest.mark.parametrize("name", REFUSED)
def test_the_error_names_the_thing(icefront, tmp_path, name):
    fronts, box, flow, said = REFUSED[name]
    outcome = icefront(*arguments(tmp_path, fronts, box, flow))
    assert outcome.status == 2
    assert said in outcome.error
    assert not (tmp_path / "series.parquet").exists()
