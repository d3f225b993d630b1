"""Overpasses against a plain walk over the items, and what tells that two items belong to one pass."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icefront_dask.catalog.overpasses import overpasses, pass_of, track_of

ITEMS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3_000)), max_size=30)


@given(ITEMS)
def test_items_within_five_minutes_are_one_overpass(items):
    keys = [key for key, _ in items]
    times = np.array([np.datetime64("2018-06-02") + np.timedelta64(s, "s") for _, s in items], "datetime64[ns]")
    numbers = overpasses(keys, times)
    walked = set()
    for key in "abc":
        rows = sorted((row for row in range(len(items)) if keys[row] == key), key=lambda row: items[row][1])
        group = set(rows[:1])
        for before, row in itertools.pairwise(rows):
            if items[row][1] - items[before][1] > 300:
                walked.add(frozenset(group))
                group = set()
            group.add(row)
        walked |= {frozenset(group)} if group else set()
    found = {frozenset(np.flatnonzero(numbers == number).tolist()) for number in set(numbers.tolist())}
    assert found == walked
    assert sorted(set(numbers.tolist())) == list(range(len(walked)))


def test_an_item_without_a_time_is_alone():
    times = np.array(["NaT", "2018-06-02", "NaT", "2018-06-02T00:00:30"], "datetime64[ns]")
    numbers = overpasses("aaaa", times)
    assert len(set(numbers.tolist())) == 3
    assert numbers[1] == numbers[3]


@pytest.mark.parametrize(
    ("item_id", "properties", "expected"),
    [
        ("a", {"s1:datatake_id": "39156", "sat:absolute_orbit": 7, "sat:relative_orbit": 127}, ("39156", "127", "")),
        ("a", {"sat:absolute_orbit": 7, "sat:orbit_state": "ASCENDING"}, ("7", "", "ascending")),
        ("LC08_L2SP_233013_20150710_02_T1", {}, ("", "233", "")),
        ("LC08_L2SP_233013_20150710_02_T1", {"landsat:wrs_path": "232"}, ("", "232", "")),
        ("a", {"sat:orbit_state": "ascending"}, ("item", "a", "")),
    ],
)
def test_what_a_pass_shares(item_id, properties, expected):
    assert pass_of(item_id, properties) == expected
    assert track_of(item_id, properties) == int(expected[1] if expected[1].isdigit() else 0)
