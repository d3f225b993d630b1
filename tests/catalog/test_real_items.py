"""Every real item at hand becomes the right sensor, bands and geometry, or is refused for the right reason."""

from __future__ import annotations

import json
import sys

import pytest

from icefront_dask.errors import CatalogError, ConfigError, NotGeoreferencedError
from icefront_dask.sensors import collection_for

# Bands of the sensors, as the files are numbered (USGS; NIR as CALFIN uses it).
FILES = {
    "MSS 1-3": {"green": "_B4", "red": "_B5", "nir": "_B7"},
    "MSS 4-5": {"green": "_B1", "red": "_B2", "nir": "_B4"},
    "TM": {"green": "_B2", "red": "_B3", "nir": "_B4", "swir16": "_B5", "thermal": "_B6"},
    "ETM+": {"green": "_B2", "red": "_B3", "nir": "_B4", "swir16": "_B5", "thermal": "_B6"},
    "OLI": {"green": "_B3", "red": "_B4", "nir": "_B5", "swir16": "_B6", "thermal": "_B10"},
}
SR, ST = ("green", "red", "nir", "swir16"), ("thermal",)
L2, MSS = (*SR, *ST), ("green", "red", "nir")

# File below stac/ (some stand for two providers' items of one scene): sensor, platform, variables, sigma in metres.
LANDSAT = {
    "landsat_stactools/LC08_L2SP_005009_20150710_20200908_02_T2_SR_stac.json": ("OLI", 8, SR, 60),
    "landsat_stactools/LC08_L2SP_005009_20150710_20200908_02_T2_ST_stac.json": ("OLI", 8, ST, 60),
    "landsat_stactools/LC08_L2SP_008059_20191201_20200825_02_T1_SR_stac.json": ("OLI", 8, SR, 12),
    "landsat_stactools/LC08_L2SP_008059_20191201_20200825_02_T1_ST_stac.json": ("OLI", 8, ST, 12),
    "landsat_stactools/LC08_L2SP_017036_20130419_20200913_02_T2_SR_stac.json": ("OLI", 8, SR, 60),
    "landsat_stactools/LC08_L2SP_017036_20130419_20200913_02_T2_ST_stac.json": ("OLI", 8, ST, 60),
    "landsat_stactools/LC08_L2SP_047027_20201204_20210313_02_T1_SR_stac.json": ("OLI", 8, SR, 12),
    "landsat_stactools/LC08_L2SP_047027_20201204_20210313_02_T1_ST_stac.json": ("OLI", 8, ST, 12),
    "landsat_stactools/LC08_L2SR_084024_20160111_20201016_02_T1_SR_stac.json": ("OLI", 8, SR, 12),
    "landsat_stactools/LC08_L2SR_099120_20191129_20201016_02_T2_SR_stac.json": ("OLI", 8, SR, 60),
    "landsat_stactools/LE07_L2SP_021030_20100109_20200911_02_T1_SR_stac.json": ("ETM+", 7, SR, 12),
    "landsat_stactools/LE07_L2SP_021030_20100109_20200911_02_T1_ST_stac.json": ("ETM+", 7, ST, 12),
    "landsat_stactools/LM01_L1GS_001010_19720908_20200909_02_T2_stac.json": ("MSS 1-3", 1, MSS, 250),
    "landsat_stactools/LM01_L1GS_007019_19771009_20200907_02_T2_stac.json": ("MSS 1-3", 1, MSS, 250),
    "landsat_stactools/LM02_L1GS_001004_19750411_20200908_02_T2_stac.json": ("MSS 1-3", 2, MSS, 250),
    "landsat_stactools/LM03_L1GS_001001_19780510_20200907_02_T2_stac.json": ("MSS 1-3", 3, MSS, 250),
    "landsat_stactools/LM05_L1GS_001001_19850524_20210918_02_T2_stac.json": ("MSS 4-5", 5, MSS, 250),
    "landsat_stactools/LT04_L2SP_002026_19830110_20200918_02_T1_SR_stac.json": ("TM", 4, SR, 12),
    "landsat_stactools/LT04_L2SP_002026_19830110_20200918_02_T1_ST_stac.json": ("TM", 4, ST, 12),
    "landsat_stactools/LT05_L2SP_010067_19860424_20200918_02_T2_SR_stac.json": ("TM", 5, SR, 60),
    "landsat_stactools/LT05_L2SP_010067_19860424_20200918_02_T2_ST_stac.json": ("TM", 5, ST, 60),
    "landsat_stactools/LT05_L2SR_087017_20090621_20200827_02_T2_SR_stac.json": ("TM", 5, SR, 60),
    "LM01_L1GS_001010_19720908_02_T2.json": ("MSS 1-3", 1, MSS, 250),
    "LM02_L1GS_001004_19750411_02_T2.json": ("MSS 1-3", 2, MSS, 250),
    "LM03_L1GS_001001_19780510_02_T2.json": ("MSS 1-3", 3, MSS, 250),
    "LM04_L1GS_001001_19830527_02_T2.json": ("MSS 4-5", 4, MSS, 250),
    "LM05_L1GS_001001_19850524_02_T2.json": ("MSS 4-5", 5, MSS, 250),
    "LC08_L2SP_047027_20201204_02_T1.json": ("OLI", 8, L2, 12),
    "LC09_L2SP_010065_20220129_02_T1.json": ("OLI", 9, L2, 12),
    "LE07_L2SP_021030_20100109_02_T1.json": ("ETM+", 7, L2, 12),
    "LT04_L2SP_002026_19830110_02_T1.json": ("TM", 4, L2, 12),
    "LT05_L2SP_010067_19860424_02_T2.json": ("TM", 5, L2, 60),
    "odc_stac/LC08_L2SP_028030_20200114_20200824_02_T1_SR.json": ("OLI", 8, SR, 12),
    "odc_stac/LC08_L2SR_081119_20200101_20200823_02_T2.json": ("OLI", 8, SR, 60),
    "odc_stac/LE07_L2SP_044033_20210329_20210424_02_T1_SR.json": ("ETM+", 7, SR, 12),
}
# geometry, platform, variables, sigma; GRD stands for what it becomes by correction
RADAR = {
    "S1A_20200103_17RMJ_ASC.json": ("rtc", "sentinel-1a", ("vv", "vh"), 10),
    "S1B_20161121_12SYJ_ASC.json": ("rtc", "sentinel-1b", ("vv", "vh"), 10),
    "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549.json": (
        "gcp_front_height", "sentinel-1a", ("hh", "hv"), 100,
    ),
    "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13.json": (
        "gcp_front_height", "sentinel-1a", ("vv", "vh"), 100,
    ),
}  # fmt: skip
REFUSED = {
    "LM01_L1GS_005037_19720823_20200909_02_T2_stac.json": (CatalogError, "states a sun elevation of -30.7"),
    "S1A_IW_SL1__1_SH_20141031T095929_20141031T100002_003072_003842.json": (NotGeoreferencedError, "radar geometry"),
    "sentinel-1-grd-item-raw.json": (ConfigError, "collection ''.*is not known"),
    "ga_ls8c_ard_3-1-0_088080_2020-05-25_final.stac-item.json": (ConfigError, "collection ''.*is not known"),
    "lidar_dem.json": (ConfigError, "'lidar_collection'.*is not known"),
    "only_crs_proj.json": (ConfigError, "'fc_percentile_albers_annual'.*is not known"),
    "S2A_28QCH_20200714_0_L2A.json": (ConfigError, "'sentinel-s2-l2a-cogs'.*is not known"),
    "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531.json": (ConfigError, "'sentinel-2-l2a'.*is not known"),
    "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext.json": (
        ConfigError, "'sentinel-2-l2a'.*is not known",
    ),
    "site1-20200606-tall-strip-africa.geojson": (ConfigError, "'sentinel-2-l2a'.*is not known"),
    "site2-2020_jun_jul-35MNM.geojson": (ConfigError, "'sentinel-2-l2a'.*is not known"),
}  # fmt: skip


