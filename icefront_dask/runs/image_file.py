"""Image files in memory: bands with their names, calibration and georeference."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from icefront_dask._kinds import kind_of_file
from icefront_dask.errors import InputError
from icefront_dask.runs.nodata import without_data
from icefront_dask.sensors import VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from affine import Affine

    from icefront_dask._kinds import Kind

__all__ = ["Image", "read_image"]

_CALIBRATIONS = ("uncalibrated", "gamma0", "sigma0", "reflectance")


@dataclass(frozen=True)
class Image:
    """An image.

    Attributes
    ----------
    data : (B, H, W) float32 ndarray
        All bands but alpha; NaN nodata.
    names : tuple of str
        What the file calls each, in small letters, empty where it says nothing; none at all by default.
    calibration : str
        gamma0 or sigma0 (linear power), reflectance, uncalibrated (grey values, or radar in dB).
    transform, crs : Affine and str, or None
    kind : {"optical", "radar"} or None
        Of the sensor, where the file's name says so.
    """

    data: npt.NDArray[np.float32]
    names: tuple[str, ...] = ()
    calibration: str = "uncalibrated"
    transform: Affine | None = None
    crs: str | None = None
    kind: Kind | None = None

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", ("",) * len(self.data))

    @property
    def bands(self) -> dict[str, npt.NDArray[np.float32]]:
        """Bands by the names of ``sensors.VARIABLES``; where there is none of these, the first as ``grey``."""
        named = {name: band for name, band in zip(self.names, self.data, strict=True) if name in VARIABLES}
        return named or {"grey": self.data[0]}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.data.shape[1], self.data.shape[2]

    @property
    def power(self) -> bool:
        """Whether its radar bands are linear power."""
        return self.calibration in {"gamma0", "sigma0"}


def read_image(path: Path) -> Image:
    """Read a GeoTIFF or PNG.

    Bands are named by the file's descriptions; its tag ``calibration`` says what radar bands hold. Where the file
    states no nodata value it is inferred (`icefront_dask.runs.nodata`).

    Raises
    ------
    InputError
        The file cannot be read, or its tag ``calibration`` is not known.
    """
    driver = "PNG" if path.suffix.lower() == ".png" else "GTiff"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=driver) as source:
                wanted = [n for n, meaning in enumerate(source.colorinterp, start=1) if meaning.name != "alpha"]
                data = np.stack([_band(source, number) for number in wanted])
                names = tuple(str(source.descriptions[number - 1] or "").lower() for number in wanted)
                calibration = str(source.tags().get("calibration", _CALIBRATIONS[0]))
                crs = None if source.crs is None else source.crs.to_string()
                transform = None if crs is None else source.transform
    except RasterioIOError as error:
        raise InputError(f"{path} cannot be read as {driver} ({error}); replace it or leave it out") from error
    if calibration not in _CALIBRATIONS:
        raise InputError(f"{path}: its tag calibration is {calibration!r}; known: {', '.join(_CALIBRATIONS)}")
    return Image(data, names, calibration, transform, crs, kind_of_file(path.stem))


def _band(source: Any, index: int) -> npt.NDArray[np.float32]:
    raw = source.read(index)
    band: npt.NDArray[np.float32] = raw.astype(np.float32)
    if source.nodatavals[index - 1] is not None:
        band[source.read_masks(index) == 0] = np.nan
    else:
        band[without_data(raw)] = np.nan
    return band
