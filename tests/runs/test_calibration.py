"""Calibration on simulated scenes: what is measured, what is fitted, and where it is written."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import yaml

from icefront_dask.config import DEFAULTS_PATH
from icefront_dask.errors import ConfigError
from icefront_dask.fronts.calibrate import TracedErrors
from icefront_dask.fronts.options import from_config
from icefront_dask.fronts.status import Status
from icefront_dask.runs.calibration import calibrate, errors_of_view, fitted, write_settings
from icefront_dask.simulate.views import VIEW_SEED, draw_view


@pytest.mark.parametrize("sensor", ["sar", "optical"])
def test_errors_of_a_view_are_distances_of_its_fronts(sensor):
    view = draw_view(VIEW_SEED + 1, sensor, size=128)
    found = errors_of_view(view)
    assert all(front.group == sensor and (front.errors_px >= 0).all() for front in found)
    assert all(front.status not in {Status.NO_FRONT, Status.FAILED} for front in found)
    assert errors_of_view(dataclasses.replace(view, front=())) == []


def test_each_half_of_the_views_is_judged_by_the_fit_of_the_other():
    """Errors of one half are three times those of the other: the fit of either fails on the other."""
    rng = np.random.default_rng(0)

    def one(sigma):
        return [TracedErrors(np.abs(rng.normal(0, sigma, 200)), 2.0, 0.8, Status.ACCEPTED, "sar")]

    alike = fitted([one(1.0) for _ in range(60)], from_config())
    assert alike["coverage"]["accepted"]["sar"] == pytest.approx([0.683, 0.95], abs=0.02)
    assert alike["fronts"] == {"accepted": 60}
    wide = dataclasses.replace(from_config(), uncertainty_factor=50.0)
    assert fitted([one(1.0) for _ in range(60)], wide)["coverage_as_set"]["accepted"]["all"] == [1.0, 1.0]
    uneven = fitted([one(1.0 if n // 2 % 2 == 0 else 3.0) for n in range(60)], from_config())
    assert abs(uneven["coverage"]["accepted"]["all"][0] - 0.683) > 0.04


def test_settings_are_written_between_comments(tmp_path):
    path = tmp_path / "copy.yaml"
    path.write_text(DEFAULTS_PATH.read_text(encoding="utf-8"), encoding="utf-8")
    write_settings({"uncertainty_factor": 0.123, "uncertainty_doubt": 7.5}, path)
    before, after = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in (DEFAULTS_PATH, path))
    before["icefront"]["fronts"] |= {"uncertainty_factor": 0.123, "uncertainty_doubt": 7.5}
    assert after == before
    lines = zip(DEFAULTS_PATH.read_text("utf-8").splitlines(), path.read_text("utf-8").splitlines(), strict=True)
    changed = [(old, new) for old, new in lines if old != new]
    assert [old.partition("#")[2] for old, _ in changed] == [new.partition("#")[2] for _, new in changed]
    assert len(changed) == 2
    with pytest.raises(ConfigError, match="uncertainty_fcator"):
        write_settings({"uncertainty_fcator": 1.0}, path)
    (tmp_path / "other.yaml").write_text("icefront: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no section fronts"):
        write_settings({"uncertainty_factor": 1.0}, tmp_path / "other.yaml")


@pytest.mark.soak
def test_packaged_settings_cover_fronts_of_scenes_beyond_those_they_were_fitted_on():
    found = calibrate(scenes=300, first_seed=VIEW_SEED + 100_000)
    one, two = found["coverage_as_set"]["accepted"]["all"]
    assert abs(one - 0.6827) <= 0.05
    assert abs(two - 0.95) <= 0.05
