"""The driver: bounded window, released futures, failures that stop nothing else."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from icefront_dask.errors import ReadError
from icefront_dask.runs import window
from icefront_dask.runs.window import drive
from icefront_dask.runs.work import WorkUnit, blocks


@dataclass(frozen=True)
class OneScene:
    scene_id: str
    item_ids: tuple[str, ...] = ()


def make_units(count: int) -> list[WorkUnit]:
    scenes = [OneScene(f"s{i}") for i in range(count)]
    return list(blocks("0" * 64, "helheim", "sentinel-1", scenes, 1))


def touch(folder: str, unit: WorkUnit) -> None:
    (Path(folder) / str(unit.block)).write_text("done")


def fail_on(blocks: tuple[int, ...], error: type[Exception], unit: WorkUnit) -> None:
    if unit.block in blocks:
        raise error(f"item {unit.scenes[0].scene_id}\nis broken")


def die(unit: WorkUnit) -> None:
    os._exit(7)


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_blocks_cover_the_scenes_once_and_in_order():
    scenes = [OneScene(f"s{i}") for i in range(7)]
    units = list(blocks("a" * 64, "r", "landsat", scenes, 3))
    assert [slot for unit in units for slot in unit.slots] == list(range(7))
    assert [scene for unit in units for scene in unit.scenes] == scenes
    assert [len(unit.scenes) for unit in units] == [3, 3, 1]
    assert len({unit.key for unit in units}) == 3


def test_unit_key_depends_on_spec_and_scenes():
    scenes = [OneScene("a"), OneScene("b")]
    (first,) = blocks("a" * 64, "r", "landsat", scenes, 2)
    (again,) = blocks("a" * 64, "r", "landsat", scenes, 2)
    (other_spec,) = blocks("b" * 64, "r", "landsat", scenes, 2)
    (other_scenes,) = blocks("a" * 64, "r", "landsat", scenes[:1], 2)
    assert first.key == again.key
    assert len({first.key, other_spec.key, other_scenes.key}) == 3


@pytest.mark.parametrize("where", ["here", "client"])
def test_every_unit_is_done_once(where, client, tmp_path):
    units = make_units(9)
    ended = list(drive(units, partial(touch, str(tmp_path)), client=client if where == "client" else None, window=2))
    assert {unit.block for unit, _ in ended} == set(range(9))
    assert all(failure is None for _, failure in ended)
    assert {path.name for path in tmp_path.iterdir()} == {str(i) for i in range(9)}


@pytest.mark.parametrize("where", ["here", "client"])
def test_failed_units_are_reported_in_one_line_and_the_others_go_on(where, client):
    work = partial(fail_on, (1, 3), ReadError)
    ended = dict(drive(make_units(5), work, client=client if where == "client" else None, window=2))
    failures = {unit.block: failure for unit, failure in ended.items() if failure}
    assert sorted(failures) == [1, 3]
    assert str(failures[3]) == "helheim/sentinel-1 block 3: item s3 is broken"
    assert len(ended) == 5


@pytest.mark.parametrize("where", ["here", "client"])
def test_a_defect_is_raised_as_it_is(where, client):
    work = partial(fail_on, (2,), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError, match="item s2"):
        list(drive(make_units(5), work, client=client if where == "client" else None, window=2))


def test_no_more_than_the_window_is_submitted_and_futures_are_released(client):
    taken = 0

    def counted():
        nonlocal taken
        for unit in make_units(12):
            taken += 1
            yield unit

    for ended, _ in enumerate(drive(counted(), fail_nothing, client=client, window=3), start=1):
        assert taken <= ended + 3
        assert len(client.futures) <= 4
    assert taken == 12
    deadline = time.monotonic() + 5  # releases reach the client's table through its event loop
    while client.futures and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not client.futures


def fail_nothing(unit: WorkUnit) -> bytes:
    return b"x" * 1000


def test_runs_with_equal_units_do_not_share_results_on_one_scheduler(client, tmp_path):
    units = make_units(1)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first = drive(units, partial(touch, str(folders[0])), client=client)
    second = drive(units, partial(touch, str(folders[1])), client=client)
    assert len([*first, *second]) == 2
    assert all((folder / "0").exists() for folder in folders)


def test_a_worker_that_dies_fails_its_unit_only():
    import dask.config

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        Client(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as client,
    ):
        ((unit, failure),) = drive(make_units(1), die, client=client)
    assert unit.block == 0
    assert "worker died" in str(failure)


def test_resources_are_asked_of_workers_that_state_them(client):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0", resources={"GPU": 1}
        ) as cluster,
        Client(cluster) as with_gpu,
    ):
        for one, asked in ((with_gpu, {"GPU": 1.0}), (client, None)):
            assert window._stated(one, {"GPU": 1.0}) == asked
            ended = list(drive(make_units(3), fail_nothing, client=one, resources={"GPU": 1.0}))
            assert [failure for _, failure in ended] == [None] * 3
