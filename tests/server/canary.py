"""What is looked through for secrets: files unpacked, and what was logged."""

from __future__ import annotations

import dataclasses
import pickle
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from icefront_dask.cube import open_cube
from icefront_dask.cube.repository import commits, in_repository, open_repository
from icefront_dask.runs.unit import run_unit
from tests.cube import writers

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "c4n4ryc4n4ryc4n4ry"


def plain(path: Path) -> str | bytes:
    """Return the text of a file, of its rows where it is a table; bytes of anything else."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return table.schema.to_string(show_schema_metadata=True) + str(table.to_pylist())
    return path.read_bytes()


def logged(caplog: Any) -> str:
    """Return what was logged; moto's server runs in this process and logs what it is asked."""
    return "".join(r.getMessage() for r in caplog.records if not r.name.startswith(("werkzeug", "moto", "boto")))


def units_sent(monkeypatch: Any) -> list[bytes]:
    """Return a list that fills with what runs send with each unit, pickled and not compressed."""
    sent: list[bytes] = []

    def do(unit: Any, **how: Any) -> Any:
        sent.append(pickle.dumps([*(getattr(unit, field.name) for field in dataclasses.fields(unit)), how]))
        return run_unit(unit, **how)

    monkeypatch.setattr("icefront_dask.runs.driver.run_unit", do)
    return sent


def left_by(done: Any, store: str) -> dict[str, str | bytes]:
    """Return all that a run has left: its folder, its store, its representations."""
    kept = {path.relative_to(done.output).as_posix(): plain(path) for path in done.output.rglob("*") if path.is_file()}
    unit, content = done.plan.units[0], writers.content(store)
    kept |= {
        "repr": repr(done) + done.plan._repr_html_(),
        "plan": str([dataclasses.asdict(unit) for unit in done.plan.units]),
        "store": str(content) + str(open_cube(store, family=unit.family).scene_id.values),
    }
    if in_repository(store):
        (branch,) = open_repository(store).list_branches() - {"main"}
        kept["commits"] = str(list(commits(store, branch)))
    # What is looked through can be read: scenes and the places of their pixels stand in it.
    scene = unit.scenes[0]
    href = scene.sources[0].bands[0].href
    assert {"spec.json", "fronts.parquet", "report.html"} <= set(kept)
    assert scene.scene_id in kept[f"ledger/{unit.key}.parquet"]
    assert scene.scene_id in kept["store"]
    assert href in kept["items.parquet"]
    assert href in kept["plan"]
    return kept


def assert_lacks(kept: dict[str, str | bytes], *secrets: str) -> None:
    for name, content in kept.items():
        for secret in secrets:
            assert (secret if isinstance(content, str) else secret.encode()) not in content, name
