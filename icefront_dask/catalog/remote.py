"""Remote files, read in parts through the one HTTP client and signed part by part."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from icefront_dask.catalog import sign
from icefront_dask.catalog.failures import HttpError
from icefront_dask.catalog.hrefs import check_href
from icefront_dask.catalog.http import http_for
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from icefront_dask.catalog.access import Access
    from icefront_dask.catalog.http import Part

__all__ = ["RemoteFile", "fetch", "forget_files"]

_BLOCK = 2**15  # headers, tables of tiles and small tiles are read and kept in blocks of that many bytes
_SMALL = 2**14  # a read of at most that many bytes counts as one of these
_AHEAD = 2**16  # least read-ahead of a run of reads that follow one another
_MAX_AHEAD = 2**20
_GAP = 64  # bytes between tiles that follow one another
_KEPT = 1024  # blocks kept in this process


class _Kept:
    """What this process keeps of one file: its size, its version and its small blocks."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.total: int | None = None
        self.version = ""
        self.blocks: dict[int, bytes] = {}


class _Files:
    """The files that were read last, by href and access."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[int, Access, str], _Kept] = OrderedDict()

    def of(self, href: str, access: Access) -> _Kept:
        key = (os.getpid(), access, href)
        with self._lock:
            kept = self._files.setdefault(key, _Kept())
            self._files.move_to_end(key)
            held = sum(len(file.blocks) for file in self._files.values())
            while held > _KEPT and len(self._files) > 1:
                held -= len(self._files.popitem(last=False)[1].blocks)
            return kept

    def clear(self) -> None:
        with self._lock:
            self._files.clear()


_FILES = _Files()


def forget_files() -> None:
    """Forget what this process keeps of remote files."""
    _FILES.clear()


class RemoteFile(io.RawIOBase):
    """A remote file as a binary file object for reading; no byte is asked for before the first read.

    Headers are kept for the whole process, so that a file which is opened again is not asked for again. Each
    request is signed by itself; where it is refused (HTTP 401 or 403) access is renewed once. A read that fails
    returns no bytes and leaves its cause in ``failure``: GDAL, whose callbacks cannot raise, then fails by itself.

    Parameters
    ----------
    href : str
        Unsigned.
    access : Access
        How to fetch and sign.
    owner : str
        What the href belongs to, for messages.

    Raises
    ------
    CatalogError
        For an href that may not be opened.
    """

    def __init__(self, href: str, access: Access, owner: str = "href") -> None:
        super().__init__()
        self.href = check_href(href, owner=owner, allow_hosts=access.trusted())
        self.access = access
        self.failure: Exception | None = None
        self._kept = _FILES.of(href, access)
        self._position = 0
        self._run = b""  # what was read last, and from where
        self._run_start = 0
        self._ahead = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; the size is asked for only where the end is counted from."""
        if whence == io.SEEK_END:
            try:
                offset += self.size()
            except Exception as error:  # noqa: BLE001  raised again by whoever finds it in `failure`
                self.failure = self.failure or error
        elif whence == io.SEEK_CUR:
            offset += self._position
        self._position = max(offset, 0)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the position on, none after a failure."""
        try:
            data = self.at(self._position, self.size() - self._position if size < 0 else size)
        except Exception as error:  # noqa: BLE001  raised again by whoever finds it in `failure`
            self.failure = self.failure or error
            return b""
        self._position += len(data)
        return data

    def size(self) -> int:
        """Return the size of the file in bytes."""
        if self._kept.total is None:
            self._block(0)
        assert self._kept.total is not None
        return self._kept.total

    def at(self, start: int, length: int) -> bytes:
        """Return a range of the file, shorter at its end.

        Raises
        ------
        CatalogError
            For a file that cannot be fetched, is larger than ``catalog.max_file_gb`` or has changed since it was
            opened.
        """
        if length <= 0:
            return b""
        inside = start - self._run_start
        if inside >= 0 and inside + length <= len(self._run):
            return self._run[inside : inside + length]
        if length <= _SMALL:
            first, last = start // _BLOCK, (start + length - 1) // _BLOCK
            joined = b"".join(self._block(number) for number in range(first, last + 1))
            return joined[start - first * _BLOCK :][:length]
        return self._large(start, length)

    def _large(self, start: int, length: int) -> bytes:
        follows = 0 <= start - self._run_start - len(self._run) <= _GAP or start < self._run_start + len(self._run)
        follows = follows and start >= self._run_start and bool(self._run)
        self._ahead = min(max(2 * self._ahead, _AHEAD), _MAX_AHEAD) if follows else 0
        held = b""
        if follows and start < self._run_start + len(self._run):
            held = self._run[start - self._run_start :]
        wanted = min(length + self._ahead, max(self.size() - start, 0))
        data = held + self._fetched(start + len(held), wanted - len(held)) if wanted > len(held) else held
        self._run, self._run_start = data, start
        return data[:length]

    def _block(self, number: int) -> bytes:
        kept = self._kept
        with kept.lock:  # threads that open one file at a time ask once
            if number not in kept.blocks:
                if kept.total is not None and number * _BLOCK >= kept.total:
                    return b""
                kept.blocks[number] = self._fetched(number * _BLOCK, _BLOCK)
            return kept.blocks[number]

    def _fetched(self, start: int, length: int) -> bytes:
        part = _granted(self.href, self.access, start, length)
        kept = self._kept
        with kept.lock:
            if kept.total is None:
                self._check_size(part.total)
                kept.total, kept.version = part.total, part.version
            elif (kept.total, kept.version) != (part.total, part.version):
                kept.total, kept.version, kept.blocks = None, "", {}
                self._run = b""
                raise CatalogError(f"{self.href} has changed while it was read; read it again")
        return part.data

    def _check_size(self, total: int) -> None:
        if total > self.access.max_file_gb * 2**30:
            raise CatalogError(
                f"{self.href} has {total / 2**30:.1f} GB, more than catalog.max_file_gb; leave the item out, or raise "
                "the setting"
            )


def _granted(href: str, access: Access, start: int, length: int) -> Part:
    """Sign and fetch a range; where access is refused, once more with new access."""
    grants, http = sign.signer(access), http_for(access)
    url = grants.sign(href)
    try:
        return http.part(url, start, length)
    except HttpError as error:
        if error.status not in {401, 403}:
            raise
        grants.forget(href, url)
        renewed = grants.sign(href)
        if renewed == url:
            raise
    return http.part(renewed, start, length)


def fetch(href: str, access: Access, owner: str = "href", limit: int = 2**24) -> bytes:
    """Return a whole small remote file, such as a metadata file, signed and checked as any other.

    Raises
    ------
    CatalogError
        For an href that may not be opened, a file that cannot be fetched or has more than `limit` bytes.
    """
    file = RemoteFile(href, access, owner)
    if file.size() > limit:
        raise CatalogError(f"{owner}: {href} has {file.size()} bytes; a file of that kind has at most {limit}")
    return file.at(0, file.size())
