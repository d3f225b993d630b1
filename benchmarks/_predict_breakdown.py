"""Where the time of a prediction goes: its steps, and the network's own layers beside the convolution peak."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import torch
from _scenes import WHOLE, chosen, network_input, settled, write_cube

from icefront_dask.models import registry
from icefront_dask.predict import get_model, predict_scene, to_uint8
from icefront_dask.predict.blend import predict_tiled
from icefront_dask.predict.engine import ENGINES
from icefront_dask.predict.members import augmented
from icefront_dask.predict.scene import outline
from icefront_dask.predict.tiles import plan_tiles
from icefront_dask.predict.torch_engine import fold_batch_norm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _machine import Peak


def breakdown(folder: Path, side: int, rounds: int, peak: Peak) -> dict[str, Any]:
    """Milliseconds of one scene in one thread by step, and of the network by group of layers; medians."""
    torch.set_num_threads(1)
    cube = write_cube(folder / "breakdown.zarr", 1, side)
    name, sha256 = chosen()
    options = settled(**WHOLE)
    model = get_model(name, sha256, options.engine, 1)
    engine = model.engines[0]
    common: dict[str, Any] = {
        "pixel_size_m": 20, "calibration": "gamma0", "network": model.engines, "options": options,
        "primary": model.card.primary, "cross": model.card.cross,
    }  # fmt: skip

    def read() -> np.ndarray:
        with dask.config.set(scheduler="synchronous"):
            return np.asarray(cube["hh"][0].to_numpy())

    image = read()
    source = network_input(image, guided=engine.guided)
    tiles = plan_tiles((side, side), stride=engine.stride, halo=engine.halo, tile_px=2304)
    tile = source[None, :, : tiles.tile_shape[0], : tiles.tile_shape[1]]
    if tile.shape[2:] != tiles.tile_shape:
        tile = np.zeros((1, len(source), *tiles.tile_shape), dtype=np.float32)
    answer = np.zeros((1, 2, *tiles.tile_shape), dtype=np.float32)
    plan = outline((side, side), ["hh"], **common)
    found = predict_scene({"hh": image}, **common)
    count = len(tiles.tiles)
    members = augmented([lambda batch: answer[: len(batch)].copy()])
    steps: dict[str, tuple[Callable[[], object], int]] = {
        "whole": (lambda: predict_scene({"hh": image}, **common), 1),
        "read and decode": (read, 1),
        "scales of the bands": (
            lambda: plan.context([plan.summary(part, {"hh": image}, None) for part in plan.parts]),
            1,
        ),
        "input channels": (lambda: network_input(image, guided=engine.guided), 1),
        "network": (lambda: engine(tile), count),
        "sigmoid and members": (lambda: members(tile), count),
        "cut, pad and blend": (lambda: predict_tiled(source, tiles, lambda batch: answer[: len(batch)].copy()), 1),
        "pack": (lambda: (to_uint8(found.ice), to_uint8(found.front)), 1),
    }
    milliseconds = {step: round(1000 * _median(run, rounds) * times, 1) for step, (run, times) in steps.items()}
    peak.measure()
    _, rate = peak.best
    return {
        "side_px": side,
        "computed_over_fewest": round(tiles.computed_pixels / side**2, 3),
        "ms_a_scene": milliseconds,
        "layers": _layers(name, engine, tile, rounds),
        "peak_gflop_per_s": round(rate),
    }


def _median(run: Callable[[], object], rounds: int) -> float:
    run()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _layers(name: str, engine: Any, tile: np.ndarray, rounds: int) -> dict[str, Any]:
    """Of each group of layers milliseconds a tile, GFLOP and GFLOP/s, by OpenVINO's own counters."""
    if ENGINES[engine.name].library != "openvino":
        return {"skipped": f"engine {engine.name} counts no layers; OpenVINO does"}
    network = fold_batch_norm(registry.load(name).network.eval())
    compiled = engine.compiled(tile.shape, PERF_COUNT=True)
    request = compiled.create_infer_request()
    seconds: dict[str, list[float]] = defaultdict(lambda: [0.0] * rounds)
    for number in range(-1, rounds):
        request.infer([engine.shown(tile)])
        for node in request.profiling_info if number >= 0 else ():
            seconds[_group(node.node_name)][number] += node.real_time.total_seconds()
    gflop = _gflop(network, tile)
    table = {}
    for group, times in sorted(seconds.items()):
        spent = statistics.median(times)
        work = gflop.get(group, 0.0)
        rate = round(work / spent) if work and spent else None
        table[group] = {"ms": round(1000 * spent, 1), "gflop": round(work, 1), "gflop_per_s": rate}
    return table


def _group(node: str) -> str:
    """Return the block of the network that a node of its graph belongs to."""
    found = [part for part in node.split("/") if part.startswith("__module.")]
    words = found[0].split(".")[1:] if found else []
    return ".".join(words[:2] if len(words) > 1 and words[1].isdigit() else words[:1]) or "other"


def _gflop(network: torch.nn.Module, tile: np.ndarray) -> dict[str, float]:
    """Floating point operations of the convolutions by block, for one tile."""
    small = torch.zeros(1, tile.shape[1], 64, 64)
    scale = tile.shape[2] * tile.shape[3] / 64**2
    total: dict[str, float] = defaultdict(float)

    def count(group: str) -> Callable[..., None]:
        def hook(layer: Any, inputs: Any, output: torch.Tensor) -> None:
            over = inputs[0] if isinstance(layer, torch.nn.ConvTranspose2d) else output
            total[group] += 2 * layer.weight.numel() * over.shape[2] * over.shape[3] * scale / 1e9

        return hook

    for where, layer in network.named_modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            layer.register_forward_hook(count(_group("__module." + where)))
    with torch.inference_mode():
        network(small)
    return total
