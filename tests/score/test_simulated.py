"""Fronts of a run against a simulated truth."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score import demo_scores, match_scenes

CRS = "EPSG:3413"


def line(x, y0=0, y1=400):
    """A straight front at x, on pixel centres of a 20 m grid."""
    return shapely.LineString([(x + 10, y0 + 10), (x + 10, y1 - 10)])


@pytest.fixture
def truth():
    items = [f"item-{i}" for i in range(6)]
    return gpd.GeoDataFrame(
        {
            "item_id": items,
            "region": "one",
            "usable": [True, True, True, True, False, True],
            "position_m": [1000.0 + 100 * i for i in range(6)],
            "crs": CRS,
        },
        geometry=[line(200 * i) for i in range(6)],
    )


@pytest.fixture
def fronts():
    rows = [
        ("s0", ["item-0"], "accepted", line(0)),
        ("s1", ["item-1"], "accepted", line(200 + 160)),  # 8 px off: wrong
        ("s2", ["item-2"], "review", line(400 + 40)),
        ("s2", ["item-2"], "rejected", line(2000)),  # not the best of its scene
        ("s3", ["item-3"], "rejected", line(600 + 60)),
        ("s4", ["item-4"], "no_front", None),
    ]
    frame = pd.DataFrame(rows, columns=["scene_id", "item_ids", "status", "geometry"])
    return gpd.GeoDataFrame(frame.assign(region="one", crs=CRS, pixel_size_m=20.0), geometry="geometry")


def test_counts_and_distances_by_hand(fronts, truth):
    series = pd.DataFrame(
        {
            "region": "one",
            "scene_id": ["s0", "s1", "s2", "s0"],
            "method": ["centreline", "centreline", "centreline", "rectilinear-box"],
            "position_m": [1003.0, 1104.0, 5000.0, 9999.0],
        }
    )
    scores = demo_scores(fronts, truth, series)
    assert scores == {
        "scenes": 6,
        "usable": 5,
        "fronts": 2,
        "review": 1,
        "rejected": 1,
        "accepted_share": pytest.approx(2 / 5),
        "mean_distance_px": pytest.approx((0 + 8) / 2),
        "mean_distance_all_px": pytest.approx((0 + 8 + 2 + 3) / 4),
        "wrong_share": pytest.approx(1 / 2),
        "position_rmse_m": pytest.approx(np.sqrt((3**2 + 4**2) / 2)),
    }
    assert np.isnan(demo_scores(fronts, truth)["position_rmse_m"])


def test_every_true_scene_has_a_row(fronts, truth):
    scenes = match_scenes(fronts, truth).set_index("item_id")
    assert scenes["status"].tolist() == ["accepted", "accepted", "review", "rejected", "no_front", "left_out"]
    assert scenes.loc["item-5", "scene_id"] is None
    assert np.isnan(scenes.loc["item-4", "distance_px"])


def test_pieces_of_one_scene_are_one_line(truth):
    pieces = gpd.GeoDataFrame(
        {
            "scene_id": "s0",
            "item_ids": [["item-0"], ["item-0"]],
            "status": "accepted",
            "region": "one",
            "crs": CRS,
            "pixel_size_m": 20.0,
        },
        geometry=[line(0, 0, 200), line(0, 200, 400)],
    )
    assert demo_scores(pieces, truth)["mean_distance_px"] == 0
    # Untrimmed: half of the front counts the way to the missing half.
    half = demo_scores(pieces[:1], truth)["mean_distance_px"]
    assert half == pytest.approx((10 * 0 + 10 * 0 + sum(range(1, 11))) / 30)


def test_nothing_traced(fronts, truth):
    none = fronts[fronts["status"] == "no_front"]
    scores = demo_scores(none, truth)
    assert scores["fronts"] == 0
    assert np.isnan(scores["mean_distance_px"])
    assert np.isnan(scores["wrong_share"])
    assert demo_scores(fronts[:0], truth)["scenes"] == 6


def test_tables_that_do_not_fit(fronts, truth):
    with pytest.raises(InputError, match="the table of truth lacks usable"):
        demo_scores(fronts, truth.drop(columns="usable"))
    with pytest.raises(InputError, match="different archives"):
        demo_scores(fronts, truth.assign(item_id="other"))
    with pytest.raises(InputError, match=r"fronts in EPSG:3031, truth in EPSG:3413"):
        demo_scores(fronts.assign(crs="EPSG:3031"), truth)
