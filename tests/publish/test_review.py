"""The review page, and verdicts that come back from its file and survive a reprocessing."""

from __future__ import annotations

import csv
import re

import numpy as np
import pandas as pd
import pytest
import shapely

from icefront_dask.change import apply_verdicts, change_statistics, front_series, judge_series, read_verdicts
from icefront_dask.errors import InputError
from icefront_dask.fronts.table import frame
from icefront_dask.publish import Background, review_queue, write_review
from icefront_dask.regions import Region
from tests.change.builders import front_at, straight_box, straight_flowline

REGION = Region(
    "fjord",
    shapely.buffer(straight_flowline(), 6_000),
    "EPSG:3413",
    flowlines=(straight_flowline(),),
    box=straight_box(),
)


def row(scene, position, status="accepted", reason="", front=0, seed=1):
    day = pd.Timestamp("2020-01-01", tz="UTC") + pd.Timedelta(days=12 * int(scene[1:]))
    return {
        "region": "fjord", "scene_id": scene, "front_id": front, "item_ids": [scene], "datetime": day,
        "platform": "sentinel-1a", "sensor": "S1", "orbit_direction": "ascending", "relative_orbit": 1,
        "geometry": front_at(position, bumps=60.0, seed=seed), "crs": "EPSG:3413", "pixel_size_m": 20.0,
        "length_m": 4_000.0, "fjord_share": 1.0, "gap_fraction": 0.0, "confidence": 0.5, "uncertainty_m": 20.0,
        "gamma0_db": -9.0,
        "status": status, "reason": reason, "quality": 0, "model": "m", "model_sha256": "0",
    }  # fmt: skip


def fronts():
    rows = [row(f"s{k:02d}", 5_000 - 10 * k) for k in range(12)]
    rows[3] |= {"status": "review", "reason": "clouds"}
    rows[7]["geometry"] = front_at(6_500, bumps=60.0, seed=1)  # the check finds it
    rows[9] |= {"status": "review", "reason": "gaps"}
    return frame(rows, "EPSG:3413")


def saved(page, verdicts, path):
    """What the button of the page saves."""
    found = re.findall(r'data-region="(.*?)" data-scene="(.*?)" data-front="(.*?)" data-line="(.*?)"', page.read_text())
    with path.open("w", newline="") as file:
        out = csv.writer(file, quoting=csv.QUOTE_ALL)
        out.writerow(["region", "scene_id", "front_id", "verdict", "line", "note"])
        for region, scene, front, line in found:
            out.writerow([region, scene, front, verdicts.get(scene, ""), line, 'a "note", quoted'])
    return found


def test_the_way_of_a_verdict(tmp_path):
    table = fronts()
    series = front_series(table, REGION, methods=["centreline"])
    queue = review_queue(table, series)
    assert queue["scene_id"].tolist() == ["s03", "s07", "s09"]
    assert queue["reason"].tolist()[1] == "advance_undone"
    picture = Background(np.full((40, 40), 90, np.uint8), REGION.outline.bounds, "EPSG:3413", "a scene")
    asked = []
    page = write_review(tmp_path / "review.html", queue, REGION, lambda scene: asked.append(scene) or picture)
    assert asked == ["s03", "s07", "s09"]
    text = page.read_text()
    assert text.count("<image") == 3
    assert len(set(re.findall(r'clipPath id="(.*?)"', text))) == 3
    assert "http" not in re.sub(r'xmlns="http://www.w3.org/2000/svg"', "", text)
    assert len(saved(page, {"s03": "accept", "s07": "accept", "s09": "reject"}, tmp_path / "v.csv")) == 3

    verdicts = read_verdicts(tmp_path / "v.csv")
    # reprocessed: fronts numbered anew, lines moved by less than a pixel, one line elsewhere
    again = [row(f"s{k:02d}", 5_000 - 10 * k + 6, front=1) for k in range(12)]
    again[3] |= {"status": "review", "reason": "clouds"}
    again[7]["geometry"] = front_at(6_506, bumps=60.0, seed=1)
    again[9] |= {"geometry": front_at(3_000, bumps=60.0), "status": "review", "reason": "gaps"}
    again = frame(again, "EPSG:3413")
    judged, outcome = apply_verdicts(again, verdicts)
    assert outcome.set_index("scene_id")["outcome"].to_dict() == {
        "s03": "applied",
        "s07": "applied",
        "s09": "line_changed",
    }
    assert judged.loc[[3, 7, 9], "status"].tolist() == ["accepted", "accepted", "review"]
    assert again.loc[3, "status"] == "review"
    checked = judge_series(front_series(judged, REGION, methods=["centreline"]), outcome)
    by_scene = checked.set_index("scene_id")
    assert by_scene.loc["s07", "status"] == "accepted"
    assert "by_hand" in by_scene.loc["s07", "reason"]
    assert by_scene.loc["s09", "status"] == "review"
    assert change_statistics(checked)["n"].item() == 11
    assert review_queue(judged, checked)["scene_id"].tolist() == ["s09"]


def test_rejected_by_hand(tmp_path):
    table = fronts()
    page = write_review(tmp_path / "review.html", review_queue(table), REGION)
    saved(page, {"s03": "reject"}, tmp_path / "v.csv")
    judged, outcome = apply_verdicts(table, read_verdicts(tmp_path / "v.csv"))
    assert judged.loc[3, ["status", "reason"]].tolist() == ["rejected", "clouds"]
    assert outcome["outcome"].tolist() == ["applied"]
    gone = read_verdicts(tmp_path / "v.csv").assign(scene_id="s99")
    assert apply_verdicts(table, gone)[1]["outcome"].tolist() == ["no_such_scene"]


TWICE = """region,scene_id,front_id,verdict,line
f,s,0,accept,"LINESTRING (0 0, 1 1)"
f,s,0,reject,"LINESTRING (0 0, 1 1)"
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "lacks the column"),
        ('region,scene_id,front_id,verdict,line\nf,s,0,maybe,"LINESTRING (0 0, 1 1)"\n', "accept or reject, not maybe"),
        ("region,scene_id,front_id,verdict,line\nf,s,0,accept,here\n", "not WKT"),
        (TWICE, "two verdicts"),
    ],
)  # fmt: skip
def test_files_that_are_no_verdicts(tmp_path, content, message):
    (tmp_path / "v.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_verdicts(tmp_path / "v.csv")
    with pytest.raises(InputError, match="not a readable CSV"):
        read_verdicts(tmp_path / "none.csv")


def test_a_page_is_about_one_region(tmp_path):
    with pytest.raises(InputError, match="a page is about one region"):
        write_review(tmp_path / "r.html", review_queue(fronts().assign(region="other")), REGION)
