"""GDAL's options, the one way a file is opened, and how its failures become our errors."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Interleaving
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.session import DummySession

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.failures import HttpError
from icefront_dask.catalog.hosts import HostError
from icefront_dask.catalog.hrefs import check_href, is_url
from icefront_dask.catalog.remote import RemoteFile, remote_file
from icefront_dask.cube.vsi import Mounted, file_system
from icefront_dask.errors import CatalogError, NotGeoreferencedError, ReadError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DRIVER", "GDAL_OPTIONS", "Opened", "RefusedError", "gdal_env", "open_gtiff"]

# Such a file raises NotGeoreferencedError here; rasterio's warning before it says the same without the item.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

DRIVER = "GTiff"

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no sidecar files, no listing of folders
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 256,  # MB; the default is 5 % of the host's memory in every process
    "GDAL_NUM_THREADS": 1,  # parallel over scenes
    "VSI_CACHE": False,
}

_MAX_BLOCK_BYTES = 2**29  # a tile or strip is read as a whole


class RefusedError(ReadError):
    """A server refused access, also with new access: credentials are missing or do not suffice."""


@contextmanager
def gdal_env() -> Iterator[None]:
    """Run a block with :data:`GDAL_OPTIONS`; credentials come from the worker's own environment."""
    with rasterio.Env(session=DummySession(), **GDAL_OPTIONS):
        yield


class Opened:
    """A GeoTIFF, and nothing but a GeoTIFF, open for reading.

    GDAL never speaks to an archive: it reads remote files through :mod:`icefront_dask.cube.vsi`.

    Parameters
    ----------
    href : str
        Unsigned URL or absolute local path.
    label : str
        Which item and asset it is, for messages.
    access : Access
        How to fetch and sign.
    dtype : str, optional
        Data type that the numbers will be read as.
    placed : bool
        Whether the file must have a CRS and an affine transform; radar images before correction have neither.
    **options
        As ``overview_level``.

    Attributes
    ----------
    dataset : rasterio.io.DatasetReader
        To be closed by :meth:`close`.

    Raises
    ------
    ReadError
        For a file that is missing, refused, damaged, too large or of another kind (a VRT named ``.tif``, say).
    NotGeoreferencedError
        For a file without a CRS or an affine transform of its own.
    CatalogError
        For an href that may not be opened, and a host that must not be spoken to.
    """

    def __init__(
        self, href: str, label: str, access: Access, dtype: str | None = None, *, placed: bool = True, **options: Any
    ) -> None:
        self.href, self.label = href, label
        self.dataset: Any = None
        self._file: RemoteFile | None = None
        self._mounted: Mounted | None = None
        check_href(href, owner=label, allow_hosts=access.trusted())
        system, name = file_system(), href.removeprefix("file://")
        if is_url(href):
            self._file = remote_file(href, access, label)
            self._mounted = system.mount(self._file)
            name = self._mounted.name
        try:
            with gdal_env():  # also where the caller has none: no sidecar file is looked for
                self.dataset = system.run(rasterio.open, name, driver=DRIVER, sharing=False, **options)
            self.confirm()
            _check(self.dataset, label, href, access, dtype, placed=placed)
        except RasterioError as error:
            self.close()
            raise self.explain(error) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self.dataset is not None:
            file_system().run(self.dataset.close)
        if self._mounted is not None:
            file_system().unmount(self._mounted)

    def confirm(self) -> None:
        """Make sure that all that was read had come: GDAL does not hear of every failure.

        Raises
        ------
        ReadError, CatalogError
            As when opening.
        """
        if self._mounted is not None and self._mounted.failure is not None:
            raise self.explain(self._mounted.failure) from None

    def explain(self, error: Exception) -> Exception:
        """Return what went wrong while opening or reading as our error, and what to do."""
        failure = None if self._mounted is None else self._mounted.failure
        if failure is not None and not isinstance(failure, EOFError):
            return _of_transport(failure, self.href, self.label)
        text = " ".join(str(part) for part in (error, error.__cause__) if part)
        of = f"{self.label}: {self.href}"
        if "No such file" in text:
            return ReadError(f"{of} does not exist; search again, or leave the item out")
        if "not recognized as being in a supported file format" in text or "not a TIFF" in text:
            return ReadError(
                f"{of} is not a GeoTIFF{self._kind()}; only GeoTIFF is opened, "
                "convert it to a cloud-optimised GeoTIFF or leave the item out"
            )
        return ReadError(
            f"{of} cannot be read, it is truncated or damaged ({text}); fetch it again or leave the item out"
        )

    def _kind(self) -> str:
        """Name the kind of the file by its first bytes."""
        head = b""
        if self._file is not None:
            head = self._file.at(0, 512)
        elif (path := Path(self.href.removeprefix("file://"))).is_file():
            with path.open("rb") as stream:
                head = stream.read(512)
        return next((f" but {name}" for magic, name in _MAGIC if head.lstrip().startswith(magic)), "")


