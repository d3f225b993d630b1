"""Remote files, read in parts through the one HTTP client and signed part by part."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from icefront_dask.catalog import sign
from icefront_dask.catalog.failures import HttpError
from icefront_dask.catalog.hrefs import check_href
from icefront_dask.catalog.http import http_for
from icefront_dask.errors import CatalogError

if TYPE_CHECKING:
    from icefront_dask.catalog.access import Access
    from icefront_dask.catalog.http import Part

__all__ = ["RemoteFile", "RemoteStream", "fetch", "forget_files", "remote_file"]

_BLOCK = 2**15  # headers, tables of tiles and small tiles are read and kept in blocks of that many bytes
_SMALL = 2  # a range that touches at most that many blocks counts as one of these
_KEPT = 1024  # blocks kept in this process


class RemoteFile:
    """A remote file, read in parts; no byte is asked for before the first read.

    Its small blocks are kept, headers among them, so that a file which is opened again is not asked for again.
    Each request is signed by itself; where it is refused (HTTP 401 or 403) access is renewed once. Threads may share
    it; :func:`remote_file` gives this process's one.

    Parameters
    ----------
    href : str
        Unsigned, and checked.
    access : Access
        How to fetch and sign.

    Attributes
    ----------
    failure : Exception or None
        What made a reading through GDAL fail, which knows no more than that there was nothing.
    """

    def __init__(self, href: str, access: Access) -> None:
        self.href = href
        self.access = access
        self.failure: Exception | None = None
        self.blocks: dict[int, bytes] = {}
        self._lock = threading.RLock()
        self._total: int | None = None
        self._version = ""

    def size(self) -> int:
        """Return the size of the file in bytes."""
        if self._total is None:
            self._block(0)
        assert self._total is not None
        return self._total

    def at(self, start: int, length: int) -> bytes:
        """Return a range of the file, shorter at its end.

        Raises
        ------
        CatalogError
            For a file that cannot be fetched, is larger than ``catalog.max_file_gb`` or has changed since it was
            opened.
        """
        first, last = start // _BLOCK, (start + length - 1) // _BLOCK
        if last - first >= _SMALL or start >= self.size():
            return self._fetched(start, length) if start < self.size() else b""
        joined = b"".join(self._block(number) for number in range(first, last + 1))
        return joined[start - first * _BLOCK :][:length]

    def _block(self, number: int) -> bytes:
        with self._lock:  # threads that open one file at a time ask once
            if number not in self.blocks:
                if self._total is not None and number * _BLOCK >= self._total:
                    return b""
                self.blocks[number] = self._fetched(number * _BLOCK, _BLOCK)
            return self.blocks[number]

    def _fetched(self, start: int, length: int) -> bytes:
        part = _granted(self.href, self.access, start, length)
        with self._lock:
            if self._total is None:
                if part.total > self.access.max_file_gb * 2**30:
                    raise CatalogError(
                        f"{self.href} has {part.total / 2**30:.1f} GB, more than catalog.max_file_gb; leave the item "
                        "out, or raise the setting"
                    )
                self._total, self._version = part.total, part.version
            elif (self._total, self._version) != (part.total, part.version):
                raise CatalogError(f"{self.href} has changed while it was read; read it again")
        return part.data


class RemoteStream(io.RawIOBase):
    """A remote file as Python's files are, for libraries that read by places."""

    def __init__(self, file: RemoteFile) -> None:
        super().__init__()
        self._file, self._position = file, 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return where the next reading begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        self._position = offset + (self._file.size() if start is None else start)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the file; errors are those of :class:`RemoteFile`."""
        data = self._file.at(self._position, len(buffer)) if len(buffer) else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Files:
    """The files that were read last, by href and access."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[int, Access, str], RemoteFile] = OrderedDict()

    def of(self, href: str, access: Access) -> RemoteFile:
        key = (os.getpid(), access, href)
        with self._lock:
            file = self._files.get(key)
            if file is None or file.failure is not None:
                file = self._files[key] = RemoteFile(href, access)
            self._files.move_to_end(key)
            held = sum(len(other.blocks) for other in self._files.values())
            while held > _KEPT and len(self._files) > 1:
                held -= len(self._files.popitem(last=False)[1].blocks)
            return file

    def clear(self) -> None:
        with self._lock:
            self._files.clear()


_FILES = _Files()


def forget_files() -> None:
    """Forget what this process keeps of remote files."""
    _FILES.clear()


def remote_file(href: str, access: Access, owner: str = "href") -> RemoteFile:
    """Return this process's view of a remote file, a new one after a failure.

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
    return _FILES.of(check_href(href, owner=owner, allow_hosts=access.trusted()), access)


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
    file = remote_file(href, access, owner)
    if file.size() > limit:
        raise CatalogError(f"{owner}: {href} has {file.size()} bytes; a file of that kind has at most {limit}")
    return file.at(0, file.size())
