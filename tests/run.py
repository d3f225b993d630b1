"""Run the tests, each folder in a process of its own: ``python -m tests.run [options of pytest]``.

Processes that start servers, compile networks and load native libraries are best kept apart: what one leaves behind
reaches no other, and one that dies is named together with the test that it died in. Its folder is run once more, so
that a lost process is told from a broken test; both the death and the second result are printed at the end.
A process that does not end is made to print where its threads are, and counts as one that died.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUDGET_S = {
    "tests": 60,
    "tests/browser": 60,
    "tests/catalog": 60,
    "tests/change": 150,
    "tests/cli": 90,
    "tests/cube": 120,
    "tests/fronts": 60,
    "tests/models": 60,
    "tests/predict": 120,
    "tests/publish": 60,
    "tests/real": 60,
    "tests/runs": 150,
    "tests/score": 60,
    "tests/server": 120,
    "tests/simulate": 90,
    "tests/train": 150,
}
"""Seconds that a folder may take on a quiet machine, two side by side; the longest begin first."""

TOTAL_S = 15 * 60
_LIMIT_S = 20 * 60  # of one process
_GRACE_S = 5
_COUNTS = ("passed", "failed", "skipped")


@dataclass
class Result:
    """How the tests of one folder ended."""

    folder: str
    code: int
    seconds: float
    output: str
    ended: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def died(self) -> bool:
        """Whether the process ended otherwise than pytest ends: by a signal, or without the line of its counts."""
        return self.code < 0 or not self.ended

    @property
    def red(self) -> bool:
        """Whether anything failed; a folder without tests is no failure."""
        return self.died or self.code not in {0, 5}

    def death(self) -> str:
        """Name what the process died of, and the test that it died in."""
        cause = signal.Signals(-self.code).name if self.code < 0 else f"exit status {self.code}"
        names = re.findall(r"^(tests/\S+::\S+)", self.output, flags=re.MULTILINE)
        return f"{self.folder}: {cause} in or after {names[-1] if names else 'no test'}"


def folders(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the folders with tests, the longest first, each with what pytest is to collect."""
    found = {f"tests/{path.name}": [f"tests/{path.name}"] for path in (root / "tests").iterdir() if path.is_dir()}
    found = {name: paths for name, paths in found.items() if any((root / name).glob("test_*.py"))}
    if files := sorted(f"tests/{path.name}" for path in (root / "tests").glob("test_*.py")):
        found["tests"] = files
    return dict(sorted(found.items(), key=lambda item: -BUDGET_S.get(item[0], TOTAL_S)))


def run(folder: str, paths: list[str], options: list[str], root: Path = ROOT, limit_s: float = _LIMIT_S) -> Result:
    """Run the tests of one folder in a process of its own, and end what it leaves behind."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-v", *options, *paths]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGABRT)  # pytest's fault handler prints the stack of each thread
            time.sleep(_GRACE_S)
            code = -signal.SIGABRT
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        log.seek(0)
        output = log.read().decode(errors="replace")
    last = next((line for line in reversed(output.splitlines()) if re.search(r"^=+ .* in [\d.]+s", line)), "")
    counts = Counter({word.removesuffix("s"): int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", last)})
    counts["failed"] += counts.pop("error", 0)
    return Result(folder, code, time.monotonic() - begin, output, bool(last), counts)


def _shown(result: Result) -> str:
    """Return the output without a line for each test that passed."""
    lines = result.output.splitlines()
    kept = [line for line in lines if not re.match(r"tests/\S+::.* (PASSED|SKIPPED)", line)]
    return "\n".join([f"== {result.folder} ({result.seconds:.0f} s)", *kept])


def main(options: list[str], workers: int, root: Path = ROOT) -> int:
    """Run every folder, `workers` at a time; return 1 where a test failed or a process died twice."""
    begin = time.monotonic()
    deaths = []

    def one(item: tuple[str, list[str]]) -> Result:
        result = run(*item, options, root)
        if result.died:
            print(_shown(result), f"-- {result.death()}; its folder is run once more", sep="\n", flush=True)
            deaths.append(result.death())
            result = run(*item, options, root)
        print(_shown(result), flush=True)
        return result

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        results = list(pool.map(one, folders(root).items()))
    wall, total = time.monotonic() - begin, sum((result.counts for result in results), Counter())
    print(f"\n{'folder':<18}{'tests':>7}{'seconds':>9}{'budget':>8}")
    for name, tests, seconds, budget in [
        *((r.folder, sum(r.counts[c] for c in _COUNTS), r.seconds, BUDGET_S.get(r.folder, 0)) for r in results),
        ("wall time", sum(total[c] for c in _COUNTS), wall, TOTAL_S),
    ]:
        print(f"{name:<18}{tests:>7}{seconds:>9.0f}{budget:>8}{'   over budget' if seconds > budget else ''}")
    for death in deaths:
        print(f"a process died: {death}")
    red = [r.death() if r.died else f"{r.folder}: exit status {r.code}" for r in results if r.red]
    for line in red:
        print(f"failed: {line}")
    print(", ".join(f"{total[word]} {word}" for word in _COUNTS))
    return int(bool(red))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], int(os.environ.get("WORKERS", "2"))))
