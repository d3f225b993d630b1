"""A small ground range product with an analytic geometry: the satellite flies straight past Helheim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from scipy.optimize import brentq

from tests.cube import builders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

EPOCH = np.datetime64("2018-06-02T20:15:00", "ns")
_SPEED, _RANGE_M, _ELEVATION_DEG = 7_000.0, 850_000.0, 35.0
_TO_ECEF = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)


@dataclass
class Track:
    """A straight track in Earth-fixed coordinates, with the image's centre at the place of the tests' region."""

    lines: int
    pixels: int
    spacing_m: float

    def __post_init__(self) -> None:
        lon, lat = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(*builders.HELHEIM)
        self.centre = np.array(_TO_ECEF.transform(lon, lat, 0.0))
        north = np.array(_TO_ECEF.transform(lon, lat + 1e-4, 0.0)) - self.centre
        self.up = np.array(_TO_ECEF.transform(lon, lat, 1_000.0)) - self.centre
        self.up /= np.linalg.norm(self.up)
        self.along = north / np.linalg.norm(north)
        self.right = np.cross(self.along, self.up)
        angle = np.radians(_ELEVATION_DEG)
        self.start = self.centre + _RANGE_M * (np.cos(angle) * self.up - np.sin(angle) * self.right)
        self.interval_s = self.spacing_m / _SPEED
        self.first_line_s = 40.0 - 0.5 * self.lines * self.interval_s  # the centre is passed after 40 s
        # Slant range over a flat Earth, fitted; ground range 0 at the near edge.
        near = _RANGE_M * np.sin(angle) - 0.5 * self.pixels * self.spacing_m
        ground = np.linspace(0, self.pixels * self.spacing_m, 200)
        slant = np.hypot(near + ground, _RANGE_M * np.cos(angle))
        self.grsr = np.polynomial.polynomial.polyfit(ground, slant, 4)

    def position(self, t: float) -> npt.NDArray[np.float64]:
        return self.start + self.along * _SPEED * (t - 40.0)

    def where(self, lon: float, lat: float, height: float) -> tuple[float, float]:
        """Line and pixel of a point, in closed form but for the inverse of the range polynomial."""
        point = np.array(_TO_ECEF.transform(lon, lat, height))
        t = 40.0 + (point - self.start) @ self.along / _SPEED
        distance = np.linalg.norm(point - self.position(t))
        ground = brentq(
            lambda g: np.polynomial.polynomial.polyval(g, self.grsr) - distance, -50_000, 200_000, xtol=1e-6
        )
        return (t - self.first_line_s) / self.interval_s, ground / self.spacing_m

    def point(self, line: float, pixel: float, height: float) -> tuple[float, float]:
        """Longitude and latitude of a place in the image, by bisection over nothing but :meth:`where`."""
        from scipy.optimize import fsolve

        back = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
        lon, lat, _ = back.transform(*self.centre)
        found = fsolve(lambda p: np.subtract(self.where(p[0], p[1], height), (line, pixel)), (lon, lat), xtol=1e-14)
        return float(found[0]), float(found[1])


def _time(seconds: float) -> str:
    return str(EPOCH + np.timedelta64(round(seconds * 1e9), "ns"))


def _numbers(values: Any) -> str:
    return " ".join(f"{v:.15e}" for v in np.atleast_1d(values))


def _vector(tag: str, line: int, pixels: npt.NDArray[np.int_], values: dict[str, Any]) -> str:
    inner = "".join(f"<{k}>{_numbers(v)}</{k}>" for k, v in values.items())
    return f"<{tag}><line>{line}</line><pixel>{' '.join(map(str, pixels))}</pixel>{inner}</{tag}>"


def write(
    folder: Path,
    track: Track,
    numbers: dict[str, npt.NDArray[np.uint16]],
    *,
    gain: Callable[[Any], Any] = lambda pixel: 1_000.0 - 0.1 * pixel,
    noise: Callable[[Any], Any] = lambda pixel: 400.0 + pixel,
    factor: float = 1.5,
    legacy: bool = False,
    gcp_height_m: float = 0.0,
    annotated: bool = True,
) -> dict[str, Any]:
    """Write images and annotation of each polarisation and return the STAC item."""
    (folder / "annotation" / "calibration").mkdir(parents=True)
    (folder / "measurement").mkdir()
    pixels = np.unique(np.append(np.arange(0, track.pixels, 40), track.pixels - 1))
    places = [
        (line, pixel) for line in np.linspace(0, track.lines - 1, 5) for pixel in np.linspace(0, track.pixels - 1, 5)
    ]
    points = [(line, pixel, *track.point(line, pixel, gcp_height_m)) for line, pixel in places]
    assets: dict[str, Any] = {}
    for polarisation, dn in numbers.items():
        name = f"ew-{polarisation}"
        path = folder / "measurement" / f"{name}.tiff"
        gcps = [GroundControlPoint(row=p[0], col=p[1], x=p[2], y=p[3], z=gcp_height_m) for p in points]
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=track.lines,
            width=track.pixels,
            count=1,
            dtype="uint16",
            tiled=True,
            blockxsize=256,
            blockysize=256,
            gcps=gcps,
            crs="EPSG:4326",
        ) as dataset:
            dataset.write(dn, 1)
        assets[polarisation] = {"href": str(path), "roles": ["data"]}
        if annotated:
            calibration = folder / "annotation" / "calibration" / f"calibration-{name}.xml"
            calibration.write_text(_calibration(track, pixels, gain))
            calibration.with_name(f"noise-{name}.xml").write_text(_noise(track, pixels, noise, factor, legacy))
            (folder / "annotation" / f"{name}.xml").write_text(_annotation(track, polarisation, points, gcp_height_m))
            # What catalogues call the product's schema may be the file of radio interference.
            assets[f"schema-product-{polarisation}"] = {"href": str(folder / "annotation" / "rfi" / f"rfi-{name}.xml")}
            assets[f"schema-calibration-{polarisation}"] = {"href": str(calibration)}
    properties = {
        "platform": "SENTINEL-1A",
        "sat:orbit_state": "ascending",
        "sat:relative_orbit": 127,
        "sar:pixel_spacing_range": track.spacing_m,
        "sar:polarizations": [p.upper() for p in numbers],
        "proj:code": None,
        "proj:transform": [0.0025, 0.0, -39.0, 0.0, -0.0005, 67.0],
    }
    grid = builders.utm_grid(32624, 480, 40)
    return builders.item("S1A_EW_GRDM_1SDH_20180602T201540", "sentinel-1-grd", grid, assets, **properties)


def _annotation(track: Track, polarisation: str, points: list[Any], height: float) -> str:
    def axes(vector: Any) -> str:
        return "".join(f"<{axis}>{v:.12e}</{axis}>" for axis, v in zip("xyz", vector, strict=True))

    states = "".join(
        f"<orbit><time>{_time(t)}</time><position>{axes(track.position(t))}</position>"
        f"<velocity>{axes(track.along * _SPEED)}</velocity></orbit>"
        for t in range(0, 81, 10)
    )
    conversions = "".join(
        f"<coordinateConversion><azimuthTime>{_time(t)}</azimuthTime><gr0>0.0</gr0>"
        f"<grsrCoefficients>{_numbers(track.grsr)}</grsrCoefficients></coordinateConversion>"
        for t in (38.0, 40.0, 42.0)
    )
    grid = "".join(
        f"<geolocationGridPoint><line>{line}</line><pixel>{pixel}</pixel><latitude>{lat!r}</latitude>"
        f"<longitude>{lon!r}</longitude><height>{height}</height><incidenceAngle>35.0</incidenceAngle>"
        "</geolocationGridPoint>"
        for line, pixel, lon, lat in points
    )
    return (
        f"<product><adsHeader><polarisation>{polarisation.upper()}</polarisation><mode>EW</mode></adsHeader>"
        f"<generalAnnotation><orbitList>{states}</orbitList></generalAnnotation><imageAnnotation><imageInformation>"
        f"<productFirstLineUtcTime>{_time(track.first_line_s)}</productFirstLineUtcTime>"
        f"<azimuthTimeInterval>{track.interval_s!r}</azimuthTimeInterval>"
        f"<rangePixelSpacing>{track.spacing_m}</rangePixelSpacing><numberOfSamples>{track.pixels}</numberOfSamples>"
        f"<numberOfLines>{track.lines}</numberOfLines></imageInformation></imageAnnotation><coordinateConversion>"
        f"<coordinateConversionList>{conversions}</coordinateConversionList></coordinateConversion><geolocationGrid>"
        f"<geolocationGridPointList>{grid}</geolocationGridPointList></geolocationGrid></product>"
    )


def _calibration(track: Track, pixels: Any, gain: Callable[[Any], Any]) -> str:
    vectors = "".join(
        _vector("calibrationVector", line, pixels, {"sigmaNought": 1.1 * gain(pixels), "gamma": gain(pixels)})
        for line in (0, track.lines)
    )
    return f"<calibration><calibrationVectorList>{vectors}</calibrationVectorList></calibration>"


def _noise(track: Track, pixels: Any, noise: Callable[[Any], Any], factor: float, legacy: bool) -> str:
    lines = (0, track.lines)
    if legacy:
        vectors = "".join(_vector("noiseVector", line, pixels, {"noiseLut": noise(pixels)}) for line in lines)
        return f"<noise><noiseVectorList>{vectors}</noiseVectorList></noise>"
    vectors = "".join(_vector("noiseRangeVector", line, pixels, {"noiseRangeLut": noise(pixels)}) for line in lines)
    block = (
        "<noiseAzimuthVector><swath>EW1</swath><firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>0"
        f"</firstRangeSample><lastAzimuthLine>{track.lines - 1}</lastAzimuthLine><lastRangeSample>{track.pixels - 1}"
        f"</lastRangeSample><line>0 {track.lines - 1}</line><noiseAzimuthLut>{factor} {factor}</noiseAzimuthLut>"
        "</noiseAzimuthVector>"
    )
    return (
        f"<noise><noiseRangeVectorList>{vectors}</noiseRangeVectorList>"
        f"<noiseAzimuthVectorList>{block}</noiseAzimuthVectorList></noise>"
    )
