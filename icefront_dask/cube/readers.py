"""Two readers behind one protocol: files onto a grid. ``odc`` is the default, ``stackstac`` the alternative.

Both open GeoTIFF only, take the CRS and transform from the file itself, and give the same values on the same
grid up to GDAL's approximation of the coordinate transform (1/8 of a pixel).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import rasterio
import rasterio.warp
from affine import Affine
from odc.geo.converters import rio_geobox
from odc.geo.geobox import GeoboxTiles
from odc.geo.overlap import compute_reproject_roi
from odc.geo.roi import roi_is_empty
from odc.loader import (
    RasterBandMetadata,
    RasterGroupMetadata,
    RasterLoadParams,
    RasterSource,
    RioDriver,
    chunked_load,
)
from rasterio.enums import ColorInterp, MaskFlags, Resampling

from icefront_dask.catalog.access import Access
from icefront_dask.cube.gdal import gdal_env, open_gtiff
from icefront_dask.errors import ConfigError, GridError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["READERS", "BandRequest", "OdcReader", "Reader", "check_grid", "get_reader"]


@dataclass(frozen=True)
class BandRequest:
    """One single-band file that is wanted on a grid.

    Parameters
    ----------
    name : str
        Variable or quality band; unique within one call.
    href : str
        Unsigned URL or absolute local path.
    label : str
        Item and asset, for messages.
    dtype : str
        Of the array: ``float32`` with NaN nodata, or ``uint16`` with `fill`.
    resampling : {"bilinear", "nearest"}
        Quality bits are never averaged: ``nearest``, and from full resolution.
    nodata : float, optional
        Declared by the item or collection; the file's own tag goes before it.
    fill : int
        Value of an integer array where there is no data.
    access : Access
        How to fetch and sign; default: the configuration.
    grid : tuple of float, optional
        Affine transform that the item states; where the file's header says another one it is refused.
    """

    name: str
    href: str
    label: str
    dtype: str
    resampling: str
    nodata: float | None = None
    fill: int = 0
    access: Access = field(default_factory=Access.resolve)
    grid: tuple[float, ...] | None = None

    @property
    def fill_value(self) -> float | int:
        """Value of the array where there is no data."""
        return float("nan") if self.dtype == "float32" else self.fill


class Reader(Protocol):
    """Reads files onto a grid."""

    name: str

    def read(self, requests: Sequence[BandRequest], geobox: Any) -> dict[str, npt.NDArray[Any]]:
        """Return each requested band on the grid.

        Parameters
        ----------
        requests : sequence of BandRequest
            Of one item.
        geobox : odc.geo.geobox.GeoBox
            The grid; y descending.

        Returns
        -------
        dict of str to ndarray
            Dims (y, x), the dtype asked for.

        Raises
        ------
        ReadError, NotGeoreferencedError
            As :func:`icefront_dask.cube.gdal.open_gtiff`.
        """


class OdcReader:
    """Reads with odc-stac's loader through a driver that opens GeoTIFF only.

    Sources with overviews are read from the level next finer than the grid.
    """

    name = "odc"

    def read(self, requests: Sequence[BandRequest], geobox: Any) -> dict[str, npt.NDArray[Any]]:
        """Return each requested band on the grid; see :class:`Reader`."""
        metas = {r.name: RasterBandMetadata(data_type=r.dtype, nodata=r.nodata) for r in requests}
        config = {
            r.name: RasterLoadParams(
                dtype=r.dtype,
                fill_value=r.fill_value,
                src_nodata_fallback=r.nodata,
                use_overviews=r.resampling != "nearest",
                resampling=r.resampling,
                meta=metas[r.name],
            )
            for r in requests
        }
        sources = {r.name: RasterSource(r.href, meta=metas[r.name], driver_data=r) for r in requests}
        with gdal_env():
            loaded = chunked_load(
                config,
                RasterGroupMetadata(bands={(name, 1): meta for name, meta in metas.items()}),
                [sources],
                {(0, 0, 0): [0]},
                GeoboxTiles(geobox, geobox.shape.yx),
                [_NO_TIME],
                {},
                _GTiffDriver(),
            )
        return {r.name: loaded[r.name].to_numpy()[0] for r in requests}


class _GTiffDriver(RioDriver):
    """odc-loader's driver, with the opening and reading of a file in our hands."""

    def capture_env(self) -> dict[str, Any]:
        return {}

    def restore_env(self, env: dict[str, Any], load_state: Any) -> Any:  # noqa: ARG002
        return gdal_env()

    def open(self, src: Any, ctx: Any) -> Any:  # noqa: ARG002
        return _GTiffReader(src.driver_data)


