"""Hosts that must not be spoken to, and that no socket opens to find out."""

from __future__ import annotations

import socket
import sys

import dask.config
import pytest

from icefront_dask.catalog.access import Access
from icefront_dask.catalog.hosts import HostError, addresses, check_host
from icefront_dask.catalog.http import Http
from icefront_dask.catalog.remote import RemoteFile, forget_files
from icefront_dask.cube.gdal import Opened
from icefront_dask.errors import CatalogError, ReadError
from tests.catalog import test_hrefs
from tests.catalog.stac_server import StacServer

HOSTILE = [
    # this machine and its network, in every notation
    "http://127.0.0.1/a.tif",
    "http://localhost/a.tif",
    "http://LOCALHOST./a.tif",
    "http://x.localhost/a.tif",
    "http://127.1/a.tif",
    "http://2130706433/a.tif",
    "http://0x7f000001/a.tif",
    "http://0x7f.0.0.1/a.tif",
    "http://0177.0.0.1/a.tif",
    "http://0/a.tif",
    "http://0.0.0.0/a.tif",
    "http://[::1]/a.tif",
    "http://[::]/a.tif",
    "http://[::ffff:127.0.0.1]/a.tif",
    "http://[::ffff:169.254.169.254]/a.tif",
    "http://[64:ff9b::a9fe:a9fe]/a.tif",
    "http://[fd00:ec2::254]/a.tif",
    "http://[fe80::1%25eth0]/a.tif",
    "http://10.0.0.1/a.tif",
    "http://172.16.0.1/a.tif",
    "http://192.168.1.1/a.tif",
    "http://100.64.0.1/a.tif",
    "http://8.8.8.8/a.tif",
    "http://intranet/a.tif",
    "http://printer.local/a.tif",
    "http://db.internal/a.tif",
    "http://nas.lan/a.tif",
    # metadata services of clouds
    "http://169.254.169.254/latest/meta-data/iam",
    "http://0xa9fea9fe/latest/meta-data",
    "http://2852039166/latest/meta-data",
    "http://metadata.google.internal/computeMetadata/v1",
    "http://metadata/computeMetadata/v1",
    # names that are none
    "http://１２７.0.0.1/a.tif",
    "http://127%2e0%2e0%2e1/a.tif",
    "http://exa mple.org/a.tif",
    "http://example.org\\@127.0.0.1/a.tif",
    "http://example.org:abc/a.tif",
    "http://[::1/a.tif",
    # other ports and schemes, and what GDAL would make of a name
    "http://example.org:22/a.tif",
    "https://example.org:6379/a.tif",
    "gopher://example.org:70/_",
    "dict://example.org/a",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "/vsicurl/http://169.254.169.254/a.tif",
    "/vsicurl?url=http%3A%2F%2F169.254.169.254%2Fa.tif",
    "/vsis3/bucket/a.tif",
    "https://example.org/%252e%252e/%252e%252e/a.tif",
    "https://example.org/a.tif#/vsizip/x",
    "https://example.org/%2Fvsicurl%2Fhttp://127.0.0.1/a.tif",
    "s3://user:secret@bucket/a.tif",
    "s3://../a.tif",
    "https://user:secret@example.org/a.tif",
    f"https://example.org/{'a' * 3000}.tif",
]


@pytest.fixture(autouse=True)
def only_public_hosts():
    with dask.config.set({"icefront.catalog.allow_hosts": []}):
        yield


