"""Prediction against the machine's limit, plain code and a peer, and what it promises of graphs and memory.

    python benchmarks/bench_predict.py [--small] [--only end_to_end,dask]

About a quarter of an hour on an idle machine of two cores, two minutes with ``--small``, whose figures of speed say
little. The last line is one JSON object; the exit status is 1 where a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import _predict_precision as reduced
import _predict_promises as promises
import _predict_speed as speed
import torch
from _machine import Peak
from _predict_breakdown import breakdown
from _scenes import settled

if TYPE_CHECKING:
    from collections.abc import Callable


class Sizes(NamedTuple):
    """How much is done."""

    scenes: int
    side: int
    rounds: int
    pairs: int
    cost_scenes: int
    cost_side: int
    tasks: int
    counts: tuple[int, ...]
    grow_side: int
    few: int
    many: int
    widths: tuple[int, ...]
    peak_rounds: int
    real: dict[str, Any]


FULL = Sizes(
    scenes=40, side=2048, rounds=3, pairs=7, cost_scenes=8, cost_side=1024, tasks=500, counts=(1, 4, 16, 64),
    grow_side=512, few=1000, many=100_000, widths=(64, 128, 256), peak_rounds=5, real={},
)  # fmt: skip
SMALL = Sizes(
    scenes=2, side=256, rounds=1, pairs=2, cost_scenes=2, cost_side=256, tasks=40, counts=(1, 2),
    grow_side=128, few=50, many=300, widths=(64,), peak_rounds=1, real={"tta": "none", "most": 1, "side": 256},
)  # fmt: skip


def sections(sizes: Sizes, cores: int, folder: Path) -> dict[str, Callable[[], Any]]:
    @cache
    def peak() -> Peak:
        return Peak(cores, sizes.widths, sizes.peak_rounds)

    def end_to_end() -> dict[str, Any]:
        found = speed.end_to_end(folder, sizes.scenes, sizes.side, cores, peak())
        return {**found, "peak": peak().report()}

    return {
        "tiles": promises.tiles,
        "graph": lambda: promises.graph(folder),
        "end_to_end": end_to_end,
        "breakdown": lambda: breakdown(folder, sizes.side, sizes.rounds, peak()),
        "plain": lambda: speed.against_plain(sizes.side, sizes.rounds),
        "dask": lambda: speed.dask_cost(folder, sizes.cost_scenes, sizes.cost_side, sizes.pairs),
        "peer": lambda: speed.peer(sizes.cost_side, sizes.rounds),
        "workers": lambda: promises.workers(folder, sizes.tasks, cores),
        "growth": lambda: promises.growth(folder, sizes.counts, sizes.grow_side, cores),
        "window": lambda: promises.window(sizes.few, sizes.many),
        "precision": lambda: reduced.precision(**sizes.real),
    }


def broken(found: dict[str, Any], cores: int) -> list[str]:
    """Bounds of what was measured that do not hold."""
    bounds: list[tuple[str, Callable[[], bool]]] = []
    if "tiles" in found:
        bounds.append(("tiles: computed over fewest <= 1.25", lambda: found["tiles"]["computed_over_fewest"] <= 1.25))
    if one := found.get("graph"):
        bounds.append(("graph: bytes a task <= 256", lambda: one["bytes_a_task"] <= 256))
        bounds.append(("graph: growth < 1 %", lambda: one["graph_grew"] < 0.01 and one["weights_grew"] >= 100))
    if whole := found.get("end_to_end"):
        ways = [whole[f"{cores}x1"], whole[f"1x{cores}"]]
        bounds.append(("end_to_end: share of peak >= 0.80", lambda: max(w["share_of_peak"] for w in ways) >= 0.8))
        bounds.append(("end_to_end: the default is the better way", lambda: whole["default_over_better"] >= 0.97))
        bounds.append(
            ("end_to_end: scheduler and client <= 3 %", lambda: ways[0]["scheduler_and_client_share"] <= 0.03)
        )
        bounds.append(
            ("end_to_end: peak memory <= plan", lambda: all(w["worker_peak_mib"] <= w["plan_mib"] for w in ways))
        )
    if plain := found.get("plain"):
        bounds.append(("plain: >= 3.0 x eager fp32 NCHW", lambda: plain["times_eager"] >= 3.0))
        bounds.append(("plain: >= 8 x a sliding window", lambda: plain["times_sliding"] >= 8))
        bounds.append(("plain: the same front", lambda: max(plain["front_apart_px"], default=9.0) < 1.0))
    if cost := found.get("dask"):
        bounds.append(("dask: upper end of its cost <= 5 %", lambda: cost["interval"][1] <= 0.05))
    if state := found.get("workers"):
        # Of all processes before one is killed, and of all at the end.
        bounds.append(("workers: one load a process", lambda: state["loads_a_process"] == [1] * 2 * cores))
        bounds.append(("workers: RSS slope < 0.2 MiB a task", lambda: state["rss_slope_mib_a_task"] < 0.2))
    if "window" in found:
        bounds.append(("window: many blocks <= 1.2 x few", lambda: found["window"]["ratio"] <= 1.2))
    if moved := found.get("precision"):
        bounds.append(
            ("precision: reduced only where a front moves < 0.05 px",
             lambda: moved["auto"].endswith("-fp32") or moved["engines"][moved["auto"]]["accepted"])
        )  # fmt: skip
    if "seconds" in found:
        bounds.append(("seconds: <= 20 minutes in all", lambda: found["seconds"] <= 1200))
    return [name for name, holds in bounds if not holds()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="small sizes, to try each part")
    parser.add_argument("--only", default="", help="names of sections, separated by commas")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    found: dict[str, Any] = {
        "benchmark": "bench_predict",
        "small": arguments.small,
        "cores": cores,
        "torch": torch.__version__,
        "engine": settled().engine,
    }
    begin = time.perf_counter()
    with promises.folder() as folder:
        every = sections(SMALL if arguments.small else FULL, cores, Path(folder))
        wanted = [name for name in arguments.only.split(",") if name] or list(every)
        if unknown := sorted(set(wanted) - set(every)):
            parser.error(f"no section {', '.join(unknown)}; there are: {', '.join(every)}")
        for name in wanted:
            start = time.perf_counter()
            found[name] = every[name]()
            print(f"{name} ({time.perf_counter() - start:.0f} s): {json.dumps(found[name])}", flush=True)
    found["seconds"] = round(time.perf_counter() - begin)
    found["broken"] = broken(found, cores)
    print(json.dumps(found))
    sys.exit(1 if found["broken"] else 0)


if __name__ == "__main__":
    main()
