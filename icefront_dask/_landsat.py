"""Landsat's sensors: which band carries a variable, under which asset names, with which scaling.

NIR is the band that CALFIN (Cheng et al. 2021) uses for each sensor: MSS band 7 (Landsat 1-3) or 4
(Landsat 4-5), TM and ETM+ band 4, OLI band 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SENSORS", "LandsatSensor", "landsat_sensor"]


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
