"""Speed of prediction: end to end, against plain tiles, a sliding window, a bare loop, a peer."""

from __future__ import annotations

import pickle
import statistics
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import torch
from _machine import Peak, bootstrap, in_turns, ratios
from _scenes import (
    WHOLE,
    chosen,
    gflop_per_pixel,
    network_input,
    open_cube,
    predict_into,
    prepare,
    scene,
    settled,
    write_cube,
)
from distributed import Client, LocalCluster
from scipy.spatial import KDTree

from icefront_dask import connect
from icefront_dask.fronts import trace_scene
from icefront_dask.models import registry
from icefront_dask.predict import get_model, predict_scene, segment
from icefront_dask.runs.planning import worker_bytes


def _usage() -> tuple[float, float]:
    """CPU seconds and the largest resident set of this process, MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    # getrusage tells of the process which started this one as well.
    largest = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return time.process_time(), largest / 1024


def end_to_end(folder: Path, scenes: int, side: int, cores: int, peak: Peak) -> dict[str, Any]:
    """Zarr to probabilities in Zarr, with processes of one thread and with one process of several threads.

    ``share_of_own_peak`` is that of the best convolution in fp32, for an engine in fp32.
    """
    options = settled(**WHOLE)
    cube = write_cube(folder / "cube.zarr", scenes, side)
    gflop = gflop_per_pixel(chosen()[0]) * scenes * side**2
    found: dict[str, Any] = {"scenes": scenes, "side_px": side, "engine": options.engine, "gflop": round(gflop)}
    plan = worker_bytes(side, side, options) / 2**20
    for workers, threads in ((cores, 1), (1, cores)):
        peak.measure()
        with connect(workers=workers, threads=threads) as client:
            prepare(client, threads, **WHOLE)
            predict_into(cube.isel(time=slice(2 * workers)), folder / "warm.zarr", **WHOLE)
            before, own = client.run(_usage), time.process_time()
            seconds = predict_into(cube, folder / "out.zarr", **WHOLE)
            own = time.process_time() - own
            after = client.run(_usage)
        kernels = sum(after[name][0] - before[name][0] for name in after)
        found[f"{workers}x{threads}"] = {
            "seconds": round(seconds, 1),
            "gflop_per_s": round(gflop / seconds),
            "worker_cpu_seconds": round(kernels, 1),
            "scheduler_and_client_share": round(own / kernels, 4),
            "worker_peak_mib": round(max(peak_mib for _, peak_mib in after.values())),
            "plan_mib": round(plan),
        }
    peak.measure()
    _, rate = peak.best
    _, own_rate = peak.best_of("fp32" if options.engine.endswith("fp32") else "")
    ways = [f"{cores}x1", f"1x{cores}"]
    for way in ways:
        found[way]["share_of_peak"] = round(found[way]["gflop_per_s"] / rate, 3)
        found[way]["share_of_own_peak"] = round(found[way]["gflop_per_s"] / own_rate, 3)
    found["better"] = max(ways, key=lambda way: found[way]["share_of_peak"])
    found["default"] = ways[0]  # connect() starts processes of one thread
    found["default_over_better"] = round(found[found["better"]]["seconds"] / found[found["default"]]["seconds"], 3)
    return found


def against_plain(side: int, rounds: int) -> dict[str, Any]:
    """Two scenes by the project, in eager fp32 NCHW without overlap, and by a sliding window of half overlap."""
    torch.set_num_threads(1)
    name, sha256 = chosen()
    options = settled(**WHOLE)
    model = get_model(name, sha256, options.engine, 1)
    network = registry.load(name).network.to(memory_format=torch.contiguous_format)
    images = [scene(side, 100 + number) for number in range(2)]

    def ours() -> list[Any]:
        return [
            predict_scene(
                {"hh": image}, pixel_size_m=20, calibration="gamma0", network=model.engines, options=options,
                primary=model.card.primary, cross=model.card.cross,
            )
            for image in images
        ]  # fmt: skip

    def plain(window: int, step: int) -> list[np.ndarray]:
        results = []
        for image in images:
            source = torch.from_numpy(network_input(image, guided=model.card.guided))
            total, count = torch.zeros(2, side, side), torch.zeros(side, side)
            starts = sorted({*range(0, side - window, step), side - window})
            with torch.inference_mode():
                for top in starts:
                    for left in starts:
                        part = (slice(None), slice(top, top + window), slice(left, left + window))
                        total[part] += torch.sigmoid(network(source[part][None]))[0]
                        count[part[1:]] += 1
            results.append((total / count).numpy())
        return results

    same = min(side, 2304)
    candidates = {"ours": ours, "eager": partial(plain, same, same), "sliding": partial(plain, 256, 128)}
    seconds = in_turns(candidates, rounds, time.process_time)
    lines = [_line(one.ice, one.front) for one in ours()]
    shifts = [
        float(KDTree(line).query(_line(*other))[0].mean())
        for line, other in zip(lines, plain(256, 128), strict=True)
        if len(line)
    ]
    return {
        "side_px": side,
        "cpu_seconds_a_scene": {name: round(statistics.median(times) / 2, 3) for name, times in seconds.items()},
        "times_eager": round(statistics.median(ratios(seconds, "eager", "ours")), 2),
        "times_sliding": round(statistics.median(ratios(seconds, "sliding", "ours")), 2),
        "front_apart_px": [round(shift, 3) for shift in shifts],
    }


def _line(ice: np.ndarray, front: np.ndarray) -> np.ndarray:
    return trace_scene(ice, front, np.isfinite(ice), pixel_size_m=20)[0].xy


def dask_cost(folder: Path, scenes: int, side: int, pairs: int) -> dict[str, Any]:
    """The lazy map on a worker of this process against a bare loop over the same kernels and stores."""
    cube = write_cube(folder / "cost.zarr", scenes, side)
    name, sha256 = chosen()
    options = settled(**WHOLE)
    model = get_model(name, sha256, options.engine, 1)
    source = cube["hh"]

    def bare() -> None:
        for step in range(scenes):
            with dask.config.set(scheduler="synchronous"):
                image = source[step].to_numpy()
            predict_scene(
                {"hh": image}, pixel_size_m=20, calibration="gamma0", network=model.engines, options=options,
                primary=model.card.primary, cross=model.card.cross,
            )  # fmt: skip

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        prepare(client, 1, **WHOLE)

        def mapped() -> None:
            lazy = segment(open_cube(folder / "cost.zarr"), threads=1, **WHOLE)
            client.gather(client.compute([block.sum() for block in lazy["ice"].data.to_delayed().ravel()], sync=False))

        seconds = in_turns({"bare": bare, "mapped": mapped}, pairs)
    median, low, high = bootstrap([value - 1 for value in ratios(seconds, "mapped", "bare")])
    return {"pairs": pairs, "overhead": round(median, 4), "interval": [round(low, 4), round(high, 4)]}


def _peer_block(block: np.ndarray, model: torch.nn.Module, *, guided: bool) -> np.ndarray:
    source = network_input(block, guided=guided)
    with torch.inference_mode():
        answer: np.ndarray = torch.sigmoid(model(torch.from_numpy(source)[None]))[0, 0].numpy()
    return answer


def peer(side: int, rounds: int) -> dict[str, Any]:
    """A dask map_overlap with the model as an argument, as geo-inference tools do it, against the lazy map."""
    torch.set_num_threads(1)
    name, _ = chosen()
    network = registry.load(name).network
    image = scene(side, 7)
    blocks = da.from_array(image, chunks=max(side // 2, 256))
    depth = 256 if side >= 1024 else side // 8
    theirs = da.map_overlap(
        _peer_block, blocks, depth=depth, boundary="reflect", dtype=np.float32, meta=image[:0, :0], model=network,
        guided=registry.card(name).guided,
    )  # fmt: skip
    cube = _in_memory(image)
    lazy = segment(cube, threads=1, **WHOLE)["ice"].data
    sync = partial(dask.compute, scheduler="synchronous")
    seconds = in_turns({"peer": lambda: sync(theirs), "ours": lambda: sync(lazy)}, rounds, time.process_time)
    memory = {}
    for label, graph in (("peer", theirs), ("ours", lazy)):
        tracemalloc.start()
        sync(graph)
        memory[label] = round(tracemalloc.get_traced_memory()[1] / 2**20, 1)
        tracemalloc.stop()
    return {
        "times_faster": round(statistics.median(ratios(seconds, "peer", "ours")), 2),
        "numpy_memory_mib": memory,
        "graph_bytes": {
            "peer": len(pickle.dumps(_tasks(theirs, "peer_block"))),
            "ours": len(pickle.dumps(_tasks(lazy, "segment"))),
        },
    }


def _in_memory(image: np.ndarray) -> Any:
    import xarray as xr

    side = len(image)
    where = {"y": -20.0 * np.arange(side), "x": 20.0 * np.arange(side)}
    cube = xr.Dataset({"hh": (("y", "x"), image)}, where, {"calibration": "gamma0"})
    return cube.rio.write_crs("EPSG:3413")


def _tasks(array: da.Array, name: str) -> dict[Any, Any]:
    """Tasks of a graph which predict, without those that hold the pixels."""
    return {key: task for key, task in dict(array.dask).items() if name in str(key)}
