"""Cubes beside bare odc-stac and bare stackstac, and the sizes that a continent depends on.

``make bench-cube`` prints one JSON object on its last line and ends with status 1 where a bound is broken:

- the lazy graph of 200 scenes, of Landsat as of Sentinel-1, takes at most 256 bytes a task, and at most 1.3 times the
  bytes of bare odc-stac's (tasks are told beside it: odc-stac makes no ``quality``, and a task for each band);
- a pickled unit of work takes at most 2 KiB and 512 bytes a scene;
- planning from 1 000 000 items on disk takes at most 60 s and 2 GiB.

The assembly of 200 scenes (COGs in UTM onto a polar grid, two bands and two quality bands each) is computed by all
three in turn, each time in a process of its own: seconds, peak memory and tasks. The bare ones neither decode nor
flag anything. Without a bound, as they depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cube import builders

SCENES = 200
FILES = 10  # scenes of their own; the others repeat their pixels under other ids and dates
BANDS = ("green", "nir08", "qa_pixel", "qa_radsat")
RESOLUTION_M = 30.0
BLOCK_PX = 2048
GRAPH_BYTES_A_TASK, GRAPH_OVER_ODC = 256, 1.3
UNIT_BYTES, UNIT_BYTES_A_SCENE = 2048, 512


def region(size_px: int) -> Any:
    return builders.region(size_px * RESOLUTION_M)


def archive(folder: Path, size_px: int) -> list[dict[str, Any]]:
    """Write COGs and return 200 items that name them."""
    rng = np.random.default_rng(1)
    grid = builders.utm_grid(32624, int(size_px * 1.3), RESOLUTION_M)
    shape = grid.shape.yx
    files = []
    for number in range(FILES):
        bands = {name: rng.integers(7_500, 40_000, shape, dtype="uint16") for name in BANDS[:2]}
        clear = np.full(shape, 1 << 6, "uint16")
        made = builders.landsat_item(
            folder, f"LC08_L2SP_233013_2015{number:04d}_02_T1", bands, grid, qa_pixel=clear, qa_radsat=0 * clear
        )
        files.append(made)
    items = []
    for number in range(SCENES):
        item = builders.archive_item(number)
        source = files[number % FILES]
        item |= {"geometry": source["geometry"], "bbox": source["bbox"]}
        item["properties"] |= {"proj:shape": list(shape), "proj:transform": list(grid.affine)[:6], "proj:epsg": 32624}
        for key in BANDS:
            item["assets"][key]["href"] = source["assets"][key]["href"]
        items.append(item)
    return items


def lazy(kind: str, items: list[dict[str, Any]], size_px: int, family: str = "landsat") -> Any:
    """Build, and only build, the same scenes by one of the three."""
    bands = BANDS if family == "landsat" else ("hh", "hv")
    grid = region(size_px).geobox(RESOLUTION_M)
    if kind == "icefront":
        import dask

        from icefront_dask.cube import load

        with dask.config.set({"icefront.catalog.allow_roots": [tempfile.gettempdir()]}):
            return load(items, region(size_px), family, resolution=RESOLUTION_M)
    import pystac

    found = [pystac.Item.from_dict(item) for item in items]
    if kind == "odc-stac":
        import odc.stac

        chunks, resampling = {"x": BLOCK_PX, "y": BLOCK_PX}, dict.fromkeys(bands[:2], "bilinear")
        return odc.stac.load(found, bands=list(bands), geobox=grid, chunks=chunks, resampling=resampling)
    import stackstac
    from rasterio.enums import Resampling

    return stackstac.stack(
        items,
        assets=list(bands),
        epsg=3413,
        bounds=tuple(grid.boundingbox),
        resolution=RESOLUTION_M,
        snap_bounds=False,
        dtype="float32",
        fill_value=np.float32("nan"),
        rescale=False,
        resampling=Resampling.bilinear,  # of all bands alike
        chunksize=BLOCK_PX,
        properties=False,
        band_coords=False,
    )


def assemble(kind: str, items: list[dict[str, Any]], size_px: int, answer: Any) -> None:
    """Compute every pixel of every scene, keeping one number a scene; runs in a process of its own."""
    import dask

    begin = time.perf_counter()
    cube = lazy(kind, items, size_px)
    built = time.perf_counter() - begin
    tasks = len(cube.__dask_graph__())
    variables = [cube[name] for name in cube.data_vars] if hasattr(cube, "data_vars") else [cube]
    means = [v.mean([d for d in v.dims if d != "time"]).data for v in variables]
    dask.compute(*means, scheduler="threads", num_workers=2)
    seconds = time.perf_counter() - begin
    answer.send({"seconds": seconds, "build_s": built, "peak_mib": peak_mib(), "tasks": tasks})
    answer.close()


def peak_mib() -> float:
    """Return this process's largest resident memory; getrusage would tell the parent's before the start."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def in_process(kind: str, items: list[dict[str, Any]], size_px: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=assemble, args=(kind, items, size_px, send))
    child.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        raise SystemExit(f"{kind} failed; see above") from None
    finally:
        child.join()


