"""Landsat's sensors: which band carries a variable, under which asset names, with which radiometry.

NIR is the band that CALFIN (Cheng et al. 2021) uses for each sensor: MSS band 7 (Landsat 1-3) or 4
(Landsat 4-5), TM and ETM+ band 4, OLI band 5.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ESUN",
    "OLI_TOA",
    "SENSORS",
    "THERMAL_CONSTANTS",
    "LandsatSensor",
    "band_of_file",
    "earth_sun_distance_au",
    "landsat_sensor",
    "level_1_from_mtl",
    "toa_reflectance",
]

OLI_TOA = (2.0e-05, -0.1)  # of every OLI Level 1 scene, before division by the sine of the sun elevation

# Exoatmospheric irradiance, W m-2 um-1, by satellite and variable (Chander, Markham, Helder 2009, tables 2-4).
# USGS states none for OLI, whose Level 1 numbers are reflectance already.
ESUN: dict[int, dict[str, dict[str, float]]] = {
    1: {"MSS": {"green": 1823.0, "red": 1559.0, "nir": 880.1}},
    2: {"MSS": {"green": 1829.0, "red": 1539.0, "nir": 886.6}},
    3: {"MSS": {"green": 1839.0, "red": 1555.0, "nir": 887.9}},
    4: {
        "MSS": {"green": 1827.0, "red": 1569.0, "nir": 866.4},
        "TM": {"green": 1795.0, "red": 1539.0, "nir": 1028.0, "swir16": 219.8},
    },
    5: {
        "MSS": {"green": 1824.0, "red": 1570.0, "nir": 853.4},
        "TM": {"green": 1796.0, "red": 1536.0, "nir": 1031.0, "swir16": 220.0},
    },
    7: {"ETM+": {"green": 1812.0, "red": 1533.0, "nir": 1039.0, "swir16": 230.8, "pan": 1362.0}},
}

# K1 (W m-2 sr-1 um-1) and K2 (K) of the thermal band (Chander et al. 2009, table 7; USGS handbooks for 8 and 9)
THERMAL_CONSTANTS: dict[int, tuple[float, float]] = {
    4: (671.62, 1284.30),
    5: (607.76, 1260.56),
    7: (666.09, 1282.71),
    8: (774.8853, 1321.0789),
    9: (799.0284, 1329.2405),
}


@dataclass(frozen=True)
class LandsatSensor:
    """Bands of one Landsat instrument."""

    name: str
    bands: dict[str, str]
    common_names: Mapping[str, tuple[str, ...]]
    pixel_size_m: float

    def assets(self, variable: str) -> tuple[str, ...]:
        """Asset keys under which providers publish a variable, the preferred one first."""
        band = self.bands[variable]
        files = tuple(f"{prefix}B{band}.TIF" for prefix in ("SR_", "ST_", ""))
        return (*self.common_names[variable], *files)

    def saturation_bit(self, variable: str) -> int | None:
        """Bit of QA_RADSAT that marks a saturated pixel of a variable, ``None`` where the sensor has none."""
        number = re.match(r"\d+", self.bands[variable])
        return None if number is None or variable in {"pan", "thermal"} else int(number.group()) - 1


_COMMON = {"green": ("green",), "red": ("red",), "nir": ("nir08",), "swir16": ("swir16",), "pan": ("pan",)}
_MSS_COMMON = {"green": ("green",), "red": ("red",), "nir": ("nir09",)}
_TM = {"green": "2", "red": "3", "nir": "4", "swir16": "5", "thermal": "6"}

SENSORS = {
    "mss-1-3": LandsatSensor("MSS", {"green": "4", "red": "5", "nir": "7"}, _MSS_COMMON, 60.0),
    "mss-4-5": LandsatSensor("MSS", {"green": "1", "red": "2", "nir": "4"}, _MSS_COMMON, 60.0),
    "tm": LandsatSensor("TM", _TM, _COMMON | {"thermal": ("lwir",)}, 30.0),
    "etm": LandsatSensor("ETM+", _TM | {"pan": "8"}, _COMMON | {"thermal": ("lwir",)}, 30.0),
    "oli": LandsatSensor(
        "OLI",
        {"green": "3", "red": "4", "nir": "5", "swir16": "6", "pan": "8", "thermal": "10"},
        _COMMON | {"thermal": ("lwir11",)},
        30.0,
    ),
}

_SCENE_ID = re.compile(r"^L([COTEM])0?([1-9])_")
_PLATFORM = re.compile(r"landsat[-_ ]?0?([1-9])", re.IGNORECASE)


def landsat_sensor(item: Mapping[str, Any]) -> tuple[int, LandsatSensor] | None:
    """Return the satellite's number and its sensor from a scene id, else from platform and instruments."""
    properties = item.get("properties", {})
    if match := _SCENE_ID.match(str(item.get("id", ""))):
        letter, number = match.group(1), int(match.group(2))
    else:
        platform = _PLATFORM.search(str(properties.get("platform") or properties.get("eo:platform") or ""))
        if platform is None:
            return None
        number = int(platform.group(1))
        instruments = properties.get("instruments") or [properties.get("eo:instrument") or ""]
        letter = "M" if number < 4 or any("mss" in str(i).lower() for i in instruments) else "T"
    if letter == "M":
        return number, SENSORS["mss-1-3" if number <= 3 else "mss-4-5"]
    return number, SENSORS["tm" if number <= 5 else "etm" if number <= 7 else "oli"]


