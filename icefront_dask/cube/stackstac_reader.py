"""The stackstac reader: its dask graph computed at once in the calling thread, for one item and one grid."""

from __future__ import annotations

import functools
import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import stackstac
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from stackstac.rio_reader import AutoParallelRioReader, ThreadLocalRioDataset

from icefront_dask.cube.gdal import GDAL_OPTIONS, Opened, gdal_env
from icefront_dask.cube.readers import check_grid
from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from icefront_dask.cube.readers import BandRequest

__all__ = ["StackstacReader"]


class StackstacReader:
    """Reads with stackstac. Bounds, EPSG code and resolution always come from the grid, never from the items.

    Grids without an EPSG code or with pixels that are not square are refused; overviews are not used.
    """

    name = "stackstac"

    def read(self, requests: Sequence[BandRequest], geobox: Any) -> dict[str, npt.NDArray[Any]]:
        """Return each requested band on the grid; see :class:`icefront_dask.cube.readers.Reader`.

        Raises
        ------
        ConfigError
            For a grid that stackstac cannot express.
        """
        epsg = geobox.crs.to_epsg()
        if epsg is None:
            raise ConfigError(f"stackstac needs a grid with an EPSG code, not {geobox.crs}; use reader: odc")
        out: dict[str, npt.NDArray[Any]] = {}

        def kind(request: BandRequest) -> tuple[str, str, int]:
            return (request.dtype, request.resampling, request.fill)

        for _, group in itertools.groupby(sorted(requests, key=kind), key=kind):
            out |= _read_group(list(group), geobox, epsg)
        return out


def _read_group(requests: list[BandRequest], geobox: Any, epsg: int) -> dict[str, npt.NDArray[Any]]:
    first = requests[0]
    dtype = np.dtype(first.dtype)
    bounds = tuple(geobox.boundingbox)
    item = {
        "id": first.label,
        "properties": {"datetime": "1970-01-01T00:00:00Z", "proj:epsg": epsg, "proj:bbox": bounds},
        "assets": {r.name: {"href": r.href} for r in requests},
    }
    opened: list[Opened] = []
    closing = ExitStack()
    stack = stackstac.stack(
        [item],
        assets=[r.name for r in requests],
        epsg=epsg,
        bounds=bounds,
        resolution=(geobox.resolution.x, -geobox.resolution.y),
        snap_bounds=False,
        dtype=dtype,
        fill_value=dtype.type(first.fill_value),
        rescale=False,
        resampling=Resampling[first.resampling],
        chunksize=max(geobox.shape.yx),
        xy_coords="center",
        properties=False,
        band_coords=False,
        gdal_env=stackstac.DEFAULT_GDAL_ENV.updated(always=GDAL_OPTIONS),
        reader=functools.partial(_GTiffReader, requests={r.href: r for r in requests}, opened=opened, closing=closing),
    )
    assert stack.shape[-2:] == geobox.shape.yx, "stackstac made another grid"
    try:
        with closing, gdal_env():
            values = stack.data.compute(scheduler="synchronous")[0]
            for file in opened:
                file.confirm()
    except RuntimeError as error:
        # stackstac turns every failure to read into a RuntimeError that names the href
        culprit = next((file for file in opened if file.href in str(error)), opened[0])
        raise culprit.explain(error.__cause__ if isinstance(error.__cause__, Exception) else error) from None
    return {r.name: np.ascontiguousarray(values[i]) for i, r in enumerate(requests)}


class _GTiffReader(AutoParallelRioReader):  # type: ignore[misc]
    """stackstac's reader, which opens GeoTIFF only and knows the nodata that the item declares."""

    def __init__(
        self,
        *,
        requests: Mapping[str, BandRequest],
        opened: list[Opened],
        closing: ExitStack,
        url: str,
        **options: Any,
    ) -> None:
        super().__init__(url=url, **options)
        self._request = requests[url]
        self._opened = opened
        self._closing = closing

    def _open(self) -> Any:
        r = self._request
        with self.gdal_env.open:
            file = Opened(r.href, r.label, r.access, r.dtype)
            self._opened.append(file)
            self._closing.callback(file.close)
            dataset = file.dataset
            check_grid(dataset, r)
            nodata = dataset.nodata if dataset.nodata is not None else r.nodata
            with self.gdal_env.open_vrt:
                vrt = WarpedVRT(
                    dataset,
                    sharing=False,
                    resampling=self.resampling,
                    src_nodata=nodata,
                    nodata=r.fill_value,  # also where the file does not reach
                    dtype=self.dtype.name,  # without it 8-bit files are rounded after interpolation
                    **self.spec.vrt_params,
                )
        self._closing.callback(vrt.close)  # before the file that it reads
        return ThreadLocalRioDataset(self.gdal_env, dataset, vrt=vrt)
