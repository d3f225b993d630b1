from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from icefront_dask.cube.decode import (
    brightness_temperature,
    decode_grey,
    decode_landsat,
    decode_sar,
    fuse,
    halo_px,
    scale_dn,
    slc_gaps,
)
from icefront_dask.cube.quality import Quality

SR = (2.75e-5, -0.2)


def landsat(dn, qa_pixel=None, qa_radsat=None, **options):
    defaults = {"scales": dict.fromkeys(dn, SR), "saturation_bits": {}, "dropped_bit": False}
    return decode_landsat(dn, qa_pixel, qa_radsat, **(defaults | options))


def test_scale_and_offset_golden_values():
    # 7273 and 43636 bound the valid range of Collection 2 surface reflectance: 0 and 1 (USGS LSDS-1619)
    dn = np.array([[0, 7273, 43636, 65535, 1]], dtype="uint16")
    values = scale_dn(dn, *SR)
    assert values.dtype == np.float32
    assert np.isnan(values[0, 0])
    np.testing.assert_allclose(values[0, 1:], [7.5e-6, 0.99999, 1.6022125, -0.1999725], rtol=2e-7)
    thermal = scale_dn(np.array([[44177]], dtype="uint16"), 0.00341802, 149.0)
    np.testing.assert_allclose(thermal, [[299.99786954]], rtol=1e-7)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (1 << 0, Quality.NODATA),
        (1 << 1, Quality.CLOUD),  # dilated
        (1 << 2, Quality.CLOUD),  # cirrus
        (1 << 3, Quality.CLOUD),
        (1 << 4, Quality.SHADOW),
        ((1 << 3) | (1 << 4), Quality.CLOUD | Quality.SHADOW),
        (1 << 5, 0),  # snow
        (1 << 6, 0),  # clear
        (1 << 7, 0),  # water
        (21824, 0),  # the usual clear land
        (22280, Quality.CLOUD),  # high-confidence cloud
        (23888, Quality.SHADOW),  # high-confidence shadow
    ],
)
def test_qa_pixel_bits(bits, expected):
    values, quality = landsat({"nir": np.full((1, 1), 20_000, "uint16")}, np.full((1, 1), bits, "uint16"))
    assert quality[0, 0] == expected
    assert np.isnan(values["nir"][0, 0]) == bool(expected & Quality.NODATA)


def test_saturation_blanks_only_the_saturated_variable():
    dn = {"green": np.full((1, 3), 20_000, "uint16"), "nir": np.full((1, 3), 30_000, "uint16")}
    radsat = np.array([[0, 1 << 4, 1 << 2]], dtype="uint16")  # OLI: band 5 (nir), band 3 (green)
    values, quality = landsat(dn, None, radsat, saturation_bits={"nir": 4, "green": 2})
    assert np.isnan(values["nir"]).tolist() == [[False, True, False]]
    assert np.isnan(values["green"]).tolist() == [[False, False, True]]
    assert quality.tolist() == [[0, Quality.SATURATED, Quality.SATURATED]]


def test_dropped_pixels_count_for_the_sensors_that_have_the_bit():
    dn = {"nir": np.full((1, 2), 20_000, "uint16")}
    radsat = np.array([[1 << 9, 0]], dtype="uint16")
    _, with_bit = landsat(dn, None, radsat, dropped_bit=True)
    _, without = landsat(dn, None, radsat, dropped_bit=False)
    assert with_bit.tolist() == [[Quality.NODATA, 0]]
    assert without.tolist() == [[0, 0]]


