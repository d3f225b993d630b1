"""Session fixtures of the servers, which tests/server and tests/real share."""

from __future__ import annotations

import pytest

from tests.server import services


@pytest.fixture(scope="session")
def pgstac():
    """Yield a running PostgreSQL with pgstac."""
    if lacks := services.missing():
        pytest.skip(f"not installed: {', '.join(lacks)}")
    with services.Postgres() as database:
        yield database


@pytest.fixture(scope="session")
def stac_api(pgstac):
    """Yield a running stac-fastapi on pgstac."""
    with services.StacApi(pgstac) as api:
        yield api


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    """Yield nginx serving an empty folder, ``web.root``."""
    if lacks := [name for name in services.missing() if name.startswith("nginx")]:
        pytest.skip(f"not installed: {lacks[0]}")
    with services.Nginx(tmp_path_factory.mktemp("www")) as server:
        yield server
