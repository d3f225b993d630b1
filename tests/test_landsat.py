"""Landsat Level 1: radiance, reflectance and brightness temperature."""

from __future__ import annotations

import datetime as dt
import json
import math

import numpy as np
import pytest

from icefront_dask._landsat import (
    ESUN,
    THERMAL_CONSTANTS,
    band_of_file,
    earth_sun_distance_au,
    level_1_from_mtl,
    toa_reflectance,
)
from icefront_dask.cube.decode import brightness_temperature
from icefront_dask.errors import CatalogError
from icefront_dask.sensors import collection_for
from tests.test_sensors import asset, item

MTL_OLI = "LC08_L2SP_005009_20150710_20200908_02_T2_MTL.json"


def _mtl(real_data):
    content = json.loads((real_data / "stac" / "landsat_stactools" / MTL_OLI).read_text())
    return content["LANDSAT_METADATA_FILE"]


def test_earth_sun_distance_is_that_of_real_metadata_files(real_data):
    files = sorted((real_data / "stac" / "landsat_stactools").glob("*_MTL.json"))
    assert len(files) >= 4
    for file in files:
        image = json.loads(file.read_text())["LANDSAT_METADATA_FILE"]["IMAGE_ATTRIBUTES"]
        when = dt.datetime.fromisoformat(f"{image['DATE_ACQUIRED']}T{image['SCENE_CENTER_TIME'][:8]}+00:00")
        assert earth_sun_distance_au(when) == pytest.approx(float(image["EARTH_SUN_DISTANCE"]), abs=1e-4)


def test_radiance_becomes_the_reflectance_of_the_real_metadata_file(real_data):
    """The file states both; the irradiance that joins them is that of the file's own extremes."""
    mtl = _mtl(real_data)
    rescaling, image = mtl["LEVEL1_RADIOMETRIC_RESCALING"], mtl["IMAGE_ATTRIBUTES"]
    distance = float(image["EARTH_SUN_DISTANCE"])
    for band in "23456":
        radiance = float(mtl["LEVEL1_MIN_MAX_RADIANCE"][f"RADIANCE_MAXIMUM_BAND_{band}"])
        reflectance = float(mtl["LEVEL1_MIN_MAX_REFLECTANCE"][f"REFLECTANCE_MAXIMUM_BAND_{band}"])
        scale, offset = toa_reflectance(
            float(rescaling[f"RADIANCE_MULT_BAND_{band}"]),
            float(rescaling[f"RADIANCE_ADD_BAND_{band}"]),
            esun=math.pi * distance**2 * radiance / reflectance,
            distance_au=distance,
            sun_elevation_deg=90.0,
        )
        assert scale == pytest.approx(2e-5, rel=1e-4)
        assert offset == pytest.approx(-0.1, rel=1e-4)
        corrected = level_1_from_mtl({"LANDSAT_METADATA_FILE": mtl}, band, thermal=False)
        gain = math.sin(math.radians(40.0015903))
        assert corrected == pytest.approx((2e-5 / gain, -0.1 / gain), rel=1e-9)
    assert level_1_from_mtl(mtl, "10", thermal=True) == (3.342e-4, 0.1)
    assert level_1_from_mtl(mtl, "12", thermal=False) is None


def test_oli_that_states_radiance_gets_the_reflectance_of_its_constant_coefficients():
    radiance = {"scale": 0.0059152, "offset": -29.57619, "unit": "watt/steradian/square_meter/micrometer"}
    scene = item(
        "LC08_L1GT_005009_20150710_02_T2",
        "landsat-c2-l1",
        {
            "nir08": asset(data_type="uint16", **radiance),
            "green": asset(data_type="uint16", scale=0.011463, offset=-57.3),
        },
        datetime="2015-07-10T14:34:35Z",
        **{"view:sun_elevation": 40.0015903},
    )
    bands = collection_for(scene).bands(scene)
    gain = math.sin(math.radians(40.0015903))
    for variable in ("nir", "green"):  # by the unit, and without one by the size of the values
        assert (bands[variable].scale, bands[variable].offset) == pytest.approx((2e-5 / gain, -0.1 / gain))


