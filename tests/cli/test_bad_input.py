"""What is wrong is said in one line that names the thing and the remedy, and nothing half-written is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
from shapely.affinity import translate

from icefront_dask.regions import read_regions, write_regions
from tests.runs import tiny


@pytest.fixture
def config(archive, model, tmp_path):
    """Write a run file with changes and return its path."""

    def write(**changes):
        return tiny.write_config(tmp_path / "run.yaml", archive, **{"model": model, **changes})

    return write


@pytest.fixture
def items(archive, tmp_path):
    """Return the Sentinel-1 items as JSON beside their COGs, to be spoilt, and the folder to write them to."""
    folder = tmp_path / "copy"
    shutil.copytree(archive.folder / "sentinel-1-rtc", folder)
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))]
    for item in found:
        for asset in item["assets"].values():
            asset["href"] = f"./{item['id']}/{Path(asset['href']).name}"
    return found, folder


def write_items(items: list[dict], folder: Path) -> str:
    path = folder / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return str(path)


def nothing_to_trust(folder: Path) -> bool:
    """No ledger part and no product."""
    return not list(folder.glob("ledger/*")) and not list(folder.glob("*fronts*"))


def test_an_unreachable_api(icefront, config, tmp_path):
    outcome = icefront("run", config(source="http://127.0.0.1:9/stac", catalog={"attempts": 1}), "--workers", 0)
    assert outcome.status == 1
    assert "http://127.0.0.1:9/stac" in outcome.error
    assert nothing_to_trust(tmp_path / "out")


def test_a_search_without_results(icefront, config, archive, tmp_path):
    outcome = icefront("run", config(datetime="1999"), "--workers", 0)
    assert outcome.status == 1
    assert "small-outlet" in outcome.error
    assert "widen the datetime" in outcome.error
    outcome = icefront("search", archive.items, "--regions", archive.regions, "--datetime", "1999")
    assert outcome.status == 1
    assert "widen the datetime" in outcome.error
    assert nothing_to_trust(tmp_path / "out")


def test_a_region_outside_every_scene(icefront, config, archive, tmp_path):
    (region,) = read_regions(archive.regions)
    far = region.patch(
        name="far", outline=translate(region.outline, 400_000), fjord=None, flowlines=(), box=None,
        reference_line=None, grounding_line=None,
    )  # fmt: skip
    write_regions([far], tmp_path / "far.geojson")
    outcome = icefront("run", config(regions=str(tmp_path / "far.geojson")), "--workers", 0)
    assert outcome.status == 1
    assert "region 'far' lies outside the footprints" in outcome.error
    assert "check its outline" in outcome.error


def test_items_without_crs_have_that_of_their_files(icefront, config, items, tmp_path):
    found, folder = items
    for item in found:
        item["properties"] = {k: v for k, v in item["properties"].items() if not k.startswith("proj:")}
        for asset in item["assets"].values():
            for key in [key for key in asset if key.startswith("proj:")]:
                del asset[key]
    outcome = icefront("run", config(source=write_items(found, folder)), "--workers", 0)
    assert outcome.status == 0
    assert (tmp_path / "out" / "fronts.parquet").exists()


def test_a_file_without_crs(icefront, config, items, tmp_path):
    found, folder = items
    spoilt = folder / found[0]["id"] / "iw-hh.rtc.tiff"
    with rasterio.open(spoilt) as source:
        data, profile = source.read(), source.profile
    spoilt.unlink()
    with rasterio.open(spoilt, "w", **{**profile, "crs": None, "transform": rasterio.Affine.identity()}) as target:
        target.write(data)
    outcome = icefront("run", config(source=write_items(found, folder)), "--workers", 0)
    assert outcome.status == 1
    assert found[0]["id"] in outcome.error
    assert "no CRS" in outcome.error
    assert len(list((tmp_path / "out" / "ledger").iterdir())) == len(found) - 1


def test_missing_assets(icefront, config, items):
    found, folder = items
    for item in found:
        item["assets"] = {"thumbnail": {"href": "./t.png", "type": "image/png"}}
    outcome = icefront("run", config(source=write_items(found, folder)), "--workers", 0)
    assert outcome.status == 1
    assert "has none of the variables hh, vv" in outcome.error
    assert "thumbnail" in outcome.error


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: data[: len(data) // 2], "truncated or damaged"),
        (lambda data: data[:300] + b"\xff" * (len(data) - 300), "damaged"),
        (lambda _: b'<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>', "not a GeoTIFF but a VRT"),
        (lambda _: b"", "not a GeoTIFF"),
    ],
)
def test_files_that_are_no_cogs(icefront, config, items, tmp_path, spoil, said):
    found, folder = items
    spoilt = folder / found[0]["id"] / "iw-hh.rtc.tiff"
    spoilt.write_bytes(spoil(spoilt.read_bytes()))
    outcome = icefront("run", config(source=write_items(found, folder)), "--workers", 0)
    assert outcome.status == 1
    assert found[0]["id"] in outcome.error
    assert said in outcome.error
    assert "1 of 2 units failed" in outcome.error
    assert not (tmp_path / "out" / "fronts.parquet").exists()
    assert len(list((tmp_path / "out" / "ledger").iterdir())) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"regoins": "x"}, "unknown key 'regoins'; did you mean 'regions'? known: source, regions"),
        ({"cube": {"reeder": "odc"}}, "unknown key reeder in section 'cube' of the configuration; known: reader"),
        ({"resolution": {"landsat": -30}}, "key 'resolution': pixel sizes must be positive"),
        ({"families": ["sentinel-9"]}, "key 'families.0'"),
        ({"variables": {"landsat": ["infrared"]}}, "unknown infrared; known: hh, hv"),
    ],
)
def test_a_run_file_with_a_mistake(icefront, config, tmp_path, changes, said):
    outcome = icefront("run", config(**changes), "--workers", 0)
    assert outcome.status == 2
    assert outcome.error.startswith("run.yaml: ")
    assert said in outcome.error
    assert not (tmp_path / "out").exists()


def test_a_run_file_that_is_none(icefront, tmp_path):
    outcome = icefront("run", tmp_path / "none.yaml")
    assert (outcome.status, "none.yaml" in outcome.error) == (2, True)
    (tmp_path / "a.yaml").write_text("a: [")
    assert "not a readable YAML file" in icefront("run", tmp_path / "a.yaml").error
    (tmp_path / "b.yaml").write_text("- source")
    assert "a run file is a mapping" in icefront("run", tmp_path / "b.yaml").error
    (tmp_path / "c.yaml").write_text("source: x\noutput: y\n")
    assert "key 'regions' is missing" in icefront("run", tmp_path / "c.yaml").error


def test_an_output_folder_that_holds_another_run(icefront, config, finished):
    outcome = icefront("run", config(output=str(finished.output), fronts={"threshold": 0.5}), "--workers", 0)
    assert outcome.status == 1
    assert f"{finished.output} holds another run" in outcome.error
    assert "settings.fronts.threshold was 0.33, is 0.5" in outcome.error


def test_a_model_that_does_not_fit_the_bands(icefront, config, tmp_path):
    optical = tiny.tiny_model(tmp_path / "models", "optical", primary=("nir",))
    outcome = icefront("run", config(model={"sentinel-1": str(optical)}), "--workers", 0)
    assert outcome.status == 2
    assert "does not fit scene sentinel-1a-" in outcome.error
    assert "nir" in outcome.error
    assert icefront("run", config(model="no-such-model"), "--workers", 0).status == 2


def test_usage_mistakes_exit_with_2(icefront):
    assert icefront("run").status == 2
    assert icefront("no-such-command").status == 2
    assert icefront("score", "x", "--layout", "circles").status == 2


def test_from_the_shell_it_is_one_line_and_a_status(archive, model, tmp_path):
    """The same through the console script, in a process of its own; and with a traceback where it is asked for."""
    path = tiny.write_config(tmp_path / "run.yaml", archive, model, regoins="x")
    command = [Path(sys.executable).with_name("icefront"), "run", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("icefront: error: run.yaml: unknown key 'regoins'")
    debug = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "ICEFRONT_DEBUG": "1"}
    )
    assert debug.returncode == 1
    assert "ConfigError" in debug.stderr
    assert "Traceback" in debug.stderr
