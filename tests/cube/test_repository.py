"""Cubes in Icechunk and in object stores."""

from __future__ import annotations

import pickle
import uuid
from dataclasses import replace

import numpy as np
import obstore
import pytest
import xarray as xr

from icefront_dask.cube import CubeStore, create_store, open_cube, scenes, write_scenes
from icefront_dask.cube.repository import batch, open_repository, publish
from icefront_dask.errors import StoreError
from tests.cube import writers
from tests.cube.writers import REGION, RESOLUTION_M, items, pixels


def test_readers_see_nothing_until_it_is_published_and_then_all(tmp_path):
    url = f"icechunk+file://{tmp_path}/cube"
    found = scenes(items(), REGION, "sentinel-1")
    with batch(url, "run-1", "template") as begun:
        cube = create_store(
            url, found, REGION, "sentinel-1", REGION.geobox(RESOLUTION_M), ("hh", "hv"), session=begun.session
        )
    with batch(url, "run-1", "first", {"spec": "abc"}) as at:
        # As it goes to a worker and comes back.
        forks = [pickle.loads(pickle.dumps(at.fork(cube))) for _ in range(2)]
        for number, fork in enumerate(forks):
            write_scenes(fork, [number], pixels(number))
        at.merge(pickle.loads(pickle.dumps(fork)) for fork in forks)
    with pytest.raises(StoreError, match="no cube at"):
        open_cube(url, region="helheim")
    publish(url, "run-1")
    seen = open_cube(url)
    np.testing.assert_array_equal(seen.hh[1], pixels(1)["hh"][0])
    assert np.isnan(seen.gap_fraction[2])
    history = list(open_repository(url).ancestry(branch="main"))
    assert [snapshot.message for snapshot in history][:2] == ["first", "template"]
    assert history[0].metadata == {"spec": "abc"}
    with batch(url, "run-1", "second") as at:
        write_scenes(at.fork(cube), [2], pixels(2))  # never handed back: a worker that died
    publish(url, "run-1")
    assert np.isnan(open_cube(url).gap_fraction[2])


def test_a_batch_that_fails_leaves_the_branch_as_it_was(tmp_path):
    url = f"icechunk+file://{tmp_path}/cube"
    writers.write(url)
    before = writers.content(url)
    tip = open_repository(url).lookup_branch("run-1")
    found = CubeStore(url, "helheim/sentinel-1")

    def broken():
        with batch(url, "run-1", "broken") as at:
            write_scenes(replace(found, session=at.session), [0], pixels(5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert open_repository(url).lookup_branch("run-1") == tip
    assert writers.content(url) == before


def test_publishing_never_drops_what_another_run_published(tmp_path):
    url = f"icechunk+file://{tmp_path}/cube"
    with batch(url, "run-1", "one") as at:
        at.session.store  # noqa: B018
    with batch(url, "run-2", "two") as at:
        create_store(
            url,
            scenes(items(), REGION, "sentinel-1"),
            REGION,
            "sentinel-1",
            REGION.geobox(RESOLUTION_M),
            ("hh",),
            session=at.session,
        )
    with batch(url, "run-1", "one") as at:
        create_store(
            url,
            scenes(items()[:1], REGION, "sentinel-1"),
            REGION,
            "sentinel-1",
            REGION.geobox(RESOLUTION_M),
            ("hh",),
            session=at.session,
        )
    publish(url, "run-2")
    with pytest.raises(StoreError, match="does not descend"):
        publish(url, "run-1")
    with pytest.raises(StoreError, match="no branch 'run-3'; it has main, run-1, run-2"):
        publish(url, "run-3")
    assert open_cube(url).sizes["time"] == writers.SCENES


def test_every_store_holds_the_same_cube(tmp_path, bucket):
    urls = [
        str(tmp_path / "local"),
        f"s3://{bucket}/same",
        f"icechunk+file://{tmp_path}/ice",
        f"icechunk+s3://{bucket}/same-ice",
    ]
    for url in urls:
        writers.write(url)
    cubes = [open_cube(url).compute() for url in urls]
    for cube in cubes[1:]:
        xr.testing.assert_identical(cube, cubes[0])
    assert writers.content(urls[0]) == writers.content(urls[1])  # object for object, byte for byte


def test_other_urls_are_refused(tmp_path):
    for url in (str(tmp_path), "icechunk+ftp://x/y", "icechunk+/x"):
        with pytest.raises(StoreError, match=r"icechunk\+s3://bucket/prefix"):
            open_repository(url)
    with pytest.raises(StoreError, match="no cube at"):
        open_cube(f"icechunk+file://{tmp_path}/absent")


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_a_repository_that_was_half_made_is_made_again(kind, tmp_path, bucket):
    """Killed after the first snapshot and before the first branch: Icechunk itself refuses such a place."""
    from obstore.store import from_url

    name = f"half-{uuid.uuid4().hex[:8]}"
    plain = f"s3://{bucket}/{name}" if kind == "s3" else f"file://{tmp_path}/{name}"
    with batch(f"icechunk+{plain}", "run-1", "x"):
        pass
    place = from_url(plain)
    refs = [entry["path"] for page in obstore.list(place, "refs") for entry in page]
    assert refs
    obstore.delete(place, refs)
    assert [entry["path"] for page in obstore.list(place) for entry in page]
    with batch(f"icechunk+{plain}", "run-1", "x"):
        pass
    assert "run-1" in open_repository(f"icechunk+{plain}").list_branches()


def test_other_files_are_not_taken_for_leftovers(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with (
        pytest.raises(StoreError, match=r"not empty: it holds 'notes/a\.txt'"),
        batch(f"icechunk+file://{tmp_path}", "r", "x"),
    ):
        pass
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"
