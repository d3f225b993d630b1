"""The runner of the tests: what it makes of tests that fail, processes that die and processes that do not end."""

from __future__ import annotations

import pytest

from tests.run import folders, main, run

GOOD = "def test_good():\n    pass\n"
BAD = "def test_bad():\n    assert 1 == 2\n"
GONE = "import os\ndef test_gone():\n    os._exit(0)\n"
KILLED = "import os, signal\ndef test_killed():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
STUCK = "import time\ndef test_stuck():\n    time.sleep(1000)\n"
ONCE = """
import os, pathlib
def test_once():
    mark = pathlib.Path("mark")
    if not mark.exists():
        mark.touch()
        os.abort()
"""


@pytest.fixture
def root(tmp_path):
    def make(**files):
        for name, text in files.items():
            (tmp_path / "tests" / name).mkdir(parents=True)
            (tmp_path / "tests" / name / f"test_{name}.py").write_text(text)
        return tmp_path

    return make


def test_counts_of_tests_that_pass_fail_and_cannot_be_read(root):
    where = root(mixed=GOOD + BAD, broken="import nothing_of_that_name")
    mixed = run("tests/mixed", ["tests/mixed"], [], where)
    assert (mixed.code, mixed.died, mixed.red) == (1, False, True)
    assert mixed.counts["passed"] == mixed.counts["failed"] == 1
    broken = run("tests/broken", ["tests/broken"], [], where)
    assert (broken.died, broken.red, broken.counts["failed"]) == (False, True, 1)


@pytest.mark.parametrize(
    ("text", "limit_s", "death"),
    [
        (GONE, 60, "exit status 0 in or after tests/x/test_x.py::test_gone"),
        (KILLED, 60, "SIGKILL in or after tests/x/test_x.py::test_killed"),
        (STUCK, 30, "SIGABRT in or after tests/x/test_x.py::test_stuck"),
    ],
)
def test_a_death_is_named_with_its_test(root, text, limit_s, death):
    result = run("tests/x", ["tests/x"], [], root(x=GOOD + text), limit_s)
    assert result.died
    assert result.red
    assert result.death() == f"tests/x: {death}"
    assert ("time.sleep(1000)" in text) == ("most recent call first" in result.output)


def test_a_folder_whose_process_died_is_run_once_more_and_said_so(root, capsys):
    where = root(once=ONCE, good=GOOD)
    assert main([], 2, where) == 0
    out = capsys.readouterr().out
    assert "a process died: tests/once: SIGABRT in or after tests/once/test_once.py::test_once" in out
    assert out.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"
    (where / "tests/good/test_good.py").write_text(KILLED)
    assert main([], 2, where) == 1
    assert "failed: tests/good: SIGKILL" in capsys.readouterr().out


def test_every_file_of_tests_is_in_one_folder():
    found = folders()
    assert found["tests"]
    assert "tests/test_run.py" in found["tests"]
    assert {"tests/change", "tests/real", "tests/server"} <= set(found)
