"""A writer that is killed at any moment and started again leaves what an undisturbed one leaves."""

from __future__ import annotations

import multiprocessing
import random
import time
import uuid

import pytest

from icefront_dask.cube import open_cube
from tests.cube import writers

KINDS = ("zarr-local", "zarr-s3", "icechunk-local", "icechunk-s3")
_LIMIT_S = 240


@pytest.fixture(scope="module")
def processes():
    """Processes that start quickly: each is a fork of a server that has imported what a writer needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.cube.writers"])
    return context


def place(kind, folder, bucket):
    name = uuid.uuid4().hex[:8]
    where = f"s3://{bucket}/{name}" if kind.endswith("s3") else str(folder / name)
    if kind.startswith("zarr"):
        return where
    return f"icechunk+{where}" if kind.endswith("s3") else f"icechunk+file://{where}"


def run(processes, url, kill_after_s=None):
    """Write in a process; return whether it was killed before it was done, and how long it took."""
    child = processes.Process(target=writers.write, args=(url,))
    child.start()
    begin = time.monotonic()
    child.join(_LIMIT_S if kill_after_s is None else kill_after_s)
    killed = child.is_alive()
    if killed:
        child.kill()
        child.join()
        assert kill_after_s is not None, "the writer does not end"
    else:
        assert child.exitcode == 0
    return killed, time.monotonic() - begin


def kills(processes, kind, folder, bucket, count, seed):
    """Kill writers of one store `count` times at random moments, each time a new one goes on; then compare."""
    undisturbed, disturbed = (place(kind, folder, bucket) for _ in range(2))
    run(processes, undisturbed)
    _, whole_s = run(processes, place(kind, folder, bucket))
    draw = random.Random(f"{kind}{seed}")
    landed = tried = 0
    while landed < count and tried < 10 * count:
        tried += 1
        killed, took_s = run(processes, disturbed, draw.uniform(0, 0.95) * whole_s)
        landed += killed
        if not killed:  # done before its time: the pace of the machine is another one now; begin another store
            whole_s = min(whole_s, took_s)
            assert writers.content(disturbed) == writers.content(undisturbed)
            disturbed = place(kind, folder, bucket)
    assert landed == count, f"only {landed} of {tried} writers were alive when they were to be killed"
    run(processes, disturbed)
    assert writers.content(disturbed) == writers.content(undisturbed)
    assert open_cube(disturbed, region="helheim").sizes["time"] == writers.SCENES


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_four_kills_leave_no_trace(processes, kind, tmp_path, bucket):
    kills(processes, kind, tmp_path, bucket, 4, seed=0)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_fifty_kills_leave_no_trace(processes, kind, tmp_path, bucket):
    for seed in range(10):
        kills(processes, kind, tmp_path, bucket, 5, seed)
