"""How the benchmark of cubes ends: a bound that is broken is named on its last line, and is its exit status."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest

HOLDS = {
    "graph": {
        "landsat": {"icefront": {"bytes_a_task": 256.0}, "bytes_over_odc_stac": 0.6},
        "sentinel-1": {"icefront": {"bytes_a_task": 125.0}, "bytes_over_odc_stac": 1.3},
    },
    "unit": {"share_of_bound": 1.0},
    "planning": {"within_bounds": True},
}
PLANNED = {"seconds": 60.0, "peak_gib": 2.0, "pystac_objects": 0, "bytes_a_row": 400}


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.mark.parametrize(
    ("place", "value", "broken"),
    [
        ((), None, None),
        (("graph", "landsat", "icefront", "bytes_a_task"), 256.1, "graph_bytes_a_task"),
        (("graph", "sentinel-1", "icefront", "bytes_a_task"), 257.0, "graph_bytes_a_task"),
        (("graph", "sentinel-1", "bytes_over_odc_stac"), 1.301, "graph_bytes_over_odc_stac"),
        (("unit", "share_of_bound"), 1.001, "unit_bytes"),
        (("planning", "within_bounds"), False, "planning"),
    ],
)
def test_a_broken_bound_is_named_and_is_the_exit_status(benchmarks, monkeypatch, capsys, place, value, broken):
    import _planning
    import bench_cube

    found = copy.deepcopy(HOLDS)
    if place:
        at = found
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
    monkeypatch.setattr(sys, "argv", ["bench_cube.py"])
    monkeypatch.setattr(bench_cube, "graphs", found["graph"].get)
    monkeypatch.setattr(bench_cube, "units", lambda: found["unit"])
    monkeypatch.setattr(bench_cube, "assembly", lambda *_: {"seconds": 1.0})
    monkeypatch.setattr(_planning, "measure", lambda _: found["planning"])
    with pytest.raises(SystemExit) as ended:
        bench_cube.main()
    assert ended.value.code == (0 if broken is None else 1)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [name for name, holds in last["bounds"].items() if not holds] == ([] if broken is None else [broken])
    assert len(last["bounds"]) == 4
    assert "assembly" in last


@pytest.mark.parametrize(
    ("name", "value"), [("seconds", 60.1), ("peak_gib", 2.01), ("pystac_objects", 1), ("bytes_a_row", 399)]
)
def test_each_bound_of_planning_is_looked_at(benchmarks, name, value):
    from _planning import bounds_of

    assert all(bounds_of(PLANNED).values())
    assert [bound for bound, holds in bounds_of({**PLANNED, name: value}).items() if not holds] == [name]
