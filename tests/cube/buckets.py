"""Fixtures of a bucket in moto's S3, which tests of cubes and of runs share."""

from __future__ import annotations

import pytest

from tests.helpers import let_clients_hang_up


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
