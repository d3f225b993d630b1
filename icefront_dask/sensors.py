"""One table of collections: what items hold, how it is scaled, and whether its geolocation can be trusted.

``collection_for(item)`` resolves an item's collection for its sensor; ``Collection.bands(item)`` gives where
each variable lies. A run's configuration adds collections of its own under ``collections``.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from icefront_dask._collection import (
    CALIBRATIONS,
    FAMILIES,
    GEOMETRIES,
    VARIABLES,
    Band,
    Collection,
    mtl_href,
    stated_of,
)
from icefront_dask._landsat import (
    ESUN,
    OLI_TOA,
    THERMAL_CONSTANTS,
    LandsatSensor,
    landsat_sensor,
)
from icefront_dask.config import section
from icefront_dask.errors import CatalogError, ConfigError, NotGeoreferencedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CALIBRATIONS",
    "FAMILIES",
    "GEOMETRIES",
    "SAME_OVERPASS",
    "SIGMA_M",
    "TABLE",
    "VARIABLES",
    "Band",
    "Collection",
    "collection_for",
    "user_collection",
]

SAME_OVERPASS = timedelta(minutes=5)
"""Items of one orbit that begin no longer after one another are one scene: slices and rows do so 24-30 s apart."""

GRD_GEOMETRIES = ("auto", "range_doppler", "gcp_front_height", "gcp")
SIGMA_M = {"rtc": 10.0, "range_doppler": 30.0, "ortho": 30.0, "gcp_front_height": 100.0, "gcp": 300.0}
"""Standard error of a pixel's place where a collection states none, by geometry."""

_SR = (2.75e-05, -0.2)  # USGS Landsat Collection 2 Level 2 surface reflectance
_ST = (0.00341802, 149.0)  # surface temperature, kelvin

_RTC = Collection(
    id="sentinel-1-rtc",
    family="sentinel-1",
    assets={p: (p,) for p in ("hh", "hv", "vv", "vh")},
    calibration="gamma0",
    geometry="rtc",
    geolocation_sigma_m=10.0,
    nodata=-32768.0,
    zero_is_nodata=True,
    dtype="float32",
    pixel_size_m=10.0,
    resolution_m=20.0,
    sensor="C-SAR",
)
_RTC_AWS = dataclasses.replace(
    _RTC,
    id="sentinel1-rtc-aws",
    assets={p: (f"gamma0_{p}",) for p in ("hh", "hv", "vv", "vh")},
    nodata=0.0,
    pixel_size_m=20.0,
)
_RTC_OPERA = dataclasses.replace(
    _RTC,
    id="OPERA_L2_RTC-S1_V1_1",
    assets={p: (f"0_{p.upper()}", p.upper()) for p in ("hh", "hv", "vv", "vh")},  # "v1.0_VV.tif", cut at its dots
    nodata=None,  # NaN
    pixel_size_m=30.0,
    resolution_m=30.0,
)
_GRD = Collection(
    id="sentinel-1-grd",
    family="sentinel-1",
    assets={p: (p,) for p in ("hh", "hv", "vv", "vh")},
    calibration="gamma0",
    geometry="gcp_front_height",
    geolocation_sigma_m=100.0,
    nodata=0.0,
    zero_is_nodata=True,
    dtype="uint16",
    pixel_size_m=10.0,
    resolution_m=20.0,
    sensor="C-SAR",
    annotation={p: (f"schema-calibration-{p}",) for p in ("hh", "hv", "vv", "vh")},
)
_LANDSAT_L2 = Collection(
    id="landsat-c2-l2",
    family="landsat",
    assets={},
    calibration="reflectance",
    geometry="ortho",
    geolocation_sigma_m=60.0,
    nodata=0.0,
    dtype="uint16",
    qa_pixel=("qa_pixel", "QA_PIXEL.TIF"),
    qa_radsat=("qa_radsat", "QA_RADSAT.TIF"),
)
_LANDSAT_L1 = dataclasses.replace(_LANDSAT_L2, id="landsat-c2-l1", level_1=True)

