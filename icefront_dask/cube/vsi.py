"""Remote files as GDAL sees them: names in a file system of its own, whose bytes come from our own client.

GDAL follows redirects and resolves names by itself, and cannot be kept from it. So it never speaks to an archive:
what it reads is fetched, checked, signed and tried again by :class:`icefront_dask.catalog.remote.RemoteFile`, in the
thread that reads, whether or not that holds the interpreter's lock. No address and no signature is known to GDAL.

The file system is rasterio's plugin for openers, installed once a process: GDAL's table of file systems has no lock,
and the plugin's own tables belong to the context in which it was installed, where files are opened and closed.
"""

from __future__ import annotations

import atexit
import contextvars
import io
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import rasterio
from affine import Affine
from rasterio.abc import MultiByteRangeResourceContainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from icefront_dask.catalog.remote import RemoteFile

__all__ = ["FileSystem", "Mounted", "Request", "file_system", "requests_for"]

_GAP = 4096  # bytes between two ranges that are fetched rather than asked for apart
_LONGEST = 2**24  # bytes of a request that ranges are put together to
_ANCHOR = "anchor.tif"


class Request(NamedTuple):
    """A part of a file that holds several wanted ranges, `ranges` of them."""

    start: int
    length: int
    ranges: int


def requests_for(offsets: Sequence[int], sizes: Sequence[int]) -> list[Request]:
    """Return the fewest requests for ranges: neighbours are one, up to 16 MB.

    Parameters
    ----------
    offsets, sizes : sequence of int
        Ranges in bytes, in ascending order and without overlap.
    """
    out: list[Request] = []
    for start, size in zip(offsets, sizes, strict=True):
        if out:
            first, length, ranges = out[-1]
            if start - first - length <= _GAP and start + size - first <= _LONGEST:
                out[-1] = Request(first, start + size - first, ranges + 1)
                continue
        out.append(Request(start, size, 1))
    return out


class Mounted:
    """A remote file under a name that GDAL knows, until it is taken out again.

    Attributes
    ----------
    name : str
        GDAL's name of it.
    failure : Exception or None
        What made a reading fail. GDAL's callbacks cannot raise: a reading is short then, and several ranges at once
        are zeros, so that who reads has to look here afterwards.
    """

    def __init__(self, file: RemoteFile, name: str) -> None:
        self.name = name
        self.failure: Exception | None = None
        self._file = file

    def size(self) -> int:
        """Return the size in bytes, 0 after a failure."""
        return self._kept(self._file.size) or 0

    def at(self, start: int, length: int) -> bytes:
        """Return a range, short at the end of the file and after a failure."""
        return self._kept(self._file.at, start, length) or b""

    def ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Return several ranges, by as many requests at a time as one host may be sent."""
        requests = requests_for(offsets, sizes)
        if len(requests) == 1:
            parts = [self.at(requests[0].start, requests[0].length)]
        else:
            pool = _pool(self._file.access.connections_per_host)
            parts = list(pool.map(self.at, *zip(*((r.start, r.length) for r in requests), strict=True)))
        wanted, out = zip(offsets, sizes, strict=True), []
        for request, part in zip(requests, parts, strict=True):
            for start, size in itertools.islice(wanted, request.ranges):
                data = part[start - request.start :][:size]
                if len(data) < size and self.failure is None:
                    self.failure = EOFError(f"the file ends before byte {start + size}")
                out.append(data.ljust(size, b"\0"))
        return out

    def _kept(self, call: Callable[..., Any], *args: int) -> Any:
        if self.failure is None:
            try:
                return call(*args)
            except Exception as error:  # noqa: BLE001  raised again by who reads
                self.failure = self._file.failure = error
        return None


class _Handle:
    """An open mounted file, as Python's files are; in one thread at a time."""

    def __init__(self, file: Mounted) -> None:
        self._file, self._position = file, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = (0, self._position, self._file.size() if whence == os.SEEK_END else 0)[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int) -> bytes:
        data = self._file.at(self._position, size)
        self._position += len(data)
        return data

    def get_byte_ranges(self, offsets: list[int], sizes: list[int]) -> list[bytes]:
        return self._file.ranges(offsets, sizes)


class _Files(MultiByteRangeResourceContainer):  # type: ignore[misc]
    """What the plugin asks for files by their names."""

    def __init__(self, anchor: bytes) -> None:
        self.mounted: dict[str, Mounted] = {}
        self._anchor = anchor

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        name = path.rpartition("/")[2]
        if name == _ANCHOR:
            return io.BytesIO(self._anchor)
        if name not in self.mounted or not set(mode) <= set("rb"):
            raise FileNotFoundError(path)
        return _Handle(self.mounted[name])

    def isfile(self, path: str) -> bool:
        return path.rpartition("/")[2] in self.mounted

    def isdir(self, _path: str) -> bool:
        return False

    def ls(self, _path: str) -> list[str]:
        return []

    def mtime(self, _path: str) -> int:
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, path: str) -> int:
        return self.mounted[path.rpartition("/")[2]].size()


class FileSystem:
    """The file system of this process; :func:`file_system` gives the one there is.

    rasterio installs it for one data set and as long as that is open: a tiny one, which is never read.
    """

    def __init__(self) -> None:
        self._files = _Files(_tiny())
        self._numbers = itertools.count()
        self._context = contextvars.copy_context()
        self._anchor = self._context.run(rasterio.open, _ANCHOR, driver="GTiff", sharing=False, opener=self._files)
        self._prefix = self._anchor.name.removesuffix(_ANCHOR)
        atexit.register(self._context.run, self._anchor.close)

    def __len__(self) -> int:
        """Return the number of files that are mounted."""
        return len(self._files.mounted)

    def mount(self, file: RemoteFile) -> Mounted:
        """Give a remote file a name; :meth:`unmount` takes it away."""
        name = f"{next(self._numbers)}.tif"
        mounted = self._files.mounted[name] = Mounted(file, self._prefix + name)
        return mounted

    def unmount(self, mounted: Mounted) -> None:
        """Forget a file, which has been closed."""
        self._files.mounted.pop(mounted.name.removeprefix(self._prefix), None)

    def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what a call returns that opens or closes mounted files."""
        return self._context.copy().run(call, *args, **kwargs)


def _tiny() -> bytes:
    """Return a GeoTIFF of one pixel."""
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", dtype="uint8", count=1, height=1, width=1, transform=Affine.scale(2.0)):
            pass
        return bytes(memory.read())


_lock = threading.Lock()
_systems: list[FileSystem] = []
_pools: dict[int, ThreadPoolExecutor] = {}


def file_system() -> FileSystem:
    """Return this process's file system, installed when it is asked for first."""
    with _lock:
        if not _systems:
            _systems.append(FileSystem())
        return _systems[0]


def _pool(threads: int) -> ThreadPoolExecutor:
    """Return this process's threads that fetch; those of another process do not survive a fork."""
    with _lock:
        pool = _pools.get(os.getpid())
        if pool is None:
            pool = _pools[os.getpid()] = ThreadPoolExecutor(threads, thread_name_prefix="icefront-fetch")
        return pool
