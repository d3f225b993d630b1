"""Where the cubes of a run lie, and when what its units wrote is there for good.

A plain Zarr store is written at once. In an Icechunk repository units write into forks on a branch of the run; these
are committed in batches, whose metadata hold the units' records, and published when the last unit is done.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.config import section
from icefront_dask.cube import CubeStore, open_layers, prepare_store
from icefront_dask.cube.extend import check_store, is_finished
from icefront_dask.cube.ground import has_layers
from icefront_dask.cube.repository import (
    Batch,
    batch,
    commits,
    drop_branch,
    fork_source,
    in_repository,
    is_current,
    publish,
)
from icefront_dask.errors import StoreError
from icefront_dask.runs.prediction import create_prediction, has_prediction
from icefront_dask.runs.work import LayersUnit, WorkUnit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy.typing as npt

    from icefront_dask.runs.ledger import Ledger
    from icefront_dask.runs.planning import Plan
    from icefront_dask.runs.spec import GroupSpec, RunSpec

__all__ = ["RunStore", "cube_of", "region_elevation"]

CUBE = "cube.zarr"


def cube_of(spec: RunSpec, folder: Path, region: str, family: str) -> CubeStore:
    """Return the cube of a region and family of a run, for reading."""
    return CubeStore(_url(spec, folder), f"{region}/{family}")


def _url(spec: RunSpec, folder: Path) -> str:
    return str(spec.content["store"] or folder / CUBE)


def region_elevation(spec: RunSpec, cube: CubeStore) -> npt.NDArray[np.float32] | None:
    """Return the elevation (y, x) that the store of a cube of a run holds, float32, metres above the geoid.

    None where the region states none.
    """
    region = cube.group.partition("/")[0]
    return None if spec.regions[region].elevation is None else _elevation(cube)


@lru_cache(maxsize=8)
def _elevation(cube: CubeStore) -> npt.NDArray[np.float32]:
    return np.asarray(open_layers(cube)["elevation"].compute(scheduler="synchronous"))


class RunStore:
    """The store of a run: its own, or one that the run file names and that may hold other scenes.

    Parameters
    ----------
    plan : Plan
        Of the run.
    ledger : Ledger
        What is done of it.
    """

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self.url = _url(plan.spec, plan.output)
        self._plan, self._ledger = plan, ledger
        self._branch = f"run-{plan.spec.sha256[:16]}"
        self._size = int(section("runs")["units_per_commit"])
        self._cubes: dict[tuple[str, str], tuple[CubeStore, list[int]]] = {}
        self._ended: list[tuple[WorkUnit, CubeStore, list[dict[str, Any]]]] = []
        self._source = Batch(None)

    def recover(self) -> None:
        """Record the units that were committed and, as the run was killed, not recorded.

        Raises
        ------
        StoreError
            If the store has not what the ledger records, or something else was published in it since.
        """
        committed: dict[str, Any] = {}
        for metadata in commits(self.url, self._branch):
            if metadata.get("spec_sha256") != self._plan.spec.sha256:
                break
            committed |= metadata.get("units", {})
        for unit in self._plan.units:
            record = committed.get(unit.key)
            if record and not self._ledger.is_done(unit) and self._ledger.fronts_part(unit.key).exists():
                self._ledger.write(replace(unit, slots=tuple(record["slots"])), record["scenes"])
        if any(self._ledger.part(unit.key).exists() for unit in self._plan.units):
            self._require()
        else:
            drop_branch(self.url, self._branch)

    def _require(self) -> None:
        """Refuse a store that has lost what is done."""
        if in_repository(self.url):
            if not is_current(self.url, self._branch):
                raise StoreError(
                    f"{self.url} has lost the branch {self._branch!r} of this run, or another run has published there "
                    f"since this one began; choose another output folder than {self._plan.output}"
                )
            return
        spec = self._plan.spec
        for cube in (cube_of(spec, self._plan.output, group.region, group.family) for group in spec.groups):
            if not is_finished(cube):
                raise StoreError(
                    f"{cube.url} has lost the cube {cube.group}, of which units are recorded as done in "
                    f"{self._plan.output}; choose another output folder"
                )

    def prepare(self) -> list[LayersUnit]:
        """Make the cubes and predictions of the run, or give its scenes their slots in those that are there.

        Returns
        -------
        list of LayersUnit
            What is to be done before :meth:`begin`: layers of regions that the store does not hold yet.

        Raises
        ------
        StoreError
            For a store that cannot hold the run's scenes; the message names the difference.
        """
        spec = self._plan.spec
        attributes = None if spec.content["store"] else {"spec_sha256": spec.sha256}
        without = []
        with self._batch("slots") as at:
            for group in spec.groups:  # all of them before anything is written
                self._check(group, at.session)
            for group in spec.groups:
                region = spec.regions[group.region]
                scenes = self._plan.scenes(group.region, group.family)
                grid = region.geobox(group.resolution_m)
                cube, slots = prepare_store(
                    self.url, scenes, region, group.family, grid, group.variables, attributes, session=at.session
                )
                create_prediction(cube, _identity(spec, group))
                if not has_layers(cube, region):
                    without.append(group)
                self._cubes[group.region, group.family] = replace(cube, session=None), slots
        self._source = fork_source(self.url, self._branch)
        return [
            LayersUnit(f"{group.region}.{group.family}.layers", group.region, group.family, self._fork(group))
            for group in without
        ]

    def _check(self, group: GroupSpec, session: Any) -> None:
        """Refuse a cube that cannot hold what the run would write."""
        region = self._plan.spec.regions[group.region]
        cube = CubeStore(self.url, f"{group.region}/{group.family}", session)
        if is_finished(cube):
            scenes = self._plan.scenes(group.region, group.family)
            check_store(cube, scenes, region.geobox(group.resolution_m), group.variables)
            _check_variables(cube, group)
            has_prediction(cube, _identity(self._plan.spec, group))
            has_layers(cube, region)

    def _fork(self, of: GroupSpec | WorkUnit) -> CubeStore:
        return self._source.fork(self._cubes[of.region, of.family][0])

    def keep_layers(self, cubes: Iterable[CubeStore]) -> None:
        """Take over layers that were written."""
        with self._batch("layers") as at:
            at.merge(cubes)
        self._source = fork_source(self.url, self._branch)  # units read them

    def begin(self, unit: WorkUnit) -> WorkUnit:
        """Return a unit as it goes to a worker: with its slots in the store, and what it writes through."""
        _, slots = self._cubes[unit.region, unit.family]
        return replace(unit, slots=tuple(slots[number] for number in unit.slots), cube=self._fork(unit))

    def ended(self, unit: WorkUnit, result: tuple[CubeStore, list[dict[str, Any]]] | None) -> None:
        """Take what a worker has brought of a unit, and commit where it is time."""
        if result is not None:
            self._ended.append((unit, *result))
            if len(self._ended) >= self._size:
                self.commit()

    def commit(self) -> None:
        """Commit the units that have ended, and record them as done."""
        if not self._ended:
            return
        units = {unit.key: {"slots": list(unit.slots), "scenes": rows} for unit, _, rows in self._ended}
        with self._batch("units", units=units) as at:
            at.merge([cube for _, cube, _ in self._ended])
        for unit, _, rows in self._ended:
            self._ledger.write(unit, rows)
        self._ended.clear()

    def publish(self) -> None:
        """Let readers see what the run has written: all of it or nothing.

        Raises
        ------
        StoreError
            If another run has published since this one began.
        """
        publish(self.url, self._branch)

    def _batch(self, what: str, **metadata: Any) -> AbstractContextManager[Batch]:
        sha256 = self._plan.spec.sha256
        return batch(self.url, self._branch, f"run {sha256[:16]}: {what}", {"spec_sha256": sha256, **metadata})


def _check_variables(cube: CubeStore, group: GroupSpec) -> None:
    template: Any = cube.open("r").attrs["template"]
    held = list(template["variables"])
    if sorted(held) != sorted(group.variables):
        raise StoreError(
            f"{cube.url}/{cube.group} holds {', '.join(held)}, the run would write {', '.join(group.variables)}; "
            f"use another store, or have the run file say variables: {{{group.family}: [{', '.join(held)}]}}"
        )


def _identity(spec: RunSpec, group: GroupSpec) -> dict[str, str]:
    """Return what predictions of one store have in common."""
    how = json.dumps([spec.section("predict"), group.members], sort_keys=True)
    return {
        "model": group.model,
        "model_sha256": group.model_sha256,
        "settings_sha256": hashlib.sha256(how.encode()).hexdigest(),
    }
