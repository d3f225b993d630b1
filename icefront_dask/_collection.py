"""What a collection's items hold: ``Band`` and ``Collection``, of which ``sensors`` keeps the table."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from icefront_dask._landsat import OLI_TOA, band_of_file, earth_sun_distance_au, toa_reflectance
from icefront_dask.errors import CatalogError, MissingAssetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CALIBRATIONS", "FAMILIES", "GEOMETRIES", "VARIABLES", "Band", "Collection", "mtl_href", "stated_of"]

FAMILIES = ("sentinel-1", "landsat")
VARIABLES = ("hh", "hv", "vv", "vh", "green", "red", "nir", "swir16", "pan", "thermal", "grey")
CALIBRATIONS = ("gamma0", "sigma0", "reflectance", "uncalibrated")
GEOMETRIES = ("rtc", "range_doppler", "gcp_front_height", "gcp", "ortho")

_MIN_SUN_ELEVATION_DEG = 1.0
_MAX_REFLECTANCE = 5.0  # what a scaling gives at full range is a radiance above that
_MTL_KEYS = ("mtl.json", "MTL.json")


@dataclass(frozen=True)
class Band:
    """Where one variable of one item lies, and how its numbers become physical.

    ``value = scale * number + offset``; numbers equal to ``nodata``, and zeros where ``zero_is_nodata``, are
    no data. ``saturation_bit`` is the variable's bit in QA_RADSAT.

    ``mtl`` is the href of a Landsat Level 1 metadata file and the band's name in it; scale and offset are then
    read from there. With ``thermal_constants`` (K1, K2) the scaled number is a radiance L, and the value is the
    brightness temperature ``K2 / ln(K1 / L + 1)``.

    ``annotation`` is the href of a radar image's calibration file, beside which its other annotation lies.
    ``grid`` is the affine transform that the item states; a file whose header says another one is not read.
    """

    variable: str
    asset: str
    href: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    zero_is_nodata: bool = False
    dtype: str | None = None
    saturation_bit: int | None = None
    mtl: tuple[str, str] | None = None
    thermal_constants: tuple[float, float] | None = None
    annotation: str | None = None
    grid: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Collection:
    """What a collection's items hold.

    Parameters
    ----------
    id : str
        STAC collection id.
    family : {"sentinel-1", "landsat"}
        The group of the cube.
    assets : mapping of str to tuple of str
        Variable to asset keys, the preferred one first.
    calibration : {"gamma0", "sigma0", "reflectance", "uncalibrated"}
        What the scaled numbers are; gamma0 and sigma0 are linear power.
    geometry : {"rtc", "range_doppler", "gcp_front_height", "gcp", "ortho"}
        How the pixels were placed.
    geolocation_sigma_m : float
        Standard error of a pixel's place, one component, in metres.
    scale, offset : mapping of str to float
        Scaling where the item states none.
    nodata : float, optional
        No-data number where the item states none; ``zero_is_nodata`` adds zero.
    qa_pixel, qa_radsat : tuple of str
        Asset keys of the quality bands.
    pixel_size_m, resolution_m : float
        Native posting, and the default resolution of a cube.
    sensor, platform : str, optional
        Of the item it was resolved for.
    level_1 : bool
        Landsat Level 1: stated scalings are radiance, which become top-of-atmosphere reflectance by `esun`, the
        Earth-Sun distance and the sun's elevation, and brightness temperature by `thermal_constants`.
    esun : mapping of str to float
        Exoatmospheric irradiance by variable, W m-2 um-1.
    thermal_constants : tuple of float, optional
        K1 (W m-2 sr-1 um-1) and K2 (K).
    annotation : mapping of str to tuple of str
        Variable to asset keys of its calibration annotation: the numbers are those of a radar image.
    """

    id: str
    family: str
    assets: Mapping[str, tuple[str, ...]]
    calibration: str
    geometry: str
    geolocation_sigma_m: float
    scale: Mapping[str, float] = field(default_factory=dict)
    offset: Mapping[str, float] = field(default_factory=dict)
    nodata: float | None = None
    zero_is_nodata: bool = False
    dtype: str | None = None
    qa_pixel: tuple[str, ...] = ()
    qa_radsat: tuple[str, ...] = ()
    pixel_size_m: float = 30.0
    resolution_m: float = 30.0
    sensor: str | None = None
    platform: str | None = None
    saturation_bits: Mapping[str, int] = field(default_factory=dict)
    level_1: bool = False
    esun: Mapping[str, float] = field(default_factory=dict)
    thermal_constants: tuple[float, float] | None = None
    annotation: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def variables(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the variables that an item has, in the order of ``VARIABLES``."""
        return tuple(v for v in VARIABLES if self._asset_key(item, v) is not None)

    def bands(self, item: Mapping[str, Any], variables: Iterable[str] | None = None) -> dict[str, Band]:
        """Return where an item's variables lie.

        Parameters
        ----------
        item : mapping
            STAC item.
        variables : iterable of str, optional
            Those that are needed; without it, all that the item has.

        Raises
        ------
        MissingAssetError
            For a needed variable, or all of them, without an asset.
        CatalogError
            For a Level 1 reflectance without a usable sun elevation.
        """
        wanted = self.variables(item) if variables is None else tuple(variables)
        found: dict[str, Band] = {}
        for variable in wanted:
            key = self._asset_key(item, variable)
            if key is None:
                raise MissingAssetError(
                    f"item {item.get('id')!r} of collection {self.id!r} has no asset for {variable!r} "
                    f"(it has {_listing(item)}); leave the item out or ask for other variables"
                )
            found[variable] = self._band(item, variable, key)
        if not found:
            names = ", ".join(sorted({key for keys in self.assets.values() for key in keys}))
            raise MissingAssetError(
                f"item {item.get('id')!r} of collection {self.id!r} has none of the assets {names} "
                f"(it has {_listing(item)}); leave the item out"
            )
        return found

    def quality_assets(self, item: Mapping[str, Any]) -> dict[str, str]:
        """Return the hrefs of ``qa_pixel`` and ``qa_radsat``, those that the item has."""
        assets = item.get("assets", {})
        found: dict[str, str] = {}
        for role, keys in (("qa_pixel", self.qa_pixel), ("qa_radsat", self.qa_radsat)):
            for key in keys:
                if key in assets:
                    found[role] = str(assets[key]["href"])
                    break
        return found

    def annotation_of(self, item: Mapping[str, Any], variable: str) -> str | None:
        """Return the href of a variable's calibration annotation, if the item has it."""
        assets = item.get("assets") or {}
        keys = self.annotation.get(variable, ())
        return next((str(assets[key]["href"]) for key in keys if assets.get(key)), None)

    def _asset_key(self, item: Mapping[str, Any], variable: str) -> str | None:
        assets = item.get("assets") or {}
        return next((key for key in self.assets.get(variable, ()) if assets.get(key)), None)

    def _band(self, item: Mapping[str, Any], variable: str, key: str) -> Band:
        asset = item["assets"][key]
        stated = stated_of(asset)
        scale, offset = self._scaling(variable, stated)
        nodata = stated.get("nodata", self.nodata)
        band = Band(
            variable=variable,
            asset=key,
            href=str(asset["href"]),
            scale=scale,
            offset=offset,
            nodata=None if nodata is None else float(nodata),
            zero_is_nodata=self.zero_is_nodata,
            dtype=stated.get("data_type") or self.dtype,
            saturation_bit=self.saturation_bits.get(variable),
            annotation=self.annotation_of(item, variable),
            grid=_stated_grid(item, asset) if self.geometry in {"rtc", "ortho"} else None,
        )
        return self._level_1_band(item, band, stated) if self.level_1 and self.calibration == "reflectance" else band

    def _scaling(self, variable: str, stated: Mapping[str, Any]) -> tuple[float, float]:
        scale = float(stated.get("scale") or self.scale.get(variable, 1.0))
        offset = stated.get("offset")
        if offset is None:
            offset = self.offset.get(variable, 0.0) if stated.get("scale") is None else 0.0
        return scale, float(offset)

    def _level_1_band(self, item: Mapping[str, Any], band: Band, stated: Mapping[str, Any]) -> Band:
        """Lead a Level 1 band to reflectance or brightness temperature."""
        thermal = band.variable == "thermal"
        if "scale" not in stated and (thermal or self.sensor != "OLI"):
            href, name = mtl_href(item), band_of_file(band.href)
            if href is None or name is None:
                raise CatalogError(
                    f"item {item.get('id')!r}, asset {band.asset!r}: neither the item nor a metadata file states "
                    "its radiometric scaling; leave the variable out or complete the item"
                )
            if not thermal:
                _sun_elevation(item)
            return replace(band, mtl=(href, name), thermal_constants=self.thermal_constants if thermal else None)
        if thermal:
            return replace(band, thermal_constants=self.thermal_constants)
        if self.sensor == "OLI" and (_is_radiance(band, stated) or (band.scale, band.offset) == OLI_TOA):
            gain = 1.0 / math.sin(math.radians(_sun_elevation(item)))
            return replace(band, scale=OLI_TOA[0] * gain, offset=OLI_TOA[1] * gain)
        if not _is_radiance(band, stated):
            return band
        scale, offset = toa_reflectance(
            band.scale,
            band.offset,
            esun=self.esun[band.variable],
            distance_au=earth_sun_distance_au(_when(item)),
            sun_elevation_deg=_sun_elevation(item),
        )
        return replace(band, scale=scale, offset=offset)


