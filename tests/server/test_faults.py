"""Window reads through a server that fails as archives do: nothing is missing, and little is asked for twice."""

from __future__ import annotations

import itertools
import sys

import pytest

from tests.server import faults

FILES = 16
LIFETIME_S = 2.0
pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]

ROUGH = faults.Faults(unavailable=0.10, reset=0.02, truncated=0.01, token_s=LIFETIME_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cogs")
    faults.write_files(path, FILES)
    return path


@pytest.mark.parametrize("reads", [400, pytest.param(2000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])])
def test_windows_through_a_rough_server(folder, reads):
    with faults.serving(folder, faults.Faults()) as calm:
        assert faults.read_all(calm, FILES, reads) == (0, 0)
    with faults.serving(folder, ROUGH, seed=3) as rough:
        holes, wrong = faults.read_all(rough, FILES, reads)
    asked, needed = rough.asked.total(), calm.asked.total()
    failed = {what: n for what, n in rough.statuses.items() if what not in {200, 206}}
    lives = [b - a for times in rough.issued.values() for a, b in itertools.pairwise(times)]
    sys.stdout.write(
        f"\n{reads} reads, holes {holes}, wrong {wrong}, requests {asked} / {needed} = {asked / needed:.3f}, failed "
        f"{failed}, most opens of a file by a worker {max(rough.opens.values())}, tokens "
        f"{ {worker: len(times) for (worker, _), times in rough.issued.items()} }, least apart {min(lives):.2f} s of "
        f"{LIFETIME_S:g}\n"
    )
    assert (holes, wrong) == (0, 0)
    assert asked <= 1.3 * needed
    assert failed[503] > 0.08 * asked
    assert failed["reset"] > 0.008 * asked
    assert failed["truncated"] > 0.002 * asked
    # As many first bytes as files: later readings of a file know its header.
    assert max(calm.opens.values()) <= 2
    assert max(rough.opens.values()) <= 2
    # One token a container, lifetime and worker; it is renewed in the last tenth of its life.
    assert all(len(times) == 1 for times in calm.issued.values())
    assert set(rough.issued) == {("w0", "data"), ("w1", "data")}
    assert all(len(times) > 1 for times in rough.issued.values())
    assert min(lives) > 0.85 * LIFETIME_S
