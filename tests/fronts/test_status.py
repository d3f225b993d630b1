"""The words of a status, and what loading them costs."""

from __future__ import annotations

import subprocess
import sys

import icefront_dask.fronts as room


def test_the_words_come_without_the_libraries_of_the_room():
    code = (
        "import sys; from icefront_dask.fronts.status import Status; "
        "print(sorted({'torch', 'scipy', 'skimage', 'geopandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert {name: getattr(room, name) is not None for name in room.__all__} == dict.fromkeys(room.__all__, True)
    assert set(room.__all__) <= set(dir(room))
