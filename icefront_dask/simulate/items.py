"""STAC items and collections in the form in which the providers give them.

The fields, identifiers and asset keys are those of the collections ``sentinel-1-rtc`` and ``landsat-c2-l2``
of the Microsoft Planetary Computer.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely

from icefront_dask.simulate.orbits import relative_orbit, sun_azimuth
from icefront_dask.simulate.scenes import LANDSAT_SCALE, RTC_NODATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icefront_dask.simulate.place import Place
    from icefront_dask.simulate.plan import LandsatPlan, SentinelPlan
    from icefront_dask.simulate.scenes import Scene

__all__ = ["catalog", "collection", "landsat_id", "landsat_item", "sentinel_id", "sentinel_item"]

STAC_VERSION = "1.0.0"
_EXTENSIONS = "https://stac-extensions.github.io"
_PROJECTION = f"{_EXTENSIONS}/projection/v2.0.0/schema.json"
_RASTER = f"{_EXTENSIONS}/raster/v1.1.0/schema.json"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_SENSORS = {
    "landsat-5": ("LT05", "tm", {"green": "B2", "red": "B3", "nir08": "B4", "swir16": "B5"}),
    "landsat-7": ("LE07", "etm+", {"green": "B2", "red": "B3", "nir08": "B4", "swir16": "B5"}),
    "landsat-8": ("LC08", "oli", {"green": "B3", "red": "B4", "nir08": "B5", "swir16": "B6"}),
    "landsat-9": ("LC09", "oli", {"green": "B3", "red": "B4", "nir08": "B5", "swir16": "B6"}),
}
_TITLES = {
    "green": "Green Band",
    "red": "Red Band",
    "nir08": "Near Infrared Band 0.8",
    "swir16": "Short-wave Infrared Band 1.6",
}
_QA_BITS = ("fill", "dilated_cloud", "cirrus", "cloud", "cloud_shadow", "snow", "clear", "water")
DESCRIPTIONS = {
    "sentinel-1-rtc": "Simulated Sentinel-1 scenes, radiometrically terrain-corrected gamma0 (linear power)",
    "landsat-c2-l2": "Simulated Landsat Collection 2 Level 2 surface reflectance",
}


def sentinel_id(place: Place, plan: SentinelPlan, time: np.datetime64) -> str:
    """Return an item's identifier: its product's name without the unique ending, and ``_rtc``."""
    pols = place.plan.polarisations
    kind = f"1S{'D' if len(pols) > 1 else 'S'}{pols[0][0].upper()}"
    begin, end = _stamp(time), _stamp(time + np.timedelta64(25, "s"))
    take = int(hashlib.sha256(f"{plan.platform}{plan.absolute_orbit}".encode()).hexdigest()[:5], 16) | 0x10000
    name = plan.platform[-1].upper()
    return f"S1{name}_IW_GRDH_{kind}_{begin}_{end}_{plan.absolute_orbit:06d}_{take:06X}_rtc"


def landsat_id(plan: LandsatPlan) -> str:
    """Return an item's identifier: sensor, level, path and row, date, collection and tier."""
    sensor = _SENSORS[plan.platform][0]
    return f"{sensor}_L2SP_{plan.path:03d}{plan.row:03d}_{plan.date.replace('-', '')}_02_T1"


