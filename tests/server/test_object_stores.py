"""Cubes in the object stores of Azure and Google, through real sockets; those in S3 are in tests/cube."""

from __future__ import annotations

import pickle
import uuid
from dataclasses import replace

import pytest
import xarray as xr

from icefront_dask.cube import open_cube
from icefront_dask.cube.repository import fork_source
from icefront_dask.cube.store import CubeStore
from tests.cube import writers
from tests.server.emulators import Azurite, GoogleStorage, lacks_azurite

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def azure():
    if lacks := lacks_azurite():
        pytest.skip(f"not installed: {lacks}")
    with Azurite("cubes") as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def google():
    with GoogleStorage("cubes") as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The same cube in a folder."""
    path = str(tmp_path_factory.mktemp("local") / "cube")
    writers.write(path)
    return path, open_cube(path).compute()


def test_a_cube_in_azure(azure, local):
    url = f"az://cubes/{uuid.uuid4().hex}"
    writers.write(url)
    xr.testing.assert_identical(open_cube(url).compute(), local[1])
    assert writers.content(url) == writers.content(local[0])  # object for object, byte for byte
    writers.write(url)
    assert writers.content(url) == writers.content(local[0])


def test_a_repository_in_azure(azure, local):
    url = f"icechunk+az://cubes/{uuid.uuid4().hex}"
    writers.write(url)
    xr.testing.assert_identical(open_cube(url).compute(), local[1])
    fork = fork_source(url, "run-1").fork(CubeStore(url, "helheim/sentinel-1"))
    secret = azure.env["AZURE_STORAGE_ACCOUNT_KEY"].encode()
    assert secret not in pickle.dumps(fork)  # as it goes to a worker
    assert secret not in repr(replace(fork)).encode()


def test_a_cube_in_google_cloud_storage(google, local):
    url = f"gs://cubes/{uuid.uuid4().hex}"
    writers.write(url)
    xr.testing.assert_identical(open_cube(url).compute(), local[1])
    assert writers.content(url) == writers.content(local[0])
    assert google.tokens  # the client has spoken as one of Google's, not of S3's
