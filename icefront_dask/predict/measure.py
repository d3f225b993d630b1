"""Which engine is the fastest on this machine: measured once, kept in the user's cache folder.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import tempfile
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icefront_dask.predict.engine import Engine

__all__ = ["cache_file", "fastest", "machine", "measured"]

_LOG = logging.getLogger(__name__)
_SIDE_PX, _ROUNDS, _CHANNELS = 512, 3, 4
_NETWORK = {
    "in_channels": _CHANNELS, "out_channels": 2, "width": 32, "depth": 4, "fold": 2, "norm": "batch", "pooling": False,
}  # fmt: skip


def cache_file() -> Path:
    """Return where the measurement is kept: ``$XDG_CACHE_HOME/icefront/engines.json``, by default in ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "icefront" / "engines.json"


@cache
def machine() -> str:
    """Return a digest of what decides which engine is fast: processor, GPU, releases of the libraries, the network."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = sorted({line for line in lines if line.startswith(("model name", "flags"))})
    except OSError:
        cpu = [platform.processor()]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    facts = [platform.machine(), *cpu, os.cpu_count(), gpu, torch.__version__, _release("openvino"), _NETWORK]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _release(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def fastest(candidates: Sequence[str]) -> str:
    """Return the engine that `measured` found fastest here, by the cached figures where there are some.

    Parameters
    ----------
    candidates : sequence of str
        Keys of `icefront_dask.predict.engine.ENGINES` that this machine can run; a single one is not measured.
    """
    if len(candidates) == 1:
        return candidates[0]
    path, key = cache_file(), f"{machine()} {' '.join(sorted(candidates))}"
    known = _read(path)
    if key not in known:
        known[key] = measured(candidates)
        _LOG.info("engines measured on this machine, CPU seconds a tile of %d px: %s", _SIDE_PX, known[key])
        _write(path, known)
    seconds = known[key]
    return min(candidates, key=lambda name: seconds[name])


def measured(candidates: Sequence[str]) -> dict[str, float]:
    """Measure engines on one tile, by turns in one thread.

    Returns
    -------
    dict
        Least seconds of a forward pass by engine: CPU seconds of the process, so that other work on the machine
        counts little; elapsed seconds with a GPU.
    """
    from icefront_dask.models import registry
    from icefront_dask.predict.engine import ENGINES, make_engine

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = registry.build("unet_aspp", _NETWORK).eval()
    batch = np.random.default_rng(0).normal(size=(1, _CHANNELS, _SIDE_PX, _SIDE_PX)).astype(np.float32)
    engines: dict[str, Engine] = {name: make_engine(network, name, 1) for name in candidates}
    least = dict.fromkeys(candidates, float("inf"))
    for attempt in range(1 + _ROUNDS):
        for name, engine in engines.items():
            clock = time.perf_counter if ENGINES[name].device == "cuda" else time.process_time
            start = clock()
            engine(batch)
            if attempt:  # the first pass compiles
                least[name] = min(least[name], clock() - start)
    return least


def _read(path: Path) -> dict[str, dict[str, float]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there yet, or cut off: measured again
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, known: dict[str, dict[str, float]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        Path(file.name).replace(path)
    except OSError as error:
        _LOG.warning("the engines measured cannot be kept in %s (%s); they are measured again next time", path, error)