@pytest.fixture(scope="module")
def items(real_data):
    """Items by file, some files with several."""
    found = {}
    for path in sorted(p for p in (real_data / "stac").rglob("*") if p.suffix in {".json", ".geojson"}):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and content.get("type") == "Feature":
            found[path.relative_to(real_data / "stac").as_posix()] = [content]
        elif isinstance(content, dict) and content.get("type") == "FeatureCollection":
            found[path.relative_to(real_data / "stac").as_posix()] = content["features"]
    return found


def named(items, name):
    (match,) = [content for path, content in items.items() if path.endswith(name)]
    return match


def test_no_item_is_left_out(items):
    table = [*LANDSAT, *RADAR, *REFUSED]
    assert [path for path in items if sum(path.endswith(name) for name in table) != 1] == []
    assert len(items) == len(table) == 50
    count = sum(len(content) for content in items.values())
    sys.stdout.write(
        f"\n{count} items of {len(items)} files: {len(LANDSAT)} files of Landsat, {len(RADAR)} of Sentinel-1, "
        f"{len(REFUSED)} refused\n"
    )
    assert count >= 70


@pytest.mark.parametrize("name", LANDSAT)
def test_landsat(items, name):
    (item,) = named(items, name)
    sensor, number, variables, sigma_m = LANDSAT[name]
    collection = collection_for(item)
    bands = collection.bands(item)
    assert (collection.family, collection.geometry) == ("landsat", "ortho")
    assert (collection.sensor, collection.platform) == (sensor.partition(" ")[0], f"landsat-{number}")
    assert tuple(bands) == variables
    assert collection.geolocation_sigma_m == sigma_m
    assert {v: b.href.rpartition("_")[2].removesuffix(".TIF") for v, b in bands.items()} == {
        v: FILES[sensor][v].removeprefix("_") for v in variables
    }
    assert set(collection.quality_assets(item)) == {"qa_pixel", "qa_radsat"}
    if item["collection"] != "landsat-c2l1" and not name.startswith("LM"):
        for variable, band in bands.items():
            golden = (0.00341802, 149.0) if variable == "thermal" else (2.75e-05, -0.2)
            assert (band.scale, band.offset) == golden


@pytest.mark.parametrize("name", RADAR)
def test_sentinel_1(items, name):
    (item,) = named(items, name)
    collection = collection_for(item)
    geometry, platform, variables, sigma_m = RADAR[name]
    assert (collection.family, collection.calibration, collection.sensor) == ("sentinel-1", "gamma0", "C-SAR")
    assert (collection.geometry, collection.platform) == (geometry, platform)
    assert tuple(collection.bands(item)) == variables
    assert collection.geolocation_sigma_m == sigma_m


@pytest.mark.parametrize("name", REFUSED)
def test_refused(items, name):
    error, reason = REFUSED[name]
    for item in named(items, name):
        with pytest.raises(error, match=reason) as caught:
            collection_for(item).bands(item)
        assert type(caught.value) is error
        assert str(item["id"]) in str(caught.value)
