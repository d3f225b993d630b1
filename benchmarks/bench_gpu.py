"""Prediction on an NVIDIA GPU against the same network's bare loop on the device, and against the machine's CPU.

    python benchmarks/bench_gpu.py

The last line is one JSON object; the exit status is 1 where a bound is broken. Without a GPU it says so and exits 0.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from _machine import in_turns, ratios
from _scenes import WHOLE, chosen, scene, settled

from icefront_dask.models import registry
from icefront_dask.predict import get_model, predict_scene

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE, SCENES, ROUNDS = 2048, 4, 5


def measure() -> dict[str, Any]:
    name, sha256 = chosen()
    images = [scene(SIDE, seed) for seed in range(SCENES)]
    network = registry.load(name).network.cuda().to(memory_format=torch.channels_last)
    compiled = torch.compile(network, dynamic=False)
    inputs = torch.randn(1, registry.card(name).architecture_options["in_channels"], SIDE, SIDE, device="cuda").to(
        memory_format=torch.channels_last
    )

    def bare() -> None:
        with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
            for _ in range(SCENES):
                compiled(inputs)
        torch.cuda.synchronize()

    def whole(engine: str) -> None:
        options = settled(engine=engine, **WHOLE)
        model = get_model(name, sha256, options.engine)
        for image in images:
            predict_scene(
                {"hh": image}, pixel_size_m=20, calibration="gamma0", network=model.engines, options=options,
                primary=model.card.primary, cross=model.card.cross,
            )  # fmt: skip

    busy: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            busy.append(torch.cuda.utilization())

    seconds = in_turns({"bare": bare, "ours": lambda: whole("cuda-compile-bf16")}, ROUNDS)
    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(ROUNDS):
        whole("cuda-compile-bf16")
    done.set()
    watcher.join()
    start = time.perf_counter()
    whole("torch-bf16")
    cpu = time.perf_counter() - start
    return {
        "device": torch.cuda.get_device_name(),
        "share_of_bare_loop": round(statistics.median(ratios(seconds, "bare", "ours")), 3),
        "busy_percent": round(float(np.mean(busy))) if busy else None,
        "times_cpu": round(cpu / statistics.median(seconds["ours"]), 1),
    }


BOUNDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "share of the bare loop >= 0.9": lambda found: found["share_of_bare_loop"] >= 0.9,
    "GPU busy >= 90 %": lambda found: (found["busy_percent"] or 0) >= 90,
}


def main() -> int:
    """Print what was measured, the last line as JSON; return the exit status."""
    if not torch.cuda.is_available():
        reason = "no NVIDIA GPU, or no CUDA build of PyTorch"
        print(f"nothing to measure: {reason}")
        print(json.dumps({"benchmark": "bench_gpu", "skipped": reason}))
        return 0
    found = {"benchmark": "bench_gpu", **measure()}
    found["broken"] = [name for name, holds in BOUNDS.items() if not holds(found)]
    print(json.dumps(found))
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
