"""A run that is killed at any point and started again ends with the same bytes and redoes no finished unit."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from icefront_dask.cli import main
from icefront_dask.cube import open_cube
from icefront_dask.cube.repository import commits, in_repository, open_repository
from tests.cube import writers
from tests.kills import Processes, kill_often
from tests.runs import tiny

if TYPE_CHECKING:
    from pathlib import Path

STORES = {
    "zarr": None,  # in the run folder
    "zarr-s3": "s3://cubes/run",
    "icechunk-local": "icechunk+file://{folder}/cubes",
    "icechunk-s3": "icechunk+s3://cubes/run",
}
UNITS = 4


@pytest.fixture(scope="module")
def processes():
    return Processes()


def icefront_run(workers: str, config: Path) -> None:
    """Do what the command line does."""
    main(["run", str(config), "--workers", workers])


@dataclass
class Place:
    """Where a run is killed and started again: its run file, its output beside it, its store."""

    config: Path
    store: str | None
    recorded: dict[Path, int] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.config.parent / "out"

    def cleared(self) -> Path:
        """Remove what a run has left, so that the next is of the same specification, and nothing is done."""
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.rmtree(self.config.parent / "cubes", ignore_errors=True)
        if self.store is not None and "s3://" in self.store:
            import boto3

            boto3.resource("s3").Bucket("cubes").objects.filter(Prefix="run/").delete()
        self.recorded = {}
        return self.config

    def parts(self) -> dict[Path, int]:
        """Ledger parts and when they were written."""
        return {path: path.stat().st_mtime_ns for path in sorted((self.out / "ledger").glob("*.parquet"))}

    def nothing_redone(self, _config: Any = None) -> None:
        """Compare with the last time: parts that were there are the same files."""
        now = self.parts()
        assert self.recorded.items() <= now.items()
        self.recorded = now

    def content(self, _config: Any = None) -> dict[str, Any]:
        """Everything that a run leaves, in its folder and in its store."""
        self.nothing_redone()
        assert len(self.recorded) == UNITS
        kept: dict[str, Any] = dict(tiny.tree(self.out))
        if self.store is not None:
            kept |= writers.content(self.store)  # as readers see it, published
            assert open_cube(self.store, family="sentinel-1").sizes["time"] == UNITS // 2
            if in_repository(self.store):
                (branch,) = open_repository(self.store).list_branches() - {"main"}
                units = Counter(key for metadata in commits(self.store, branch) for key in metadata.get("units", {}))
                assert units == dict.fromkeys((path.stem for path in self.recorded), 1)  # none was committed twice
        return kept


@pytest.fixture
def place(request, kind, archive, model, tmp_path) -> Place:
    if kind.endswith("s3"):
        request.getfixturevalue("bucket")
    store = None if STORES[kind] is None else STORES[kind].format(folder=tmp_path)
    named = {} if store is None else {"store": store}
    config = tiny.write_config(
        tmp_path / "run.yaml", archive, model, runs={"scenes_per_unit": 1, "units_per_commit": 1}, **named
    )
    return Place(config, store)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["zarr"])
def test_a_kill_at_each_stage_changes_no_byte(processes, finished, place):
    def kill_when(reached, workers):
        assert processes.do(partial(icefront_run, workers), place.config, kill_when=reached)[0]

    # Pixels of the first scene are in the cube, and on an idle machine nothing is in the ledger.
    kill_when(lambda: any((place.out / "cube.zarr").glob("*/*/quality/c/*/0/0")), "0")
    place.nothing_redone()
    # Some units are done, and two worker processes are at the others.
    kill_when(lambda: len(place.parts()) >= 1, "2")
    place.nothing_redone()
    # All units are done, the products are being written.
    kill_when((place.out / "fronts.parquet").exists, "0")
    place.nothing_redone()
    assert len(place.recorded) == UNITS

    processes.do(partial(icefront_run, "0"), place.config)
    place.nothing_redone()
    assert tiny.tree(place.out) == tiny.tree(finished.output)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["icechunk-local"])
def test_four_kills_leave_no_trace(processes, place):
    work = partial(icefront_run, "0")
    kill_often(processes, work, place.cleared, place.content, 4, "0", after_kill=place.nothing_redone)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(("workers", "seeds"), [("0", 8), ("2", 2)])
def test_fifty_kills_leave_no_trace(processes, place, workers, seeds):
    work = partial(icefront_run, workers)
    for seed in range(seeds):
        kill_often(processes, work, place.cleared, place.content, 5, f"{seed}", after_kill=place.nothing_redone)
