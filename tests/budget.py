"""Pytest plugin (``-p tests.budget``): how long each folder of tests took, beside its budget.

Seconds are those of the tests themselves, summed over worker processes; ``make test`` may take 15 minutes of
wall time on two cores.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

BUDGET_S = {
    "tests": 90,
    "tests/browser": 40,
    "tests/catalog": 60,
    "tests/change": 60,
    "tests/cli": 60,
    "tests/cluster": 90,
    "tests/cube": 60,
    "tests/fronts": 60,
    "tests/gpu": 60,
    "tests/models": 60,
    "tests/predict": 60,
    "tests/publish": 60,
    "tests/real": 120,
    "tests/runs": 120,
    "tests/score": 30,
    "tests/server": 120,
    "tests/simulate": 90,
    "tests/train": 120,
}
OTHER_S = 40
TOTAL_S = 15 * 60

_seconds: defaultdict[str, float] = defaultdict(float)
_tests: Counter[str] = Counter()
_start = time.monotonic()


def _folder(nodeid: str) -> str:
    return str(PurePosixPath(*PurePosixPath(nodeid.split("::", maxsplit=1)[0]).parent.parts[:2]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a phase of a test to its folder's time."""
    folder = _folder(report.nodeid)
    _seconds[folder] += report.duration
    _tests[folder] += report.when == "call"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if not _seconds:
        return
    terminalreporter.section("time budget")
    terminalreporter.line(f"{'folder':<18}{'tests':>7}{'seconds':>10}{'budget':>9}")
    for folder in sorted(_seconds):
        budget = BUDGET_S.get(folder, OTHER_S)
        over = "   over budget" if _seconds[folder] > budget else ""
        terminalreporter.line(f"{folder:<18}{_tests[folder]:>7}{_seconds[folder]:>10.1f}{budget:>9}{over}")
    wall = time.monotonic() - _start
    over = "   over budget" if wall > TOTAL_S else ""
    terminalreporter.line(f"{'wall time':<18}{sum(_tests.values()):>7}{wall:>10.1f}{TOTAL_S:>9}{over}")
