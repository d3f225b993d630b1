from __future__ import annotations

import json
import math

import dask
import pytest

from icefront_dask.errors import CatalogError, ConfigError, MissingAssetError, NotGeoreferencedError
from icefront_dask.sensors import TABLE, VARIABLES, Collection, collection_for, user_collection


def item(name, collection, assets, **properties):
    return {"id": name, "collection": collection, "properties": properties, "assets": assets}


def asset(href="https://example.org/a.tif", **raster):
    return {"href": href, **({"raster:bands": [raster]} if raster else {})}


def landsat(name="LC08_L2SP_232013_20180703_02_T1", collection="landsat-c2-l2", names=("green", "nir08"), **properties):
    qa = {"qa_pixel": asset("https://example.org/qa.tif"), "qa_radsat": asset("https://example.org/rad.tif")}
    return item(name, collection, {n: asset(f"https://example.org/{n}.tif") for n in names} | qa, **properties)


def test_rtc_is_linear_gamma0_with_two_kinds_of_nodata():
    scene = item("S1A_x_rtc", "sentinel-1-rtc", {"hh": asset(), "hv": asset(nodata=-32768)}, platform="SENTINEL-1A")
    collection = collection_for(scene)
    assert (collection.family, collection.calibration, collection.geometry) == ("sentinel-1", "gamma0", "rtc")
    assert collection.variables(scene) == ("hh", "hv")
    assert (collection.platform, collection.sensor) == ("sentinel-1a", "C-SAR")
    band = collection.bands(scene)["hh"]
    assert (band.scale, band.offset, band.nodata, band.zero_is_nodata) == (1.0, 0.0, -32768.0, True)


@pytest.mark.parametrize(
    ("name", "band", "bit"),
    [
        ("LM01_L1GS_001010_19720908_02_T2", "B7.TIF", 6),
        ("LM03_L1GS_001001_19780510_02_T2", "B7.TIF", 6),
        ("LM04_L1GS_001001_19830527_02_T2", "B4.TIF", 3),
        ("LM05_L1GS_001001_19850524_02_T2", "B4.TIF", 3),
        ("LT04_L1TP_002026_19830110_02_T1", "B4.TIF", 3),
        ("LT05_L1TP_010067_19860424_02_T2", "B4.TIF", 3),
        ("LE07_L1TP_021030_20100109_02_T1", "B4.TIF", 3),
        ("LC08_L1TP_047027_20201204_02_T1", "B5.TIF", 4),
        ("LC09_L1TP_010065_20220129_02_T1", "B5.TIF", 4),
    ],
)
def test_near_infrared_of_each_landsat_sensor(name, band, bit):
    scene = item(name, "landsat-c2l1", {f"B{n}.TIF": asset() for n in range(1, 9)}, **{"view:sun_elevation": 30.0})
    found = collection_for(scene).bands(scene, ["nir"])["nir"]
    assert (found.asset, found.saturation_bit) == (band, bit)


def test_mss_near_infrared_is_never_the_shorter_band():
    scene = landsat("LM02_L1GS_001004_19750411_02_T2", "landsat-c2-l1", ("green", "red", "nir08", "nir09"))
    collection = collection_for(scene)
    assert collection.bands(scene)["nir"].asset == "nir09"
    assert (collection.sensor, collection.calibration, collection.pixel_size_m) == (
        "MSS",
        "uncalibrated",
        60.0,
    )


def test_reflectance_falls_back_to_the_published_scaling():
    scene = landsat(names=("nir08", "lwir11"))
    bands = collection_for(scene).bands(scene)
    assert (bands["nir"].scale, bands["nir"].offset, bands["nir"].nodata) == (2.75e-05, -0.2, 0.0)
    assert 18_639 * bands["nir"].scale + bands["nir"].offset == pytest.approx(0.3126, abs=1e-4)
    assert (bands["thermal"].scale, bands["thermal"].offset) == (0.00341802, 149.0)


