"""Tracing: growth with the number of pixels, against a memoised search, and one whole scene on one core.

    OMP_NUM_THREADS=1 python benchmarks/bench_fronts.py [--rounds 7]

Takes less than a minute. Times are those of the processor, of one core. The last line is one JSON object; the exit
status is 1 where a bound is broken: a path of a random tree that is not the longest by brute force, growth beyond
N log N, less than 100 times as fast as the search at 2 000 pixels, or more than 150 ms for a scene of 1024² pixels with
at most 2 000 pixels of ridge, from probabilities to screened front without a second look.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from icefront_dask.fronts import trace_scene
from icefront_dask.fronts.graph import CALFIN_REACH_PX, longest_path, spanning_tree, trace_points
from icefront_dask.fronts.ridge import ridge_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
SEARCHED = 2_000
TREES = 2_000
BOUNDS = {"trees_wrong": 0, "growth_beyond_n_log_n": 2.0, "times_search": 100.0, "scene_ms": 150.0}


def skeleton(n: int, seed: int = 0) -> np.ndarray:
    """n pixels of a wandering line with gaps and spurs."""
    rng = np.random.default_rng(seed)
    rows = np.cumsum(rng.integers(-1, 2, n)) + n
    line = np.column_stack([rows, np.arange(n)])
    line = line[(np.arange(n) + rng.integers(0, 40)) % 40 >= 4]
    spurs = [
        np.column_stack([line[at, 0] + np.arange(1, 9), np.full(8, line[at, 1])])
        for at in rng.integers(0, len(line), max(n // 100, 1))
    ]
    points = np.unique(np.concatenate([line, *spurs]), axis=0)
    return points[np.sort(rng.permutation(len(points))[:n])]


def seconds(run: Callable[[], object], rounds: int) -> float:
    """Shortest of a few runs on one core, after one to warm up; what other processes take does not count."""
    run()
    found = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def search_longest(n: int, edges: np.ndarray, weights: np.ndarray) -> float:
    """Largest sum over all paths, by a search from every start node that remembers what it has seen from there."""
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for (a, b), weight in zip(edges.tolist(), weights.tolist(), strict=True):
        neighbours[a].append((b, weight))
        neighbours[b].append((a, weight))
    best = 0.0
    for start in range(n):
        total = {start: 0.0}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            for other, weight in neighbours[node]:
                if other not in total:
                    total[other] = total[node] + weight
                    waiting.append(other)
        best = max(best, *total.values())
    return best


def against_brute_force(count: int = TREES) -> dict[str, int]:
    """Count the random trees whose path does not sum to what the search from every node finds."""
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(count):
        n = int(rng.integers(2, 12))
        names = rng.permutation(n)
        edges = names[np.array([(int(rng.integers(0, node)), node) for node in range(1, n)], dtype=np.intp)]
        weights = rng.normal(0.3, 1.5, n - 1)
        path = longest_path(n, edges, weights)
        wrong += abs(_sum(path, edges, weights) - search_longest(n, edges, weights)) > 1e-9
    return {"trees": count, "trees_wrong": wrong}


def _sum(path: np.ndarray, edges: np.ndarray, weights: np.ndarray) -> float:
    """Sum of the weights of the edges along a path."""
    of = {frozenset(edge): weight for edge, weight in zip(edges.tolist(), weights.tolist(), strict=True)}
    return float(sum(of[frozenset(pair)] for pair in zip(path[:-1].tolist(), path[1:].tolist(), strict=True)))


def growth(rounds: int) -> dict[str, object]:
    """Milliseconds by number of pixels, and how much more than N log N the largest takes than the middle."""
    found = {}
    for n in SIZES:
        points = skeleton(n)
        found[len(points)] = seconds(lambda points=points: trace_points(points), rounds if n < 20_000 else 2)
    rate = {n: t / (n * np.log(n)) for n, t in found.items()}
    numbers = sorted(rate)
    large = [n for n in numbers if n >= 900]
    return {
        "ms": {n: round(1000 * t, 2) for n, t in found.items()},
        "growth_beyond_n_log_n": round(rate[numbers[-1]] / min(rate[n] for n in large), 2),
    }


def against_search(rounds: int) -> dict[str, object]:
    points = skeleton(SEARCHED * 2)[:SEARCHED]
    edges, length = spanning_tree(points)
    weights = CALFIN_REACH_PX - length
    path = longest_path(len(points), edges, weights)
    ours = _sum(path, edges, weights)
    fast = seconds(lambda: longest_path(len(points), edges, weights), rounds)
    start = time.process_time()
    best = search_longest(len(points), edges, weights)
    slow = time.process_time() - start
    if abs(ours - best) > 1e-6:
        raise SystemExit(f"the path sums to {ours}, the search found {best}")
    return {
        "pixels": len(points),
        "path_ms": round(1000 * fast, 2),
        "search_ms": round(1000 * slow, 1),
        "times_search": round(slow / fast, 1),
        "tree_and_path_ms": round(1000 * seconds(lambda: trace_points(points), rounds), 2),
    }


def scene(size: int = 1024) -> dict[str, np.ndarray]:
    """Probabilities of a front across a bending fjord, with noise, bergs and a false ridge along a wall."""
    rng = np.random.default_rng(1)
    rows, cols = np.mgrid[:size, :size] + 0.5
    fjord = np.abs(cols - size / 2 - 40 * np.sin(rows / 300)) < 0.44 * size
    place = 0.55 * size + 50 * np.sin(cols / 60) + 15 * np.sin(cols / 11)
    slope = np.hypot(1.0, 50 / 60 * np.cos(cols / 60) + 15 / 11 * np.cos(cols / 11))
    away = (rows - place) / slope
    ice = 1 / (1 + np.exp(np.clip(away, -40, 40)))
    front = 1 / (1 + np.exp(np.clip((np.abs(away) - 1.5) / 0.3, -40, 40)))
    for _ in range(25):
        r, c, radius = rng.uniform(0.65, 1, 1)[0] * size, rng.uniform(0.1, 0.9) * size, rng.uniform(3, 12)
        ice = np.where(np.hypot(rows - r, cols - c) < radius, 0.95, ice)
    wall = distance_transform_edt(fjord)
    front = np.where((wall > 1) & (wall < 4) & (rows < 0.3 * size), 0.7, front)
    ice = np.where(fjord, np.clip(ice + rng.normal(0, 0.05, ice.shape), 0, 1), 0.97)
    front = np.where(fjord, np.clip(0.9 * front + rng.normal(0, 0.05, ice.shape), 0, 1), 0.02)
    return {"ice": ice.astype(np.float32), "front": front.astype(np.float32), "fjord": fjord}


def whole_scene(rounds: int) -> dict[str, object]:
    data = scene()
    valid = np.ones(data["ice"].shape, dtype=bool)
    (ridge,) = ridge_pixels(data["front"], data["fjord"], thresholds=(0.33,), smooth_px=0.7, min_px=(4,))
    flow = ((2.0, 512.0), (1021.0, 512.0))

    def run() -> list[object]:
        return trace_scene(data["ice"], data["front"], valid, pixel_size_m=20.0, fjord=data["fjord"], flow=flow)

    traced = run()
    return {
        "ridge_pixels": len(ridge),
        "status": str(traced[0].status),
        "length_px": round(traced[0].length_px),
        "scene_ms": round(1000 * seconds(run, rounds), 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    found = against_brute_force() | growth(rounds) | against_search(rounds) | whole_scene(rounds)
    broken = [
        name
        for name, bound in BOUNDS.items()
        if (found[name] < bound if name == "times_search" else found[name] > bound)
    ]
    if found["ridge_pixels"] > 2000 or found["status"] != "accepted":
        broken.append("scene")
    print(json.dumps({"bench": "fronts", **found, "bounds": BOUNDS, "broken": broken}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
