"""A search kept page by page on disk, so that one which broke off goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from icefront_dask.catalog.items import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

__all__ = ["KeptPage", "KeptPages"]


@dataclass(frozen=True)
class KeptPage:
    """What one page has brought.

    Parameters
    ----------
    table : pyarrow.Table or None
        Its items that touch a region and are new.
    touching : list of (str, str)
        Collection and id of all its items that touch the region.
    following : dict, optional
        Link to the next page; ``None`` at the end.
    without_geometry : list of str
        Ids of its items without a footprint.
    """

    table: pa.Table | None
    touching: list[tuple[str, str]]
    following: dict[str, Any] | None
    without_geometry: list[str]


class KeptPages:
    """Pages of one search in a folder: ``REGION-PAGE.parquet``, and ``.json``, which is written last.

    Parameters
    ----------
    folder : Path, optional
        Without it nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, region: int) -> Iterator[KeptPage]:
        """Yield the whole pages of a region that were kept, in their order."""
        if self._folder is None:
            return
        number = 0
        while (note := self._path(self._folder, region, number, "json")).exists():
            content = json.loads(note.read_text(encoding="utf-8"))
            table = note.with_suffix(".parquet")
            yield KeptPage(
                read_table(table) if table.exists() else None,
                [(collection, name) for collection, name in content["touching"]],
                content["following"],
                content["without_geometry"],
            )
            number += 1

    def write(self, region: int, number: int, page: KeptPage) -> None:
        """Keep a page."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        note = self._path(self._folder, region, number, "json")
        if page.table is not None:
            part = note.with_suffix(".part")
            pq.write_table(page.table, part)
            part.replace(note.with_suffix(".parquet"))
        content = {
            "touching": page.touching,
            "following": page.following,
            "without_geometry": page.without_geometry,
        }
        part = note.with_suffix(".part")
        with part.open("w", encoding="utf-8") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(note)

    def forget(self, region: int) -> None:
        """Remove the pages of a region."""
        if self._folder is not None:
            for path in self._folder.glob(f"{region:05d}-*"):
                path.unlink()

    def remove(self) -> None:
        """Remove all pages."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _path(folder: Path, region: int, number: int, suffix: str) -> Path:
        return folder / f"{region:05d}-{number:06d}.{suffix}"