def sentinel_item(
    place: Place, plan: SentinelPlan, time: np.datetime64, scene: Scene, hrefs: dict[str, str]
) -> dict[str, Any]:
    """Return the item of a Sentinel-1 RTC scene."""
    properties = {
        "datetime": _iso(time + np.timedelta64(12, "s")),
        "start_datetime": _iso(time),
        "end_datetime": _iso(time + np.timedelta64(25, "s")),
        "platform": plan.platform.upper(),
        "constellation": "Sentinel-1",
        "s1:resolution": "high",
        "s1:orbit_source": "RESORB",
        "s1:processing_level": "1",
        "s1:product_timeliness": "Fast-24h",
        "sat:orbit_state": "ascending" if plan.ascending else "descending",
        "sat:absolute_orbit": plan.absolute_orbit,
        "sat:relative_orbit": relative_orbit(plan.platform, plan.absolute_orbit),
        "sat:platform_international_designator": {"a": "2014-016A", "b": "2016-025A"}[plan.platform[-1]],
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:polarizations": [name.upper() for name in place.plan.polarisations],
        "sar:product_type": "GRD",
        "sar:resolution_range": 20,
        "sar:resolution_azimuth": 22,
        "sar:pixel_spacing_range": 10,
        "sar:pixel_spacing_azimuth": 10,
        "sar:looks_range": 5,
        "sar:looks_azimuth": 1,
        "sar:looks_equivalent_number": 4.4,
        "sar:observation_direction": "right",
        **_projection(scene),
    }
    assets = {
        name: {
            "href": hrefs[name],
            "type": _COG,
            "roles": ["data"],
            "title": f"{name.upper()}: {_WORDS[name[0]]} transmit, {_WORDS[name[1]]} receive",
            "raster:bands": [{"nodata": RTC_NODATA, "data_type": "float32", "spatial_resolution": scene.grid.pixel_m}],
        }
        for name in place.plan.polarisations
    }
    extensions = [
        f"{_EXTENSIONS}/sar/v1.0.0/schema.json",
        f"{_EXTENSIONS}/sat/v1.0.0/schema.json",
        _PROJECTION,
        _RASTER,
    ]
    return _item(sentinel_id(place, plan, time), "sentinel-1-rtc", properties, scene, assets, extensions)


_WORDS = {"h": "horizontal", "v": "vertical"}


def landsat_item(
    place: Place, plan: LandsatPlan, time: np.datetime64, scene: Scene, hrefs: dict[str, str]
) -> dict[str, Any]:
    """Return the item of a Landsat Collection 2 Level 2 scene."""
    sensor, instrument, bands = _SENSORS[plan.platform]
    day = int((np.datetime64(plan.date) - np.datetime64(f"{plan.date[:4]}-01-01")).astype(int)) + 1
    place_ = f"{plan.path:03d}{plan.row:03d}"
    properties = {
        "datetime": _iso(time),
        "platform": plan.platform,
        "instruments": [instrument] if instrument != "oli" else ["oli", "tirs"],
        "gsd": 30,
        "description": "Landsat Collection 2 Level-2",
        "eo:cloud_cover": scene.facts["cloud_cover"],
        "view:off_nadir": 0,
        "view:sun_elevation": scene.facts["sun_elevation"],
        "view:sun_azimuth": sun_azimuth(place.plan.lat, place.plan.lon, time),
        "landsat:cloud_cover_land": scene.facts["cloud_cover"],
        "landsat:wrs_type": "2",
        "landsat:wrs_path": f"{plan.path:03d}",
        "landsat:wrs_row": f"{plan.row:03d}",
        "landsat:collection_category": "T1",
        "landsat:collection_number": "02",
        "landsat:correction": "L2SP",
        "landsat:scene_id": f"{sensor[:2]}{sensor[3]}{place_}{plan.date[:4]}{day:03d}LGN00",
        **_projection(scene),
    }
    scale, offset = LANDSAT_SCALE
    assets: dict[str, Any] = {}
    for name, band in bands.items():
        assets[name] = {
            "href": hrefs[name],
            "type": _COG,
            "title": _TITLES[name],
            "description": f"Collection 2 Level-2 {_TITLES[name]} (SR_{band}) Surface Reflectance",
            "eo:bands": [{"name": f"{instrument.upper().replace('+', '')}_{band}", "common_name": name}],
            "raster:bands": [
                {
                    "nodata": 0,
                    "data_type": "uint16",
                    "spatial_resolution": 30,
                    "scale": scale,
                    "offset": offset,
                }
            ],
            "roles": ["data", "reflectance"],
        }
    assets["qa_pixel"] = {
        "href": hrefs["qa_pixel"],
        "type": _COG,
        "title": "Pixel Quality Assessment Band",
        "description": "Collection 2 Level-1 Pixel Quality Assessment Band (QA_PIXEL)",
        "classification:bitfields": [
            {
                "name": name,
                "offset": bit,
                "length": 1,
                "classes": [{"value": 0, "name": f"not_{name}"}, {"value": 1, "name": name}],
            }
            for bit, name in enumerate(_QA_BITS)
        ],
        "raster:bands": [{"nodata": 1, "data_type": "uint16", "spatial_resolution": 30, "unit": "bit index"}],
        "roles": ["cloud", "cloud-shadow", "snow-ice", "water-mask"],
    }
    assets["qa_radsat"] = {
        "href": hrefs["qa_radsat"],
        "type": _COG,
        "title": "Radiometric Saturation and Terrain Occlusion Quality Assessment Band",
        "raster:bands": [{"data_type": "uint16", "spatial_resolution": 30, "unit": "bit index"}],
        "roles": ["saturation"],
    }
    extensions = [
        _RASTER,
        f"{_EXTENSIONS}/eo/v1.0.0/schema.json",
        f"{_EXTENSIONS}/view/v1.0.0/schema.json",
        _PROJECTION,
        f"{_EXTENSIONS}/landsat/v2.0.0/schema.json",
        f"{_EXTENSIONS}/classification/v1.0.0/schema.json",
    ]
    return _item(landsat_id(plan), "landsat-c2-l2", properties, scene, assets, extensions)


