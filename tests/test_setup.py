"""What the set-up says where it cannot go on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def set_up(**environment):
    return subprocess.run(
        ["/bin/bash", ROOT / "tools" / "setup-venv.sh"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_python_it_says_what_to_install(tmp_path):
    done = set_up(VENV=str(tmp_path / "venv"), PATH=str(tmp_path))
    assert done.returncode == 1
    assert "Python 3.11 or later is missing; install the equivalent of: python3 python3-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_without_a_network_it_says_where_packages_can_come_from(tmp_path):
    done = set_up(
        VENV=str(tmp_path / "venv"),
        PATH=os.environ["PATH"],
        HOME=str(tmp_path),
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_INDEX="1",
    )
    assert done.returncode == 1
    assert "pip could not install the packages" in done.stderr
    assert "PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1" in done.stderr
    assert "Traceback" not in done.stderr


def test_make_set_up_is_not_repeated(tmp_path):
    venv = tmp_path / "venv"
    venv.mkdir()
    for name in ("demo", "test"):
        (venv / f".icefront-{name}").touch()
    dry = ["make", "-n", f"VENV={venv}", "demo"]
    assert "setup-venv" not in subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (venv / ".icefront-demo").unlink()
    again = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "setup-venv.sh dev,plot," in again
    (venv / ".icefront-test").unlink()
    assert (
        "setup-venv.sh plot,openvino\n"
        in subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
