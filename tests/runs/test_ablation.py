"""Ablation of the simulator: one training an ingredient, resumable, on one set of images."""

import pandas as pd
import pytest
import yaml

from icefront_dask.errors import ConfigError
from icefront_dask.models import registry
from icefront_dask.runs.ablation import ablate
from icefront_dask.simulate.independent.scenes import write_scenes

TINY = {
    "name": "tiny", "out": ".", "mix": {"pairs": 0, "sar": 2, "optical": 0}, "cache": 2, "scene_px": 64, "crop_px": 48,
    "steps": 2, "precision": "fp32", "curves": False, "threads": 1,
    "architecture_options": {"in_channels": 3, "out_channels": 2, "width": 4, "pooling": False},
}  # fmt: skip


def training(folder, **changes):
    path = folder / "training.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return path


def test_one_training_an_ingredient(tmp_path):
    write_scenes(tmp_path / "data", 1, seed=20, size=96)
    stages = []
    given = {"ingredients": ["rifts"], "report": lambda *stage: stages.append(stage)}
    table = ablate(training(tmp_path), tmp_path / "data", "scenes", tmp_path / "out", **given)
    assert list(table["without"]) == ["none", "rifts"]
    assert list(table["what"]) == ["the whole simulator", "rifts inland of the front"]
    assert list(table["images"]) == [1, 1]
    assert {s for s, *_ in stages if "training" in s} == {"training without none", "training without rifts"}
    assert (tmp_path / "out" / "without-rifts" / "scores.csv").exists()
    assert len(pd.read_csv(tmp_path / "out" / "ablation.csv")) == 2
    card = registry.card(str(tmp_path / "out" / "without-rifts" / "model" / "without-rifts.safetensors"))
    assert "rifts" in card.known_failures[0]
    stages.clear()
    again = ablate(training(tmp_path), tmp_path / "data", "scenes", tmp_path / "out", **given)
    assert not [s for s, *_ in stages if "training" in s]
    pd.testing.assert_frame_equal(again, table)
    with pytest.raises(ConfigError, match=r"other settings \(steps\)"):
        ablate(training(tmp_path, steps=3), tmp_path / "data", "scenes", tmp_path / "out", **given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mix": {"pairs": 1, "sar": 0, "optical": 0}}, "simulates nothing"),
        ({"task": "zones"}, "task ice-front"),
        ({"epochs": 2}, "fixed steps"),
    ],
)
def test_what_is_no_ablation_is_refused(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        ablate(training(tmp_path, **changes), tmp_path, "scenes", tmp_path / "out")
    with pytest.raises(ConfigError, match="no ingredient 'tea'"):
        ablate(training(tmp_path), tmp_path, "scenes", tmp_path / "out", ingredients=["tea"])
    assert not (tmp_path / "out").exists()
