"""Cubes in Icechunk: written on a branch of their own, committed in batches, published by moving ``main``.

Workers write into forks of one session and hand them back; only the coordinator commits. So a reader sees all of a
batch or nothing of it, and a writer that was killed leaves nothing behind. A plain Zarr store has no commits: the same
calls write to it at once.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from icefront_dask.catalog.stores import azure_account
from icefront_dask.errors import DependencyError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from icefront_dask.cube.store import CubeStore

__all__ = [
    "Batch",
    "batch",
    "commits",
    "drop_branch",
    "fork_source",
    "in_repository",
    "is_current",
    "open_repository",
    "publish",
    "published",
]

PREFIX = "icechunk+"
PUBLISHED = "main"
_HALF_MADE = ("snapshots/", "transactions/", "config.yaml")  # what Icechunk writes before the first branch


class Batch:
    """What is written between two commits of a branch.

    Attributes
    ----------
    session : icechunk.Session or None
        For what the coordinator writes itself; None for a store without commits.
    """

    def __init__(self, session: Any) -> None:
        self.session = session

    def fork(self, cube: CubeStore) -> CubeStore:
        """Return a cube for a worker to write scenes into; nothing may be uncommitted in the session.

        The worker hands the same cube back, with what it wrote, for :meth:`merge`.
        """
        from dataclasses import replace

        return cube if self.session is None else replace(cube, session=self.session.fork())

    def merge(self, cubes: Iterable[CubeStore]) -> None:
        """Take over what workers wrote into forks, of this session or of an earlier one of the branch."""
        if self.session is not None:
            self.session.merge(*(cube.session for cube in cubes))


def in_repository(url: str) -> bool:
    """Return whether a URL names an Icechunk repository."""
    return url.startswith(PREFIX)


@contextmanager
def batch(url: str, branch: str, message: str, metadata: Mapping[str, Any] | None = None) -> Iterator[Batch]:
    """Write to a branch, and commit at the end if nothing failed.

    Parameters
    ----------
    url : str
        ``icechunk+file:///folder``, or with s3, gs or az; the repository is made where it is missing. For a plain
        Zarr store nothing is begun and nothing committed.
    branch : str
        As ``run-2026-01`` (no slash); it is made from what is published where it is missing.
    message : str
        Of the commit.
    metadata : mapping, optional
        Of the commit, JSON-ready; no times, so that repeating a batch repeats it.

    Raises
    ------
    DependencyError
        Without the package icechunk.
    StoreError
        For a URL of another kind.
    """
    if not in_repository(url):
        yield Batch(None)
        return
    session = _writable(url, branch)
    yield Batch(session)
    if session.has_uncommitted_changes:
        session.commit(message, metadata=dict(metadata or {}))


def fork_source(url: str, branch: str) -> Batch:
    """Return a batch to take forks from for as long as a run lasts; it is never committed itself."""
    return Batch(_writable(url, branch) if in_repository(url) else None)


def _writable(url: str, branch: str) -> Any:
    repository = open_repository(url, create=True)
    if branch not in repository.list_branches():
        repository.create_branch(branch, repository.lookup_branch(PUBLISHED))
    return repository.writable_session(branch)


def _holding(url: str, branch: str) -> Any:
    """Return the repository at a URL if it is there and has the branch, else None."""
    if not in_repository(url):
        return None
    try:
        repository = open_repository(url)
    except FileNotFoundError:
        return None
    return repository if branch in repository.list_branches() else None


def commits(url: str, branch: str) -> Iterator[dict[str, Any]]:
    """Yield the metadata of the commits of a branch, the latest first; none where there is no such branch."""
    repository = _holding(url, branch)
    if repository is not None:
        yield from (dict(snapshot.metadata) for snapshot in repository.ancestry(branch=branch))


def is_current(url: str, branch: str) -> bool:
    """Return whether a branch is there and can be published, or has been: nothing else was published meanwhile."""
    repository = _holding(url, branch)
    return repository is not None and _order(repository, branch) is not None


def drop_branch(url: str, branch: str) -> None:
    """Forget what was written to a branch and not published; the next batch begins it from what is published."""
    repository = _holding(url, branch)
    if repository is not None:
        repository.delete_branch(branch)


def publish(url: str, branch: str) -> None:
    """Move ``main`` to the tip of a branch: readers see the new state from then on, whole.

    Nothing happens where it is published already, be it under later commits, and for a plain Zarr store.

    Raises
    ------
    StoreError
        If the branch does not exist, or does not descend from what is published.
    """
    if not in_repository(url):
        return
    repository = open_repository(url)
    if branch not in repository.list_branches():
        raise StoreError(f"{url} has no branch {branch!r}; it has {', '.join(sorted(repository.list_branches()))}")
    order = _order(repository, branch)
    if order is None:
        raise StoreError(
            f"{url}: branch {branch!r} does not descend from what was published since; write it anew from there"
        )
    if order == "ahead":
        before, tip = repository.lookup_branch(PUBLISHED), repository.lookup_branch(branch)
        repository.reset_branch(PUBLISHED, tip, from_snapshot_id=before)


def _order(repository: Any, branch: str) -> str | None:
    """Return whether a branch is ``ahead`` of what is published or ``behind`` it; None where they have parted."""
    before, tip = repository.lookup_branch(PUBLISHED), repository.lookup_branch(branch)
    if any(snapshot.id == tip for snapshot in repository.ancestry(branch=PUBLISHED)):
        return "behind"
    return "ahead" if any(snapshot.id == before for snapshot in repository.ancestry(branch=branch)) else None


def published(url: str) -> Any:
    """Return the Zarr store of what is published, for reading.

    Raises
    ------
    FileNotFoundError
        If there is no repository.
    """
    return open_repository(url).readonly_session(PUBLISHED).store


def open_repository(url: str, *, create: bool = False) -> Any:
    """Return the Icechunk repository at a URL.

    Raises
    ------
    DependencyError
        Without the package icechunk.
    FileNotFoundError
        If there is none and it is not to be made.
    StoreError
        For a URL of another kind, and where one is to be made beside other files.
    """
    try:
        import icechunk
    except ImportError:
        raise DependencyError(
            "Icechunk repositories need the package icechunk; install icefront_dask[icechunk]"
        ) from None
    storage = _storage(icechunk, url)
    if not icechunk.Repository.exists(storage):
        if not create:
            raise FileNotFoundError(f"no Icechunk repository at {url}")
        _remove_half_made(url.removeprefix(PREFIX))
        return icechunk.Repository.open_or_create(storage)
    return icechunk.Repository.open(storage)


def _remove_half_made(url: str) -> None:
    """Remove what a process has left that was killed while it made a repository: its first snapshot, but no branch."""
    from obstore import delete
    from obstore import list as listed
    from obstore.store import from_url

    if url.startswith("file://") and not Path(urlsplit(url).path).exists():
        return
    named: Any = {"account_name": azure_account()} if url.startswith("az://") else {}
    place = from_url(url, **named)
    found = [entry["path"] for page in listed(place) for entry in page]
    if any(not name.startswith(_HALF_MADE) for name in found) or len(found) > len(_HALF_MADE):
        raise StoreError(
            f"{url} is no Icechunk repository and not empty: it holds {found[0]!r}; name another place, or empty it"
        )
    if found:
        delete(place, found)


def _storage(icechunk: Any, url: str) -> Any:
    parts = urlsplit(url.removeprefix(PREFIX))
    prefix = parts.path.strip("/") or None
    if url.startswith(PREFIX):
        if parts.scheme == "file":
            return icechunk.local_filesystem_storage(parts.path)
        if parts.scheme == "s3":
            endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
            return icechunk.s3_storage(
                bucket=parts.netloc,
                prefix=prefix,
                region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
                endpoint_url=endpoint,
                allow_http=bool(endpoint and endpoint.startswith("http://")),
                force_path_style=endpoint is not None,
                from_env=True,
            )
        if parts.scheme == "gs":
            return icechunk.gcs_storage(bucket=parts.netloc, prefix=prefix, from_env=True)
        if parts.scheme == "az":
            account = azure_account()
            return icechunk.azure_storage(account=account, container=parts.netloc, prefix=prefix or "", from_env=True)
    raise StoreError(
        f"{url!r} names no Icechunk repository; write icechunk+file:///folder, icechunk+s3://bucket/prefix, "
        "icechunk+gs://bucket/prefix or icechunk+az://container/prefix"
    )
