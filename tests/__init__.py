"""Tests of icefront_dask; the folders mirror the package."""
