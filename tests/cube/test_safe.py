"""Annotation of a real Sentinel-1A EW product, and what a broken one does."""

from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.cube.grd import noise_of, table_of
from icefront_dask.cube.rangedoppler import Locator
from icefront_dask.cube.safe import annotation_hrefs, parse_annotation, parse_calibration, parse_noise
from icefront_dask.errors import ReadError


@pytest.fixture(scope="module")
def folder(real_data):
    return real_data / "s1-ew-safe-metadata" / "annotation"


@pytest.fixture(scope="module")
def annotation(folder):
    return parse_annotation((folder / "ew-hh.xml").read_bytes(), "item 'ew'")


def read(folder, kind, polarisation="hv"):
    parse = parse_calibration if kind == "calibration" else parse_noise
    return parse((folder / "calibration" / f"{kind}-ew-{polarisation}.xml").read_bytes(), "item 'ew'")


def at(line, pixel):
    return slice(line, line + 1), slice(pixel, pixel + 1)


def test_annotation_golden_values(annotation):
    assert (annotation.polarisation, annotation.mode, annotation.shape) == ("HH", "EW", (10_708, 10_487))
    assert annotation.pixel_spacing_m == 40.0
    assert annotation.line_interval_s == pytest.approx(6.004712143413705e-3, rel=1e-15)
    assert annotation.first_line_s == pytest.approx(62.493708, abs=1e-9)  # 01:43:42.546629 - 01:42:40.052921
    assert annotation.orbit_position_m.shape == (20, 3)
    assert len(annotation.conversion_s) == 66
    assert annotation.gcps.shape == (21 * 23, 6)
    np.testing.assert_allclose(annotation.gcps[0], [0, 0, 102.7865, 80.1140, 8.15e-4, 18.8825], atol=5e-4)


def test_every_real_control_point_is_found_again(annotation):
    """ESA's processor computed these 483 points from the same orbit: an independent implementation."""
    gcps = annotation.gcps
    line, pixel = Locator(annotation)(gcps[:, 2], gcps[:, 3], gcps[:, 4])
    # The points' times lie on bursts, so that their line numbers are rounded by up to 0.065.
    assert np.abs(line - gcps[:, 0]).max() < 0.07
    assert np.abs(pixel - gcps[:, 1]).max() < 1e-4


def test_a_height_error_moves_ground_range_by_its_cotangent(annotation):
    gcps = annotation.gcps
    locate = Locator(annotation)
    _, at_sea = locate(gcps[:, 2], gcps[:, 3], gcps[:, 4])
    _, above = locate(gcps[:, 2], gcps[:, 3], gcps[:, 4] + 100.0)
    moved_m = (at_sea - above) * annotation.pixel_spacing_m
    np.testing.assert_allclose(moved_m, 100.0 / np.tan(np.radians(gcps[:, 5])), rtol=0.01)


def test_calibration_golden_values(folder):
    hh = read(folder, "calibration", "hh")
    assert table_of(hh["sigma0"], *at(0, 0))[0, 0] == pytest.approx(1.908928e3, rel=1e-6)
    assert table_of(hh["sigma0"], *at(0, 80))[0, 0] == pytest.approx(1.896360e3, rel=1e-6)
    between = table_of(hh["sigma0"], *at(0, 60))[0, 0]
    assert between == pytest.approx(0.5 * (1.902606e3 + 1.896360e3), rel=1e-6)
    # gamma0 = sigma0 / cos(incidence): the two tables differ by the square root of that
    near = table_of(hh["gamma0"], *at(0, 0))[0, 0]
    assert (1.908928e3 / near) ** 2 * np.cos(np.radians(18.8825)) == pytest.approx(1.0, rel=2e-3)


def test_noise_floor_of_the_real_product(folder):
    """HV: -20.6 dB at the near edge, -23 to -27 in EW1 and -24 to -34 beyond, with steps between sub-swaths."""
    noise, gain = read(folder, "noise"), read(folder, "calibration")["sigma0"]
    lines = slice(5_000, 5_300)

    def floor_db(columns):
        return 10 * np.log10(noise_of(noise, lines, columns).mean(0) / table_of(gain, lines, columns).mean(0) ** 2)

    assert floor_db(slice(0, 1))[0] == pytest.approx(-20.6, abs=0.4)
    assert -28 < np.median(floor_db(slice(200, 3_100))) < -22
    beyond = floor_db(slice(3_140, 10_400))
    assert -35 < beyond.min() < beyond.max() < -23
    step = floor_db(slice(3_100, 3_160))
    assert 2 < abs(step[0] - step[-1]) < 8


def test_noise_is_range_times_azimuth(folder):
    noise = read(folder, "noise", "hh")
    assert not noise.legacy
    assert len(noise.azimuth) == 17
    # first range value 3.887113e4 and first azimuth factor 1.267256 of the file
    assert noise_of(noise, *at(0, 0))[0, 0] == pytest.approx(3.887113e4 * 1.267256, rel=1e-6)
    between = 3.887113e4 + (3.234022e4 - 3.887113e4) / 2
    assert noise_of(noise, *at(0, 20))[0, 0] == pytest.approx(between * 1.267256, rel=1e-6)
    factor = noise_of(noise, *at(5, 0))[0, 0] / table_of(noise.range, *at(5, 0))[0, 0]
    assert factor == pytest.approx(0.5 * (1.267256 + 1.246982), rel=1e-6)


def test_windows_of_tables_are_parts_of_the_whole(folder):
    noise, table = read(folder, "noise"), read(folder, "calibration")["gamma0"]
    rows, columns = slice(60, 200), slice(3_000, 3_300)
    for whole, part in (
        (table_of(table, rows, columns), table_of(table, slice(90, 120), slice(3_120, 3_140))),
        (noise_of(noise, rows, columns), noise_of(noise, slice(90, 120), slice(3_120, 3_140))),
    ):
        np.testing.assert_array_equal(whole[30:60, 120:140], part)


def test_places_of_the_files_in_a_product():
    calibration = "https://e.org/x/annotation/calibration/calibration-s1a-ew-grd-hh-2022-001.xml"
    assert annotation_hrefs(calibration) == (
        "https://e.org/x/annotation/s1a-ew-grd-hh-2022-001.xml",
        calibration,
        "https://e.org/x/annotation/calibration/noise-s1a-ew-grd-hh-2022-001.xml",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<rfi/>", "expected the product file of a Sentinel-1 product, found <rfi>"),
        (b"<product></product>", "lacks what a ground range product has"),
        (b"<product>", "no XML that may be read"),
        (b'<!DOCTYPE p [<!ENTITY a "b">]><product>&a;</product>', "no XML that may be read"),
        (b'<!DOCTYPE p SYSTEM "file:///etc/passwd"><product/>', "no XML that may be read"),
    ],
)
def test_what_is_no_annotation_is_refused(content, message):
    with pytest.raises(ReadError, match=rf"item 'x'.*{message}"):
        parse_annotation(content, "item 'x'")
