"""One function to get a Dask client: local processes, an address, a Dask Gateway, or one process a GPU."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Literal

import dask.config

from icefront_dask.errors import ConfigError, DependencyError, InputError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connect"]

_GATEWAY = "gateway"
_GPU_OPTIONS = ("gpu", "gpus", "worker_gpus")
_CLOSE_S = 60
_LOG = logging.getLogger(__name__)


def connect(
    address: str | None = None,
    *,
    workers: int | None = None,
    threads: int = 1,
    gpus: int | Literal["all"] | None = None,
    memory_limit: str | float = "auto",
    timeout_s: float = 30,
) -> Client:
    """Return a Dask client for icefront_dask's work.

    Parameters
    ----------
    address : str, optional
        A scheduler's address (``tcp://…``, ``tls://…``), or ``"gateway"`` for a new cluster on the Dask
        Gateway of Dask's configuration. Without one: that gateway if ``gateway.address`` is set, else
        processes on this machine.
    workers : int, optional
        Worker processes; on this machine, as many as the process may use cores by default.
    threads : int
        Threads a worker process. Networks use that many threads themselves, so 1 process a core is the rule.
    gpus : int or "all", optional
        One worker process with one thread a GPU, which states the resource ``GPU``: those of this machine
        (dask-cuda), or with ``"gateway"`` so many workers of a gateway whose cluster options offer GPUs.
    memory_limit : str or float
        Memory a local worker process, as Dask takes it.
    timeout_s : float
        How long to wait for a scheduler that is named by its address.

    Returns
    -------
    Client
        It owns a local cluster that it started: ``client.close()``, or leaving its ``with`` block, ends both.

    Raises
    ------
    DependencyError
        If dask-cuda, a GPU driver or dask-gateway is missing.
    InputError
        If nothing answers at `address`.
    ConfigError
        If options exclude each other.
    """
    if gpus is not None:
        if address == _GATEWAY and gpus != "all":
            return _gateway_client(gpus, gpus=True)
        if address is not None:
            raise ConfigError(
                "connect() takes an address or gpus, not both: GPUs are those of this machine, or so many of a gateway"
            )
        return _gpu_client(gpus, memory_limit)
    if address == _GATEWAY or (address is None and dask.config.get("gateway.address", None)):
        return _gateway_client(workers)
    if address is not None:
        return _remote_client(address, timeout_s)
    return _local_client(workers, threads, memory_limit)


def _local_client(workers: int | None, threads: int, memory_limit: str | float) -> Client:
    from distributed import LocalCluster

    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if count < 1 or threads < 1:
        raise ConfigError(f"connect() needs at least 1 worker and 1 thread, got {count} and {threads}")
    return _owning(
        LocalCluster(
            n_workers=count,
            threads_per_worker=threads,
            processes=True,
            memory_limit=memory_limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        )
    )


def _remote_client(address: str, timeout_s: float) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=timeout_s)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} ({error}); check the address and that it runs"
        ) from error


def _gateway_client(workers: int | None, *, gpus: bool = False) -> Client:
    try:
        from dask_gateway import Gateway, GatewayClusterError, GatewayServerError
    except ImportError as error:
        raise DependencyError(
            "a Dask Gateway needs dask-gateway; install it with: pip install 'icefront_dask[gateway]'"
        ) from error
    if not dask.config.get("gateway.address", None):
        raise ConfigError(
            "no Dask Gateway is configured; set gateway.address in Dask's configuration or "
            "DASK_GATEWAY__ADDRESS in the environment"
        )
    try:
        gateway = Gateway()
        options = _with_gpus(gateway.cluster_options()) if gpus else None
        cluster = gateway.new_cluster(options, shutdown_on_close=True)
    except (OSError, GatewayClusterError, GatewayServerError) as error:
        raise InputError(
            f"the Dask Gateway at {dask.config.get('gateway.address')} gave no cluster ({error}); check its "
            "address and your credentials"
        ) from error
    cluster.scale(workers if workers is not None else 1)
    return _owning(cluster)


def _with_gpus(options: Any) -> Any:
    """Ask for one GPU a worker; its resource is stated by the gateway's ``worker_cmd``."""
    offered = [name for name in _GPU_OPTIONS if name in options]
    if not offered:
        raise ConfigError(
            f"the Dask Gateway offers no cluster option {' or '.join(_GPU_OPTIONS)}, only "
            f"{', '.join(options) or 'none'}; ask its administrator for workers with GPUs, or leave gpus out"
        )
    options[offered[0]] = 1
    return options


def _gpu_client(gpus: int | Literal["all"], memory_limit: str | float) -> Client:
    remedy = "install an NVIDIA driver and: pip install 'icefront_dask[cuda]'"
    try:
        from dask_cuda import LocalCUDACluster
        from pynvml import NVMLError
    except ImportError as error:
        raise DependencyError(f"GPU workers need dask-cuda ({error}); {remedy}") from error
    options: dict[str, Any] = {} if gpus == "all" else {"n_workers": gpus}
    try:
        cluster = LocalCUDACluster(threads_per_worker=1, memory_limit=memory_limit, resources={"GPU": 1}, **options)
    except NVMLError as error:
        raise DependencyError(f"no GPU can be used on this machine ({error}); {remedy}") from error
    return _owning(cluster)


def _owning(cluster: Any) -> Client:
    """Return a client of `cluster` whose ``close`` closes the cluster too."""
    from distributed import Client

    class OwningClient(Client):
        owns = True

        def close(self, *args: Any, **kwargs: Any) -> Any:
            result = super().close(*args, **kwargs)
            if self.owns:
                self.owns = False  # closing a cluster again that did not end in time waits for ever
                try:
                    cluster.close(timeout=_CLOSE_S)
                except TimeoutError:
                    # The work is done and its processes end with this one: no reason to fail.
                    cluster.shutdown_on_close = False
                    _LOG.warning("the workers of %s did not end in time; they end with this process", cluster)
            return result

    return OwningClient(cluster)
