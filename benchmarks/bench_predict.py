"""Engines and the Dask map against each other and against the convolution peak, in turns in one run.

    python benchmarks/bench_predict.py [--threads 2] [--rounds 5]

Takes about a minute at most on an idle machine. The last line is one JSON object; ratios are medians over the
rounds, in each of which every candidate runs once, in alternating order.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

import dask
import numpy as np
import rioxarray  # noqa: F401  registers data.rio
import torch
import xarray as xr
from torch.utils.flop_counter import FlopCounterMode

from icefront_dask.models import registry
from icefront_dask.predict import get_model, predict_scene, resolve_engine, resolve_options, segment
from icefront_dask.predict.engine import TorchEngine

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE, BATCH = 256, 4
SCENE, SCENES = 384, 4
NETWORK = {"in_channels": 3, "out_channels": 2, "width": 16, "norm": "batch", "pooling": False}


BUDGET_S = 25
"""No new round begins after so long, twice in the whole: a loaded machine makes fewer rounds."""


def in_turns(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate in each round, forwards and backwards by turns, after one run to warm up."""
    end = time.perf_counter() + BUDGET_S
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds):
        if number and time.perf_counter() > end:
            break
        order = list(candidates.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    pairs = zip(seconds[slow], seconds[fast], strict=True)
    return round(statistics.median(first / second for first, second in pairs), 3)


def convolutions(dtype: torch.dtype) -> dict[str, tuple[Callable[[], object], float]]:
    """3 × 3 convolutions of 64, 128 and 256 channels at 256², with their GFLOP."""
    found = {}
    for width in (64, 128, 256):
        layer = torch.nn.Conv2d(width, width, 3, padding=1, bias=False).to(dtype, memory_format=torch.channels_last)
        source = torch.randn(1, width, SIDE, SIDE).to(dtype, memory_format=torch.channels_last)
        gflop = 2 * 9 * width**2 * SIDE**2 / 1e9
        found[f"conv{width}-{str(dtype)[6:]}"] = (lambda layer=layer, source=source: layer(source), gflop)
    return found


def engines(threads: int, rounds: int) -> dict[str, object]:
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    network = registry.build("unet_aspp", NETWORK).eval()
    batch = np.random.default_rng(0).normal(size=(BATCH, 3, SIDE, SIDE)).astype(np.float32)
    plain = torch.from_numpy(batch)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(plain[:1])
    gflop = counter.get_total_flops() / 1e9
    auto = resolve_engine("auto")
    names = dict.fromkeys(["torch-fp32", "torch-bf16", auto])
    candidates: dict[str, Callable[[], object]] = {"plain-fp32-nchw": lambda: network(plain)}
    for name in names:
        engine = TorchEngine(network, name, threads)
        candidates[name] = lambda engine=engine: engine(batch)
    peaks = convolutions(torch.float32) | convolutions(torch.bfloat16)
    with torch.inference_mode():
        seconds = in_turns(candidates | {name: run for name, (run, _) in peaks.items()}, rounds)
    peak = {
        dtype: max(peaks[name][1] / statistics.median(seconds[name]) for name in peaks if name.endswith(dtype))
        for dtype in ("float32", "bfloat16")
    }
    rates = {name: BATCH / statistics.median(seconds[name]) for name in candidates}
    return {
        "threads": threads,
        "gflop_per_image": round(gflop, 2),
        "peak_gflop_per_s": {name: round(value) for name, value in peak.items()},
        "images_per_s": {name: round(value, 1) for name, value in rates.items()},
        "share_of_peak": {
            name: round(rates[name] * gflop / peak["bfloat16" if name.endswith("bf16") else "float32"], 3)
            for name in rates
            if not name.startswith("cuda")
        },
        "times_plain_fp32": {name: ratio(seconds, "plain-fp32-nchw", name) for name in names},
        "auto": auto,
        "rounds": len(seconds["plain-fp32-nchw"]),
    }


def dask_map(threads: int, rounds: int) -> dict[str, object]:
    """The lazy map over time steps against a bare loop that calls the same kernel."""
    power = np.random.default_rng(1).gamma(4, 0.02, (SCENES, SCENE, SCENE)).astype(np.float32)
    cube = xr.Dataset(
        {"hh": (("time", "y", "x"), power)},
        {"y": -20.0 * np.arange(SCENE), "x": 20.0 * np.arange(SCENE)},
        {"calibration": "gamma0"},
    ).rio.write_crs("EPSG:3413")
    name, sha256 = registry.fingerprint(registry.choose(["hh"], "gamma0"))
    options = resolve_options(threads=threads)
    model = get_model(name, sha256, options.engine, threads)

    def bare() -> None:
        for scene in power:
            predict_scene(
                {"hh": scene},
                pixel_size_m=20,
                calibration="gamma0",
                network=model.engine,
                options=options,
                primary=model.card.primary,
                cross=model.card.cross,
            )

    lazy = segment(cube, threads=threads)

    def mapped() -> None:
        dask.compute(lazy["ice"].data, scheduler="synchronous")

    seconds = in_turns({"bare": bare, "mapped": mapped}, rounds)
    return {
        "model": name,
        "scenes_per_s": round(SCENES / statistics.median(seconds["bare"]), 2),
        "rounds": len(seconds["bare"]),
        "mapped_over_bare": ratio(seconds, "mapped", "bare"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="threads of a forward pass")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    result = {
        "benchmark": "bench_predict",
        "torch": torch.__version__,
        **engines(arguments.threads, arguments.rounds),
        "dask": dask_map(arguments.threads, arguments.rounds),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
