"""The lock of a run folder, what killed writers left in it, and digests of files."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from icefront_dask.errors import StoreError
from icefront_dask.publish.files import write_atomically, write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["file_sha256", "locked", "remove_temporary", "write_atomically", "write_bytes"]

# Ours, of zarr's local store, and of `Items.to_parquet`.
_TEMPORARY = (".temporary", ".partial", ".part")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_temporary(folder: Path) -> int:
    """Remove what killed writers left under a run folder; to be called by the holder of its lock only.

    Returns
    -------
    int
        The number of files removed.
    """
    removed = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(_TEMPORARY):
                (folder / parent / name).unlink(missing_ok=True)
                removed += 1
    return removed


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder; the system frees it when the process ends in whatever way.

    Raises
    ------
    StoreError
        If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"output folder {folder} is in use by another icefront run; wait for it or choose another"
            ) from None
        yield
