"""Fronts of scenes that have zones: alone, with an ice output, with a front output; by our way and by CaFFe's."""

from __future__ import annotations

import numpy as np
import odc.geo.xr
import pytest
import shapely
import xarray as xr

from icefront_dask.cube.quality import Quality
from icefront_dask.errors import InputError
from icefront_dask.fronts import Reason, Status, trace_fronts, trace_scene
from icefront_dask.fronts.zones import GLACIER, OCEAN, ROCK, UNKNOWN, caffe_front, caffe_lines
from tests.fronts.grid import GEOBOX, world
from tests.fronts.scenes import distances, fjord_scene
from tests.fronts.shapes import SHAPE, SHAPES, assert_on, scene, with_island

ROWS, COLS = np.mgrid[: SHAPE[0], : SHAPE[1]]


def zones(rendered):
    """The classes of a rendered scene: rock outside its fjord."""
    zone = np.where(rendered.ice >= 0.5, GLACIER, OCEAN)
    return np.where(rendered.fjord, zone, ROCK).astype(np.uint8)


def trace(zone, *, ice=None, front=None, **changes):
    valid = changes.pop("valid", np.ones(zone.shape, bool))
    return trace_scene(ice, front, valid, **({"pixel_size_m": 30.0, "zone": zone} | changes))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("flow", [False, True])
def test_zones_alone(name, flow):
    base = scene(name, bend=20.0)
    (front,) = fronts = trace(zones(base), flow=base.flow if flow else None)
    assert_on(fronts, base.truth, length_share=0.96)
    assert (front.status, front.reason) == (Status.ACCEPTED, Reason.NONE)
    assert front.fjord_share == pytest.approx(1.0, abs=0.02)
    assert front.gap_fraction <= 0.03
    assert np.isnan(front.uncertainty_px)  # classes have no spread


@pytest.mark.parametrize("name", SHAPES)
def test_the_ice_output_places_the_boundary_between_two_pixels(name):
    base = scene(name)
    (coarse,), (fine,) = trace(zones(base)), trace(zones(base), ice=base.ice)
    (packed,) = trace(zones(base), ice=np.round(base.ice * 254).astype(np.uint8))
    means = [np.mean(distances(one.xy, base.truth)[0]) for one in (coarse, fine, packed)]
    assert max(means[1:]) < 0.06
    assert means[0] < 0.4
    assert fine.length_px == pytest.approx(shapely.LineString(base.truth).length, rel=0.03)
    assert 0.3 <= fine.uncertainty_px < 1.0
    # where it contradicts the class, the class holds
    (other,) = trace(zones(base), ice=np.where(np.abs(COLS - 90) < 4, np.float32(1) - base.ice, base.ice))
    assert np.max(distances(other.xy, base.truth)[0]) < 1.5


@pytest.mark.parametrize("name", SHAPES)
def test_a_front_output_is_traced_with_the_zones(name):
    base = scene(name)
    (both,) = fronts = trace(zones(base), front=base.front, flow=base.flow)
    assert_on(fronts, base.truth)
    assert both.status == Status.ACCEPTED
    assert both.parts["agreement"] > 0.8
    apart = np.roll(base.front, 5, axis=0)
    (doubtful,) = trace(zones(base), front=apart, flow=base.flow)
    assert doubtful.confidence < both.confidence
    assert (doubtful.status, doubtful.reason) == (Status.REVIEW, Reason.OUTPUTS_DISAGREE)


def test_rock_is_no_place_for_a_front():
    """A ridge along a nunatak, and the rock's own shore with the ocean."""
    base = scene("line")
    zone = zones(base)
    nunatak = np.hypot(ROWS - 30, COLS - 100) < 12
    zone[nunatak] = ROCK
    ridge = np.abs(np.hypot(ROWS - 30, COLS - 100) - 12) < 1.5
    fronts = trace(zone, front=np.where(ridge, np.float32(0.9), base.front).astype(np.float32))
    assert_on(fronts, base.truth)
    assert_on(trace(zone), base.truth)