def stripes(shape=(120, 90), gap=8, period=40):
    """Fill of Landsat 7 after the failure: slanted gaps, and the outside of the scene on the left."""
    rows, columns = np.indices(shape)
    missing = (rows + columns // 4) % period < gap
    outside = columns < 20
    return missing, outside


def test_slc_gaps_are_told_from_the_outside_of_the_scene():
    gaps, outside = stripes()
    found = slc_gaps(gaps | outside, radius_px=8.0)
    inside = np.s_[12:-12, 36:-12]  # away from the array's and the scene's edges
    np.testing.assert_array_equal(found[inside], gaps[inside])
    assert not found[:, :10].any()


def test_slc_gaps_equal_a_closing_by_brute_force():
    gaps, outside = stripes()
    missing = gaps | outside
    radius = 6
    y, x = np.indices((2 * radius + 1,) * 2) - radius
    disk = x**2 + y**2 <= radius**2
    padded = np.pad(~missing, 2 * radius, mode="edge")
    closed = ndimage.binary_closing(padded, disk)[2 * radius : -2 * radius, 2 * radius : -2 * radius]
    inner = np.s_[2 * radius : -2 * radius, 2 * radius : -2 * radius]
    np.testing.assert_array_equal(slc_gaps(missing, radius)[inner], (closed & missing)[inner])


def test_slc_gap_bit_is_set_only_where_it_is_asked_for():
    gaps, _ = stripes()
    dn = {"nir": np.where(gaps, 0, 20_000).astype("uint16")}
    _, without = landsat(dn)
    values, quality = landsat(dn, slc_radius_px=8.0)
    assert not (without & Quality.SLC_GAP).any()
    core = np.s_[16:-16, 16:-16]
    assert ((quality[core] & Quality.SLC_GAP) != 0)[gaps[core]].all()
    np.testing.assert_array_equal(np.isnan(values["nir"]), gaps)  # the flagged rim keeps its values


def sar_scene(rng, shape=(40, 50)):
    return rng.gamma(4.4, 0.02, shape).astype("float32") + np.float32(1e-4)


def test_sar_border_is_eroded_and_flagged(rng):
    hh = sar_scene(rng)
    hh[:, :12] = 0
    values, quality = decode_sar({"hh": hh}, erosion_px=2)
    assert (quality[:, :12] == Quality.NODATA).all()
    assert (quality[:, 12:14] == Quality.BORDER_NOISE).all()
    assert (quality[:, 14:] == 0).all()
    assert np.isnan(values["hh"][:, :14]).all()
    np.testing.assert_array_equal(values["hh"][:, 14:], hh[:, 14:])


def test_sar_nodata_arrives_as_nan_and_counts_alike(rng):
    hh = sar_scene(rng)
    hh[30:, :] = np.nan
    _, quality = decode_sar({"hh": hh}, erosion_px=1)
    assert (quality[30:] == Quality.NODATA).all()
    assert (quality[29] == Quality.BORDER_NOISE).all()


def test_single_zeros_inside_a_scene_have_no_rim(rng):
    hh = sar_scene(rng)
    hh[20, 25] = 0
    values, quality = decode_sar({"hh": hh}, erosion_px=2)
    assert quality[20, 25] == Quality.NODATA
    assert np.count_nonzero(quality) == 1
    assert np.isnan(values["hh"]).sum() == 1


def test_cross_polarised_zeros_below_the_noise_floor_stay_values(rng):
    hh, hv = sar_scene(rng), sar_scene(rng)
    hv[20, 25] = 0
    hv[:, :10] = 0
    hh[:, :10] = 0
    values, quality = decode_sar({"hh": hh, "hv": hv}, erosion_px=2)
    assert values["hv"][20, 25] == 0
    assert quality[20, 25] == 0
    assert (quality[:, :10] == Quality.NODATA).all()


def test_one_missing_polarisation_is_no_nodata(rng):
    hh, hv = sar_scene(rng), np.full((40, 50), np.nan, "float32")
    values, quality = decode_sar({"hh": hh, "hv": hv}, erosion_px=2)
    assert not (quality & Quality.NODATA).any()
    assert not np.isnan(values["hh"]).any()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    cut=st.tuples(st.integers(10, 50), st.integers(10, 50)),
    erosion=st.integers(0, 3),
)
def test_decoding_a_block_with_its_halo_equals_decoding_the_whole(seed, cut, erosion):
    rng = np.random.default_rng(seed)
    hh = sar_scene(rng, (60, 60))
    hh[ndimage.gaussian_filter(rng.standard_normal((60, 60)), 4) > 0.06] = 0
    halo = halo_px(20.0, erosion_px=erosion, slc_radius_m=None)
    padded = np.pad(hh, halo)
    values, quality = decode_sar({"hh": padded}, erosion_px=erosion)
    whole = np.s_[halo : halo + 60, halo : halo + 60]
    row, column = cut
    for rows, columns in ((slice(0, row), slice(0, column)), (slice(row, 60), slice(column, 60))):
        window = np.s_[rows.start : rows.stop + 2 * halo, columns.start : columns.stop + 2 * halo]
        part, bits = decode_sar({"hh": padded[window].copy()}, erosion_px=erosion)
        inner = np.s_[halo : bits.shape[0] - halo, halo : bits.shape[1] - halo]
        np.testing.assert_array_equal(bits[inner], quality[whole][rows, columns])
        np.testing.assert_array_equal(part["hh"][inner], values["hh"][whole][rows, columns])


