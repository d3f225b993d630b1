"""A run that is killed at any point and started again ends with the same bytes and redoes no finished unit."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.runs import tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from icefront_dask.cli import main; main()", "run"]


def kill_when(config: Path, reached: Callable[[Path], bool], *options: str, limit_s: float = 240) -> bool:
    """Start a run and kill it as soon as its folder has reached a point; False if it ended before."""
    out = config.parent / "out"
    with subprocess.Popen([*COMMAND, str(config), *options], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + limit_s
        while process.poll() is None and not reached(out):
            assert time.monotonic() < deadline, "the run neither reached the point nor ended"
            time.sleep(0.002)
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        error = process.stderr.read().decode()
    assert not ended or process.returncode == 0, error
    return not ended


def finish(config: Path) -> None:
    subprocess.run([*COMMAND, str(config), "--workers", "0"], check=True, capture_output=True, timeout=240)


def parts(out: Path) -> dict[Path, int]:
    """Ledger parts and when they were written."""
    return {path: path.stat().st_mtime_ns for path in sorted((out / "ledger").glob("*.parquet"))}


def shard_written(out: Path) -> bool:
    return any((out / "cube.zarr").glob("*/*/quality/c/*/0/0"))


@pytest.mark.timeout(900)
def test_three_kills_change_no_byte(finished, archive, model, tmp_path):
    config = tiny.write_config(tmp_path / "run.yaml", archive, model)
    out = tmp_path / "out"

    # Pixels of the first scene are in the cube, and on an idle machine nothing is in the ledger.
    assert kill_when(config, shard_written, "--workers", "0")
    begun = parts(out)
    # Some units are done, and two worker processes are at the others.
    assert kill_when(config, lambda folder: len(parts(folder)) >= 1, "--workers", "2")
    first = parts(out)
    assert len(first) >= 1
    assert begun.items() <= first.items()
    # All units are done, the products are being written.
    assert kill_when(config, lambda folder: (folder / "fronts.parquet").exists(), "--workers", "0")
    second = parts(out)
    assert len(second) == 4
    assert first.items() <= second.items()

    finish(config)
    assert parts(out) == second
    assert tiny.tree(out) == tiny.tree(finished.output)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_many_kills_at_random_moments_change_no_byte(finished, archive, model, tmp_path, seed):
    config = tiny.write_config(tmp_path / "run.yaml", archive, model)
    out = tmp_path / "out"
    draw = random.Random(seed)
    done: dict[Path, int] = {}
    for _ in range(8):
        wait_s = draw.uniform(2, 20)
        begin = time.monotonic()
        kill_when(
            config,
            lambda _, begin=begin, wait_s=wait_s: time.monotonic() - begin > wait_s,
            "--workers",
            draw.choice(["0", "2"]),
        )
        now = parts(out)
        assert done.items() <= now.items()
        done = now
    finish(config)
    assert done.items() <= parts(out).items()
    assert tiny.tree(out) == tiny.tree(finished.output)