def test_bergs_polynyas_and_islands():
    base = scene("arc")
    zone = zones(base)
    zone[(np.hypot(ROWS - 140, COLS - 70) < 8) & base.fjord] = GLACIER
    zone[(np.hypot(ROWS - 30, COLS - 90) < 8) & base.fjord] = OCEAN
    assert_on(trace(zone), base.truth, length_share=0.96)
    island = with_island()
    fronts = trace(zones(island))
    assert len(fronts) == 2
    for front, truth in zip(fronts, reversed(island.pieces), strict=True):
        assert_on([front], truth, length_share=0.9)


@pytest.mark.parametrize(("gap", "meets"), [(3, True), (8, False)])
def test_glacier_and_ocean_meet_across_three_unknown_pixels(gap, meets):
    base = scene("line")
    zone = zones(base)
    zone[np.isin(ROWS, np.arange(79, 79 + gap)) & base.fjord] = UNKNOWN
    for fronts in (trace(zone), trace(zones(base), valid=zone != UNKNOWN)):
        assert (fronts[0].status != Status.NO_FRONT) == meets
        if meets:
            assert np.abs(fronts[0].xy[:, 1] - (79 + gap / 2)).max() <= 0.6


def test_a_tabular_berg_just_detached_goes_to_review():
    base = scene("line")
    zone = zones(base)
    zone[(ROWS > 90) & (ROWS < 120) & base.fjord] = GLACIER
    (front,) = trace(zone, flow=base.flow)
    assert (front.status, front.reason) == (Status.REVIEW, Reason.DETACHED_ICE)


def test_high_ground_is_no_ocean():
    base = scene("line")
    zone = zones(base)
    shadow = (COLS > 120) & (ROWS > 30) & (ROWS <= 80) & base.fjord
    zone[shadow] = OCEAN
    assert np.max(distances(trace(zone)[0].xy, base.truth)[0]) > 20
    assert_on(trace(zone, elevation_m=np.where(shadow, 700.0, 30.0)), base.truth)


def test_nothing_and_too_little():
    base = scene("line")
    for zone in (np.full(SHAPE, OCEAN, np.uint8), np.full(SHAPE, GLACIER, np.uint8)):
        (none,) = trace(zone)
        assert (none.status, none.reason) == (Status.NO_FRONT, Reason.NO_RIDGE)
    for zone, changes in (
        (np.full(SHAPE, UNKNOWN, np.uint8), {}),
        (np.full(SHAPE, ROCK, np.uint8), {}),
        (zones(base), {"valid": np.zeros(SHAPE, bool)}),
    ):
        (none,) = trace(zone, **changes)
        assert (none.status, none.reason) == (Status.FAILED, Reason.NO_VALID_PIXELS)
    narrow = np.full(SHAPE, ROCK, np.uint8)
    narrow[:, 97:103] = OCEAN
    narrow[:80, 97:103] = GLACIER
    (none,) = trace(narrow)
    assert (none.status, none.reason) == (Status.NO_FRONT, Reason.TOO_SHORT)