def mtl_href(item: Mapping[str, Any]) -> str | None:
    """Return the href of a Landsat item's metadata file (JSON), if it has one."""
    assets = item.get("assets") or {}
    return next((str(assets[key]["href"]) for key in _MTL_KEYS if assets.get(key)), None)


def _is_radiance(band: Band, stated: Mapping[str, Any]) -> bool:
    """Whether a stated scaling gives at-sensor radiance: by its unit, else by the value of the largest number."""
    unit = str(stated.get("unit") or "").lower()
    if "watt" in unit or "w/" in unit or "w m" in unit:
        return True
    largest = 255 if band.dtype == "uint8" else 65_535
    return not unit and band.scale * largest + band.offset > _MAX_REFLECTANCE


def _listing(item: Mapping[str, Any]) -> str:
    return ", ".join(sorted(item.get("assets") or {})) or "no assets"


def stated_of(asset: Mapping[str, Any]) -> dict[str, Any]:
    """Scale, offset, unit, nodata and data type of an asset's first band, in the words of STAC 1.0 or of 1.1."""
    band = next(iter(asset.get("raster:bands") or asset.get("bands") or ()), None)
    band = band if isinstance(band, dict) else {}
    out: dict[str, Any] = {}
    for name in ("scale", "offset", "unit", "nodata", "data_type"):
        for source in (band, asset):
            value = source.get(f"raster:{name}", source.get(name))
            if value is not None:
                out[name] = value
                break
    return out


