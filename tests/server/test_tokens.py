"""A run over files that want short-lived tokens, as the Planetary Computer's do."""

from __future__ import annotations

import itertools
import logging
import shutil
import socket

import pytest

from icefront_dask.catalog import Items
from icefront_dask.catalog.remote import forget_files
from icefront_dask.runs import run
from tests.runs import tiny
from tests.server import canary, faults

pytestmark = pytest.mark.server

LIFETIME_S = 1.0
WAIT_S = 0.4  # a file, so that the run outlives a token on any machine
HOST = f"w0{faults.SUFFIX}"


@pytest.fixture
def blobs(monkeypatch):
    """Host names of blobs lead to loopback, as they lead to an archive elsewhere."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, *more, **named: resolve("127.0.0.1" if name == HOST else name, *more, **named),
    )


def test_a_run_outlives_its_tokens_and_keeps_none(blobs, tmp_path, monkeypatch, caplog):
    sent = canary.units_sent(monkeypatch)
    archive = tiny.tiny_archive(tmp_path / "archive")
    (tmp_path / "blobs").mkdir()
    items = Items.from_parquet(archive.items).to_dicts()
    names = {}
    for item in items:
        for key, asset in item["assets"].items():
            names[item["id"], key] = f"{len(names)}.tif"
            shutil.copy(archive.folder / asset["href"], tmp_path / "blobs" / names[item["id"], key])
    with faults.serving(tmp_path / "blobs", faults.Faults(token_s=LIFETIME_S, wait_s=WAIT_S)) as server:
        for item in items:
            for key, asset in item["assets"].items():
                asset["href"] = f"http://{HOST}:{server.port}/data/{names[item['id'], key]}"
        Items.from_dicts(items).to_parquet(tmp_path / "items.parquet")
        config = tiny.write_config(
            tmp_path / "run.yaml", archive, tiny.tiny_model(tmp_path / "models"),
            source=str(tmp_path / "items.parquet"), store=str(tmp_path / "cubes.zarr"),
            catalog={"allow_hosts": [HOST], "signing_url": f"http://127.0.0.1:{server.port}/token/w0"},
        )  # fmt: skip
        forget_files()
        with caplog.at_level(logging.DEBUG):
            done = run(config)
    assert done.done == len(sent) == 4
    # Each file is opened once, and no token is asked for while the last one lives.
    assert set(server.opens.values()) == {1}
    assert set(server.statuses) <= {200, 206, 403}
    ((_, times),) = server.issued.items()
    assert all(later - earlier > 0.85 * LIFETIME_S for earlier, later in itertools.pairwise(times))
    assert len(times) > 1
    kept = canary.left_by(done, str(tmp_path / "cubes.zarr"))
    canary.assert_lacks(kept | {"log": canary.logged(caplog), "sent": b"".join(sent)}, "c4n4ry", "sig=")