def test_caffe_is_as_published():
    base = scene("sinus")
    zone = zones(base)
    zone[140:144, 60:70] = GLACIER
    fronts = trace(zone, options={"method": "caffe"})
    lines = caffe_lines(caffe_front(zone, 30.0))
    assert len(fronts) == len(lines) == 1
    assert fronts[0].status == Status.ACCEPTED
    assert max(there.max() for there in distances(fronts[0].xy, lines[0])) < 0.5  # vertices a pixel apart
    assert fronts[0].confidence > 0.9
    # glacier against unknown is no front, nor what is outside the fjord
    zone[:, :100] = np.where(zone[:, :100] == OCEAN, UNKNOWN, zone[:, :100])
    (half,) = trace(zone, options={"method": "caffe"})
    assert half.xy[:, 0].min() > 99
    assert half.length_px < 0.7 * fronts[0].length_px


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"method": "calfin"}}, "there are zones alone"),
        ({"zone": np.full(SHAPE, 64, np.uint8)}, "zone holds 64; zones are 0 unknown, 1 rock, 2 glacier, 3 ocean"),
        ({"zone": np.zeros((4, 4), np.uint8)}, "of one grid"),
        ({"ice": np.zeros((4, 4), np.float32)}, "ice has shape"),
        ({"zone": None}, "no ice output; give both, or zones"),
    ],
)
def test_bad_input_is_named(changes, message):
    base = scene("line")
    arguments = {"zone": zones(base), "ice": None, "front": None, "valid": base.valid, "pixel_size_m": 30.0} | changes
    ice, front, valid = (arguments.pop(name) for name in ("ice", "front", "valid"))
    with pytest.raises(InputError, match=message):
        trace_scene(ice, front, valid, **arguments)


# Labelled data


@pytest.fixture(scope="module")
def labelled():
    """Two scenes of a front that retreats by 10 px, as zones, and as outputs."""
    rendered = [fjord_scene(lambda x, r=row: r + 4 * np.sin(x / 15), shape=GEOBOX.shape, half_width=50)
                for row in (70, 60)]  # fmt: skip
    layers = {"zone": [zones(one) for one in rendered], "front": [one.front for one in rendered]}
    data = {name: (("time", "y", "x"), np.stack(values)) for name, values in layers.items()}
    times = np.array(["2018-06-02", "2018-06-06"], dtype="datetime64[ns]")
    return rendered, xr.Dataset(data, coords=odc.geo.xr.xr_coords(GEOBOX) | {"time": times})


def test_fronts_of_labelled_zones(labelled):
    rendered, data = labelled
    alone = trace_fronts(data[["zone"]])
    assert (alone["status"] == "accepted").all()
    assert alone["uncertainty_m"].isna().all()
    for line, one in zip(alone.geometry, rendered, strict=True):
        there, back = distances(line, world(one.truth))
        assert max(there.max(), back.max()) < 1.5 * 30
    lazy = trace_fronts(data[["zone"]].chunk(time=1))
    assert lazy.geometry.equals(alone.geometry)
    both = trace_fronts(data)
    assert (both["status"] == "accepted").all()
    assert both["uncertainty_m"].notna().all()
    published = trace_fronts(data[["zone"]], method="caffe")
    assert (published["status"] == "accepted").all()
    one = trace_fronts(data[["zone"]].isel(time=0, drop=True))
    assert one.geometry.iloc[0].equals(alone.geometry.iloc[0])


def test_quality_hides_zones(labelled):
    _, data = labelled
    quality = np.zeros(data["zone"].shape, np.uint16)
    quality[:, :, 75:] = Quality.NODATA
    hidden = trace_fronts(data[["zone"]].assign(quality=(("time", "y", "x"), quality)))
    assert set(hidden["reason"]) == {"leaves_scene"}
    assert (hidden["length_m"] < 0.6 * trace_fronts(data[["zone"]])["length_m"]).all()


def test_mistakes_in_labelled_zones_are_named(labelled):
    _, data = labelled
    with pytest.raises(InputError, match="lacks ice; segment"):
        trace_fronts(data[["front"]])
    with pytest.raises(InputError, match="zone is float64; zones are uint8"):
        trace_fronts(data.assign(zone=data["zone"].astype(float)))
    with pytest.raises(InputError, match="zone holds 4; zones are"):
        trace_fronts(data[["zone"]] * np.uint8(4))
    with pytest.raises(InputError, match="zones alone; take outputs or caffe"):
        trace_fronts(data[["zone"]], method="calfin")
    assert len(trace_fronts(data, method="calfin")) == 2  # it takes both
