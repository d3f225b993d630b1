"""The demo on few scenes: its numbers, and that the truth serves for nothing but them."""

from __future__ import annotations

import shutil

import pytest

from icefront_dask.errors import ConfigError
from icefront_dask.models import registry
from icefront_dask.runs import run
from icefront_dask.runs.demo import check_unseen, prepare_demo, run_demo
from icefront_dask.simulate.plan import demo_plan
from tests.runs import tiny

KEYS = {
    "scenes",
    "usable",
    "fronts",
    "review",
    "rejected",
    "mean_distance_px",
    "mean_distance_all_px",
    "wrong_share",
    "position_rmse_m",
}


def test_the_demo_scores_itself_and_needs_the_truth_for_nothing_else(tmp_path):
    plan = tiny.tiny_plan()
    scores = run_demo(tmp_path / "a", plan=plan)
    assert set(scores) >= KEYS
    assert scores["scenes"] == 4
    config = prepare_demo(tmp_path / "b", plan)
    shutil.rmtree(tmp_path / "b" / "archive" / "truth")
    run(config)
    for name in ("fronts", "series", "statistics"):
        first, second = (tmp_path / folder / "run" / f"{name}.parquet" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_the_shipped_models_never_saw_the_demo():
    check_unseen([registry.card(name) for name in registry.names()], demo_plan().seeds)


def test_a_model_that_saw_the_demo_is_refused():
    (name, *_) = registry.names()
    seed = demo_plan().seeds[1]
    seen = registry.card(name).model_copy(update={"simulated_seeds": ((seed, seed + 5),)})
    with pytest.raises(ConfigError, match=f"which hold seed {seed} of"):
        check_unseen([seen], demo_plan().seeds)
