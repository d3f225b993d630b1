"""Annotation of Sentinel-1 GRD products: orbit, ground control points, calibration and thermal noise.

The layout is that of ESA's Sentinel-1 Product Specification (S1-RS-MDA-52-7441). Times are seconds since the
product's first orbit state vector.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from icefront_dask.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "Annotation",
    "AzimuthNoise",
    "Noise",
    "Table",
    "annotation_hrefs",
    "parse_annotation",
    "parse_calibration",
    "parse_noise",
]

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Annotation:
    """What places the pixels of one measurement.

    Parameters
    ----------
    polarisation, mode : str
        As ``HH`` and ``EW``.
    shape : tuple of int
        Lines and pixels.
    first_line_s, line_interval_s : float
        Zero-Doppler time of line 0, and between lines.
    pixel_spacing_m : float
        Of ground range.
    orbit_s, orbit_position_m, orbit_velocity_m_per_s : ndarray
        Dims (state,), (state, 3), (state, 3): Earth-fixed.
    conversion_s, conversion_gr0_m : ndarray
        Dims (record,): when a conversion of ground to slant range holds, and its reference.
    conversion_coefficients : ndarray
        Dims (record, power): slant range as a polynomial in ground range less gr0. (The polynomials of the other
        direction, which products hold as well, are fits to these and up to 0.4 pixels off.)
    gcps : ndarray
        Dims (point, 6): line, pixel, longitude, latitude (degrees), ellipsoidal height (m), incidence (degrees).
    """

    polarisation: str
    mode: str
    shape: tuple[int, int]
    first_line_s: float
    line_interval_s: float
    pixel_spacing_m: float
    orbit_s: Floats
    orbit_position_m: Floats
    orbit_velocity_m_per_s: Floats
    conversion_s: Floats
    conversion_gr0_m: Floats
    conversion_coefficients: Floats
    gcps: Floats


@dataclass(frozen=True, eq=False)
class Table:
    """Vectors across range at some lines: values between them are linear along lines, then along azimuth.

    ``lines`` has dims (vector,); ``pixels`` and ``values`` hold one array a vector.
    """

    lines: Floats
    pixels: tuple[Floats, ...]
    values: tuple[Floats, ...]


@dataclass(frozen=True, eq=False)
class AzimuthNoise:
    """Factor on the thermal noise over a block of lines and pixels, last ones included."""

    first_line: int
    last_line: int
    first_pixel: int
    last_pixel: int
    lines: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Noise:
    """Thermal noise in squared digital numbers: range vectors times azimuth factors.

    ``legacy`` products (processor before 2.90, 2018) have no azimuth factors, and their borders hold noise where
    later ones hold zeros.
    """

    range: Table
    azimuth: tuple[AzimuthNoise, ...]
    legacy: bool


def annotation_hrefs(calibration_href: str) -> tuple[str, str, str]:
    """Return the hrefs of annotation, calibration and noise of a measurement, from that of its calibration.

    Catalogues name the calibration file reliably, while what they call the product's schema is at times another
    file. The three stand in fixed places of a SAFE folder.

    Examples
    --------
    >>> annotation_hrefs("x.SAFE/annotation/calibration/calibration-ew-hh.xml")[0]
    'x.SAFE/annotation/ew-hh.xml'
    """
    folder, name = posixpath.split(calibration_href)
    stem = name.removeprefix("calibration-")
    return (
        posixpath.join(posixpath.dirname(folder), stem),
        calibration_href,
        posixpath.join(folder, f"noise-{stem}"),
    )


def parse_annotation(content: bytes, label: str) -> Annotation:
    """Parse ``annotation/*.xml``.

    Raises
    ------
    ReadError
        For something else than the annotation of a ground range product.
    """
    return _parsed(content, "product", label, _annotation)


def parse_calibration(content: bytes, label: str) -> dict[str, Table]:
    """Parse ``annotation/calibration/calibration-*.xml`` into ``sigma0`` and ``gamma0`` (look-up tables A).

    Calibrated power is the squared digital number, less noise, over the squared look-up value.

    Raises
    ------
    ReadError
        For something else.
    """
    return _parsed(content, "calibration", label, _calibration)


def parse_noise(content: bytes, label: str) -> Noise:
    """Parse ``annotation/calibration/noise-*.xml``, of processors before and after 2.90.

    Raises
    ------
    ReadError
        For something else.
    """
    return _parsed(content, "noise", label, _noise)


def _parsed(content: bytes, root: str, label: str, parse: Callable[[Any], _T]) -> _T:
    try:
        tree = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ReadError(f"{label}: its {root} file is no XML that may be read ({error}); leave the item out") from None
    if tree.tag != root:
        raise ReadError(
            f"{label}: expected the {root} file of a Sentinel-1 product, found <{tree.tag}>; correct the item's assets"
        )
    try:
        return parse(tree)
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise ReadError(
            f"{label}: its {root} file lacks what a ground range product has ({error}); leave the item out"
        ) from None


def _annotation(tree: Any) -> Annotation:
    orbits = tree.findall("generalAnnotation/orbitList/orbit")
    epoch = _time(orbits[0], "time")
    conversions = tree.findall("coordinateConversion/coordinateConversionList/coordinateConversion")
    points = tree.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    image = tree.find("imageAnnotation/imageInformation")
    if not conversions or not points:
        raise ValueError("no coordinate conversion or geolocation grid")
    names = ("line", "pixel", "longitude", "latitude", "height", "incidenceAngle")
    return Annotation(
        polarisation=tree.find("adsHeader/polarisation").text.strip(),
        mode=tree.find("adsHeader/mode").text.strip(),
        shape=(int(_number(image, "numberOfLines")), int(_number(image, "numberOfSamples"))),
        first_line_s=_since(epoch, image, "productFirstLineUtcTime"),
        line_interval_s=_number(image, "azimuthTimeInterval"),
        pixel_spacing_m=_number(image, "rangePixelSpacing"),
        orbit_s=np.array([_since(epoch, o, "time") for o in orbits]),
        orbit_position_m=np.array([[_number(o, f"position/{axis}") for axis in "xyz"] for o in orbits]),
        orbit_velocity_m_per_s=np.array([[_number(o, f"velocity/{axis}") for axis in "xyz"] for o in orbits]),
        conversion_s=np.array([_since(epoch, c, "azimuthTime") for c in conversions]),
        conversion_gr0_m=np.array([_number(c, "gr0") for c in conversions]),
        conversion_coefficients=np.array([_numbers(c, "grsrCoefficients") for c in conversions]),
        gcps=np.array([[_number(p, name) for name in names] for p in points]),
    )


def _calibration(tree: Any) -> dict[str, Table]:
    vectors = tree.findall("calibrationVectorList/calibrationVector")
    return {"sigma0": _table(vectors, "sigmaNought"), "gamma0": _table(vectors, "gamma")}


def _noise(tree: Any) -> Noise:
    vectors = tree.findall("noiseRangeVectorList/noiseRangeVector")
    if not vectors:
        old = tree.findall("noiseVectorList/noiseVector")
        return Noise(_table(old, "noiseLut"), (), legacy=True)
    azimuth = []
    for block in tree.findall("noiseAzimuthVectorList/noiseAzimuthVector"):
        if block.find("firstAzimuthLine") is None:
            continue  # of products that are not ground range
        azimuth.append(
            AzimuthNoise(
                first_line=int(_number(block, "firstAzimuthLine")),
                last_line=int(_number(block, "lastAzimuthLine")),
                first_pixel=int(_number(block, "firstRangeSample")),
                last_pixel=int(_number(block, "lastRangeSample")),
                lines=_numbers(block, "line"),
                values=_numbers(block, "noiseAzimuthLut"),
            )
        )
    return Noise(_table(vectors, "noiseRangeLut"), tuple(azimuth), legacy=False)


def _table(vectors: list[Any], name: str) -> Table:
    if not vectors:
        raise ValueError(f"no vectors of {name}")
    ordered = sorted(vectors, key=lambda vector: _number(vector, "line"))
    return Table(
        lines=np.array([_number(vector, "line") for vector in ordered]),
        pixels=tuple(_numbers(vector, "pixel") for vector in ordered),
        values=tuple(_numbers(vector, name) for vector in ordered),
    )


def _number(element: Any, path: str) -> float:
    return float(element.find(path).text)


def _numbers(element: Any, path: str) -> Floats:
    return np.array(element.find(path).text.split(), dtype=np.float64)


def _time(element: Any, path: str) -> np.datetime64:
    return np.datetime64(element.find(path).text.strip().removesuffix("Z"), "ns")


def _since(epoch: np.datetime64, element: Any, path: str) -> float:
    return float((_time(element, path) - epoch) / np.timedelta64(1, "ns")) * 1e-9