TABLE: dict[str, Collection] = {
    entry.id: entry
    for entry in (
        _RTC,
        _RTC_AWS,
        _RTC_OPERA,
        dataclasses.replace(_RTC_OPERA, id="OPERA_L2_RTC-S1_V1"),
        _GRD,
        dataclasses.replace(_GRD, id="sentinel1-grd"),
        _LANDSAT_L2,
        dataclasses.replace(_LANDSAT_L2, id="landsat-c2l2-sr"),
        dataclasses.replace(_LANDSAT_L2, id="landsat-c2l2-st"),
        _LANDSAT_L1,
        dataclasses.replace(_LANDSAT_L1, id="landsat-c2l1"),
    )
}
_OPERA_ID = re.compile(r"^OPERA_L2_RTC-S1_T\d{3}-\d{6}-IW\d_\w+_S1([A-D])_")
_NOT_GEOREFERENCED = {
    "sentinel-1-slc": "sentinel-1-rtc",
    "sentinel1-slc": "sentinel-1-rtc",
}


def collection_for(item: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> Collection:
    """Return an item's collection, resolved for its sensor.

    Parameters
    ----------
    item : mapping
        STAC item, as JSON.
    extra : mapping, optional
        Collections of the run's configuration: id to :class:`Collection` or to the keywords of
        :func:`user_collection`. They go before the table.

    Raises
    ------
    NotGeoreferencedError
        For Sentinel-1 SLC, and for GRD without its annotation, whose pixels lie in radar geometry.
    ConfigError
        For a collection that is in neither, with what to add to the configuration.
    """
    name = str(item.get("collection") or "")
    if name in _NOT_GEOREFERENCED:
        raise NotGeoreferencedError(
            f"item {item.get('id')!r} of collection {name!r} lies in radar geometry: its ground control "
            "points and any transform in the item misplace a front by hundreds of metres; use "
            f"{_NOT_GEOREFERENCED[name]!r}, or correct the scenes yourself and declare them as a collection "
            "of their own with its geometry"
        )
    if name in TABLE and TABLE[name].annotation:
        return _grd(TABLE[name], item)
    if extra and name in extra:
        entry = extra[name]
        declared = entry if isinstance(entry, Collection) else user_collection(name, **entry)
        return _placed(declared, item)
    if name not in TABLE:
        raise ConfigError(
            f"collection {name!r} of item {item.get('id')!r} is not known; add it to the run's configuration "
            "under 'collections' with its family, assets, calibration and geometry, for example "
            f"{{{name or 'my-scenes'}: {{family: sentinel-1, assets: {{hh: data}}, calibration: "
            "uncalibrated, geometry: range_doppler}}. "
            f"Known: {', '.join(sorted(TABLE))}"
        )
    entry = TABLE[name]
    return _landsat(entry, item) if entry.family == "landsat" else _placed(entry, item)


def _placed(entry: Collection, item: Mapping[str, Any]) -> Collection:
    """Fill in what the item says of its platform and instrument."""
    properties = item.get("properties", {})
    platform = str(properties.get("platform") or "").lower().replace("_", "-") or None
    if platform is None and (match := _OPERA_ID.match(str(item.get("id")))):
        platform = f"sentinel-1{match.group(1).lower()}"
    sensor = next((str(i).upper() for i in properties.get("instruments") or ()), None)
    return dataclasses.replace(entry, platform=entry.platform or platform, sensor=entry.sensor or sensor)


def _grd(entry: Collection, item: Mapping[str, Any]) -> Collection:
    """Resolve a ground range product, which its annotation places, or on the user's flag its control points."""
    wanted = str(section("cube")["grd_geometry"])
    if wanted not in GRD_GEOMETRIES:
        raise ConfigError(f"cube.grd_geometry is {wanted!r}; it must be one of {', '.join(GRD_GEOMETRIES)}")
    annotated = all(entry.annotation_of(item, v) for v in entry.variables(item))
    if wanted != "gcp" and not annotated:
        raise NotGeoreferencedError(
            f"item {item.get('id')!r} of collection {entry.id!r} lies in radar geometry and has no annotation "
            "(assets schema-calibration-hh …) to correct it by: its ground control points and any transform in the "
            "item misplace a front by hundreds of metres; use 'sentinel-1-rtc', declare corrected scenes as a "
            "collection of their own with its geometry, or set cube.grd_geometry to gcp to take them as they are"
        )
    properties = item.get("properties", {})
    spacing = float(properties.get("sar:pixel_spacing_range") or entry.pixel_size_m)
    placed = dataclasses.replace(_placed(entry, item), pixel_size_m=spacing, resolution_m=max(spacing, 20.0))
    if wanted != "gcp":
        return dataclasses.replace(placed, geometry="gcp_front_height" if wanted == "auto" else wanted)
    return dataclasses.replace(
        placed,
        geometry="gcp",
        geolocation_sigma_m=SIGMA_M["gcp"],
        calibration="gamma0" if annotated else "uncalibrated",
    )


def _landsat(entry: Collection, item: Mapping[str, Any]) -> Collection:
    resolved = landsat_sensor(item)
    if resolved is None:
        raise CatalogError(
            f"item {item.get('id')!r} of collection {entry.id!r} names no Landsat satellite in its id or "
            "platform; leave it out or correct its property 'platform'"
        )
    number, sensor = resolved
    if entry.level_1:
        scaling = {v: OLI_TOA for v in sensor.bands if v != "thermal"} if sensor.name == "OLI" else {}
        dtype = "uint16" if sensor.name == "OLI" else "uint8"
    else:
        scaling, dtype = {v: _ST if v == "thermal" else _SR for v in sensor.bands}, "uint16"
    bits = {v: sensor.saturation_bit(v) for v in sensor.bands}
    resolved_entry = dataclasses.replace(
        entry,
        assets={v: sensor.assets(v) for v in sensor.bands},
        geolocation_sigma_m=_landsat_sigma_m(item, sensor),
        scale={v: s for v, (s, _) in scaling.items()},
        offset={v: o for v, (_, o) in scaling.items()},
        dtype=dtype,
        pixel_size_m=sensor.pixel_size_m,
        resolution_m=sensor.pixel_size_m,
        sensor=sensor.name,
        platform=f"landsat-{number}",
        saturation_bits={v: bit for v, bit in bits.items() if bit is not None},
        esun=ESUN.get(number, {}).get(sensor.name, {}),
        thermal_constants=THERMAL_CONSTANTS.get(number),
    )
    if entry.level_1 and not _scaled(resolved_entry, item, sensor):
        return dataclasses.replace(resolved_entry, calibration="uncalibrated", scale={}, offset={})
    return resolved_entry


def _scaled(entry: Collection, item: Mapping[str, Any], sensor: LandsatSensor) -> bool:
    """Whether reflectance can be had of a Level 1 item: from what it states, or from its metadata file."""
    if sensor.name == "OLI" or mtl_href(item) is not None:
        return True
    assets = item.get("assets") or {}
    keys = [key for v in entry.variables(item) for key in entry.assets[v] if key in assets]
    return bool(keys) and all("scale" in stated_of(assets[key]) for key in keys)


def _landsat_sigma_m(item: Mapping[str, Any], sensor: LandsatSensor) -> float:
    """12 m for precision-corrected tier 1, else the scene's own model error, else 60 m, for MSS 250 m."""
    properties = item.get("properties", {})
    correction = str(properties.get("landsat:correction") or str(item.get("id", "")).partition("_")[2][:4])
    tier = str(properties.get("landsat:collection_category") or str(item.get("id", "")).rpartition("_")[2])
    if tier == "T1" and correction in {"L1TP", "L2SP", "L2SR"}:
        return 12.0
    stated = properties.get("landsat:geometric_rmse_model")
    if stated is not None:
        return float(stated)
    return 250.0 if sensor.name == "MSS" else 60.0


def user_collection(
    name: str,
    *,
    family: str,
    assets: Mapping[str, str | Iterable[str]],
    calibration: str,
    geometry: str,
    accept_gcp: bool = False,
    geolocation_sigma_m: float | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    nodata: float | None = None,
    zero_is_nodata: bool = False,
    data_type: str | None = None,
    qa_pixel: str | None = None,
    qa_radsat: str | None = None,
    pixel_size_m: float | None = None,
    resolution_m: float | None = None,
    sensor: str | None = None,
    platform: str | None = None,
) -> Collection:
    """Return a collection of the run's configuration.

    Parameters
    ----------
    name : str
        STAC collection id.
    family, calibration, geometry, geolocation_sigma_m, nodata, zero_is_nodata, sensor, platform
        As in :class:`Collection`. ``geometry: gcp`` passes only with ``accept_gcp: true``. Without a
        ``geolocation_sigma_m`` it is 10 m (rtc), 30 m (range_doppler, ortho), 100 m (gcp_front_height) or
        300 m (gcp).
    assets : mapping
        Variable to asset key, or to several in order of preference.
    scale, offset : float
        For assets which state none.
    data_type, qa_pixel, qa_radsat : str, optional
        Data type on disk; asset keys of Landsat quality bands.
    pixel_size_m, resolution_m : float, optional
        Native posting and default resolution of a cube; without them 20 m for Sentinel-1, 30 m for Landsat.

    Raises
    ------
    ConfigError
        For a value outside the closed lists.
    NotGeoreferencedError
        For ``geometry: gcp`` without ``accept_gcp``.
    """
    for key, value, allowed in (
        ("family", family, FAMILIES),
        ("calibration", calibration, CALIBRATIONS),
        ("geometry", geometry, GEOMETRIES),
    ):
        if value not in allowed:
            raise ConfigError(f"collection {name!r}: {key} {value!r} is not one of {', '.join(allowed)}")
    if not assets:
        raise ConfigError(f"collection {name!r} maps no assets; write for example assets: {{hh: data}}")
    if unknown := sorted(set(assets) - set(VARIABLES)):
        raise ConfigError(
            f"collection {name!r}: {', '.join(unknown)} is not a variable; the variables are {', '.join(VARIABLES)}"
        )
    if geometry == "gcp" and not accept_gcp:
        raise NotGeoreferencedError(
            f"collection {name!r} is placed by ground control points alone (geometry: gcp), which "
            "misplaces a front by hundreds of metres; correct the scenes, or write accept_gcp: true to take "
            "them as they are"
        )
    default_m = 20.0 if family == "sentinel-1" else 30.0
    sigma = SIGMA_M[geometry]
    keys = {v: (a,) if isinstance(a, str) else tuple(a) for v, a in assets.items()}
    return Collection(
        id=name,
        family=family,
        assets=keys,
        calibration=calibration,
        geometry=geometry,
        geolocation_sigma_m=sigma if geolocation_sigma_m is None else float(geolocation_sigma_m),
        scale=dict.fromkeys(keys, float(scale)),
        offset=dict.fromkeys(keys, float(offset)),
        nodata=nodata,
        zero_is_nodata=zero_is_nodata,
        dtype=data_type,
        qa_pixel=(qa_pixel,) if qa_pixel else (),
        qa_radsat=(qa_radsat,) if qa_radsat else (),
        pixel_size_m=pixel_size_m or default_m,
        resolution_m=resolution_m or pixel_size_m or default_m,
        sensor=sensor or ("C-SAR" if family == "sentinel-1" else None),
        platform=platform,
    )
