from __future__ import annotations

import socket

import dask.array as da
import pytest

from tests.helpers import raise_if_dask_computes


def test_lazy_code_passes_and_a_compute_is_caught():
    lazy = da.ones((4, 4), chunks=2)
    with raise_if_dask_computes():
        doubled = lazy * 2
    with pytest.raises(AssertionError, match="computed 1 times, 0 allowed"), raise_if_dask_computes():
        doubled.compute()


def test_allowed_computes_are_counted_and_right():
    with raise_if_dask_computes(max_computes=2) as scheduler:
        assert da.ones(3, chunks=1).sum().compute() == 3
    assert scheduler.computes == 1


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")])
def test_no_connection_leaves_the_machine(family, host, method):
    with (
        socket.socket(family, socket.SOCK_STREAM) as sock,
        pytest.raises(RuntimeError, match="only talk to loopback"),
    ):
        getattr(sock, method)((host, 80))


def test_loopback_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            assert client.getpeername()[1] == port


def test_real_data_is_found_or_skipped(real_data):
    assert (real_data / "README.md").stat().st_size > 0
