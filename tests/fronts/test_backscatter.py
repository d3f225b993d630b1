"""How bright the glacier is behind a front, against images whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.change import check_series
from icefront_dask.fronts.backscatter import co_polarised, inland_db
from tests.change.builders import series_of

SHAPE = (120, 100)


def scene(glacier_db=-10.0, sea_db=-20.0, row=60):
    """A glacier above `row`, the sea below, and the front between them with the ice on its left."""
    power = np.where(np.arange(SHAPE[0])[:, None] < row, 10 ** (glacier_db / 10), 10 ** (sea_db / 10))
    line = np.column_stack([np.arange(90.5, 9.0, -1.0), np.full(82, float(row))])
    return np.broadcast_to(power, SHAPE).astype(np.float32).copy(), line[::-1]


def test_it_is_that_of_the_ice_side():
    power, line = scene()
    assert inland_db(power, line, pixel_size_m=20.0) == pytest.approx(-10.0, abs=1e-4)
    assert inland_db(power, line[::-1], pixel_size_m=20.0) == pytest.approx(-20.0, abs=1e-4)


def test_it_is_the_mean_of_power_within_a_kilometre():
    power, line = scene()
    power[:40] = 1.0  # beyond 20 pixels of 50 m
    assert inland_db(power, line, pixel_size_m=50.0) == pytest.approx(-10.0, abs=1e-4)
    power[30:58, 10:50] = 0.3
    found = inland_db(power, line, pixel_size_m=50.0)
    assert found == pytest.approx(10 * np.log10((0.3 + 0.1) / 2), abs=0.1)


def test_rock_and_missing_pixels_do_not_count():
    power, line = scene()
    power[:, 50:] = 50.0
    fjord = np.zeros(SHAPE, bool)
    fjord[:, :50] = True
    assert inland_db(power, line, pixel_size_m=20.0, fjord=fjord) == pytest.approx(-10.0, abs=1e-4)
    power[:, 50:] = np.nan
    assert inland_db(power, line, pixel_size_m=20.0) == pytest.approx(-10.0, abs=1e-4)


def test_it_is_not_known_without_band_line_pixels_or_power():
    power, line = scene()
    assert np.isnan(inland_db(None, line, pixel_size_m=20.0))
    assert np.isnan(inland_db(power, np.empty((0, 2)), pixel_size_m=20.0))
    assert np.isnan(inland_db(np.full(SHAPE, np.nan, np.float32), line, pixel_size_m=20.0))
    assert np.isnan(inland_db(np.zeros(SHAPE, np.float32), line, pixel_size_m=20.0))


def test_hh_goes_before_vv_and_empty_bands_do_not_count():
    power, _ = scene()
    empty = np.full(SHAPE, np.nan, np.float32)
    assert co_polarised({"hh": power, "vv": 2 * power}) is power
    assert co_polarised({"hh": empty, "vv": power}) is power
    assert co_polarised({"hh": None, "hv": power}) is None


def test_a_wet_surface_is_what_the_check_calls_melt():
    """The whole scene 6 dB darker, and the line a kilometre inland: the check names it."""
    days = np.arange(0, 360, 12.0)
    dry, wet = (inland_db(scene(level)[0], scene()[1], pixel_size_m=20.0) for level in (-9.0, -15.0))
    position, gamma = 1.0 * days, np.full(len(days), dry)
    position[15] -= 1_000
    gamma[15] = wet
    found = check_series(series_of(days, position, gamma0_db=gamma))
    assert found.loc[found["status"] == "review", "reason"].tolist() == ["melt_suspected"]