def test_grey_values_pass_as_they_are():
    grey = np.array([[0.0, 129.0, np.nan]], dtype="float32")
    values, quality = decode_grey({"grey": grey})
    np.testing.assert_array_equal(values["grey"], grey)
    assert quality.tolist() == [[0, 0, Quality.NODATA]]


def test_fuse_takes_each_pixel_whole_from_the_first_that_is_usable():
    nodata, gap, failed = int(Quality.NODATA), int(Quality.SLC_GAP), int(Quality.NODATA | Quality.READ_FAILED)
    first = np.array([[0, nodata, gap, nodata, failed, Quality.CLOUD]], dtype="uint16")
    second = np.array([[0, 0, 0, failed, nodata, 0]], dtype="uint16")
    one, two = np.full((1, 6), 1, "float32"), np.full((1, 6), 2, "float32")
    values, quality = fuse(({"nir": one}, first), ({"nir": two}, second))
    assert values["nir"].tolist() == [[1, 2, 2, 2, 1, 1]]
    assert quality.tolist() == [[0, 0, 0, failed, failed, Quality.CLOUD]]


@pytest.mark.real
def test_real_landsat_qa_and_scaling(real_data):
    folder = real_data / "landsat-c2-decimated"
    stem = "LC08_L2SP_005009_20150710_20200908_02_T2"
    bands = {}
    for name in ("SR_B5", "QA_PIXEL", "QA_RADSAT"):
        with rasterio.open(folder / f"{stem}_{name}.TIF", driver="GTiff") as dataset:
            bands[name] = dataset.read(1)
    values, quality = landsat(
        {"nir": bands["SR_B5"]}, bands["QA_PIXEL"], bands["QA_RADSAT"], saturation_bits={"nir": 4}
    )
    nir, fill = values["nir"], (bands["QA_PIXEL"] & 1) == 1
    np.testing.assert_array_equal((quality & Quality.NODATA) != 0, fill | (bands["SR_B5"] == 0))
    cloud_share = np.mean((bands["QA_PIXEL"][~fill] & 0b1110) != 0)
    assert np.mean((quality[~fill] & Quality.CLOUD) != 0) == cloud_share
    assert 0.5 < cloud_share < 0.9  # the item says 54.65 % without dilation and cirrus
    cloudy = ((quality & Quality.CLOUD) != 0) & ((bands["QA_RADSAT"] & 16) == 0) & (bands["SR_B5"] > 0)
    assert cloudy.any()
    assert not np.isnan(nir[cloudy]).any()  # clouds never blank
    expected = bands["SR_B5"][~np.isnan(nir)] * 0.0000275 - 0.2
    np.testing.assert_allclose(nir[~np.isnan(nir)], expected, atol=1e-7)


def test_brightness_temperature_golden_values():
    """Landsat 8 band 10 (USGS Landsat 8 handbook, section 5.3): the radiance of number 23 000, by hand."""
    radiance = np.array([[23_000 * 3.342e-4 + 0.1, 0.0, np.nan]], "float32")
    temperature = brightness_temperature(radiance, 774.8853, 1321.0789)
    np.testing.assert_allclose(temperature[0, 0], 1321.0789 / np.log(774.8853 / 7.7866 + 1), rtol=1e-6)
    assert 285 < temperature[0, 0] < 290
    assert np.isnan(temperature[0, 1:]).all()
    values, quality = landsat(
        {"thermal": np.array([[23_000, 0]], "uint16")},
        scales={"thermal": (3.342e-4, 0.1)},
        thermal_constants=(774.8853, 1321.0789),
    )
    assert values["thermal"][0, 0] == temperature[0, 0]
    assert quality.tolist() == [[0, Quality.NODATA]]
