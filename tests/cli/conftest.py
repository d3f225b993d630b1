"""The command line as a function, and the archive of the tests of runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from icefront_dask.cli import main
from tests.runs.conftest import archive, finished, model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["archive", "finished", "model"]


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The object on the last line."""
        return json.loads(self.stdout.splitlines()[-1])

    @property
    def error(self) -> str:
        """The one line of an error, which comes last and without a traceback."""
        assert "Traceback" not in self.stderr
        lines = [line for line in self.stderr.splitlines() if line.startswith("icefront: error: ")]
        assert len(lines) == 1, self.stderr
        assert self.stderr.splitlines()[-1] == lines[0]
        return lines[0].removeprefix("icefront: error: ")


@pytest.fixture
def icefront(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call the command line as ``icefront(*arguments)``."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return call
