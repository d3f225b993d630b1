"""Files that are small and want to be large: refused by what their headers say, before a pixel is read."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
import rasterio
from affine import Affine

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.http import Http
from icefront_dask.catalog.remote import RemoteFile
from icefront_dask.cube.gdal import open_gtiff
from icefront_dask.errors import CatalogError, ReadError
from tests.cube.server import serving
from tests.helpers import QuietServer

PLACE = {"crs": "EPSG:3413", "transform": Affine(20, 0, 3e5, 0, -20, -2.5e6)}


def sparse(path, side, block, dtype="uint8", **more):
    """Write a tiled GeoTIFF without any of its pixels, whose tiles read as zeros."""
    profile = {"driver": "GTiff", "dtype": dtype, "count": 1, "height": side, "width": side, "tiled": True}
    with rasterio.open(
        path, "w", blockxsize=block, blockysize=block, SPARSE_OK=True, **profile, **PLACE, compress="deflate", **more
    ):
        pass
    return path.stat().st_size


def test_a_raster_of_a_huge_declared_size(tmp_path):
    assert sparse(tmp_path / "huge.tif", 160_000, 16_384) < 100_000  # 25 600 megapixels
    with serving(tmp_path) as server:
        for href in (f"{server.url}/huge.tif", str(tmp_path / "huge.tif")):
            with pytest.raises(ReadError, match=r"claims 25600 megapixels, more than catalog\.max_megapixels"):
                open_gtiff(href, "x").__enter__()
        assert len(server.log) <= 2
    with open_gtiff(str(tmp_path / "huge.tif"), "x", Access.resolve(max_megapixels=30_000)) as dataset:
        assert dataset.shape == (160_000, 160_000)


@pytest.mark.parametrize(("block", "dtype"), [(32_768, "uint8"), (16_384, "float32")])
def test_a_tile_that_would_fill_the_memory(tmp_path, block, dtype):
    """One compressed tile of 1 GB: reading a single pixel of it would unpack it whole."""
    sparse(tmp_path / "tile.tif", block, block, dtype)
    with pytest.raises(ReadError, match="has tiles or strips of 1024 MB"):
        open_gtiff(str(tmp_path / "tile.tif"), "x").__enter__()


def test_bands_side_by_side_count_as_one_tile(tmp_path):
    profile = {"driver": "GTiff", "dtype": "uint8", "height": 16_384, "width": 16_384, "tiled": True}
    with rasterio.open(
        tmp_path / "bands.tif", "w", count=3, blockxsize=16_384, blockysize=16_384, interleave="pixel",
        SPARSE_OK=True, **profile, **PLACE,
    ):  # fmt: skip
        pass
    with pytest.raises(ReadError, match="has tiles or strips of 768 MB"):
        open_gtiff(str(tmp_path / "bands.tif"), "x").__enter__()


@contextmanager
def answering(answer):
    """Serve every request by a function of the handler; yield the address."""
    handler = type("_Handler", (BaseHTTPRequestHandler,), {"do_GET": answer, "log_message": lambda *_: None})
    server = QuietServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_body_that_does_not_end_is_cut_off():
    sent = []

    def endless(self):
        self.send_response(206)
        self.send_header("Content-Range", "bytes 0-32767/40000")
        self.end_headers()
        while True:
            self.wfile.write(bytes(2**16))
            sent.append(2**16)

    with answering(endless) as url:
        access = Access.resolve(attempts=2, retry_wait_s=0.01)
        with pytest.raises(CatalogError, match="more than was asked for"):
            RemoteFile(f"{url}/a.tif", access).size()
    assert sum(sent) < 64 * 2**20  # what the sockets hold, and not for ever


def test_a_document_that_unpacks_to_more_than_the_cap():
    """A thousandfold by gzip: 64 MB of spaces in 64 kB."""
    packed = gzip.compress(b'{"links": []' + b" " * 2**26 + b"}")

    def bomb(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)

    assert len(packed) < 2**17
    with answering(bomb) as url, pytest.raises(CatalogError, match=r"answers with more than 1 MB.*max_document_mb"):
        Http(Access.resolve(max_document_mb=1)).request("GET", url)
