from __future__ import annotations

import copy

import dask.config
import numpy as np
import pytest

from tests.cube import builders
from tests.helpers import let_clients_hang_up


@pytest.fixture(scope="session")
def s1_items(tmp_path_factory):
    """Two Sentinel-1 RTC items of two dates in UTM 24N, HH and HV, 10 m, without holes."""
    rng = np.random.default_rng(20180602)
    folder = tmp_path_factory.mktemp("s1")
    grid = builders.utm_grid(32624, 480, 10)
    shape = grid.shape.yx
    return [
        builders.s1_item(
            folder,
            f"S1A_IW_GRDH_1SDH_{day}_rtc",
            {"hh": builders.speckle(rng, shape), "hv": builders.speckle(rng, shape, 0.02)},
            grid,
            datetime=f"2018-06-{day}T20:15:32Z",
            **{"sat:absolute_orbit": 22_186 + 88 * n},
        )
        for n, day in enumerate(("02", "06"))
    ]


@pytest.fixture
def s1(s1_items):
    """A copy of the two Sentinel-1 items to change at will; their files are shared."""
    return copy.deepcopy(s1_items)


@pytest.fixture(scope="session")
def landsat_item(tmp_path_factory):
    """One Landsat 8 item in UTM 24N, green and NIR at 30 m, with fill, cloud, shadow and saturation."""
    rng = np.random.default_rng(20150710)
    grid = builders.utm_grid(32624, 200, 30)
    shape = grid.shape.yx
    qa_pixel = np.full(shape, 1 << 6, "uint16")
    qa_pixel[80:100, 80:100] = 1 << 3
    qa_pixel[100:110, 80:100] = 1 << 4
    qa_pixel[:, 120:] = 1
    qa_radsat = np.zeros(shape, "uint16")
    qa_radsat[90:95, 70:75] = 1 << 4
    bands = {name: rng.integers(7_500, 40_000, shape, dtype="uint16") for name in ("green", "nir08")}
    for band in bands.values():
        band[:, 120:] = 0
    return builders.landsat_item(
        tmp_path_factory.mktemp("landsat"),
        "LC08_L2SP_233013_20150710_02_T1",
        bands,
        grid,
        qa_pixel=qa_pixel,
        qa_radsat=qa_radsat,
        datetime="2015-07-10T14:15:30Z",
    )


@pytest.fixture
def landsat(landsat_item):
    """A copy of the Landsat item to change at will; its files are shared."""
    return copy.deepcopy(landsat_item)


@pytest.fixture(scope="session")
def s3_url():
    """Yield the address of moto's S3, which the environment of this process names."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    let_clients_hang_up(server._server)  # writers are killed
    url = f"http://{host}:{port}"
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
    yield url
    patch.undo()
    server.stop()


@pytest.fixture
def bucket(s3_url):
    """Return the name of a bucket; other tests of this process may have emptied moto since the last one."""
    import boto3

    boto3.client("s3", endpoint_url=s3_url).create_bucket(Bucket="cubes")
    return "cubes"


@pytest.fixture(scope="package", autouse=True)
def local_files():
    """Items of the tests name files of temporary folders, which a user has to allow."""
    with dask.config.set({"icefront.catalog.allow_roots": ["/"]}):
        yield
