"""Rules of tracing: turned and moved scenes, gaps and clouds, disagreement, nothing to trace, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.fronts import Reason, Status, trace_scene
from tests.fronts.scenes import (
    distances,
    stripes,
    without,
)
from tests.fronts.shapes import SHAPE, assert_on, scene, trace


def turned(rendered, turn):
    shape = np.array(rendered.ice.shape)
    rows, cols = np.mgrid[: shape[0], : shape[1]]

    def point(pixel):
        """Row and column of the turned pixel that holds a place."""
        mark = np.hypot(rows + 0.5 - pixel[0], cols + 0.5 - pixel[1])
        found = np.argwhere(turn(mark) == mark.min())[0]
        return float(found[0]), float(found[1])

    pieces = {name: turn(getattr(rendered, name)) for name in ("ice", "front", "valid")}
    fjord = None if rendered.fjord is None else turn(rendered.fjord)
    flow = None if rendered.flow is None else tuple(point(end) for end in rendered.flow)
    return replace(rendered, fjord=fjord, flow=flow, **pieces)


TURNS = {
    "quarter": (np.rot90, lambda xy, h, w: np.column_stack([xy[:, 1], w - xy[:, 0]])),
    "half": (lambda a: np.rot90(a, 2), lambda xy, h, w: np.column_stack([w - xy[:, 0], h - xy[:, 1]])),
    "mirror": (lambda a: a[:, ::-1], lambda xy, h, w: np.column_stack([w - xy[:, 0], xy[:, 1]])),
    "transpose": (lambda a: a.T, lambda xy, h, w: xy[:, ::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["sinus", "arc"])
def test_turning_the_scene_turns_the_front(name, turn):
    change, move = TURNS[turn]
    base = scene(name)
    (before,), (after,) = trace(base), trace(turned(base, change))
    there, back = distances(after.xy, move(before.xy, *SHAPE))
    assert max(there.max(), back.max()) < 0.75
    assert np.concatenate([there, back]).mean() < 0.05
    assert after.confidence == pytest.approx(before.confidence, abs=0.02)
    assert after.length_px == pytest.approx(before.length_px, rel=0.02)
    assert after.status == before.status


@pytest.mark.parametrize("turn", ["none", *TURNS])
def test_glacier_is_on_the_left(turn):
    base = scene("slope")
    rendered = base if turn == "none" else turned(base, TURNS[turn][0])
    (front,) = trace(rendered)
    middle = len(front.xy) // 2
    x, y = front.xy[middle]
    dx, dy = front.xy[middle + 5] - front.xy[middle - 5]
    norm = np.hypot(dx, dy) / 5
    left = int(y - dx / norm), int(x + dy / norm)
    right = int(y + dx / norm), int(x - dy / norm)
    assert rendered.ice[left] > 0.9
    assert rendered.ice[right] < 0.1


def test_moved_and_padded_scene_gives_the_same_line():
    base = scene("sinus")
    pad = ((37, 11), (5, 50))
    moved = replace(
        base,
        ice=np.pad(base.ice, pad, constant_values=0.98),
        front=np.pad(base.front, pad),
        valid=np.pad(base.valid, pad),
        fjord=np.pad(base.fjord, pad),
        flow=tuple((row + 37, col + 5) for row, col in base.flow),
    )
    assert np.abs(trace(moved)[0].xy - [5, 37] - trace(base)[0].xy).max() < 1e-9


def test_same_input_same_bytes():
    rendered = without(scene("sinus"), stripes(SHAPE, period=36, width=12, slope=1.5))
    assert trace(rendered)[0].xy.tobytes() == trace(rendered)[0].xy.tobytes()


def test_part_of_the_front_outside_the_data_is_not_invented():
    base = scene("arc")
    cols = np.arange(SHAPE[1])[None, :]
    (most,) = trace(without(base, np.broadcast_to(cols > 125, SHAPE)))
    (least,) = trace(without(base, np.broadcast_to(cols > 85, SHAPE)))
    assert most.xy[:, 0].max() < 126.5
    assert most.fjord_share == pytest.approx(96 / 140, abs=0.05)
    assert least.fjord_share == pytest.approx(56 / 140, abs=0.08)
    assert (least.status, least.reason) == (Status.REVIEW, Reason.LEAVES_SCENE)


def test_many_gaps_and_clouds_go_to_review():
    base = scene("line")
    cols = np.arange(SHAPE[1])[None, :]
    (gaps,) = trace(without(base, np.broadcast_to(cols % 22 < 11, SHAPE)))
    assert (gaps.status, gaps.reason) == (Status.REVIEW, Reason.GAPS)
    assert gaps.gap_fraction == pytest.approx(0.5, abs=0.08)
    (clouds,) = trace(replace(base, cloud=np.broadcast_to(cols > 100, SHAPE)))
    assert (clouds.status, clouds.reason) == (Status.REVIEW, Reason.CLOUDS)
    assert clouds.parts["cloud"] == pytest.approx(0.5, abs=0.03)


def test_clouds_over_much_of_the_fjord_may_hide_another_front():
    base = scene("arc")
    rows = np.arange(SHAPE[0])[:, None]
    sky = {share: np.broadcast_to(rows < np.quantile(np.nonzero(base.fjord)[0], share), SHAPE) for share in (0.2, 0.4)}
    line = trace(base)[0].xy
    assert not any(mask[line[:, 1].astype(int), line[:, 0].astype(int)].any() for mask in sky.values())
    few, many = (trace(replace(base, cloud=mask))[0] for mask in sky.values())
    assert few.status == Status.ACCEPTED
    assert (many.status, many.reason) == (Status.REVIEW, Reason.CLOUDS)
    assert many.parts["cloud"] == pytest.approx(0.6, abs=0.02)


def test_faint_outputs_lose_confidence():
    base = scene("arc")
    faint = replace(base, front=base.front * np.float32(0.4), ice=0.5 + (base.ice - 0.5) * np.float32(0.2))
    (front,) = trace(faint)
    assert front.confidence < 0.6
    assert front.reason == Reason.LOW_CONFIDENCE
    assert_on([front], base.truth)


@pytest.mark.parametrize(("shift", "disagree"), [(2, False), (5, True)])
def test_outputs_that_lie_apart_disagree(shift, disagree):
    base = scene("arc")
    (front,) = trace(replace(base, ice=np.roll(base.ice, shift, axis=0)))
    assert (front.reason == Reason.OUTPUTS_DISAGREE) == disagree
    assert front.uncertainty_px > trace(base)[0].uncertainty_px + 0.1


def test_no_front():
    base = scene("line")
    (none,) = trace(replace(base, front=base.front * 0, ice=np.ones_like(base.ice)))
    assert (none.status, none.reason) == (Status.NO_FRONT, Reason.NO_RIDGE)
    assert none.xy.shape == (0, 2)
    assert np.isnan([none.confidence, none.length_px, none.uncertainty_px, none.gap_fraction]).all()


def test_short_lines_are_no_front():
    base = scene("line")
    quiet = replace(base, front=base.front * 0, ice=np.ones_like(base.ice))
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    bar = (np.abs(rows - 80) < 2) & (np.abs(cols - 100) < 10)
    (none,) = trace(replace(quiet, front=np.where(bar, np.float32(0.9), quiet.front)))
    assert (none.status, none.reason) == (Status.NO_FRONT, Reason.TOO_SHORT)


def test_nothing_valid_is_a_failure():
    base = scene("line")
    for rendered in (
        replace(base, valid=np.zeros(SHAPE, dtype=bool)),
        replace(base, ice=np.full(SHAPE, np.nan, dtype=np.float32)),
        replace(base, front=np.full(SHAPE, np.nan, dtype=np.float32)),
        replace(base, valid=base.valid & ~base.fjord),
        replace(base, fjord=np.zeros(SHAPE, dtype=bool)),
    ):
        (none,) = trace(rendered)
        assert (none.status, none.reason) == (Status.FAILED, Reason.NO_VALID_PIXELS)


def test_bad_input_is_named():
    base = scene("line")
    with pytest.raises(InputError, match=r"front has shape \(160, 199\)"):
        trace(replace(base, front=base.front[:, 1:]))
    with pytest.raises(InputError, match="two dimensions"):
        trace_scene(base.ice[None], base.front[None], base.valid[None], pixel_size_m=30.0)
    with pytest.raises(InputError, match="pixel_size_m"):
        trace(base, pixel_size_m=0.0)
    with pytest.raises(ConfigError, match="treshold"):
        trace(base, options={"treshold": 0.2})


probabilities = st.one_of(st.just(np.nan), st.floats(0, 1, width=32))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_comes_in_a_record_comes_out(data):
    shape = data.draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    ice, front = (
        data.draw(
            arrays(np.float32, shape, elements=probabilities, fill=st.sampled_from([np.float32(0), np.float32(1)]))
        )
        for _ in range(2)
    )
    fjord = data.draw(st.none() | arrays(bool, shape))
    flow = data.draw(st.none() | st.just(((0.0, 0.0), (shape[0] - 1.0, shape[1] - 1.0))))
    fronts = trace_scene(
        ice, front, np.ones(shape, dtype=bool), pixel_size_m=100.0, fjord=fjord, flow=flow,
        options={"min_length_px": 3.0},
    )  # fmt: skip
    assert fronts
    for traced in fronts:
        has_line = traced.status not in {Status.NO_FRONT, Status.FAILED}
        assert (len(traced.xy) > 1) == has_line
        assert np.isfinite(traced.xy).all()
        assert (traced.xy >= -1).all()
        assert (traced.xy <= np.array(shape[::-1]) + 1).all()
        if has_line:
            assert 0 <= traced.confidence <= 1
            assert 0 <= traced.gap_fraction <= 1
            assert traced.length_px > 0
            assert bool(traced.reason) == (traced.status != Status.ACCEPTED)
