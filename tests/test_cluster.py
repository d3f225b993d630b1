"""``connect``: local processes, addresses, and what it says where a cluster cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import dask.config
import pytest
from distributed import LocalCluster

from icefront_dask import cluster, connect
from icefront_dask.errors import ConfigError, DependencyError, InputError

try:
    import dask_gateway  # before any dask.config.set, which would take its defaults away with it
except ImportError:
    dask_gateway = None

needs_gateway = pytest.mark.skipif(dask_gateway is None, reason="dask-gateway is not installed")


def test_local_processes_end_with_their_client():
    with connect(workers=1, threads=2) as client:
        assert list(client.nthreads().values()) == [2]
        (pid,) = client.run(os.getpid).values()
        assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


STUCK = """
import distributed.nanny
from icefront_dask import connect

async def kill(self, *args, **kwargs):
    raise TimeoutError

if __name__ == "__main__":
    with connect(workers=1) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        distributed.nanny.WorkerProcess.kill = kill
    client.close()
    del client
"""


def test_workers_that_do_not_end_in_time_keep_no_process_waiting(tmp_path):
    (tmp_path / "stuck.py").write_text(STUCK)
    command = [sys.executable, str(tmp_path / "stuck.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "did not end in time" in done.stderr


def test_an_address_is_used_and_its_cluster_outlives_the_client():
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:  # fmt: skip
        for _ in range(2):
            with connect(cluster.scheduler_address) as client:
                assert client.submit(sum, [1, 2]).result() == 3


def test_an_address_without_a_scheduler_is_named():
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:9 .*check the address"):
        connect("tcp://127.0.0.1:9", timeout_s=1)


@needs_gateway
def test_a_gateway_must_be_configured():
    with dask.config.set({"gateway.address": None}), pytest.raises(ConfigError, match=r"gateway\.address"):
        connect("gateway")


@needs_gateway
def test_an_unreachable_gateway_is_named():
    with (
        dask.config.set({"gateway.address": "http://127.0.0.1:9"}),
        pytest.raises(InputError, match=r"http://127\.0\.0\.1:9"),
    ):
        connect()


@pytest.mark.skipif(
    find_spec("dask_cuda") is not None and shutil.which("nvidia-smi") is not None,
    reason="GPUs can be used here",
)
def test_gpus_without_dask_cuda_or_a_driver_name_the_remedy():
    with pytest.raises(DependencyError, match=r"icefront_dask\[cuda\]"):
        connect(gpus="all")


def test_a_gateway_is_asked_for_a_gpu_a_worker_or_says_that_it_offers_none():
    assert cluster._with_gpus({"image": "x", "gpus": 0}) == {"image": "x", "gpus": 1}
    with pytest.raises(ConfigError, match=r"offers no cluster option gpu .*only image"):
        cluster._with_gpus({"image": "x"})


def test_options_that_exclude_each_other():
    with pytest.raises(ConfigError, match="not both"):
        connect("tcp://127.0.0.1:9", gpus=1)
    with pytest.raises(ConfigError, match="at least 1"):
        connect(workers=0)
