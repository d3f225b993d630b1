"""Fronts of rendered scenes against the lines that they were rendered from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from icefront_dask.fronts import Reason, Status, trace_scene
from tests.fronts.scenes import (
    across,
    blob,
    distances,
    fjord_scene,
    glacier_in,
    render,
    stripes,
    without,
)
from tests.fronts.shapes import (
    SHAPE,
    SHAPES,
    assert_on,
    errors,
    ice_cap,
    ice_tongue,
    open_scene,
    scene,
    trace,
    with_island,
)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("bend", [0.0, 20.0])
def test_front_in_a_fjord(name, bend):
    rendered = scene(name, bend=bend)
    fronts = trace(rendered)
    assert_on(fronts, rendered.truth, mean=0.1)
    (front,) = fronts
    assert (front.status, front.reason) == (Status.ACCEPTED, Reason.NONE)
    assert front.confidence > 0.9
    assert front.fjord_share == pytest.approx(1.0, abs=0.02)
    assert front.gap_fraction <= 0.03
    assert 0.3 <= front.uncertainty_px < 1.0


@pytest.mark.parametrize("name", SHAPES)
def test_front_of_an_arbitrary_scene(name):
    rendered = open_scene(name)
    (front,) = fronts = trace(rendered)
    assert_on(fronts, rendered.truth, mean=0.1)
    assert front.status == Status.ACCEPTED
    assert np.isnan(front.fjord_share)


def test_circle_round_an_ice_cap():
    rendered = ice_cap()
    (front,) = trace(rendered)
    there, back = distances(front.xy, rendered.truth)
    assert there.max() <= 0.5
    assert back.max() <= 0.5


def test_ice_tongue():
    rendered = ice_tongue()
    fronts = trace(rendered)
    assert len(fronts) == 1
    assert_on(fronts, rendered.truth, mean=0.1)


def test_island_splits_the_front_in_two():
    rendered = with_island()
    left, right = rendered.pieces
    fronts = trace(rendered)
    assert len(fronts) == 2
    assert_on(fronts[:1], right)
    assert_on(fronts[1:], left)
    assert all(front.status == Status.ACCEPTED and front.fjord_share > 0.95 for front in fronts)
    assert len(trace(rendered, options={"max_fronts": 1})) == 1


def test_two_tributaries_are_two_fronts_and_one_flowline_takes_its_own():
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    arms = ((cols > 20) & (cols < 80)) | ((cols > 120) & (cols < 180))
    fjord = ((rows > 70) | arms) & (cols > 10) & (cols < 190)
    truth = across(lambda x: 50 + 0 * x, 0.0, 200.0)
    base = render(truth, glacier_in(SHAPE, truth), SHAPE, fjord=fjord)
    left, right = ((3.0, 50.0), (150.0, 100.0)), ((3.0, 150.0), (150.0, 100.0))
    both = replace(
        base,
        ice=np.where(fjord, base.ice, np.float32(0.98)),
        front=np.where(fjord, base.front, np.float32(0.02)),
        flow=(left, right),
    )
    fronts = trace(both)
    assert sorted(front.xy[:, 0].mean() for front in fronts) == pytest.approx([50, 150], abs=2)
    (alone,) = trace(replace(both, flow=right))
    assert alone.xy[:, 0].mean() == pytest.approx(150, abs=2)


@pytest.mark.parametrize("name", ["slope", "arc", "sinus"])
def test_holes_in_the_data_are_bridged_and_counted(name):
    base = scene(name)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    centre = SHAPES[name](np.array(90.0))
    rendered = without(base, np.hypot(rows - centre, cols - 90) < 8)
    (front,) = fronts = trace(rendered)
    assert_on(fronts, rendered.truth)
    assert front.status == Status.ACCEPTED
    assert 0.05 < front.gap_fraction < 0.15


@pytest.mark.parametrize("name", ["slope", "arc"])
@pytest.mark.parametrize("slope", [-1.2, 1.5])
def test_stripes_without_data_are_bridged_and_counted(name, slope):
    rendered = without(scene(name), stripes(SHAPE, period=36, width=12, slope=slope))
    (front,) = trace(rendered)
    there, back = distances(front.xy, rendered.truth)
    assert there.mean() <= 0.5
    assert there.max() <= 1.5
    places = shapely.get_coordinates(shapely.segmentize(shapely.LineString(rendered.truth), 0.5))
    inner = np.abs(places[:, 0] - 100) < 45  # an end may lie under a stripe
    assert back[inner].max() <= 1.5
    on = (front.xy[:, 1].astype(int), np.minimum(front.xy[:, 0].astype(int), SHAPE[1] - 1))
    assert front.gap_fraction == pytest.approx(1 - rendered.valid[on].mean(), abs=0.05)
    assert front.gap_fraction > 0.2


def test_weak_stretch_of_the_ridge_goes_on_along_the_ice():
    base = scene("sinus")
    weak = np.abs(np.arange(SHAPE[1]) - 90) < 20
    rendered = replace(base, front=np.where(weak, np.float32(0.05), base.front))
    (front,) = fronts = trace(rendered)
    assert_on(fronts, rendered.truth)
    assert front.gap_fraction < 0.05


def test_without_a_ridge_the_edge_of_the_ice_is_the_front_and_goes_to_review():
    base = scene("sinus")
    (front,) = fronts = trace(replace(base, front=base.front * np.float32(0.01)))
    assert_on(fronts, base.truth)
    assert (front.status, front.reason) == (Status.REVIEW, Reason.CONTOUR_ONLY)


def test_where_the_front_output_shows_less_than_half_of_the_line_there_is_no_front():
    base = scene("sinus")
    shown = np.arange(SHAPE[1]) < 0.35 * SHAPE[1]
    (front,) = trace(replace(base, front=np.where(shown, base.front, np.float32(0.01))))
    assert (front.status, front.reason) == (Status.NO_FRONT, Reason.CONTOUR_ONLY)
    assert len(front.xy) == 0
    assert np.isnan(front.confidence)


def test_a_doubtful_line_under_clouds_is_no_front_and_a_clear_one_is_reviewed():
    base = scene("sinus")
    cloud = np.ones(SHAPE, dtype=bool)
    (clear,) = fronts = trace(base, cloud=cloud)
    assert_on(fronts, base.truth)
    assert (clear.status, clear.reason) == (Status.REVIEW, Reason.CLOUDS)
    (doubtful,) = trace(replace(base, ice=np.full_like(base.ice, 0.9)), cloud=cloud)
    assert (doubtful.status, doubtful.reason) == (Status.NO_FRONT, Reason.CLOUDS)


def test_without_an_edge_of_the_ice_the_ridge_is_the_front_but_never_accepted():
    base = scene("sinus")
    (front,) = fronts = trace(replace(base, ice=np.full_like(base.ice, 0.9)))
    assert_on(fronts, base.truth)
    assert front.status != Status.ACCEPTED
    assert front.reason == Reason.OUTPUTS_DISAGREE


@pytest.mark.parametrize("name", SHAPES)
def test_bergs_and_blobs_change_nothing(name):
    base = scene(name)
    row = int(SHAPES[name](np.array(120.0)))
    berg = blob(base, row + 24, 120, 9, ice=0.97)
    ringed = blob(blob(base, 132, 120, 9, front=0.9, ice=0.97), 132, 120, 6, front=0.05)
    grounded = blob(base, row + 9, 120, 10, ice=0.97)
    pond = blob(base, 20, 110, 8, ice=0.03, front=0.6)
    for rendered in (berg, ringed, grounded, pond):
        (front,) = fronts = trace(rendered)
        assert_on(fronts, base.truth)
        assert front.status == Status.ACCEPTED


@pytest.mark.parametrize(("strength", "whole"), [(0.97, True), (0.5, False)])
@pytest.mark.parametrize("level", [0.1, 0.5])
def test_a_sure_ridge_stays_where_the_ice_output_shows_nothing(level, strength, whole):
    """The front crosses the scene; the ice output tells the sides apart in its middle alone."""
    base = open_scene("sinus")
    outer = np.abs(np.arange(SHAPE[1]) - 100) > 40
    front = base.front * np.float32(strength / base.front.max())
    (line,) = trace(replace(base, ice=np.where(outer, np.float32(level), base.ice), front=front))
    truth = shapely.LineString(base.truth)
    assert (line.length_px > 0.97 * truth.length) == whole
    assert distances(line.xy, base.truth)[0].max() <= 1.5


def test_rift_linked_to_the_front_is_not_the_front():
    front = fjord_scene(lambda x: 95 + 5 * np.sin(x / 20))
    rift = fjord_scene(lambda x: 70 + 3 * np.sin(x / 15))
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    link = (np.abs(cols - 34) < 2) & (rows > 68) & (rows < 97)
    both = np.maximum.reduce([front.front, rift.front * 0.9, np.where(link, 0.8, 0.0)]).astype(np.float32)
    fronts = trace(replace(front, front=both))
    there, back = errors(fronts, front.truth)
    assert np.mean(there) < 0.5
    assert np.percentile(there, 95) < 1.5
    assert back.max() < 1.5


def test_tabular_berg_just_detached_goes_to_review():
    base = fjord_scene(lambda x: 70 + 5 * np.sin(x / 20))
    rows = np.arange(SHAPE[0])[:, None]
    tabular = np.where((rows > 85) & (rows < 110), np.float32(0.97), base.ice)
    (front,) = fronts = trace(replace(base, ice=tabular))
    assert_on(fronts, base.truth)
    assert (front.status, front.reason) == (Status.REVIEW, Reason.DETACHED_ICE)


def test_line_that_jumps_between_front_and_melange_edge_is_not_accepted():
    base, edge = (fjord_scene(lambda x, r=row: r + 5 * np.sin(x / 20)) for row in (95, 130))
    half = np.arange(SHAPE[1])[None, :] > 100
    (front,) = trace(replace(base, ice=np.where(half, edge.ice, base.ice)))
    assert front.status == Status.REVIEW
    assert front.reason == Reason.OUTPUTS_DISAGREE


def test_ridge_along_the_wall_is_cut_off():
    base = scene("sinus")
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    wall = (np.abs(cols - 31.5) < 2) & (rows > 15) & (rows < 145)
    fronts = trace(replace(base, front=np.maximum(base.front, np.where(wall, np.float32(0.9), 0))))
    there, back = errors(fronts, base.truth)
    assert len(fronts) == 1
    assert there.max() < 6
    assert np.percentile(there, 97) < 1.5
    assert np.concatenate([there, back]).mean() < 0.5


def test_ridge_outside_the_fjord_is_not_seen():
    base = scene("arc")
    decoy = blob(base, 60, 10, 8, front=0.95)
    assert np.array_equal(trace(decoy)[0].xy, trace(base)[0].xy)


@pytest.mark.parametrize("name", SHAPES)
def test_noise(name):
    rng = np.random.default_rng(5)
    base = scene(name)
    rendered = replace(
        base,
        front=np.clip(0.7 * base.front + rng.normal(0, 0.15, SHAPE), 0, 1).astype(np.float32),
        ice=np.clip(base.ice + rng.normal(0, 0.15, SHAPE), 0, 1).astype(np.float32),
    )
    (front,) = fronts = trace(rendered)
    assert_on(fronts, base.truth)
    assert front.status == Status.ACCEPTED
    assert front.confidence < trace(base)[0].confidence


def test_uncertainty_grows_with_the_blur_of_the_outputs():
    values = [trace(scene("arc", blur=blur))[0].uncertainty_px for blur in (0.3, 2.0, 4.0)]
    assert values == sorted(values)
    assert values[-1] > 2 * values[0]


def test_uncertainty_is_the_spread_that_the_ridge_implies():
    """A front known to a Gaussian of 2 px gives a ridge that is the box of 1.5 px convolved with it."""
    from scipy.stats import norm

    rows = np.arange(SHAPE[0])[:, None] + 0.5 - 80.0
    ridge = norm.cdf((rows + 1.5) / 2) - norm.cdf((rows - 1.5) / 2)
    ice = norm.cdf(-rows / 2)
    wide = [np.broadcast_to(values, SHAPE).astype(np.float32) for values in (ice, ridge)]
    own = {"uncertainty_factor": 1.0, "uncertainty_doubt": 0.0}
    (front,) = trace_scene(*wide, np.ones(SHAPE, dtype=bool), pixel_size_m=30.0, options=own)
    assert front.uncertainty_px == pytest.approx(np.hypot(2.0, 0.3), rel=0.12)