@pytest.fixture
def no_socket(monkeypatch):
    """Fail when a name is looked up or a socket opened."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"the network was used: {args}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def refusal(href):
    """Return what a reader says of an href."""
    with pytest.raises((CatalogError, ReadError)) as caught:
        Opened(href, "item 'a', asset 'hh'", Access.resolve())
    return str(caught.value)


@pytest.mark.parametrize("href", HOSTILE)
def test_hostile_hrefs_are_refused_without_a_socket(href, no_socket):
    said = refusal(href)
    if href.lower().startswith("file:///"):
        assert "passwd" in said  # a local file, which is no GeoTIFF
    else:
        assert said.startswith("item 'a', asset 'hh': refused to open")
    assert "secret" not in said


def test_at_least_forty_are_judged_by_their_name(no_socket):
    assert len(set(HOSTILE)) == len(HOSTILE)
    hrefs = sorted({*HOSTILE, *test_hrefs.HOSTILE})
    refused = [href for href in hrefs if "refused to open" in refusal(href)]
    local = [href for href in hrefs if href.startswith("file:")]
    sys.stdout.write(
        f"\nhostile hrefs {len(hrefs)}, refused without a socket {len(refused)}, local files {len(local)}\n"
    )
    assert len(refused) + len(local) == len(hrefs) >= 40


@pytest.mark.parametrize("href", [h for h in HOSTILE if h.startswith("http")])
def test_the_client_refuses_them_by_itself(href, no_socket):
    with pytest.raises(CatalogError):
        Http(attempts=1).part(href.replace("https://example.org/", "http://[::1]/"), 0, 10)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.9", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "0.0.0.0", "240.0.0.1"],
)  # fmt: skip
def test_public_names_that_lead_to_private_addresses(address, monkeypatch):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: answer)
    with pytest.raises(HostError, match=r"leads to .*, which is no public address"):
        addresses("data.example.org", 443)
    with pytest.raises(HostError, match="no public address"):
        Http(attempts=1).part("https://data.example.org/a.tif", 0, 10)
    assert addresses("data.example.org", 443, ["*.example.org"]) == [address]


def test_the_address_that_was_checked_is_connected_to(monkeypatch):
    """A name that answers with a public address first and a private one later is looked up once."""
    asked = []

    def answer(host, port, *args, **kwargs):
        asked.append(host)
        public = host == "data.example.org" and asked.count("data.example.org") == 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34" if public else host, port))]

    connected = []

    def connect(self, address):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(CatalogError, match=r"cannot reach https://data.example.org"):
        Http(attempts=1).part("https://data.example.org/a.tif", 0, 10)
    assert asked.count("data.example.org") == 1
    assert connected == [("93.184.216.34", 443)]


def test_a_hostile_redirect_of_a_file_is_refused():
    with StacServer([]) as server:
        here = f"127.0.0.1:{server.url.rpartition(':')[2]}"
        with dask.config.set({"icefront.catalog.allow_hosts": [here]}):
            access = Access.resolve()
            for target in ("http://169.254.169.254/x", "http://127.0.0.1:1/x", "ftp://example.org/x", "file:///etc/x"):
                forget_files()
                server.script["/a.tif"].append((302, {"Location": target}))
                with pytest.raises(HostError, match=r"asset 'hh': refused to open .*redirects to .* refused"):
                    Opened(f"{server.url}/a.tif", "asset 'hh'", access)


def test_a_vrt_named_tif_does_not_open_over_http():
    vrt = b'<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand><SimpleSource><SourceFilename>/etc/passwd'
    with StacServer([]) as server:
        part = (206, {"Content-Range": f"bytes 0-{len(vrt) - 1}/{len(vrt)}"}, vrt)
        server.script["/a.tif"].extend([part] * 3)
        with dask.config.set({"icefront.catalog.allow_hosts": ["127.0.0.1"]}):
            access = Access.resolve()
        with pytest.raises(ReadError, match="is not a GeoTIFF but a VRT; only GeoTIFF is opened"):
            Opened(f"{server.url}/a.tif", "asset 'hh'", access)
        assert server.requests.total() == 1


@pytest.mark.parametrize(
    ("host", "port", "listed"),
    [
        ("127.0.0.1", 8080, ["127.0.0.1"]),
        ("127.0.0.1", 8080, ["127.0.0.1:8080"]),
        ("stac.lan", None, ["STAC.lan"]),
        ("a.b.internal", 9000, ["*.internal"]),
        ("[::1]", 80, ["::1"]),
        ("data.example.org", 443, []),
    ],
)
def test_hosts_that_pass(host, port, listed):
    check_host(host, port, listed)


@pytest.mark.parametrize(("host", "listed"), [("127.0.0.1", ["127.0.0.1:80"]), ("xinternal.lan", ["*.internal"])])
def test_lists_are_exact(host, listed):
    with pytest.raises(HostError):
        check_host(host, 8080, listed)


def test_a_large_file_is_refused():
    with StacServer([]) as server:
        server.script["/a.tif"].append((206, {"Content-Range": f"bytes 0-32767/{200 * 2**30}"}, bytes(2**15)))
        with dask.config.set({"icefront.catalog.allow_hosts": ["127.0.0.1"]}):
            access = Access.resolve()
        with pytest.raises(CatalogError, match=r"has 200\.0 GB, more than catalog\.max_file_gb"):
            RemoteFile(f"{server.url}/a.tif", access).size()
