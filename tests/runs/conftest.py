"""What tests of whole runs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from icefront_dask.runs import RunResult, run
from tests.cube.buckets import bucket, s3_url
from tests.runs import tiny

if TYPE_CHECKING:
    from pathlib import Path

    from icefront_dask.simulate.archive import Archive

__all__ = ["bucket", "s3_url"]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return an archive of four simulated scenes of one region."""
    return tiny.tiny_archive(tmp_path_factory.mktemp("tiny") / "archive")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a small network's random weights."""
    return tiny.tiny_model(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, archive: Archive, model: Path) -> RunResult:
    """Return a run over the archive that was never interrupted; not to be changed."""
    return run(tiny.write_config(tmp_path_factory.mktemp("finished") / "run.yaml", archive, model))
