"""A writer that is killed at any moment and started again leaves what an undisturbed one leaves."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from icefront_dask.cube import open_cube
from tests.cube import writers
from tests.kills import Processes, kill_often

KINDS = ("zarr-local", "zarr-s3", "icechunk-local", "icechunk-s3")


@pytest.fixture(scope="module")
def processes():
    return Processes()


def place(kind, folder, bucket):
    name = uuid.uuid4().hex[:8]
    where = f"s3://{bucket}/{name}" if kind.endswith("s3") else str(folder / name)
    if kind.startswith("zarr"):
        return where
    return f"icechunk+{where}" if kind.endswith("s3") else f"icechunk+file://{where}"


def content(url):
    assert open_cube(url, region="helheim").sizes["time"] == writers.SCENES
    return writers.content(url)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_four_kills_leave_no_trace(processes, kind, tmp_path, bucket):
    kill_often(processes, writers.write, partial(place, kind, tmp_path, bucket), content, 4, f"{kind}0")


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_fifty_kills_leave_no_trace(processes, kind, tmp_path, bucket):
    for seed in range(10):
        kill_often(processes, writers.write, partial(place, kind, tmp_path, bucket), content, 5, f"{kind}{seed}")
