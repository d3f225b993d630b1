"""Writing into a run folder so that a killed process leaves the old file or the new one, never a part."""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "TEMPORARY_SUFFIXES",
    "file_sha256",
    "locked",
    "remove_temporary",
    "write_atomically",
    "write_bytes",
]

# Ours, and the one of zarr's local store.
TEMPORARY_SUFFIXES = (".temporary", ".partial")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, force it to disk and rename it to `path`.

    Parameters
    ----------
    path : Path
        The file to make or replace; its folder is made where it is missing.
    write : callable
        Called with the path of the temporary file, which it has to create and close.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.temporary")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_temporary(folder: Path) -> int:
    """Remove what killed writers left under `folder`; to be called by the holder of the folder's lock only.

    Returns
    -------
    int
        The number of files removed.
    """
    removed = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(TEMPORARY_SUFFIXES):
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