def landsat_file(plan: LandsatPlan, asset: str) -> str:
    """File name of an asset, with the date of processing that Landsat products carry."""
    made = str(np.datetime64(plan.date) + 12).replace("-", "")
    stem = landsat_id(plan).replace("_02_T1", f"_{made}_02_T1")
    bands = _SENSORS[plan.platform][2]
    return f"{stem}_{'SR_' + bands[asset] if asset in bands else asset.upper()}.TIF"


def collection(name: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a collection with the extent of its items and links to them."""
    boxes = np.array([item["bbox"] for item in items])
    times = sorted(item["properties"]["datetime"] for item in items)
    bbox = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    links = [
        {"rel": "root", "href": "../catalog.json", "type": "application/json"},
        {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
    ]
    links += [
        {"rel": "item", "href": f"./{item['id']}/{item['id']}.json", "type": "application/geo+json"} for item in items
    ]
    return {
        "type": "Collection",
        "id": name,
        "stac_version": STAC_VERSION,
        "description": DESCRIPTIONS[name],
        "license": "CC0-1.0",
        "stac_extensions": [],
        "extent": {"spatial": {"bbox": [bbox]}, "temporal": {"interval": [[times[0], times[-1]]]}},
        "links": links,
    }


def catalog(collections: Sequence[str]) -> dict[str, Any]:
    """Return the root of the static catalogue."""
    links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    links += [{"rel": "child", "href": f"./{n}/collection.json", "type": "application/json"} for n in collections]
    return {
        "type": "Catalog",
        "id": "icefront-simulated",
        "stac_version": STAC_VERSION,
        "description": "Simulated scenes of glacier and ice-shelf fronts with a known truth",
        "links": links,
    }


def _item(
    name: str,
    group: str,
    properties: dict[str, Any],
    scene: Scene,
    assets: dict[str, Any],
    extensions: list[str],
) -> dict[str, Any]:
    ring = shapely.segmentize(scene.footprint, max(scene.grid.shape) * scene.grid.pixel_m / 8)
    to_lonlat = pyproj.Transformer.from_crs(scene.grid.crs, 4326, always_xy=True)
    outline = shapely.transform(ring, lambda xy: np.round(np.column_stack(to_lonlat.transform(*xy.T)), 7))
    geometry = shapely.geometry.mapping(shapely.orient_polygons(outline))
    link = {"type": "application/json", "href": "../collection.json"}
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": extensions,
        "id": name,
        "collection": group,
        "geometry": {
            "type": "Polygon",
            "coordinates": [[list(p) for p in r] for r in geometry["coordinates"]],
        },
        "bbox": list(outline.bounds),
        "properties": properties,
        "links": [
            {"rel": "collection", **link},
            {"rel": "parent", **link},
            {"rel": "root", "type": "application/json", "href": "../../catalog.json"},
        ],
        "assets": assets,
    }


def _projection(scene: Scene) -> dict[str, Any]:
    t = scene.grid.transform
    height, width = scene.grid.shape
    return {
        "proj:code": scene.grid.crs,
        "proj:shape": [height, width],
        "proj:transform": [t.a, t.b, t.c, t.d, t.e, t.f],
        "proj:bbox": [t.c, t.f + height * t.e, t.c + width * t.a, t.f],
    }


def _iso(time: np.datetime64) -> str:
    return f"{time.astype('datetime64[s]')}Z"


def _stamp(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")
