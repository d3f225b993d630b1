"""Verdicts named in the run file: on fronts, series and statistics, and still there after a reprocessing."""

from __future__ import annotations

import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.publish import read_fronts
from icefront_dask.runs import plan, run
from tests.runs import tiny

NAMES = ["region", "scene_id", "front_id", "verdict", "line", "note"]


def saved(path, rows):
    """A file as the review page saves it: rows of a fronts table, a verdict each."""
    lines = [
        [row.region, row.scene_id, row.front_id + 7, verdict, shapely.to_wkt(line, rounding_precision=0), ""]
        for row, verdict, line in rows
    ]
    pd.DataFrame(lines, columns=NAMES).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def judged(finished, archive, model, tmp_path_factory):
    """The finished run and its verdicts, done once more with the units that it has."""
    folder = tmp_path_factory.mktemp("judged")
    (region,) = set(gpd.read_parquet(finished.output / "fronts.parquet")["region"])
    before = read_fronts(finished.output / "fronts.parquet", region)
    rows = [row for row in before.itertuples() if row.geometry is not None]
    assert len(rows) == 4
    moved = shapely.affinity.translate(rows[2].geometry, *[12 * rows[2].pixel_size_m] * 2)
    saved(
        folder / "verdicts.csv",
        [
            (rows[0], "accept", rows[0].geometry),
            (rows[1], "reject", shapely.affinity.translate(rows[1].geometry, 5.0, 5.0)),
            (rows[2], "accept", moved),
            (rows[0]._replace(scene_id="gone"), "reject", moved),
            (rows[0]._replace(region="elsewhere"), "reject", moved),
        ],
    )
    shutil.copytree(finished.output, folder / "out")
    result = run(tiny.write_config(folder / "run.yaml", archive, model, verdicts="verdicts.csv"))
    return result, before, [row.scene_id for row in rows]


def test_verdicts_are_on_fronts_and_series(judged):
    result, before, scenes = judged
    assert (result.done, result.kept) == (0, 4)
    assert result.summary["verdicts"] == {"applied": 2, "line_changed": 1, "no_such_scene": 2}
    fronts = read_fronts(result.output / "fronts.parquet").set_index("scene_id")
    assert fronts.loc[scenes[:2], "status"].tolist() == ["accepted", "rejected"]
    assert fronts.loc[scenes[0], "reason"] == ""
    same = before.set_index("scene_id").loc[scenes[2:], ["status", "reason"]]
    assert fronts.loc[scenes[2:], ["status", "reason"]].equals(same)
    series = pd.read_parquet(result.output / "series.parquet")
    measured = series[series["position_m"].notna()]
    of = dict(tuple(measured.groupby("scene_id")))
    assert set(of[scenes[0]]["status"]) == {"accepted"}
    assert of[scenes[0]]["reason"].str.contains("by_hand").all()
    assert set(of[scenes[1]]["status"]) == {"rejected"}
    assert not of[scenes[2]]["reason"].str.contains("by_hand").any()
    counted = pd.read_parquet(result.output / "statistics.parquet")["n"]
    assert counted.tolist() == series[series["status"] == "accepted"].groupby("method").size().reindex(
        sorted(set(series["method"])), fill_value=0
    ).tolist()  # fmt: skip
    changed = series["status"].eq("accepted") & series["change_m"].isna()
    assert (series.loc[changed, "reason"] != "").all()


def test_each_verdict_has_its_outcome_and_the_report_says_how_many(judged):
    result, _, scenes = judged
    told = pd.read_parquet(result.output / "verdicts.parquet").set_index(["region", "scene_id"])
    assert told["outcome"].tolist() == ["applied", "applied", "line_changed", "no_such_scene", "no_such_scene"]
    size = read_fronts(result.output / "fronts.parquet")["pixel_size_m"].iloc[0]
    region = told.index[0][0]
    assert told.loc[(region, scenes[0]), "moved_m"] < 1.0
    assert told.loc[(region, scenes[2]), "moved_m"] > 3 * size
    assert np.isnan(told.loc[(region, "gone"), "moved_m"])
    assert (
        "2 applied, 1 void, the line has changed, 2 void, no such scene" in (result.output / "report.html").read_text()
    )


def test_they_survive_a_reprocessing(judged, archive, model, tmp_path):
    result, _, scenes = judged
    again = run(
        tiny.write_config(
            tmp_path / "run.yaml",
            archive,
            model,
            verdicts=str(result.plan.config.verdicts),
            runs={"scenes_per_unit": 4},
        )
    )
    assert again.done == 2
    assert again.summary["verdicts"] == result.summary["verdicts"]
    fronts = read_fronts(again.output / "fronts.parquet").set_index("scene_id")
    assert fronts.loc[scenes[:2], "status"].tolist() == ["accepted", "rejected"]


def test_without_them_the_run_is_as_before(judged, finished, archive, model, tmp_path):
    result, _, _ = judged
    shutil.copytree(result.output, tmp_path / "out")
    again = run(tiny.write_config(tmp_path / "run.yaml", archive, model))
    assert "verdicts" not in again.summary
    assert tiny.tree(again.output) == tiny.tree(finished.output)


def test_a_file_that_holds_none_stops_the_run_before_its_work(archive, model, tmp_path):
    (tmp_path / "verdicts.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"verdicts\.csv lacks the column region"):
        plan(tiny.write_config(tmp_path / "run.yaml", archive, model, verdicts="verdicts.csv"))
    with pytest.raises(InputError, match="not a readable CSV"):
        plan(tiny.write_config(tmp_path / "run.yaml", archive, model, verdicts="none.csv"))
    assert not (tmp_path / "out" / "items.parquet").exists()