def _of_transport(failure: Exception, href: str, label: str) -> Exception:
    """Return a failure of the HTTP client as one of reading; an unlawful host, and what is no failure, stay so."""
    if isinstance(failure, HostError):
        return HostError(f"{label}: refused to open {href!r}: {failure}")
    if isinstance(failure, HttpError) and failure.status == 404:
        return ReadError(f"{label}: {href} does not exist; search again, or leave the item out")
    if isinstance(failure, HttpError) and failure.status in {401, 403}:
        return RefusedError(
            f"{label}: {href} is refused (HTTP {failure.status}); check the credentials or the setting catalog.signing"
        )
    if isinstance(failure, CatalogError):
        return ReadError(f"{label}: {href} cannot be read: {failure}")
    return failure


@contextmanager
def open_gtiff(
    href: str, label: str, access: Access | None = None, dtype: str | None = None, **options: Any
) -> Iterator[Any]:
    """Open a GeoTIFF for a block; see :class:`Opened` for parameters and errors.

    Yields
    ------
    rasterio.io.DatasetReader
    """
    opened = Opened(href, label, access or Access.resolve(), dtype, **options)
    try:
        with gdal_env():
            yield opened.dataset
        opened.confirm()
    except RasterioError as error:
        raise opened.explain(error) from None
    finally:
        opened.close()


def _check(dataset: Any, label: str, shown: str, access: Access, dtype: str | None, *, placed: bool) -> None:
    """Refuse a dataset that cannot be placed, not be read as `dtype`, or would fill the memory."""
    if placed and (dataset.crs is None or dataset.transform.is_identity):
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
    megapixels = dataset.width * dataset.height / 1e6
    if megapixels > access.max_megapixels:
        raise ReadError(
            f"{label}: {shown} claims {megapixels:.0f} megapixels, more than catalog.max_megapixels; leave the item "
            "out, or raise the setting"
        )
    if found.startswith("complex"):
        raise ReadError(
            f"{label}: {shown} holds complex numbers, as single-look scenes do; only amplitude or power is read: "
            "convert it or leave the item out"
        )
    rows, columns = dataset.block_shapes[0]
    block = (
        rows * columns * np.dtype(found).itemsize * (dataset.count if dataset.interleaving == Interleaving.pixel else 1)
    )
    if block > _MAX_BLOCK_BYTES:
        raise ReadError(
            f"{label}: {shown} has tiles or strips of {block / 2**20:.0f} MB, which are read as a whole; rewrite it as "
            "a cloud-optimised GeoTIFF or leave the item out"
        )
    bands = sum(colour != ColorInterp.alpha for colour in dataset.colorinterp)
    if bands > 1:
        raise ReadError(
            f"{label}: {shown} has {bands} bands, and nothing says which is meant; write each into a file of its own "
            "(gdal_translate -b 1 ...)"
        )


_MAGIC = (
    (b"<VRTDataset", "a VRT"),
    (b"\x89HDF", "HDF5"),
    (b"CDF", "NetCDF"),
    (b"\xff\xd8", "a JPEG"),
    (b"\x89PNG", "a PNG"),
    (b"<", "XML or HTML"),
    (b"{", "JSON"),
)
