"""``data.icefront``: methods of xarray objects that only forward to the functions of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    import geopandas as gpd

    from icefront_dask.regions import Region

__all__ = ["DataArrayAccessor", "DatasetAccessor"]


@xr.register_dataarray_accessor("icefront")
class DataArrayAccessor:
    """The package's functions as methods of a DataArray.

    Parameters
    ----------
    data : DataArray
        Dims (y, x) or (time, y, x), with a CRS.
    """

    def __init__(self, data: xr.DataArray) -> None:
        self._data = data

    def segment(self, *, model: str = "auto", region: Region | None = None, **options: Any) -> xr.Dataset:
        """Return ``icefront_dask.segment(data, model=model, region=region, **options)``; lazy."""
        from icefront_dask.predict import segment

        return segment(self._data, model=model, region=region, **options)


@xr.register_dataset_accessor("icefront")
class DatasetAccessor:
    """The package's functions as methods of a Dataset.

    Parameters
    ----------
    data : Dataset
        A cube, named bands with (y, x) or (time, y, x) and a CRS, or a prediction.
    """

    def __init__(self, data: xr.Dataset) -> None:
        self._data = data

    def segment(self, *, model: str = "auto", region: Region | None = None, **options: Any) -> xr.Dataset:
        """Return ``icefront_dask.segment(data, model=model, region=region, **options)``; lazy."""
        from icefront_dask.predict import segment

        return segment(self._data, model=model, region=region, **options)

    def trace_fronts(self, region: Region | None = None, **options: Any) -> gpd.GeoDataFrame:
        """Return ``icefront_dask.trace_fronts(data, region, **options)``; it computes."""
        from icefront_dask.fronts import trace_fronts

        return trace_fronts(self._data, region, **options)
