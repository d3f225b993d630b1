from __future__ import annotations

import datetime as dt
import email.utils
import logging
import pickle
import threading
import time

import pytest

from icefront_dask.catalog import Signer, signed
from icefront_dask.catalog.access import Access
from icefront_dask.catalog.http import Http
from icefront_dask.catalog.sign import PlanetaryComputerSigner, signer
from icefront_dask.errors import CatalogError, ConfigError
from tests.catalog.stac_server import StacServer

BLOB = "https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc/GRD/a_rtc/hh.tif"
KEY = "/token/sentinel1euwestrtc/sentinel1-grd-rtc"


@pytest.fixture
def server():
    with StacServer([]) as running:
        yield running


@pytest.fixture
def http():
    return Http(retry_wait_s=0.001, attempts=3)


def token(text, seconds):
    return {"msft:expiry": (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat(), "token": text}


def test_retry_after_in_seconds_is_honoured(server, http):
    server.script["/a"].append((503, {"Retry-After": "1"}))
    server.documents["/a"] = {}
    start = time.monotonic()
    assert http.request("GET", f"{server.url}/a").json() == {}
    assert 1.0 <= time.monotonic() - start < 10.0


def test_retry_after_as_a_date_is_honoured_up_to_the_longest_wait(server):
    http = Http(retry_wait_s=0.001, retry_max_wait_s=0.2)
    later = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1), usegmt=True)
    server.script["/a"].extend([(429, {"Retry-After": later}), (429, {"Retry-After": "soon"})])
    server.documents["/a"] = {}
    start = time.monotonic()
    http.request("GET", f"{server.url}/a")
    assert 0.2 <= time.monotonic() - start < 10.0


def test_a_silent_server_is_tried_again(server):
    http = Http(retry_wait_s=0.001, attempts=2, timeout_s=0.2)
    gate = threading.Event()
    server.documents["/a"] = {}
    handler = server._server.RequestHandlerClass
    answer = handler.answer

    def slow(self, *args):
        if not gate.is_set():
            gate.set()
            time.sleep(0.6)
        answer(self, *args)

    handler.answer = slow
    assert http.request("GET", f"{server.url}/a").ok


def test_messages_do_not_carry_the_query(server, http):
    server.script["/a"].extend([503] * 3)
    with pytest.raises(CatalogError) as caught:
        http.request("GET", f"{server.url}/a?sig=SECRET")
    assert "SECRET" not in str(caught.value)
    with pytest.raises(CatalogError) as caught:
        http.request("GET", "http://127.0.0.1:9/a?sig=SECRET")
    assert "SECRET" not in str(caught.value)


def test_one_token_a_container_and_lifetime(server, http):
    server.documents[KEY] = token("sv=1&sig=one", 3600)
    mine = PlanetaryComputerSigner(f"{server.url}/token", http)
    threads = [threading.Thread(target=mine.sign, args=(BLOB,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mine.sign(BLOB) == f"{BLOB}?sv=1&sig=one"
    assert server.requests["GET", KEY] == 1


def test_a_token_is_renewed_before_it_expires(server, http):
    mine = PlanetaryComputerSigner(f"{server.url}/token", http)
    server.documents[KEY] = token("sig=short", 1.5)
    assert mine.sign(BLOB).endswith("sig=short")
    server.documents[KEY] = token("sig=long", 3600)
    time.sleep(1.36)  # nine tenths of its lifetime
    assert mine.sign(BLOB).endswith("sig=long")
    assert server.requests["GET", KEY] == 2


def test_a_token_that_another_thread_has_renewed_is_kept(server, http):
    mine = PlanetaryComputerSigner(f"{server.url}/token", http)
    server.documents[KEY] = token("sig=one", 3600)
    refused = mine.sign(BLOB)
    server.documents[KEY] = token("sig=two", 3600)
    mine.forget(BLOB, refused)
    renewed = mine.sign(BLOB)
    mine.forget(BLOB, refused)
    assert mine.sign(BLOB) == renewed == f"{BLOB}?sig=two"
    assert server.requests["GET", KEY] == 2


def test_a_signed_href_is_signed_anew_and_a_refused_token_is_dropped(server, http):
    mine = PlanetaryComputerSigner(f"{server.url}/token", http)
    server.documents[KEY] = token("sig=one", 3600)
    once = mine.sign(BLOB)
    server.documents[KEY] = token("sig=two", 3600)
    mine.forget(BLOB)
    assert mine.sign(once) == f"{BLOB}?sig=two"


@pytest.mark.parametrize(
    "href",
    [
        "https://example.org/a.tif",
        "/data/a.tif",
        "https://ai4edatasetspublicassets.blob.core.windows.net/assets/a.png",
        "https://blob.core.windows.net.evil.org/c/a.tif",
    ],
)
def test_other_hrefs_stay(server, http, href):
    mine = PlanetaryComputerSigner(f"{server.url}/token", http)
    assert mine.sign(href) == href
    assert not server.requests


@pytest.mark.parametrize("body", [{}, {"token": "x"}, {"token": "x", "msft:expiry": "never"}, b"<html>", [1]])
def test_an_answer_without_a_token(server, http, body):
    server.documents[KEY] = body
    with pytest.raises(CatalogError, match=r"gave no token for sentinel1euwestrtc/sentinel1-grd-rtc; .*signing_url"):
        PlanetaryComputerSigner(f"{server.url}/token", http).sign(BLOB)


def test_tokens_are_in_no_repr_pickle_or_log(server, http, caplog):
    caplog.set_level(logging.DEBUG)
    server.documents[KEY] = token("sig=CANARY", 3600)
    mine = PlanetaryComputerSigner(f"{server.url}/token", http)
    mine.sign(BLOB)
    assert "CANARY" not in repr(mine)
    assert "CANARY" not in repr(mine._tokens)
    assert b"CANARY" not in pickle.dumps(mine)
    assert "CANARY" not in caplog.text
    assert isinstance(pickle.loads(pickle.dumps(mine)), Signer)


def test_methods():
    assert signed("https://example.org/a.tif") == "https://example.org/a.tif"
    assert signed(BLOB, "none") == BLOB
    assert signer() is signer(Access.resolve())
    with pytest.raises(ConfigError, match="must be one of auto, none, planetary-computer"):
        signed(BLOB, "aws")
    with pytest.raises(CatalogError, match="refused"):
        signed("/vsicurl/https://example.org/a.tif")


def test_the_configured_method_signs_at_read_time(server):
    import dask.config

    server.documents[KEY] = token("sig=one", 3600)
    with dask.config.set({"icefront.catalog.signing_url": f"{server.url}/token"}):
        assert signed(BLOB) == f"{BLOB}?sig=one"
