from __future__ import annotations

from pathlib import Path

import pytest

from icefront_dask.catalog.hrefs import check_href, is_url, resolve_href, unsigned
from icefront_dask.errors import CatalogError

GOOD = [
    "https://landsateuwest.blob.core.windows.net/landsat-c2/level-2/a_B5.TIF",
    "http://127.0.0.1:8080/a.tif",
    "s3://usgs-landsat/collection02/a.TIF",
    "gs://bucket/a.tif",
    "https://example.org/a..b/c.tif?x=..",
    "https://example.org/vsites/a.tif",
    "/data/a.tif",
]
HOSTILE = [
    "",
    "a.tif",
    "/vsicurl/http://169.254.169.254/latest",
    "/vsizip//vsicurl/https://example.org/a.zip/b.tif",
    "/vsimem/x.tif",
    "/data/../vsis3/bucket/a.tif",
    "https://example.org//vsicurl/http://internal/a.tif",
    "https://example.org/%2Fvsicurl/http://internal/a.tif",
    "vsicurl/https://example.org/a.tif",
    "ftp://example.org/a.tif",
    "gopher://example.org/a.tif",
    "data://text/plain",
    "hdfs://namenode/a.tif",
    "https://user:secret@example.org/a.tif",
    "https://user@example.org/a.tif",
    "https:///a.tif",
    "https://example.org/../../etc/passwd",
    "https://example.org/%2e%2e/a.tif",
    "https://example.org/a/..",
    "C:\\windows\\a.tif",
    "\\\\host\\share\\a.tif",
    "https://example.org/a\n.tif",
    "https://example.org/a\x00.tif",
    '<VRTDataset rasterXSize="1"/>',
    "NETCDF:/etc/passwd:x",
    "GTIFF_DIR:1:/etc/passwd",
    "MEM:::DATAPOINTER=1",
]


@pytest.mark.parametrize("href", GOOD)
def test_good_hrefs_pass_unchanged(href):
    assert check_href(href) == href


@pytest.mark.parametrize("href", HOSTILE)
def test_hostile_hrefs_are_refused(href):
    with pytest.raises(CatalogError, match="asset 'x': refused to open") as caught:
        check_href(href, owner="asset 'x'")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "href", [h for h in HOSTILE if h not in {"", "a.tif", "https://example.org/a/.."} and "%2e" not in h]
)
@pytest.mark.parametrize("base", ["https://example.org/cat/item.json", "/data/cat/item.json"])
def test_hostile_hrefs_are_refused_wherever_they_stand(href, base):
    with pytest.raises(CatalogError, match="refused"):
        resolve_href(href, base, [Path("/data/cat")])


@pytest.mark.parametrize(
    ("href", "base", "expected"),
    [
        ("b.tif", "https://example.org/c/item.json", "https://example.org/c/b.tif"),
        ("../b.tif", "https://example.org/c/item.json", "https://example.org/b.tif"),
        ("./x/../b.tif", "https://example.org/c/item.json", "https://example.org/c/b.tif"),
        ("../../../../b.tif", "https://example.org/c/item.json", "https://example.org/b.tif"),
        ("https://other.org/b.tif", "/data/cat/item.json", "https://other.org/b.tif"),
        ("b.tif", "/data/cat/item.json", "/data/cat/b.tif"),
        ("../cat/b.tif", "/data/cat/item.json", "/data/cat/b.tif"),
        ("file:///data/cat/b.tif", "/data/cat/item.json", "/data/cat/b.tif"),
    ],
)
def test_relative_hrefs(href, base, expected):
    assert resolve_href(href, base, [Path("/data/cat")]) == expected


@pytest.mark.parametrize("href", ["../secret.tif", "/etc/passwd", "file:///etc/passwd", "/data/catalogue/b.tif"])
def test_local_files_outside_the_roots(href):
    with pytest.raises(CatalogError, match="outside the catalogue's own folder"):
        resolve_href(href, "/data/cat/item.json", [Path("/data/cat")])


def test_links_out_of_a_root_do_not_help(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "secret.tif").write_text("x")
    (tmp_path / "cat" / "link.tif").symlink_to(tmp_path / "secret.tif")
    with pytest.raises(CatalogError, match="outside"):
        resolve_href("link.tif", str(tmp_path / "cat" / "item.json"), [tmp_path / "cat"])


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://a.blob.core.windows.net/c/b.tif?st=1&se=2&sig=abc", "https://a.blob.core.windows.net/c/b.tif"),
        ("https://b.s3.amazonaws.com/b.tif?X-Amz-Signature=1&X-Amz-Date=2", "https://b.s3.amazonaws.com/b.tif"),
        ("https://storage.googleapis.com/b.tif?X-Goog-Signature=1", "https://storage.googleapis.com/b.tif"),
        ("https://example.org/b.tif?SIG=1", "https://example.org/b.tif"),
        ("https://example.org/b.tif?versionId=1", "https://example.org/b.tif?versionId=1"),
        ("/data/b.tif", "/data/b.tif"),
    ],
)
def test_unsigned(href, expected):
    assert unsigned(href) == expected
    assert is_url(href) == href.startswith("https")