def assembly(size_px: int, rounds: int) -> dict[str, Any]:
    kinds = ("icefront", "odc-stac", "stackstac")
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="icefront-bench-") as folder:
        items = archive(Path(folder), size_px)
        for number in range(rounds):
            for kind in kinds[number % 3 :] + kinds[: number % 3]:
                runs[kind].append(in_process(kind, items, size_px))
    out: dict[str, Any] = {"scenes": SCENES, "size_px": size_px, "rounds": rounds}
    for kind, found in runs.items():
        out[kind] = {name: round(statistics.median(run[name] for run in found), 3) for name in found[0]}
    for kind in kinds[1:]:
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(runs["icefront"], runs[kind], strict=True)]
        out[f"seconds_over_{kind}"] = round(statistics.median(ratios), 3)
        out[f"peak_over_{kind}"] = round(out["icefront"]["peak_mib"] / out[kind]["peak_mib"], 3)
    return out


def graphs(family: str) -> dict[str, Any]:
    """Pickled bytes of the lazy graphs of 200 scenes of 4000 x 4000 pixels; no file is opened."""
    made = builders.archive_item if family == "landsat" else builders.archive_rtc_item
    items = [made(number) for number in range(SCENES)]
    out: dict[str, Any] = {}
    for kind in ("icefront", "odc-stac"):
        cube = lazy(kind, items, 4000, family)
        graph = dict(cube.__dask_graph__())
        size, variables = len(pickle.dumps(graph, protocol=5)), len(cube.data_vars)
        out[kind] = {
            "tasks": len(graph),
            "bytes": size,
            "bytes_a_task": round(size / len(graph), 1),
            "variables": variables,
            "tasks_a_variable": round(len(graph) / variables, 1),
        }
    for what in ("bytes", "tasks", "tasks_a_variable"):
        out[f"{what}_over_odc_stac"] = round(out["icefront"][what] / out["odc-stac"][what], 3)
    return out


def units() -> dict[str, Any]:
    """Pickled bytes of units of work."""
    from icefront_dask.cube import scenes
    from icefront_dask.runs.work import blocks

    found = scenes([builders.archive_item(number) for number in range(64)])
    sizes = {n: len(pickle.dumps(next(blocks("5" * 64, "helheim", "landsat", found, n)))) for n in (1, 4, 16, 64)}
    return {
        "bytes": {str(n): size for n, size in sizes.items()},
        "share_of_bound": round(max(s / (UNIT_BYTES + UNIT_BYTES_A_SCENE * n) for n, s in sizes.items()), 3),
    }


def bounds_of(result: dict[str, Any]) -> dict[str, bool]:
    """Return which bounds hold."""
    graph = result["graph"].values()
    bounds = {
        "graph_bytes_a_task": all(g["icefront"]["bytes_a_task"] <= GRAPH_BYTES_A_TASK for g in graph),
        "graph_bytes_over_odc_stac": all(g["bytes_over_odc_stac"] <= GRAPH_OVER_ODC for g in graph),
        "unit_bytes": result["unit"]["share_of_bound"] <= 1,
    }
    if "planning" in result:
        bounds["planning"] = result["planning"]["within_bounds"]
    return bounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1000, help="side of the assembled grid in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=1_000_000, help="items that a plan is made from; 0 leaves it out")
    arguments = parser.parse_args()
    graph = {family: graphs(family) for family in ("landsat", "sentinel-1")}
    result: dict[str, Any] = {"benchmark": "bench_cube", "graph": graph, "unit": units()}
    if arguments.items:
        import _planning

        result["planning"] = _planning.measure(arguments.items)
    if arguments.rounds:
        result["assembly"] = assembly(arguments.size, arguments.rounds)
    result["bounds"] = bounds_of(result)
    print(json.dumps(result))
    raise SystemExit(0 if all(result["bounds"].values()) else 1)


if __name__ == "__main__":
    main()