def _stated_grid(item: Mapping[str, Any], asset: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Affine transform that an item states for an asset; that of the whole item only where all assets share it."""
    stated = asset.get("proj:transform")
    if stated is None and not any((a or {}).get("proj:transform") for a in (item.get("assets") or {}).values()):
        band: Any = next(iter(asset.get("raster:bands") or ()), {})
        item_wide = (item.get("properties") or {}).get("proj:transform")
        spacing = band.get("spatial_resolution") if isinstance(band, dict) else None
        if item_wide and (spacing is None or math.isclose(float(spacing), abs(float(item_wide[0])), rel_tol=0.01)):
            stated = item_wide
    if not isinstance(stated, list | tuple) or len(stated) < 6:
        return None
    return tuple(float(v) for v in stated[:6])


def _sun_elevation(item: Mapping[str, Any]) -> float:
    properties = item.get("properties", {})
    value = properties.get("view:sun_elevation", properties.get("eo:sun_elevation"))
    if value is None or not float(value) >= _MIN_SUN_ELEVATION_DEG:
        raise CatalogError(
            f"item {item.get('id')!r} states a sun elevation of {value}; its Level 1 numbers become "
            f"reflectance only with a sun of at least {_MIN_SUN_ELEVATION_DEG:g}°: leave it out"
        )
    return float(value)


def _when(item: Mapping[str, Any]) -> dt.datetime:
    properties = item.get("properties", {})
    text = str(properties.get("datetime") or properties.get("start_datetime") or "")
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CatalogError(
            f"item {item.get('id')!r} has no readable datetime, without which its radiance cannot become "
            "reflectance; correct it or leave the item out"
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)