@pytest.mark.parametrize("words", ["raster:bands", "bands", "asset"])
def test_the_scaling_that_an_item_states_goes_first(words):
    stated = {"scale": 1e-4, "offset": -0.1, "nodata": 7, "data_type": "int16"}
    described = {
        "raster:bands": {"raster:bands": [stated]},
        "bands": {"bands": [{f"raster:{k}": v for k, v in stated.items()}]},
        "asset": {f"raster:{k}": v for k, v in stated.items()},
    }[words]
    scene = item("LC08_L2SP_1_2_02_T1", "landsat-c2-l2", {"nir08": {"href": "https://example.org/b.tif"} | described})
    band = collection_for(scene).bands(scene)["nir"]
    assert (band.scale, band.offset, band.nodata, band.dtype) == (1e-4, -0.1, 7.0, "int16")


def test_a_stated_scale_without_offset_takes_no_offset_from_the_table():
    scene = item("LC08_L2SP_1_2_02_T1", "landsat-c2-l2", {"nir08": asset(scale=1e-4)})
    assert collection_for(scene).bands(scene)["nir"].offset == 0.0


def test_level_1_oli_is_divided_by_the_sine_of_the_sun_elevation():
    scene = landsat("LC08_L1TP_1_2_02_T1", "landsat-c2l1", ("nir08",), **{"view:sun_elevation": 12.0})
    collection = collection_for(scene)
    band = collection.bands(scene)["nir"]
    assert collection.calibration == "reflectance"
    assert 30_000 * band.scale + band.offset == pytest.approx((30_000 * 2e-5 - 0.1) / math.sin(math.radians(12.0)))


@pytest.mark.parametrize("elevation", [None, -4.0, 0.0, math.nan])
def test_level_1_without_a_sun_is_refused(elevation):
    scene = landsat("LC08_L1TP_1_2_02_T1", "landsat-c2l1", ("nir08",), **{"view:sun_elevation": elevation})
    with pytest.raises(CatalogError, match="sun elevation"):
        collection_for(scene).bands(scene)


@pytest.mark.parametrize(
    ("name", "properties", "sigma"),
    [
        ("LC08_L2SP_1_2_02_T1", {}, 12.0),
        ("LC08_L2SP_1_2_02_T2", {}, 60.0),
        ("LC08_L2SP_1_2_02_T2", {"landsat:geometric_rmse_model": 21.5}, 21.5),
        ("LT05_L1GS_1_2_02_T2", {}, 60.0),
        ("LM05_L1GS_1_2_02_T2", {}, 250.0),
        (
            "anything",
            {"platform": "landsat-9", "landsat:correction": "L1TP", "landsat:collection_category": "T1"},
            12.0,
        ),
    ],
)
def test_landsat_geolocation(name, properties, sigma):
    assert collection_for(landsat(name, **properties)).geolocation_sigma_m == sigma


@pytest.mark.parametrize(
    ("properties", "sensor", "platform"),
    [
        ({"platform": "landsat-8", "instruments": ["oli", "tirs"]}, "OLI", "landsat-8"),
        ({"platform": "LANDSAT_7", "instruments": ["ETM"]}, "ETM+", "landsat-7"),
        ({"platform": "landsat-5", "instruments": ["mss"]}, "MSS", "landsat-5"),
        ({"platform": "landsat-5", "instruments": ["tm"]}, "TM", "landsat-5"),
        ({"eo:platform": "LANDSAT_4", "eo:instrument": "TM"}, "TM", "landsat-4"),
    ],
)
def test_landsat_without_a_telling_id(properties, sensor, platform):
    collection = collection_for(landsat("scene-1", **properties))
    assert (collection.sensor, collection.platform) == (sensor, platform)
    with pytest.raises(CatalogError, match="names no Landsat satellite"):
        collection_for(landsat("scene-1"))


@pytest.mark.parametrize("name", ["sentinel-1-grd", "sentinel1-grd", "sentinel1-slc"])
def test_radar_geometry_is_refused_whatever_the_configuration_says(name):
    scene = item("S1A_EW_GRDM", name, {"hh": asset()}, **{"proj:epsg": 4326, "proj:transform": [1, 0, 0, 0, -1, 0]})
    with pytest.raises(NotGeoreferencedError, match="sentinel-1-rtc"):
        collection_for(scene)
    declared = {"family": "sentinel-1", "assets": {"hh": "hh"}, "calibration": "gamma0", "geometry": "rtc"}
    extra = {name: declared}
    with pytest.raises(NotGeoreferencedError, match="collection of their own"):
        collection_for(scene, extra)


