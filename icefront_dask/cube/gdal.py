"""GDAL's options, the one way a file is opened, and how its failures become our errors."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.session import DummySession

from icefront_dask.errors import NotGeoreferencedError, ReadError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DRIVER", "GDAL_OPTIONS", "RefusedError", "check", "explain", "gdal_env", "open_gtiff"]

# Such a file raises NotGeoreferencedError here; rasterio's warning before it says the same without the item.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

DRIVER = "GTiff"

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no sidecar files, no listing of folders
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 256,  # MB; the default is 5 % of the host's memory in every process
    "GDAL_NUM_THREADS": 1,  # parallel over scenes
    "VSI_CACHE": False,
    "GDAL_HTTP_MAX_RETRY": 4,
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "GDAL_HTTP_RETRY_CODES": "408,429,500,502,503,504",
    "GDAL_HTTP_CONNECTTIMEOUT": 20,
    "GDAL_HTTP_TIMEOUT": 120,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
}


class RefusedError(ReadError):
    """A server refused access: a token has expired, or credentials are missing."""


class _Redaction(logging.Filter):
    """Takes the queries of URLs, where signatures lie, out of what the reading libraries log."""

    _QUERY = re.compile(r"\?[^\s'\"<>(),]*=[^\s'\"<>(),]*")

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "?" in message:
            record.msg, record.args = self._QUERY.sub("?…", message), ()
        return True


for _name in ("_base", "_env", "_err", "_io", "_vsiopener", "_warp", "env", "session", "vrt", "warp"):
    logging.getLogger(f"rasterio.{_name}").addFilter(_Redaction())
for _name in ("rasterio", "stackstac.rio_reader", "stackstac.timer"):
    logging.getLogger(_name).addFilter(_Redaction())


@contextmanager
def gdal_env() -> Iterator[None]:
    """Run a block with :data:`GDAL_OPTIONS`; credentials come from the worker's own environment."""
    with rasterio.Env(session=DummySession(), **GDAL_OPTIONS):
        yield


@contextmanager
def open_gtiff(uri: str, label: str, shown: str, dtype: str | None = None, **options: Any) -> Iterator[Any]:
    """Open a GeoTIFF, and nothing but a GeoTIFF, for reading.

    Parameters
    ----------
    uri : str
        Path or (signed) URL.
    label : str
        Which item and asset it is, for messages.
    shown : str
        The unsigned href, for messages.
    dtype : str, optional
        Data type that the numbers will be read as.
    **options
        As ``overview_level``.

    Raises
    ------
    ReadError
        For a file that is missing, refused, damaged or of another kind (a VRT named ``.tif``, say).
    NotGeoreferencedError
        For a file without a CRS or an affine transform of its own.
    """
    try:
        dataset = rasterio.open(uri, driver=DRIVER, sharing=False, **options)
    except RasterioError as error:
        raise explain(error, uri, label, shown) from None
    with dataset:
        check(dataset, label, shown, dtype)
        try:
            yield dataset
        except RasterioError as error:
            raise explain(error, uri, label, shown) from None


def check(dataset: Any, label: str, shown: str, dtype: str | None = None) -> None:
    """Refuse a dataset that cannot be placed by its own CRS and affine transform, or not be read as `dtype`.

    Raises
    ------
    NotGeoreferencedError
        Without a CRS or an affine transform.
    ReadError
        For integers that are asked for from a file whose numbers they cannot hold.
    """
    if dataset.crs is None or dataset.transform.is_identity:
        how = "only ground control points" if dataset.gcps[0] else "no CRS"
        raise NotGeoreferencedError(
            f"{label}: {shown} has {how}; it cannot be placed. Use a terrain-corrected product, or write "
            "CRS and transform into the file (gdal_edit.py -a_srs ... -a_ullr ...)"
        )
    found = dataset.dtypes[0]
    if dtype is not None and dtype != "float32" and not np.can_cast(found, dtype):
        raise ReadError(
            f"{label}: {shown} holds {found}, which is more than the {dtype} that its item or collection states; "
            "correct data_type there"
        )


def explain(error: Exception, uri: str, label: str, shown: str) -> ReadError:
    """Return what went wrong with a file as our error, without the signature of its URL."""
    text = " ".join(str(part) for part in (error, error.__cause__) if part)
    text = text.replace(uri, shown)
    query = uri.partition("?")[2]
    if query:
        text = text.replace(query, "…")
    if "404" in text or "No such file" in text:
        return ReadError(f"{label}: {shown} does not exist; search again, or leave the item out")
    if any(code in text for code in ("401", "403")):
        return RefusedError(
            f"{label}: {shown} is refused ({text}); check the credentials or the setting catalog.signing"
        )
    if "not recognized as being in a supported file format" in text or "not a TIFF" in text:
        return ReadError(
            f"{label}: {shown} is not a GeoTIFF{_kind(uri)}; only GeoTIFF is opened, "
            "convert it to a cloud-optimised GeoTIFF or leave the item out"
        )
    return ReadError(
        f"{label}: {shown} cannot be read, it is truncated or damaged ({text}); fetch it again or leave the item out"
    )


def _kind(uri: str) -> str:
    """Name the kind of a local file by its first bytes."""
    path = Path(uri.removeprefix("file://"))
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        head = stream.read(512).lstrip()
    return next((f" but {name}" for magic, name in _MAGIC if head.startswith(magic)), "")


_MAGIC = (
    (b"<VRTDataset", "a VRT"),
    (b"\x89HDF", "HDF5"),
    (b"CDF", "NetCDF"),
    (b"\xff\xd8", "a JPEG"),
    (b"\x89PNG", "a PNG"),
    (b"<", "XML or HTML"),
    (b"{", "JSON"),
)
