"""What prediction promises besides speed: graphs, memory, loads, growth, the driver's window."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import numpy as np
import xarray as xr
from _scenes import WHOLE, chosen, predict_into, prepare, write_cube
from distributed import Client, LocalCluster

from icefront_dask import connect
from icefront_dask.models import registry
from icefront_dask.models.card import Card
from icefront_dask.models.weights import sha256_of, write_weights
from icefront_dask.predict import load_counts, segment
from icefront_dask.predict.tiles import plan_tiles
from icefront_dask.runs.window import drive
from icefront_dask.runs.work import WorkUnit


def tiles() -> dict[str, Any]:
    """Computed pixels of a scene of 4096² over its pixels, with the halo measured on the shipped network."""
    from icefront_dask.predict.engine import Facts

    loaded = registry.load(chosen()[0])
    facts = Facts.of(loaded.network, loaded.card)
    plan = plan_tiles((4096, 4096), stride=facts.stride, halo=facts.halo, tile_px=2304)
    return {"halo_px": facts.halo, "computed_over_fewest": round(plan.computed_pixels / 4096**2, 3)}


def graph(folder: Path) -> dict[str, Any]:
    """Bytes a task of the lazy graph, and its growth when the weights grow 100 times."""
    times = 200
    cube = xr.Dataset(
        {"hh": (("time", "y", "x"), dask.array.zeros((times, 512, 512), chunks=(1, 512, 512), dtype="float32"))},
        {"y": -20.0 * np.arange(512), "x": 20.0 * np.arange(512)},
        {"calibration": "gamma0"},
    ).rio.write_crs("EPSG:3413")
    sizes, weights = [], []
    for width in (2, 24):
        path = _random_model(folder / f"w{width:02}", width)
        weights.append(path.stat().st_size)
        lazy = segment(cube, model=str(path), threads=1, **WHOLE)
        tasks = dict(lazy["ice"].__dask_graph__())
        sizes.append((len(pickle.dumps(tasks)), len(tasks)))
    (small, count), (large, _) = sizes
    return {
        "tasks": count,
        "bytes_a_task": round(small / count),
        "weights_grew": round(weights[1] / weights[0]),
        "graph_grew": round(large / small - 1, 4),
    }


def _random_model(folder: Path, width: int) -> Path:
    folder.mkdir()
    shipped = registry.card(chosen()[0])
    options = {**shipped.architecture_options, "width": width}
    path = folder / "random.safetensors"
    write_weights(path, registry.build(shipped.architecture, options).state_dict())
    values = {**shipped.model_dump(), "name": "random", "sha256": sha256_of(path), "architecture_options": options}
    path.with_suffix(".json").write_text(Card(**values).model_dump_json())
    return path


def _state() -> tuple[int, dict[tuple[str, str], int], float]:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return os.getpid(), load_counts(), resident


def workers(folder: Path, tasks: int, cores: int) -> dict[str, Any]:
    """Loads of the model per process, also after a kill; growth of a worker's memory over many tasks."""
    cube = write_cube(folder / "many.zarr", 20, 256)
    with connect(workers=cores) as client:
        prepare(client, 1, **WHOLE)
        predict_into(cube, folder / "many-out.zarr", threads=1, **WHOLE)
        client.wait_for_workers(cores, timeout=60)
        first = client.run(_state)
        victim = next(iter(first.values()))[0]
        os.kill(victim, signal.SIGKILL)
        alive = {victim}
        while victim in alive or len(alive) < cores:
            time.sleep(0.2)
            alive = {pid for pid, *_ in client.run(_state, on_error="ignore").values()}
        residents = []
        for start in range(0, tasks, 20):
            predict_into(cube, folder / "many-out.zarr", threads=1, **WHOLE)
            residents.append((start + 20, sum(mib for *_, mib in client.run(_state).values())))
        client.wait_for_workers(cores, timeout=60)
        last = client.run(_state)
    loads = [sum(counts.values()) for _, counts, _ in (*first.values(), *last.values())]
    settled = residents[len(residents) // 5 :]
    slope = float(np.polyfit(*np.array(settled).T, 1)[0]) if len(settled) > 1 else 0.0
    return {"loads_a_process": loads, "tasks": tasks, "rss_slope_mib_a_task": round(slope, 4)}


def growth(folder: Path, counts: tuple[int, ...], side: int, cores: int) -> list[dict[str, Any]]:
    """Seconds a scene with more scenes and more workers."""
    cube = write_cube(folder / "grow.zarr", max(counts), side)
    table = []
    for number in sorted({1, cores}):
        with connect(workers=number) as client:
            prepare(client, 1, **WHOLE)
            predict_into(cube.isel(time=slice(number)), folder / "grow-out.zarr", threads=1, **WHOLE)
            for count in counts:
                seconds = predict_into(cube.isel(time=slice(count)), folder / "grow-out.zarr", threads=1, **WHOLE)
                table.append({"workers": number, "scenes": count, "seconds_a_scene": round(seconds / count, 4)})
    return table


def _nothing(unit: WorkUnit) -> None:
    """Do no work."""


def window(few: int, many: int) -> dict[str, Any]:
    """Seconds a block that does nothing, through the driver's window."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):

        def seconds(count: int) -> float:
            units = (WorkUnit(f"{count}-{i}", "nowhere", "landsat", i, (), ()) for i in range(count))
            start = time.perf_counter()
            assert all(failure is None for _, failure in drive(units, _nothing, client=client, window=64))
            return (time.perf_counter() - start) / count

        seconds(few)
        short = min(seconds(few) for _ in range(3))
        long = seconds(many)
    return {
        "blocks": [few, many],
        "ms_a_block": [round(1000 * s, 3) for s in (short, long)],
        "ratio": round(long / short, 3),
    }


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-predict-")
