"""The frozen specification: what ``auto`` meant stays what it was, ensembles go through JSON."""

from __future__ import annotations

import json

import dask.config

from icefront_dask.predict import measure, resolve_engine
from icefront_dask.runs import planning
from icefront_dask.runs.spec import GroupSpec, RunSpec


def test_auto_stays_what_it_was_when_the_run_began(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(measure, "measured", lambda names: {name: float(i) for i, name in enumerate(sorted(names))})
    assert planning._engine(tmp_path, set()) == resolve_engine("auto")
    begun = {"settings": {"predict": {"engine": "torch-fp32"}}}
    (tmp_path / "spec.json").write_text(json.dumps(begun))
    assert planning._engine(tmp_path, set()) == "torch-fp32"
    with dask.config.set({"icefront.predict.engine": "torch-bf16"}):
        assert planning._engine(tmp_path, set()) == "torch-bf16"


def test_an_ensemble_is_the_same_after_json() -> None:
    group = GroupSpec("helheim", "landsat", 30.0, ("nir",), "a", "0" * 64, (("b", "1" * 64),))
    spec = RunSpec(json.dumps({"groups": [group.__dict__]}))
    assert spec.groups == (group,)
