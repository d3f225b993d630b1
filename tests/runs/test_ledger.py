"""The ledger: what it records, when it believes it, and that its bytes repeat."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icefront_dask.cube import scenes as group_scenes
from icefront_dask.errors import StoreError
from icefront_dask.runs import files
from icefront_dask.runs.ledger import SCHEMA, Ledger
from icefront_dask.runs.work import WorkUnit, blocks
from tests.cube import builders

SPEC = "5" * 64


@dataclass(frozen=True)
class OneScene:
    scene_id: str
    item_ids: tuple[str, ...] = ()


def make_unit(spec: str = SPEC) -> WorkUnit:
    (unit,) = blocks(spec, "helheim", "landsat", [OneScene("a"), OneScene("b")], 2)
    return unit


def rows() -> list[dict[str, object]]:
    return [
        {"status": "done", "reason": None, "n_fronts": 2, "pixels_sha256": "1" * 64},
        {
            "status": "failed",
            "reason": "item b: asset hh is truncated",
            "n_fronts": 0,
            "pixels_sha256": "2" * 64,
        },
    ]


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path, SPEC)
    files.write_bytes(ledger.fronts_part(make_unit().key), b"the fronts")
    return ledger


def test_a_unit_is_done_once_written(ledger):
    unit = make_unit()
    assert not ledger.is_done(unit)
    ledger.write(unit, rows())
    assert ledger.is_done(unit)
    frame = ledger.frame([unit])
    assert list(frame["scene_id"]) == ["a", "b"]
    assert list(frame["slot"]) == [0, 1]
    assert list(frame["status"]) == ["done", "failed"]
    assert ledger.table([unit]).schema.equals(SCHEMA)


def test_the_same_unit_gives_the_same_bytes(ledger):
    unit = make_unit()
    ledger.write(unit, rows())
    first = ledger.part(unit.key).read_bytes()
    ledger.write(unit, rows())
    assert ledger.part(unit.key).read_bytes() == first


def test_fronts_that_changed_or_vanished_are_not_believed(ledger):
    unit = make_unit()
    ledger.write(unit, rows())
    files.write_bytes(ledger.fronts_part(unit.key), b"other fronts")
    assert not ledger.is_done(unit)
    ledger.fronts_part(unit.key).unlink()
    assert not ledger.is_done(unit)


def test_a_part_of_another_unit_or_no_part_at_all_is_refused(ledger):
    unit = make_unit()
    ledger.write(unit, rows())
    with pytest.raises(StoreError, match="records another unit"):
        Ledger(ledger.root, "6" * 64).is_done(unit)
    ledger.part(unit.key).write_bytes(b"PAR1 torn")
    with pytest.raises(StoreError, match="cannot be read"):
        ledger.is_done(unit)
    pq.write_table(pa.table({"unit": ["x"]}), ledger.part(unit.key))
    with pytest.raises(StoreError, match="another schema"):
        ledger.is_done(unit)


def test_one_row_a_scene_is_demanded(ledger):
    with pytest.raises(ValueError):
        ledger.write(make_unit(), rows()[:1])


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a" / "file"
    files.write_bytes(path, b"old")

    def torn(temporary):
        temporary.write_bytes(b"ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(path, torn)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_temporary_files_of_killed_writers_are_removed(tmp_path):
    (tmp_path / "c" / "0").mkdir(parents=True)
    for name in ("c/0/0.1f.partial", "c/.x.parquet.12.ab.temporary", "c/0/0"):
        (tmp_path / name).write_bytes(b"")
    assert files.remove_temporary(tmp_path) == 2
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["0"]


def test_a_folder_is_locked_for_one_run(tmp_path):
    with files.locked(tmp_path), pytest.raises(StoreError, match="in use"), files.locked(tmp_path):
        pass
    with files.locked(tmp_path):
        pass


def test_a_unit_travels_small_and_comes_back_equal():
    for scenes in (1, 4, 64):
        found = group_scenes([builders.archive_item(n) for n in range(scenes)])
        unit = next(blocks(SPEC, "helheim", "landsat", found, scenes))
        assert len(unit.scenes) == scenes
        content = pickle.dumps(unit)
        assert pickle.loads(content) == unit
        assert len(content) <= 2048 + 512 * scenes
