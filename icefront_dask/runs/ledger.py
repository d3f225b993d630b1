"""The ledger: one Parquet part a finished unit, the truth about what is done.

A part is written last, after the pixels and the fronts of its unit, by temporary file, fsync and rename.
It has one row a scene and carries no clock time: a unit of one specification always gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from icefront_dask.errors import StoreError
from icefront_dask.runs.files import file_sha256, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

    from icefront_dask.runs.work import WorkUnit

__all__ = ["SCHEMA", "Ledger"]

SCHEMA = pa.schema(
    [
        pa.field("unit", pa.string(), nullable=False),  # key: names spec, region, family, block, scenes
        pa.field("spec_sha256", pa.string(), nullable=False),
        pa.field("region", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("block", pa.int32(), nullable=False),
        pa.field("slot", pa.int32(), nullable=False),  # place of the scene along the cube's time axis
        pa.field("scene_id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # done | failed
        pa.field("reason", pa.string()),  # why a scene failed, else null
        pa.field("n_fronts", pa.int32(), nullable=False),  # rows of the fronts part that have a geometry
        pa.field("pixels_sha256", pa.string(), nullable=False),  # of the scene's arrays as stored in the cube
        pa.field("fronts_sha256", pa.string(), nullable=False),  # of the unit's fronts part, the file
    ]
)


class Ledger:
    """The ledger parts and fronts parts of one run folder.

    Parameters
    ----------
    root : Path
        The run folder; parts lie in ``ledger/<unit>.parquet`` and ``parts/<unit>.parquet``.
    spec_sha256 : str
        Hash of the run's frozen specification.
    """

    def __init__(self, root: Path, spec_sha256: str) -> None:
        self.root = root
        self.spec_sha256 = spec_sha256

    def part(self, key: str) -> Path:
        """Return the path of a unit's ledger part."""
        return self.root / "ledger" / f"{key}.parquet"

    def fronts_part(self, key: str) -> Path:
        """Return the path of a unit's fronts part."""
        return self.root / "parts" / f"{key}.parquet"

    def write(self, unit: WorkUnit, rows: Sequence[dict[str, object]]) -> None:
        """Record a finished unit.

        Parameters
        ----------
        unit : WorkUnit
            The unit, whose fronts part and pixels are on disk.
        rows : sequence of dict
            One a scene in the order of ``unit.scenes``, with the columns status, reason, n_fronts and
            pixels_sha256.
        """
        fronts_sha256 = file_sha256(self.fronts_part(unit.key))
        records = [
            {
                "unit": unit.key,
                "spec_sha256": self.spec_sha256,
                "region": unit.region,
                "family": unit.family,
                "block": unit.block,
                "slot": slot,
                "scene_id": scene.scene_id,
                "fronts_sha256": fronts_sha256,
                **row,
            }
            for slot, scene, row in zip(unit.slots, unit.scenes, rows, strict=True)
        ]
        table = pa.Table.from_pylist(records, schema=SCHEMA)
        write_atomically(self.part(unit.key), lambda path: pq.write_table(table, path, compression="zstd"))

    def is_done(self, unit: WorkUnit) -> bool:
        """Say whether a unit is recorded and its fronts part is the one that was recorded.

        Raises
        ------
        StoreError
            If a part cannot be read or belongs to another specification.
        """
        path = self.part(unit.key)
        if not path.exists():
            return False
        table = self._read(path)
        recorded = {(row["spec_sha256"], row["unit"], row["scene_id"]) for row in table.to_pylist()}
        expected = {(self.spec_sha256, unit.key, scene.scene_id) for scene in unit.scenes}
        if recorded != expected:
            raise StoreError(f"ledger part {path} records another unit; remove it and run again")
        fronts = self.fronts_part(unit.key)
        return fronts.exists() and {file_sha256(fronts)} == set(table["fronts_sha256"].to_pylist())

    def table(self, units: Iterable[WorkUnit]) -> pa.Table:
        """Return the rows of the given units that are recorded, in the units' order."""
        parts = [self._read(path) for unit in units if (path := self.part(unit.key)).exists()]
        return pa.concat_tables(parts) if parts else SCHEMA.empty_table()

    def frame(self, units: Iterable[WorkUnit]) -> pd.DataFrame:
        """Return `table` as a DataFrame."""
        frame: pd.DataFrame = self.table(units).to_pandas()
        return frame

    @staticmethod
    def _read(path: Path) -> pa.Table:
        try:
            table = pq.read_table(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(f"ledger part {path} cannot be read ({error}); remove it and run again") from error
        if not table.schema.equals(SCHEMA):
            raise StoreError(f"ledger part {path} has another schema; remove it and run again")
        return table
