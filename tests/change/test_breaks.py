"""Proposals of steps against the optimal partition, and long records."""

from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.change.breaks import _MIN_FRONTS, pelt_candidates
from tests.change.simulated import record


def optimal_partition(values, penalty, least):
    """Last places of all segments but the last, by dynamic programming over every partition."""
    n = len(values)
    first, second = (np.concatenate([[0.0], np.cumsum(values**power)]) for power in (1, 2))

    def cost(a, b):
        return second[b] - second[a] - (first[b] - first[a]) ** 2 / (b - a)

    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=int)
    best[0] = -penalty
    for b in range(least, n + 1):
        totals = [best[a] + cost(a, b) + penalty for a in range(b - least + 1)]
        before[b] = int(np.argmin(totals))
        best[b] = totals[before[b]]
    ends = [n]
    while before[ends[-1]]:
        ends.append(int(before[ends[-1]]))
    return [end - 1 for end in sorted(ends)[:-1]]


@pytest.mark.parametrize("step", [0.0, -900.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_proposals_are_those_of_the_optimal_partition(monkeypatch, seed, step):
    """What goes to the search, with its penalty, partitioned in full."""
    import ruptures

    seen = []
    search = ruptures.KernelCPD.predict

    def watched(self, pen):
        found = search(self, pen=pen)
        seen.append((np.ravel(self.cost.signal), pen, [end - 1 for end in found[:-1]]))
        return found

    monkeypatch.setattr(ruptures.KernelCPD, "predict", watched)
    days, position = record("monthly", seed, step=step)
    pelt_candidates(days / 365.25, position)
    assert len(seen) == 2
    for values, penalty, found in seen:
        assert found == optimal_partition(values, penalty, _MIN_FRONTS)
    if step:
        assert any(found for _, _, found in seen)


def test_a_record_of_ten_thousand_dates(rng):
    days = np.arange(10_000.0)
    position = 300 * np.sin(days / 58.1) + 20 * rng.standard_normal(len(days))
    position[6_000:] -= 1_500
    candidates = pelt_candidates(days / 365.25, position)
    assert abs(candidates[0] - 5_999) <= 30  # the largest comes first