def test_mss_radiance_golden_values(real_data):
    """LM01 of 1972-09-08 over East Greenland: number 100 of band 7, computed by hand from Chander et al. 2009."""
    folder = real_data / "stac/landsat_stactools/examples/landsat-c2-l1/LM01_L1GS_001010_19720908_02_T2"
    scene = json.loads((folder / "LM01_L1GS_001010_19720908_02_T2.json").read_text())
    collection = collection_for(scene)
    band = collection.bands(scene)["nir"]
    assert (collection.calibration, collection.level_1, band.asset) == ("reflectance", True, "nir09")
    # L = 0.60866 * 100 - 0.60866 = 60.25734; sin(24.87312 deg) = 0.420609
    # d = 1.0072 (Landsat 7 handbook: day 242 1.0092, day 258 1.0057)
    assert 100 * band.scale + band.offset == pytest.approx(
        math.pi * 60.25734 * 1.0072**2 / (880.1 * 0.420609), rel=3e-4
    )


# Chander, Markham, Helder (2009), Remote Sensing of Environment 113, 893-903: ESUN in W m-2 um-1 of tables 2 (MSS, four
# bands each), 3 (TM, bands 1-5 and 7) and 4 (ETM+, bands 1-5, 7 and 8).
MSS = {
    1: (1823, 1559, 1276, 880.1),
    2: (1829, 1539, 1268, 886.6),
    3: (1839, 1555, 1291, 887.9),
    4: (1827, 1569, 1260, 866.4),
    5: (1824, 1570, 1249, 853.4),
}
TM = {4: (1983, 1795, 1539, 1028, 219.8, 83.49), 5: (1983, 1796, 1536, 1031, 220.0, 83.44)}
ETM = (1997, 1812, 1533, 1039, 230.8, 84.90, 1362)


@pytest.mark.parametrize("number", MSS)
def test_irradiances_of_mss(number):
    green, red, _, nir = MSS[number]
    assert ESUN[number]["MSS"] == {"green": green, "red": red, "nir": nir}


@pytest.mark.parametrize(("number", "sensor", "row"), [(4, "TM", TM[4]), (5, "TM", TM[5]), (7, "ETM+", ETM)])
def test_irradiances_of_tm_and_etm(number, sensor, row):
    expected = dict(zip(("green", "red", "nir", "swir16"), row[1:5], strict=True))
    assert ESUN[number][sensor] == expected | ({"pan": row[6]} if sensor == "ETM+" else {})


@pytest.mark.parametrize(("number", "k1", "k2"), [(4, 671.62, 1284.30), (5, 607.76, 1260.56), (7, 666.09, 1282.71)])
def test_constants_of_the_thermal_bands(number, k1, k2):
    """Table 7 of the same paper; and the temperature it gives for a radiance of 10, by hand."""
    assert THERMAL_CONSTANTS[number] == (k1, k2)
    (kelvin,) = brightness_temperature(np.array([10.0], "float32"), *THERMAL_CONSTANTS[number])
    assert kelvin == pytest.approx(k2 / math.log(k1 / 10 + 1), rel=1e-6)
    assert 290 < kelvin < 310


def test_constants_of_the_thermal_band_of_a_real_metadata_file(real_data):
    constants = _mtl(real_data)["LEVEL1_THERMAL_CONSTANTS"]
    assert THERMAL_CONSTANTS[8] == (float(constants["K1_CONSTANT_BAND_10"]), float(constants["K2_CONSTANT_BAND_10"]))


def test_level_1_without_stated_scaling_reads_its_metadata_file():
    names = {f"B{n}.TIF": asset(f"https://example.org/LT05_L1TP_1_2_02_T1_B{n}.TIF") for n in (2, 3, 4, 5, 6)}
    scene = item("LT05_L1TP_1_2_02_T1", "landsat-c2l1", names, **{"view:sun_elevation": 12.0})
    assert collection_for(scene).calibration == "uncalibrated"
    scene["assets"]["MTL.json"] = asset("https://example.org/LT05_L1TP_1_2_02_T1_MTL.json")
    collection = collection_for(scene)
    bands = collection.bands(scene)
    assert collection.calibration == "reflectance"
    assert bands["nir"].mtl == ("https://example.org/LT05_L1TP_1_2_02_T1_MTL.json", "4")
    assert bands["nir"].thermal_constants is None
    assert bands["thermal"].mtl[1] == "6"
    assert bands["thermal"].thermal_constants == (607.76, 1260.56)
    scene["properties"]["view:sun_elevation"] = -1.0
    with pytest.raises(CatalogError, match="sun elevation"):
        collection.bands(scene, ["nir"])
    assert collection.bands(scene, ["thermal"])


def test_band_names_of_files():
    assert band_of_file("/x/LE07_L1TP_1_2_02_T1_B6_VCID_1.TIF") == "6_VCID_1"
    assert band_of_file("https://e.org/LM01_B7.TIF?sig=x") == "7"
    assert band_of_file("/x/LE07_QA_PIXEL.TIF") is None
