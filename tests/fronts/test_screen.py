"""Confidence, status and reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icefront_dask.fronts.options import resolve
from icefront_dask.fronts.refine import look_across
from icefront_dask.fronts.screen import PARTS, agreement, confidence, judge, longest_run
from icefront_dask.fronts.status import Reason, Status
from tests.fronts.scenes import level_edge

GOOD = dict.fromkeys(PARTS, 1.0) | {"unseen_px": 0.0, "shown": 1.0}


def test_confidence_is_a_weighted_geometric_mean():
    options = resolve(None)
    assert confidence(GOOD, options) == pytest.approx(1.0)
    halved = confidence(GOOD | {"ridge": 0.5}, options)
    total = sum(getattr(options, f"weight_{name}") for name in PARTS)
    assert halved == pytest.approx(0.5 ** (options.weight_ridge / total))
    assert confidence(GOOD | {"coverage": math.nan, "ridge": 0.5}, options) < halved
    assert 0 < confidence(dict.fromkeys(PARTS, 0.0), options) < 0.1


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in PARTS}), st.sampled_from(PARTS), st.floats(0, 1))
def test_confidence_never_falls_when_a_part_rises(parts, name, better):
    options = resolve(None)
    raised = parts | {name: max(parts[name], better)}
    assert confidence(raised, options) >= confidence(parts, options) - 1e-12


@pytest.mark.parametrize(
    ("changes", "more", "status", "reason"),
    [
        ({}, {}, Status.ACCEPTED, Reason.NONE),
        ({"coverage": math.nan}, {"open_ends": 2}, Status.ACCEPTED, Reason.NONE),
        ({"ridge": 0.0}, {}, Status.REVIEW, Reason.CONTOUR_ONLY),
        ({"unseen_px": 40.0}, {}, Status.REVIEW, Reason.CONTOUR_ONLY),
        ({"agreement": 0.1}, {}, Status.REVIEW, Reason.OUTPUTS_DISAGREE),
        ({"uniqueness": 0.1}, {}, Status.REVIEW, Reason.AMBIGUOUS),
        ({"gap": 0.5}, {}, Status.REVIEW, Reason.GAPS),
        ({"coverage": 0.4}, {}, Status.REVIEW, Reason.PARTIAL),
        ({"coverage": 0.4}, {"open_ends": 1}, Status.REVIEW, Reason.LEAVES_SCENE),
        ({"cloud": 0.5}, {}, Status.REVIEW, Reason.CLOUDS),
        ({}, {"detached": True}, Status.REVIEW, Reason.DETACHED_ICE),
        ({}, {"value": 0.5}, Status.REVIEW, Reason.LOW_CONFIDENCE),
        ({}, {"value": 0.1}, Status.REJECTED, Reason.LOW_CONFIDENCE),
        ({"agreement": 0.1}, {"value": 0.1}, Status.REJECTED, Reason.OUTPUTS_DISAGREE),
        ({"shown": 0.4}, {}, Status.NO_FRONT, Reason.CONTOUR_ONLY),
        ({"shown": math.nan}, {}, Status.ACCEPTED, Reason.NONE),
        ({"shown": math.nan}, {"value": 0.1}, Status.NO_FRONT, Reason.NO_RIDGE),
        ({"cloud": 0.2}, {}, Status.REVIEW, Reason.CLOUDS),
        ({"cloud": 0.2}, {"value": 0.5}, Status.NO_FRONT, Reason.CLOUDS),
        ({"cloud": 0.2, "agreement": 0.1}, {}, Status.NO_FRONT, Reason.CLOUDS),
    ],
)
def test_status_and_reason(changes, more, status, reason):
    given_ = {"value": 0.9, "detached": False, "open_ends": 0} | more
    value = given_.pop("value")
    assert judge(value, GOOD | changes, resolve(None), **given_) == (status, reason)


def test_agreement_counts_the_worst_stretch():
    ice, front = level_edge(40.0, (80, 200))
    line = np.column_stack([np.arange(10.0, 190.0), np.full(180, 40.0)])
    hidden = front.copy()
    hidden[:, 100:160] = 0.0
    whole, part = (look_across(line, image, ice, reach=6.0, weak=0.1) for image in (front, hidden))
    assert agreement(whole, silent=False) > 0.95
    assert agreement(part, silent=False) == pytest.approx((120 / 180 + 0) / 2, abs=0.05)
    assert math.isnan(agreement(whole, silent=True))


@given(st.lists(st.booleans(), max_size=30))
def test_longest_run_is_the_longest_piece_between_gaps(flags):
    text = "".join("x" if flag else " " for flag in flags)
    assert longest_run(np.array(flags, bool)) == max(map(len, text.split()), default=0)