def test_an_unknown_collection_says_how_to_add_it():
    scene = item("h", "helheim", {"data": asset()}, instruments=["c-sar"], platform="sentinel-1a")
    with pytest.raises(ConfigError, match=r"'collections'.*family: sentinel-1.*Known: .*sentinel-1-rtc"):
        collection_for(scene)
    extra = {"helheim": {"family": "sentinel-1", "assets": {"grey": "data"}, "calibration": "uncalibrated"}}
    extra["helheim"] |= {"geometry": "range_doppler", "nodata": 0, "data_type": "uint8", "resolution_m": 20}
    collection = collection_for(scene, extra)
    band = collection.bands(scene, ["grey"])["grey"]
    assert (collection.calibration, collection.geometry, collection.resolution_m) == (
        "uncalibrated",
        "range_doppler",
        20,
    )
    assert (band.asset, band.nodata, band.dtype, collection.platform) == ("data", 0.0, "uint8", "sentinel-1a")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"family": "sentinel-2"}, ConfigError, "sentinel-1, landsat"),
        ({"calibration": "dB"}, ConfigError, "gamma0"),
        ({"geometry": "guess"}, ConfigError, "range_doppler"),
        ({"assets": {}}, ConfigError, "maps no assets"),
        ({"assets": {"blue": "b"}}, ConfigError, "blue is not a variable"),
        ({"geometry": "gcp"}, NotGeoreferencedError, "accept_gcp: true"),
    ],
)
def test_user_collections_are_checked(change, error, message):
    good = {"family": "landsat", "assets": {"nir": "b5"}, "calibration": "reflectance", "geometry": "ortho"}
    with pytest.raises(error, match=message):
        user_collection("mine", **(good | change))
    assert user_collection("mine", **(good | {"geometry": "gcp"}), accept_gcp=True).geolocation_sigma_m == 300.0


def test_missing_assets_name_item_variable_and_what_there_is():
    scene = item("S1A_1", "sentinel-1-rtc", {"vv": asset(), "vh": asset()})
    with pytest.raises(MissingAssetError, match=r"'S1A_1'.*'hh'.*vh, vv"):
        collection_for(scene).bands(scene, ["hh"])
    with pytest.raises(MissingAssetError, match="no assets"):
        collection_for(scene | {"assets": {}}).bands(scene | {"assets": {}})


def test_quality_assets():
    scene = landsat()
    assert collection_for(scene).quality_assets(scene) == {
        "qa_pixel": "https://example.org/qa.tif",
        "qa_radsat": "https://example.org/rad.tif",
    }


def test_the_table_holds_closed_lists_only():
    for name, entry in TABLE.items():
        assert isinstance(entry, Collection)
        assert name == entry.id
        assert set(entry.assets) <= set(VARIABLES)


def _real_items(folder):
    for path in sorted((folder / "stac").rglob("*.json")):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and content.get("type") == "Feature":
            yield path.name, content


def test_real_items_resolve(real_data):
    seen = {}
    for name, scene in _real_items(real_data):
        if scene.get("collection") not in TABLE:
            continue
        collection = collection_for(scene)
        if scene["properties"].get("view:sun_elevation", 90) < 0:
            assert scene["id"] == "LM01_L1GS_005037_19720823_20200909_02_T2"
            with pytest.raises(CatalogError, match=r"sun elevation of -30\.7"):
                collection.bands(scene)
            continue
        bands = collection.bands(scene)
        seen[scene["collection"]] = seen.get(scene["collection"], 0) + 1
        if scene["collection"].endswith("-st"):
            assert list(bands) == ["thermal"], name
        elif collection.family == "landsat":
            assert {"green", "red", "nir"} <= set(bands), name
            title = scene["assets"][bands["nir"].asset]["title"]
            expected = {
                "MSS": ("B7)", "B4)", "0.9"),
                "TM": ("B4)", "0.8"),
                "ETM+": ("B4)", "0.8"),
                "OLI": ("B5)", "0.8"),
            }
            assert any(word in title for word in expected[collection.sensor]), (name, title)
            assert set(collection.quality_assets(scene)) == {"qa_pixel", "qa_radsat"}, name
        else:
            assert set(bands) in ({"vv", "vh"}, {"hh", "hv"})
            assert all(bool(band.annotation) == scene["collection"].endswith("grd") for band in bands.values())
    assert set(seen) == set(TABLE) - {"sentinel-1-rtc", "sentinel-1-grd", "OPERA_L2_RTC-S1_V1", "OPERA_L2_RTC-S1_V1_1"}


