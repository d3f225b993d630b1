"""Bad data sets, configurations and weights through the command line: one line that names the thing, and no run."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml

from tests.runs import tiny
from tests.score.images import write_png
from tests.train import trees


def without(folder, pattern):
    for path in folder.rglob(pattern):
        path.unlink()
        return


def other_size(folder, pattern):
    write_png(next(folder.rglob(pattern)), np.full((20, 20), 255))


def blank(folder, pattern, value):
    path = next(folder.rglob(pattern))
    write_png(path, np.full((140, 110) if "Front" in path.name else (96, 80), value))


# What is done to a good data set, and what the command must say of it.
PAIRS = {
    "labels without images": (lambda f: without(f, "*_Subset.png"), "image"),
    "images without labels": (lambda f: without(f, "*_Front.png"), "label"),
    "labels of another size": (lambda f: other_size(f, "*_Front.png"), "size|differ|equal"),
    "a label with no front": (lambda f: blank(f, "*_Front.png", 255), "holds no line|no front"),
    "no folder": (shutil.rmtree, "no such folder|no pair"),
}
CAFFE = {
    "labels without images": (lambda f: without(f / "data_raw" / "sar_images", "*.png"), "without image"),
    "images without labels": (lambda f: without(f / "data_raw" / "fronts", "*.png"), "without label"),
    "zones are missing": (lambda f: without(f / "data_raw" / "zones", "*.png"), "no zones"),
    "labels of another size": (lambda f: other_size(f / "data_raw" / "fronts", "*.png"), "must be equal"),
    "a label with no front": (lambda f: blank(f / "data_raw" / "fronts", "*.png", 0), "no front"),
    "an empty folder": (lambda f: [p.unlink() for p in f.rglob("*.png")], "nothing in layout caffe"),
}
ZONES = {
    "task": "zones", "preprocessing": "caffe", "augmentation": "none",
    "architecture_options": {"in_channels": 1, "out_channels": 4, "width": 2},
}  # fmt: skip
CONFIGS = {
    "an unknown layout": ({"data": {"layout": "circles", "path": "data"}}, "unknown layout 'circles'"),
    "an unknown split": ({"data": {"layout": "caffe", "path": "data", "split": "exam"}}, "no split 'exam'"),
    "an unknown task": ({"task": "tea"}, "unknown task 'tea'"),
    "an unknown loss": ({"loss": "tea"}, "has no loss 'tea'"),
    "an unknown preprocessing": ({"preprocessing": "tea"}, "unknown preprocessing 'tea'"),
    "an unknown ingredient": ({"without": ["tea"]}, "no ingredient 'tea'"),
    "an unknown style": ({"mix": {"styles": {"tea": 1}}}, "tea"),
    "an unknown key": ({"stepps": 3}, "stepps"),
    "an empty fold": ({"hold_out": ["JAC", "Crane", "SI"]}, "leaves no image"),
    "a fold of a glacier that is not there": ({"hold_out": ["Atlantis"]}, "no glacier 'Atlantis'"),
    "a validation of nothing": ({"validation": {"share": 0.01}}, "keeps 0"),
    "other bands": ({"architecture_options": {"in_channels": 2, "out_channels": 4, "width": 2}}, "give 1"),
    "other outputs": ({"architecture_options": {"in_channels": 1, "out_channels": 2, "width": 2}}, "4 outputs"),
    "no architecture": ({"architecture": "tea"}, "no architecture 'tea'"),
    "a pickle to start from": ({"init": "a.pt"}, "only .safetensors"),
    "no weights to start from": ({"init": "none.safetensors"}, "no weights file"),
}


@pytest.fixture
def config(tmp_path):
    def write(**changes):
        content = {
            "name": "bad", "out": "out", "steps": 2, "batch": 2, "crop_px": 64, "loaders": 0, "threads": 1,
            "precision": "fp32", "curves": False, **changes,
        }  # fmt: skip
        path = tmp_path / "training.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def refused(outcome, said, tmp_path):
    assert outcome.status in (1, 2)
    assert any(part in outcome.error for part in said.split("|")), outcome.error
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(icefront, config, tmp_path, name):
    spoil, said = PAIRS[name]
    spoil(trees.pairs(tmp_path / "data"))
    mix = {"pairs": 2, "sar": 0, "optical": 0}
    refused(icefront("train", config(pairs="data", mix=mix)), said, tmp_path)
    if name != "images without labels":  # those are predicted and named
        outcome = icefront("score", tmp_path / "data", "--layout", "pairs")
        assert outcome.status in (1, 2)
        assert outcome.error


@pytest.mark.parametrize("name", CAFFE)
def test_caffe(icefront, config, tmp_path, name):
    spoil, said = CAFFE[name]
    spoil(trees.caffe(tmp_path / "data"))
    refused(icefront("train", config(data={"layout": "caffe", "path": "data"}, **ZONES)), said, tmp_path)


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations(icefront, config, tmp_path, name):
    changes, said = CONFIGS[name]
    trees.caffe(tmp_path / "data")
    (tmp_path / "a.pt").write_bytes(b"pickle")
    given = {"data": {"layout": "caffe", "path": "data"}, **ZONES} | changes
    refused(icefront("train", config(**given)), said, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "truncated or altered"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "truncated or altered"),
        (lambda path: path.with_suffix(".json").unlink(), "have no card"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "card tiny.json"),
        (lambda path: _card(path, primary=["nir"]), "nir"),
        (lambda path: _card(path, architecture_options={**tiny.OPTIONS, "width": 8}), "do not fit"),
        (lambda path: _card(path, protocol="tea"), "protocol 'tea'"),
    ],
)
def test_weights(icefront, tmp_path, spoil, said):
    path = tiny.tiny_model(tmp_path / "models")
    spoil(path)
    outcome = icefront("score", trees.pairs(tmp_path / "data"), "--layout", "pairs", "--model", path)
    assert outcome.status in (1, 2)
    assert said in outcome.error


def _card(path, **changes):
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | changes))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--layout", "circles"], "unknown layout 'circles'"),
        (["--layout", "pairs", "--looks", "x-ray"], "plain or sar"),
        (["--layout", "pairs", "--robustness", "--cross-validate", "glacier"], "leave --cross-validate"),
        (["--layout", "pairs", "--cross-validate", "year"], "takes 'glacier'"),
        (["--layout", "pairs", "--training", "x.yaml"], "--cross-validate"),
        (["--layout", "pairs", "--model", "nonesuch"], "no model 'nonesuch'"),
        (["--layout", "pairs", "--model", "a.pt"], "only .safetensors"),
    ],
)
def test_options_of_score(icefront, tmp_path, arguments, said):
    outcome = icefront("score", trees.pairs(tmp_path / "data"), *arguments)
    assert outcome.status in (1, 2)
    assert said in outcome.error


@pytest.mark.parametrize("command", ["train", "tune", "ablate"])
@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a: [", "not a readable YAML file"), (b"\0\1", "not a readable YAML file"), (b"- 1", "is a mapping")],
)
def test_files_that_are_no_configuration(icefront, tmp_path, command, content, said):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    more = [tmp_path, "--layout", "pairs", "--out", tmp_path / "out"] if command == "ablate" else []
    outcome = icefront(command, path, *more)
    assert outcome.status == 2
    assert outcome.error.startswith(str(path))
    assert said in outcome.error


def test_folders_that_are_files_and_pixels_without_a_size(icefront, tmp_path):
    data = trees.pairs(tmp_path / "data")
    taken = tmp_path / "taken"
    taken.write_text("")
    for option, value in (("--lines", taken), ("--out", taken), ("--pixel-size", 0), ("--pixel-size", "nan")):
        outcome = icefront("score", data, "--layout", "pairs", option, value)
        assert outcome.status == 2
        assert option in outcome.stderr
        assert "Traceback" not in outcome.stderr
    assert icefront("demo", "--out", taken).status == 2
    below = icefront("simulate", taken / "below", "--small")
    assert below.status == 1
    assert str(taken) in below.error
