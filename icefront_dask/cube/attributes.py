"""Coordinates and attributes of a cube: CF, Zarr's ``proj:`` and ``spatial:`` conventions, the scenes'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import xarray as xr

from icefront_dask.cube.quality import cf_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from icefront_dask.cube.scene import Scene

__all__ = [
    "GAP_FRACTION",
    "SCENE_COORDINATES",
    "cube_attributes",
    "grid_attributes",
    "grid_coordinates",
    "scene_coordinates",
    "variable_attributes",
]

_LONG_NAMES = {
    "hh": "HH backscatter",
    "hv": "HV backscatter",
    "vv": "VV backscatter",
    "vh": "VH backscatter",
    "green": "green band",
    "red": "red band",
    "nir": "near-infrared band",
    "swir16": "short-wave infrared band at 1.6 µm",
    "pan": "panchromatic band",
    "thermal": "surface temperature",
    "grey": "grey values as delivered",
}
_QUANTITIES = {
    "sigma0": "sigma0, linear power",
    "reflectance": "reflectance",
    "uncalibrated": "uncalibrated",
}


def grid_coordinates(geobox: Any) -> dict[str, xr.Variable]:
    """Return ``y``, ``x`` (float64, m, pixel centres, y descending) and the scalar ``spatial_ref``."""
    crs = pyproj.CRS.from_user_input(str(geobox.crs))
    affine = geobox.affine
    cf = {axis["axis"].lower(): axis for axis in crs.cs_to_cf()}
    y = affine.f + affine.e * (np.arange(geobox.shape.y) + 0.5)
    x = affine.c + affine.a * (np.arange(geobox.shape.x) + 0.5)
    transform = " ".join(repr(float(v)) for v in affine.to_gdal())
    return {
        "y": xr.Variable(("y",), y, {**cf["y"], "resolution": float(affine.e)}),
        "x": xr.Variable(("x",), x, {**cf["x"], "resolution": float(affine.a)}),
        "spatial_ref": xr.Variable((), np.int32(0), {**crs.to_cf(), "GeoTransform": transform}),
    }


def grid_attributes(geobox: Any) -> dict[str, Any]:
    """Return the ``proj:`` and ``spatial:`` attributes of a group on a grid."""
    crs = pyproj.CRS.from_user_input(str(geobox.crs))
    code = crs.to_authority()
    where = {"proj:code": ":".join(code)} if code else {"proj:wkt2": crs.to_wkt()}
    return {
        **where,
        "spatial:dimensions": ["y", "x"],
        "spatial:shape": [int(n) for n in geobox.shape.yx],
        "spatial:transform": [float(v) for v in tuple(geobox.affine)[:6]],
        "spatial:bbox": [float(v) for v in geobox.boundingbox],
        "spatial:registration": "pixel",
    }


def scene_coordinates(scenes: Sequence[Scene]) -> dict[str, xr.Variable]:
    """Return the coordinates along ``time``, in the order of the scenes. Strings are objects, never ``<U``.

    ``relative_orbit`` is 0, and a string empty, where the items do not say.
    """

    def text(values: list[str]) -> Any:
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out

    def column(data: Any, **attributes: str) -> xr.Variable:
        return xr.Variable(("time",), data, attributes)

    return {
        "time": column(
            np.array([s.time for s in scenes], dtype="datetime64[ns]"),
            standard_name="time",
            long_name="time of the earliest item, UTC",
        ),
        "scene_id": column(text([s.scene_id for s in scenes]), long_name="key of the scene"),
        "item_ids": column(
            text([" ".join(s.item_ids) for s in scenes]), long_name="STAC item ids, separated by spaces"
        ),
        "platform": column(text([s.platform for s in scenes]), long_name="platform"),
        "sensor": column(text([s.sensor for s in scenes]), long_name="sensor"),
        "orbit_direction": column(text([s.orbit_direction for s in scenes]), long_name="orbit direction"),
        "relative_orbit": column(
            np.array([s.relative_orbit for s in scenes], dtype="int16"),
            long_name="relative orbit or WRS path, 0 where unknown",
        ),
        "geometry": column(text([s.geometry for s in scenes]), long_name="how the pixels were placed"),
        "geolocation_sigma_m": column(
            np.array([s.geolocation_sigma_m for s in scenes], dtype="float32"),
            long_name="standard error of the place of a pixel",
            units="m",
        ),
    }


SCENE_COORDINATES = (
    "scene_id",
    "item_ids",
    "platform",
    "sensor",
    "orbit_direction",
    "relative_orbit",
    "geometry",
    "geolocation_sigma_m",
    "gap_fraction",
)
GAP_FRACTION: dict[str, Any] = {"long_name": "share of the pixels of the grid that are not usable", "units": "1"}


def variable_attributes(name: str, calibration: str, geometries: Iterable[str] = ()) -> dict[str, Any]:
    """Return the attributes of one variable (units, calibration, how it was resampled), or of ``quality``.

    `geometries` are those of the scenes: gamma0 is terrain-corrected in RTC scenes, else that of the ellipsoid.
    """
    if name == "quality":
        return {**cf_attributes(), "grid_mapping": "spatial_ref", "resampling": "nearest"}
    thermal = name == "thermal" and calibration == "reflectance"
    quantity = _gamma0(set(geometries)) if calibration == "gamma0" else _QUANTITIES[calibration]
    return {
        "long_name": _LONG_NAMES[name] if thermal else f"{_LONG_NAMES[name]}, {quantity}",
        "units": "K" if thermal else "1",
        "calibration": calibration,
        "grid_mapping": "spatial_ref",
        "resampling": "bilinear over valid pixels",
    }


def _gamma0(geometries: set[str]) -> str:
    if geometries <= {"rtc"}:
        return "terrain-corrected gamma0, linear power"
    if "rtc" not in geometries:
        return "gamma0 on the ellipsoid, linear power"
    return "gamma0, linear power, terrain-corrected where geometry is rtc, else on the ellipsoid"


def cube_attributes(region: Any, family: str, calibrations: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes of the dataset; ``calibration`` is ``mixed`` where the variables differ."""
    kinds = sorted(set(calibrations.values()))
    return {
        "Conventions": "CF-1.11",
        "title": f"{family} scenes of {region.name}",
        "region": region.name,
        "family": family,
        "calibration": kinds[0] if len(kinds) == 1 else "mixed",
    }