def earth_sun_distance_au(when: dt.datetime) -> float:
    """Return the distance from Earth to Sun in astronomical units, to 1e-4 (Astronomical Almanac)."""
    days = (when.astimezone(dt.UTC) - dt.datetime(2000, 1, 1, 12, tzinfo=dt.UTC)).total_seconds() / 86_400
    anomaly = math.radians(357.529 + 0.98560028 * days)
    return 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)


def toa_reflectance(
    scale: float, offset: float, *, esun: float, distance_au: float, sun_elevation_deg: float
) -> tuple[float, float]:
    """Turn scale and offset of at-sensor radiance into those of top-of-atmosphere reflectance.

    Parameters
    ----------
    scale, offset : float
        ``radiance = scale * number + offset``, W m-2 sr-1 um-1.
    esun : float
        Exoatmospheric irradiance, W m-2 um-1.
    distance_au : float
        From Earth to Sun.
    sun_elevation_deg : float
        Above the horizon.

    Returns
    -------
    tuple of float
        Scale and offset of the reflectance, pi L d2 / (ESUN sin(elevation)) (Chander et al. 2009, equation 2).
    """
    gain = math.pi * distance_au**2 / (esun * math.sin(math.radians(sun_elevation_deg)))
    return scale * gain, offset * gain


def band_of_file(href: str) -> str | None:
    """Return the band as a metadata file spells it (``4``, ``6_VCID_1``) of a Level 1 file's name."""
    match = re.search(r"_B(\d+(?:_VCID_[12])?)\.TIF$", href.partition("?")[0], re.IGNORECASE)
    return match.group(1).upper() if match else None


def level_1_from_mtl(mtl: Mapping[str, Any], band: str, *, thermal: bool) -> tuple[float, float] | None:
    """Return scale and offset of one band from a Collection 2 Level 1 metadata file (MTL, as JSON).

    Parameters
    ----------
    mtl : mapping
        The file's content.
    band : str
        As :func:`band_of_file` returns it.
    thermal : bool
        Radiance is wanted (W m-2 sr-1 um-1), else reflectance, divided by the sine of the sun's elevation.

    Returns
    -------
    tuple of float, or None
        ``None`` where the file does not state them, or the sun stands below one degree.
    """
    content = mtl.get("LANDSAT_METADATA_FILE", mtl)
    scaling = content.get("LEVEL1_RADIOMETRIC_RESCALING", {})
    kind = "RADIANCE" if thermal else "REFLECTANCE"
    scale, offset = scaling.get(f"{kind}_MULT_BAND_{band}"), scaling.get(f"{kind}_ADD_BAND_{band}")
    if scale is None or offset is None:
        return None
    if thermal:
        return float(scale), float(offset)
    elevation = float(content.get("IMAGE_ATTRIBUTES", {}).get("SUN_ELEVATION", "nan"))
    if not elevation >= 1.0:
        return None
    gain = 1.0 / math.sin(math.radians(elevation))
    return float(scale) * gain, float(offset) * gain
