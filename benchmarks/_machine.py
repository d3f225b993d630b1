"""What the machine gives: timing by turns, intervals, the convolution peak."""

from __future__ import annotations

import statistics
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 256


def in_turns(
    candidates: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each candidate in each round, A-B-B-A, after one run each to warm up."""
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds):
        order = list(candidates.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def ratios(seconds: dict[str, list[float]], slow: str, fast: str) -> list[float]:
    return [a / b for a, b in zip(seconds[slow], seconds[fast], strict=True)]


def bootstrap(values: list[float], draws: int = 2000) -> tuple[float, float, float]:
    """Median and the 95 % bootstrap interval of the median."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (draws, len(values))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(np.median(values)), float(low), float(high)


class Peak:
    """Best rate of 3 × 3 convolutions of 64, 128 and 256 channels at 256² over dtypes and installed engines."""

    def __init__(self, threads: int, widths: tuple[int, ...] = (64, 128, 256), rounds: int = 5) -> None:
        torch.set_num_threads(threads)
        self.rounds = rounds
        self.candidates: dict[str, tuple[Callable[[], object], float]] = {}
        self.rates: dict[str, list[float]] = {}
        for width in widths:
            gflop = 2 * 9 * width**2 * SIDE**2 / 1e9
            layer = torch.nn.Conv2d(width, width, 3, padding=1, bias=False)
            source = torch.randn(1, width, SIDE, SIDE)
            if find_spec("openvino") is not None:
                for precision, hint in (("fp32", "f32"), ("bf16", "bf16"), ("fp16", "f16")):
                    run = _openvino(layer, source, hint, threads)
                    self.candidates[f"conv{width}-openvino-{precision}"] = (run, gflop)
            for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
                own = torch.nn.Conv2d(width, width, 3, padding=1, bias=False)
                own = own.to(dtype, memory_format=torch.channels_last)
                image = source.to(dtype, memory_format=torch.channels_last)
                run = _eager(own, image)
                self.candidates[f"conv{width}-torch-{precision}"] = (run, gflop)

    def measure(self) -> None:
        """Measure all; called before, between and after what is compared with it."""
        runs = {name: run for name, (run, _) in self.candidates.items()}
        for name, seconds in in_turns(runs, self.rounds).items():
            self.rates.setdefault(name, []).append(self.candidates[name][1] / statistics.median(seconds))

    @property
    def best(self) -> tuple[str, float]:
        """Name and GFLOP/s, medians over the times it was measured."""
        return self.best_of("")

    def best_of(self, precision: str) -> tuple[str, float]:
        """As `best`, among the convolutions of one precision: fp32, bf16 or fp16."""
        medians = {name: statistics.median(rates) for name, rates in self.rates.items() if name.endswith(precision)}
        name = max(medians, key=lambda key: medians[key])
        return name, medians[name]

    def report(self) -> dict[str, object]:
        name, rate = self.best
        spread = (max(self.rates[name]) - min(self.rates[name])) / rate
        precisions = sorted({key.rsplit("-", 1)[1] for key in self.rates})
        return {
            "best": name,
            "gflop_per_s": round(rate),
            "spread": round(spread, 3),
            "measured": len(self.rates[name]),
            "by_precision": {precision: round(self.best_of(precision)[1]) for precision in precisions},
        }


def _eager(layer: torch.nn.Module, image: torch.Tensor) -> Callable[[], object]:
    def run() -> object:
        with torch.inference_mode():
            return layer(image)

    return run


def _openvino(layer: torch.nn.Module, image: torch.Tensor, precision: str, threads: int) -> Callable[[], object]:
    import openvino

    graph = openvino.convert_model(layer, example_input=image, input=[list(image.shape)])
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(graph, "CPU", {**hints, "PERFORMANCE_HINT": "LATENCY"})
    source = image.numpy()
    return lambda: compiled([source])
