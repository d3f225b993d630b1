"""CALFIN's post-processing: each rule by its published definition, and the whole on rendered scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from icefront_dask.errors import ConfigError
from icefront_dask.fronts import Reason, Status, calfin, trace_scene
from tests.fronts.scenes import blob, channel
from tests.fronts.shapes import SHAPE, SHAPES, assert_on, errors, scene, trace

FJORD = channel((80, 100), 20.0)


def across(row=40, left=30, right=70):
    return np.column_stack([np.full(right - left, row), np.arange(left, right)])


def test_jumps_are_drawn_and_no_pixel_comes_twice():
    path = np.array([[0, 0], [0, 1], [3, 4], [3, 5], [3, 4]])
    out = calfin.rasterised(path)
    assert out.tolist() == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 4], [3, 5]]


def test_wall_threshold_by_hand():
    """Some ten pixels a bin, 400 in bin 0 and 60 in bin 2, the two outliers: bin 3 is the first that is none."""
    counts = np.array([400, 12, 60, 9, 10, 11, 10, 9, 10, 11, 10, 10])
    distance = np.repeat(np.arange(12) + 0.5, counts)
    distance[0], distance[-1] = 0.0, 12.0
    assert calfin.wall_threshold(distance) == pytest.approx(2.0)
    even = np.repeat(np.arange(12) + 0.5, 10)
    even[0], even[-1] = 0.0, 12.0
    assert calfin.wall_threshold(even) == pytest.approx(1.0)
    far = np.repeat(np.arange(60) + 0.5, np.r_[500, np.full(59, 6)])
    far[0], far[-1] = 0.0, 60.0
    assert calfin.wall_threshold(far) == pytest.approx(2.0)  # 30 bins of 2 px


def test_path_along_a_wall_is_cut_and_the_front_reaches_it():
    along = np.column_stack([np.arange(5, 40), np.full(35, 31)])
    path = np.concatenate([along, across()])
    kept = calfin.off_walls(path, FJORD, share=0.0)
    assert (kept[:, 0] == 40).sum() >= 38
    assert (kept[:, 0] < 40).sum() <= 4
    assert len(calfin.off_walls(path, np.ones_like(FJORD))) == len(path)


def test_components_keep_what_is_large_enough_in_order():
    pixels = np.concatenate([across(10, 0, 60), across(20, 0, 10), across(30, 0, 8)])
    parts = calfin.components(pixels, (100, 100), share=0.0)
    assert [len(part) for part in parts] == [60, 10]  # 15 % of the largest is 9
    assert np.array_equal(parts[0], pixels[:60])
    assert [len(p) for p in calfin.components(pixels, (100, 100), share=0.0011)] == [60]
    assert calfin.components(pixels[:0], (100, 100)) == []


def test_shape_of_a_front_and_of_a_wall():
    wall = np.column_stack([np.arange(5, 65), np.full(60, 34)])
    assert calfin.well_shaped(across(), FJORD)
    assert not calfin.well_shaped(wall, FJORD)
    assert not calfin.well_shaped(across(40, 30, 39), FJORD)
    assert not calfin.well_shaped(across(40, 30, 50), FJORD)  # from one wall to the middle: the far end is highest
    assert calfin.well_shaped(wall, np.ones_like(FJORD))


@pytest.mark.parametrize(
    ("low", "high", "rows", "cols"),
    [
        ((400, 500), (420, 599), (285, 535), (425, 675)),  # 2.5 x 100 is less than 256
        ((400, 400), (409, 599), (155, 655), (250, 750)),
        ((0, 0), (9, 199), (0, 500), (0, 500)),
        ((990, 900), (999, 999), (744, 1000), (744, 1000)),
        ((0, 0), (999, 999), (0, 1000), (0, 1000)),
    ],
)
def test_crop_is_a_square_inside_the_image(low, high, rows, cols):
    crop = calfin.square_crop(np.array([low, high]), (1000, 1000))
    wanted = [(start, stop) for start, stop in (rows, cols)]
    found = [(part.start, part.stop) for part in crop]
    side = max(256, min(int(np.ceil(2.5 * (max(np.subtract(high, low)) + 1))), 1000))
    assert {stop - start for start, stop in found} == {side}
    assert all(start >= 0 and stop <= 1000 for start, stop in found)
    assert np.abs(np.subtract(found, wanted)).max() <= 6


def test_quality_by_hand():
    ice = np.full((256, 256), 0.9, np.float32)
    ice[128:] = 0.1
    front = np.zeros((256, 256), np.float32)
    front[127:130] = 0.9
    found = calfin.quality(ice, front, np.ones((256, 256), bool))
    assert found.length == 256
    assert found.balance == pytest.approx(1.0, abs=1e-3)
    assert found.edge_confidence == pytest.approx(0.8)
    assert found.mask_confidence == pytest.approx(0.8)
    assert found.agreement == pytest.approx(abs(0.4 * 8 - 0.4 * 9) / 17, abs=1e-6)
    assert found.failed == ()
    assert calfin.quality(ice, front * 0.4, np.ones((256, 256), bool)).failed == ("edge_confidence",)
    assert "agreement" in calfin.quality(np.roll(ice, 30, axis=0), front, np.ones((256, 256), bool)).failed
    assert "balance" in calfin.quality(np.ones_like(ice), front, np.ones((256, 256), bool)).failed
    assert set(calfin.quality(ice, front * 0, np.ones((256, 256), bool)).failed) == {
        "length",
        "edge_confidence",
        "agreement",
    }


def test_rank_of_candidates_by_hand():
    # Ranks by agreement 0 1 2, by length 2 1 0, by distance 0 1 2: sums 5, 6, 7.
    assert calfin.borda([0.01, 0.05, 0.1], [50, 60, 70], [3.0, 5.0, 9.0]) == [0, 1, 2]
    # By length alone the last wins: 2.5 x 2 against 0.
    assert calfin.borda([0.1, 0.1], [50, 70], [3.0, 3.0]) == [1, 0]
    assert calfin.borda([], [], []) == []


def test_centres_are_compared_in_the_scene():
    taken = [np.array([500.0, 500.0])]
    assert not calfin.far_from(np.array([540.0, 540.0]), taken)
    assert calfin.far_from(np.array([560.0, 540.0]), taken)
    assert not calfin.far_from(np.array([560.0, 540.0]), taken, scale=2.0)


CALFIN = {"method": "calfin"}


@pytest.mark.parametrize("name", SHAPES)
def test_front_in_a_fjord(name):
    base = scene(name)
    (front,) = fronts = trace(base, options=CALFIN)
    assert (front.status, front.reason) == (Status.ACCEPTED, Reason.NONE)
    there, back = errors(fronts, base.truth)
    assert there.mean() < 0.7
    assert there.max() < 2.5
    assert back.mean() < 1.0


def test_outputs_that_disagree_are_rejected():
    base = scene("line")
    (front,) = trace(replace(base, ice=np.roll(base.ice, 25, axis=0)), options=CALFIN)
    assert (front.status, front.reason) == (Status.REJECTED, Reason.OUTPUTS_DISAGREE)


def test_nothing_to_see():
    base = scene("line")
    (none,) = trace(replace(base, front=base.front * 0), options=CALFIN)
    assert none.status == Status.NO_FRONT


@pytest.mark.parametrize("side", [None, 256])
def test_each_candidate_is_predicted_again(side):
    """The first prediction is a pixel or two off; the second look is right, at its own resolution."""
    base = scene("sinus")
    rough = replace(base, front=np.roll(base.front, 3, axis=0))
    crops = []

    def look_again(rows, cols):
        crops.append((rows, cols))
        pair = base.ice[rows, cols], base.front[rows, cols]
        if side is None:
            return pair
        places = ((np.arange(side) + 0.5) * len(pair[0]) / side).astype(int)
        return pair[0][np.ix_(places, places)], pair[1][np.ix_(places, places)]

    (front,) = fronts = trace_scene(
        rough.ice, rough.front, rough.valid, **rough.arguments(), look_again=look_again, options=CALFIN
    )
    assert crops
    assert all(rows.stop - rows.start == cols.stop - cols.start for rows, cols in crops)
    assert front.status == Status.ACCEPTED
    assert errors(fronts, base.truth)[0].mean() < 0.9


def test_caffe_by_name():
    base = blob(scene("arc"), 130, 60, 8, ice=0.97)
    fronts = trace(base, options={"method": "caffe"})
    assert_on(fronts, scene("arc").truth, mean=1.0, largest=2.5, length_share=0.9)


def test_unknown_method_is_named():
    with pytest.raises(ConfigError, match=r"no 'calvin' for fronts.method; there are: outputs, calfin, caffe"):
        trace(scene("line"), options={"method": "calvin"})


# The second look of the project's own method


def test_front_that_is_not_accepted_is_looked_at_again():
    base = scene("sinus")
    faint = replace(base, front=base.front * np.float32(0.3), ice=0.5 + (base.ice - 0.5) * np.float32(0.2))
    calls = []

    def look_again(rows, cols):
        calls.append((rows, cols))
        return base.ice[rows, cols], base.front[rows, cols]

    def fronts_of(rendered, **options):
        return trace_scene(
            rendered.ice, rendered.front, rendered.valid, **rendered.arguments(), look_again=look_again, options=options
        )

    (before,) = fronts_of(faint, second_look=False)
    assert (before.status, calls) == (Status.REVIEW, [])
    (after,) = fronts_of(faint, second_look=True)
    assert len(calls) == 1
    assert after.confidence > before.confidence
    assert_on([after], base.truth, mean=0.1, length_share=0.75)
    fronts_of(base, second_look=True)
    assert len(calls) == 1  # an accepted front stays


def test_second_look_that_shows_less_changes_nothing():
    base = scene("line")
    faint = replace(base, front=base.front * np.float32(0.4), ice=0.5 + (base.ice - 0.5) * np.float32(0.2))

    def blind(rows, cols):
        return faint.ice[rows, cols] * 0, faint.front[rows, cols] * 0

    arguments = faint.arguments() | {"options": {"second_look": True}}
    (one,) = trace_scene(faint.ice, faint.front, faint.valid, **arguments)
    (two,) = trace_scene(faint.ice, faint.front, faint.valid, **arguments, look_again=blind)
    assert one.xy.tobytes() == two.xy.tobytes()


def test_high_ground_is_no_ocean():
    """A shadow on a slope inland, taken for water that reaches the ocean; its edge would be a front."""
    base = scene("line")
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    shadow = (cols > 120) & (rows > 30) & (rows <= 80) & base.fjord
    wrong = replace(base, ice=np.where(shadow, np.float32(0.02), base.ice), front=base.front * np.float32(0.01))
    height = np.where(shadow, 700.0, 30.0)
    assert errors(trace(wrong), base.truth)[0].max() > 20
    assert errors(trace(wrong, elevation_m=height), base.truth)[0].max() < 1.5
