"""The public names: what they are, that they are lazy, and that importing them is cheap."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
import rioxarray  # noqa: F401  registers data.rio
import xarray as xr

import icefront_dask

CHEAP = """
import sys, icefront_dask
heavy = {"torch", "rasterio", "geopandas", "odc", "zarr", "distributed", "scipy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
assert hasattr(__import__("xarray").Dataset(), "icefront")
assert set(icefront_dask.__all__) <= set(dir(icefront_dask))
assert not heavy, heavy
"""
CLI = """
import sys
from icefront_dask.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"torch", "rasterio", "geopandas", "odc", "zarr", "distributed", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("code", [CHEAP, CLI])
def test_importing_loads_neither_torch_nor_rasterio(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_are_the_functions_of_their_rooms():
    from icefront_dask.catalog import search
    from icefront_dask.cube import open_cube
    from icefront_dask.fronts import trace_fronts
    from icefront_dask.predict import segment
    from icefront_dask.regions import Region

    for name in icefront_dask.__all__:
        assert callable(getattr(icefront_dask, name)), name
    assert icefront_dask.search is search
    assert icefront_dask.open_cube is open_cube
    assert icefront_dask.trace_fronts is trace_fronts
    assert icefront_dask.segment is segment
    assert icefront_dask.Region is Region
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        icefront_dask.segmnt  # noqa: B018


def test_regions_can_be_called_whatever_was_imported_before(tmp_path):
    module = importlib.import_module("icefront_dask.regions")
    assert icefront_dask.regions is module
    with pytest.raises(icefront_dask.errors.RegionError, match=r"missing\.gpkg"):
        icefront_dask.regions(tmp_path / "missing.gpkg")


@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_accessors_forward(kind):
    """They reach the functions: an error of theirs comes back."""
    band = xr.DataArray(np.ones((4, 4), np.float32), dims=("y", "x"), coords={"y": [3.0, 2, 1, 0], "x": [0.0, 1, 2, 3]})
    data = band if kind == "array" else band.to_dataset(name="hh")
    with pytest.raises(icefront_dask.errors.NotGeoreferencedError, match="no CRS"):
        data.icefront.segment()
    if kind == "dataset":
        with pytest.raises(icefront_dask.errors.InputError, match="lacks ice, front"):
            data.icefront.trace_fronts()
