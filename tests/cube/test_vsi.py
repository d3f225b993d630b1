"""Remote files as GDAL sees them: merged requests, failures that GDAL does not hear of, threads, forks and the end."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.remote import remote_file
from icefront_dask.cube.gdal import Opened, open_gtiff
from icefront_dask.cube.vsi import file_system, requests_for
from icefront_dask.errors import ReadError
from tests.cube.server import serving

SIDE = 1024
PROFILE = {
    "driver": "GTiff", "dtype": "uint16", "count": 1, "height": SIDE, "width": SIDE, "crs": "EPSG:3413",
    "transform": Affine(20, 0, 3e5, 0, -20, -2.5e6), "tiled": True, "blockxsize": 256, "blockysize": 256,
}  # fmt: skip
VALUES = np.random.default_rng(5).integers(1, 4096, (SIDE, SIDE), dtype=np.uint16)


@pytest.fixture
def web(tmp_path):
    """A server of one file without compression, where a hole would read as zeros."""
    with rasterio.open(tmp_path / "plain.tif", "w", **PROFILE) as out:
        out.write(VALUES, 1)
    with serving(tmp_path) as server:
        server.href = f"{server.url}/plain.tif"
        yield server


def window(row, column, side=300):
    return ((row, row + side), (column, column + side))


@given(st.lists(st.tuples(st.integers(0, 12_000), st.integers(1, 40_000)), min_size=1, max_size=40))
def test_requests_hold_their_ranges_and_neighbours_are_one(steps):
    offsets, sizes, end = [], [], 0
    for gap, size in steps:
        offsets.append(end + gap)
        sizes.append(size)
        end = offsets[-1] + size
    requests = requests_for(offsets, sizes)
    assert sum(r.ranges for r in requests) == len(offsets)
    ranges = iter(zip(offsets, sizes, strict=True))
    for request in requests:
        mine = [next(ranges) for _ in range(request.ranges)]
        assert request.start == mine[0][0]
        assert request.start + request.length == mine[-1][0] + mine[-1][1]
    # One more request than there are gaps too wide to be fetched along.
    assert len(requests) == 1 + sum(gap > 4096 for gap, _ in steps[1:])


def test_a_request_is_not_longer_than_16_mb():
    assert [r.length for r in requests_for([0, 2**23, 2**24], [2**23] * 3)] == [2**24, 2**23]
    assert [r.length for r in requests_for([0], [2**26])] == [2**26]


def test_tiles_side_by_side_are_one_request(web):
    with open_gtiff(web.href, "x") as dataset:
        before = len(web.log)
        got = dataset.read(1, window=((256, 512), (0, 1024)))  # four tiles of 128 kB, one after the other
        assert len(web.log) - before == 1
        assert np.array_equal(got, VALUES[256:512])
        dataset.read(1, window=((512, 1024), (0, 256)))  # two tiles a row of tiles apart
        assert len(web.log) - before == 3


def test_gdal_sends_no_request_itself(web):
    with open_gtiff(web.href, "x") as dataset:
        dataset.read(1, window=window(100, 100))
        dataset.overviews(1)
        dataset.tags()
    assert {agent.partition("/")[0] for agent in web.agents} == {"python-requests"}


def test_a_hole_is_an_error_also_where_nothing_is_decoded(web):
    def read():
        with open_gtiff(web.href, "x") as dataset:
            return dataset.read(1, window=window(300, 300))

    with open_gtiff(web.href, "x"):  # the header is known from here on
        pass
    web.failures = [404] * 9
    with pytest.raises(ReadError, match=r"^x: http.*plain\.tif does not exist"):
        read()
    web.failures = []
    assert np.array_equal(read(), VALUES[300:600, 300:600])  # and nothing of it is kept


def test_a_file_that_ends_too_early_is_an_error(web):
    path = web.folder / "plain.tif"
    path.write_bytes(path.read_bytes()[:-200_000])
    with pytest.raises(ReadError, match="truncated or damaged"), open_gtiff(web.href, "x") as dataset:
        dataset.read(1, window=window(700, 700))


def test_threads_open_read_and_close_at_once(web):
    def one(number):
        row, column = np.random.default_rng(number).integers(0, SIDE - 300, 2)
        href = str(web.folder / "plain.tif") if number % 3 == 0 else web.href
        with open_gtiff(href, "x") as dataset:
            got = dataset.read(1, window=window(row, column))
        return np.array_equal(got, VALUES[row : row + 300, column : column + 300])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(120)))


def test_one_thread_may_close_what_another_has_opened(web):
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        file = first.submit(Opened, web.href, "x", Access.resolve()).result()
        assert second.submit(file.dataset.read, 1).result().shape == (SIDE, SIDE)
        second.submit(file.close).result()
    assert file.dataset.closed


def test_nothing_stays_mounted(web):
    system = file_system()
    held = len(system)
    with open_gtiff(web.href, "x"):
        assert len(system) == held + 1
    web.failures = [404]
    with pytest.raises(ReadError):
        Opened(f"{web.url}/none.tif", "x", Access.resolve())
    with pytest.raises(ReadError, match="megapixels"):
        Opened(web.href, "x", Access.resolve(max_megapixels=0.1))
    assert len(system) == held


def test_a_mounted_file_can_be_looked_up_by_nobody_after_it_was_taken_out(web):
    system = file_system()
    mounted = system.mount(remote_file(web.href, Access.resolve()))
    system.unmount(mounted)
    with pytest.raises(rasterio.errors.RasterioIOError):
        system.run(rasterio.open, mounted.name, driver="GTiff")
    assert web.log == []


def _sum(href, queue):
    with open_gtiff(href, "x") as dataset:
        queue.put(int(dataset.read(1).sum()))


def test_a_fork_reads_on(web):
    with open_gtiff(web.href, "x") as dataset:  # the file system is there, and threads that fetch
        dataset.read(1)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_sum, args=(web.href, queue))
    child.start()
    assert queue.get(timeout=60) == int(VALUES.sum())
    child.join(60)
    assert child.exitcode == 0


def test_a_process_ends_quietly(web):
    """The file system is installed in a thread that is gone at the end."""
    code = f"""
        import threading
        from icefront_dask.cube.gdal import open_gtiff
        def read():
            with open_gtiff({web.href!r}, "x") as dataset:
                print(int(dataset.read(1).sum()))
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(int(VALUES.sum())), "")