class _GTiffReader:
    """Implements odc-loader's ``RasterReader`` for one file."""

    def __init__(self, request: BandRequest) -> None:
        self.request = request

    def read(
        self,
        cfg: Any,
        dst_geobox: Any,
        *,
        dst: npt.NDArray[Any] | None = None,
        selection: Any = None,  # noqa: ARG002
    ) -> tuple[Any, npt.NDArray[Any]]:
        r = self.request
        with open_gtiff(r.href, r.label, r.access, r.dtype) as dataset:
            check_grid(dataset, r)
            overlap = compute_reproject_roi(rio_geobox(dataset), dst_geobox, ttol=0.9 if cfg.nearest else 0.05)
            rows, columns = (slice(part.start, part.stop) for part in overlap.roi_dst)
            shape = (rows.stop - rows.start, columns.stop - columns.start)
            out: Any = np.full(shape, r.fill_value, cfg.dtype) if dst is None else dst[rows, columns]
            if roi_is_empty(overlap.roi_dst) or roi_is_empty(overlap.roi_src):
                out[...] = r.fill_value
                return overlap.roi_dst, out
            nodata = dataset.nodata if dataset.nodata is not None else r.nodata
            if overlap.paste_ok and overlap.read_shrink == 1:
                _paste(dataset, overlap.roi_src, out, nodata, r.fill_value)
                return overlap.roi_dst, out
            level = _overview(overlap.read_shrink, dataset.overviews(1)) if cfg.use_overviews else None
            grid = dst_geobox[overlap.roi_dst]
            if level is None:
                _warp(dataset, out, grid, nodata, r)
            else:
                with open_gtiff(r.href, r.label, r.access, overview_level=level) as reduced:
                    _warp(reduced, out, grid, nodata, r)
        return overlap.roi_dst, out


def _paste(dataset: Any, roi: Any, out: npt.NDArray[Any], nodata: float | None, fill: float) -> None:
    window = rasterio.windows.Window.from_slices(*roi)
    dataset.read(1, out=out, window=window)
    if nodata is not None:
        out[np.isnan(out) if np.isnan(nodata) else out == nodata] = fill
    elif MaskFlags.per_dataset in dataset.mask_flag_enums[0]:  # a mask or an alpha band of the file's own
        out[dataset.read_masks(1, window=window) == 0] = fill


def _warp(dataset: Any, out: npt.NDArray[Any], grid: Any, nodata: float | None, request: BandRequest) -> None:
    alpha = [index for index, colour in enumerate(dataset.colorinterp, start=1) if colour == ColorInterp.alpha]
    rasterio.warp.reproject(
        rasterio.band(dataset, 1),
        out,
        src_nodata=nodata,
        src_alpha=alpha[0] if alpha and nodata is None else 0,
        dst_crs=str(grid.crs),
        dst_transform=grid.affine,
        dst_nodata=request.fill_value,
        resampling=Resampling[request.resampling],
    )


def _overview(shrink: int, levels: Sequence[int]) -> int | None:
    """Index of the coarsest overview that is not coarser than the grid."""
    fitting = [index for index, level in enumerate(levels) if level <= shrink]
    return fitting[-1] if fitting else None


def check_grid(dataset: Any, request: BandRequest) -> None:
    """Refuse a file whose header places it elsewhere than its item states.

    Raises
    ------
    GridError
        Where a corner lies more than a pixel off.
    """
    if request.grid is None:
        return
    stated, header = Affine(*request.grid), dataset.transform
    corners = [(0, 0), (dataset.width, 0), (0, dataset.height), (dataset.width, dataset.height)]
    off = max(math.dist(~header @ (stated @ corner), corner) for corner in corners)
    if not off <= 1.0:
        raise GridError(
            f"{request.label}: the item states the transform {list(request.grid)}, the header of {request.href} "
            f"{list(header)[:6]}: they lie {off:.3g} pixels apart; correct the item, leave it out, or set "
            "cube.on_grid_mismatch to header where the file is right"
        )


_NO_TIME = datetime(1970, 1, 1)  # noqa: DTZ001  odc-loader wants it naive

READERS = ("odc", "stackstac")


def get_reader(name: str) -> Reader:
    """Return a reader by name: ``odc`` or ``stackstac``.

    Raises
    ------
    ConfigError
        For another name.
    """
    if name == "odc":
        return OdcReader()
    if name == "stackstac":
        from icefront_dask.cube.stackstac_reader import StackstacReader

        return StackstacReader()
    raise ConfigError(f"reader {name!r} is not known; choose one of {', '.join(READERS)}")