def test_real_landsat_2_items_state_the_table_scaling(real_data):
    for name, scene in _real_items(real_data):
        if scene.get("collection") == "landsat-c2-l2":
            bands = collection_for(scene).bands(scene)
            stripped = json.loads(json.dumps(scene))
            for entry in stripped["assets"].values():
                entry.pop("raster:bands", None)
            assert collection_for(stripped).bands(stripped) == bands, name


def test_real_saturation_bits(real_data):
    for name, scene in _real_items(real_data):
        if scene.get("collection") in {"landsat-c2-l2", "landsat-c2-l1"}:
            fields = {f["name"]: f["offset"] for f in scene["assets"]["qa_radsat"]["classification:bitfields"]}
            for variable, band in collection_for(scene).bands(scene).items():
                if variable != "thermal":
                    number = scene["assets"][band.asset]["href"].rpartition("_B")[2].removesuffix(".TIF")
                    assert band.saturation_bit == fields[f"band{number}"], (name, variable)


def test_real_slc_is_refused_and_real_grd_is_placed_by_its_annotation(real_data):
    modes = set()
    for _, scene in _real_items(real_data):
        if scene.get("collection") == "sentinel1-slc":
            with pytest.raises(NotGeoreferencedError):
                collection_for(scene)
        if scene.get("collection") == "sentinel1-grd":
            collection = collection_for(scene)
            assert (collection.geometry, collection.geolocation_sigma_m) == ("gcp_front_height", 100.0)
            assert collection.pixel_size_m == {"EW": 40.0, "IW": 10.0}[scene["properties"]["sar:instrument_mode"]]
            band = next(iter(collection.bands(scene).values()))
            assert "/annotation/calibration/calibration-" in band.annotation
            assert band.grid is None  # its proj:transform places nothing
            modes.add(scene["properties"]["sar:instrument_mode"])
            for asset in [key for key in scene["assets"] if key.startswith("schema-calibration")]:
                del scene["assets"][asset]
            with pytest.raises(NotGeoreferencedError, match="no annotation"):
                collection_for(scene)
            with dask.config.set({"icefront.cube.grd_geometry": "gcp"}):
                taken = collection_for(scene)
            assert (taken.geometry, taken.calibration, taken.geolocation_sigma_m) == ("gcp", "uncalibrated", 300.0)
    assert modes == {"EW", "IW"}


def test_the_geometry_of_ground_range_products_is_one_of_a_list():
    scene = item("S1A", "sentinel-1-grd", {"hh": asset(), "schema-calibration-hh": asset()})
    with (
        dask.config.set({"icefront.cube.grd_geometry": "guess"}),
        pytest.raises(ConfigError, match="auto, range_doppler, gcp_front_height, gcp"),
    ):
        collection_for(scene)


def test_the_transform_that_an_item_states_comes_with_its_bands():
    item_wide, own = [30, 0, 4e5, 0, -30, 7e6], [15, 0, 4e5, 0, -15, 7e6, 0, 0, 1]
    scene = landsat(names=("green", "nir08"), **{"proj:transform": item_wide})
    assert collection_for(scene).bands(scene)["nir"].grid == tuple(item_wide)
    scene["assets"]["nir08"]["proj:transform"] = own
    bands = collection_for(scene).bands(scene)
    assert bands["nir"].grid == tuple(own[:6])
    assert bands["green"].grid is None  # the item's may be that of another resolution
