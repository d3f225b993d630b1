"""Fixtures which tests of several rooms share, and the guard that keeps tests off the network."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]

# Servers of tests run on loopback, which has to be allowed as any private network; worker processes inherit it.
os.environ.setdefault("DASK_ICEFRONT__CATALOG__ALLOW_HOSTS", "['127.0.0.1', 'localhost']")

# A slow machine is no failure; the same examples on every run keep `make test` repeatable.
settings.register_profile("icefront", deadline=None, derandomize=True)
settings.load_profile("icefront")


class NetworkRefusedError(RuntimeError):
    """A test tried to leave the machine. Not an OSError, so that no handler takes it for an outage."""


def _is_local(family: int, address: Any) -> bool:
    if family not in {socket.AF_INET, socket.AF_INET6}:
        return True
    host = str(address[0]).split("%", maxsplit=1)[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Refuse every stream connection that is not to this machine's loopback addresses."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(sock: socket.socket, address: Any) -> None:
        # A datagram connect sends nothing: distributed uses one to learn the machine's own address.
        if sock.type & socket.SOCK_STREAM == socket.SOCK_STREAM and not _is_local(sock.family, address):
            raise NetworkRefusedError(f"tests may only talk to loopback addresses, not to {address}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real scenes: ``ICEFRONT_REAL_DATA``, else ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("ICEFRONT_REAL_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real data in {folder}; set ICEFRONT_REAL_DATA to a folder that has it")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed, new for each test."""
    return np.random.default_rng(20180602)
