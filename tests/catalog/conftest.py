"""A STAC server of the tests, and settings that do not wait."""

from __future__ import annotations

import dask.config
import pytest

from tests.catalog.builders import (
    archive,
)
from tests.catalog.stac_server import StacServer


@pytest.fixture
def quick():

    with dask.config.set({"icefront.catalog.retry_wait_s": 0.001, "icefront.catalog.page_size": 3}):
        yield


@pytest.fixture
def api(quick):
    with StacServer(archive()) as server:
        yield server
