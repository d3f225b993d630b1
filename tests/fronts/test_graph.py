"""Spanning tree and longest path against brute force."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csgraph
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from icefront_dask.fronts.graph import longest_path, spanning_tree, trace_points


def random_tree(rng, n):
    edges = [(int(rng.integers(0, node)), node) for node in range(1, n)]
    names = rng.permutation(n)
    return names[np.array(edges, dtype=np.intp).reshape(-1, 2)]


def best_sum(n, edges, weights):
    """Largest sum over all paths of a tree, a single node being 0, by walking from every node."""
    neighbours = [[] for _ in range(n)]
    for (a, b), weight in zip(edges.tolist(), weights.tolist(), strict=True):
        neighbours[a].append((b, weight))
        neighbours[b].append((a, weight))
    best = 0.0
    for start in range(n):
        stack = [(start, -1, 0.0)]
        while stack:
            node, before, total = stack.pop()
            best = max(best, total)
            stack += [(other, node, total + weight) for other, weight in neighbours[node] if other != before]
    return best


def path_sum(path, edges, weights):
    table = {frozenset(edge): weight for edge, weight in zip(edges.tolist(), weights.tolist(), strict=True)}
    return sum(table[frozenset(pair)] for pair in itertools.pairwise(path.tolist()))


def test_longest_path_equals_brute_force_on_random_trees():
    rng = np.random.default_rng(4)
    for _ in range(1000):
        n = int(rng.integers(2, 10))
        edges = random_tree(rng, n)
        weights = rng.choice([rng.normal(0.3, 1.5, n - 1), rng.integers(-3, 3, n - 1).astype(float)])
        path = longest_path(n, edges, weights)
        assert len(set(path.tolist())) == len(path)
        assert path_sum(path, edges, weights) == pytest.approx(best_sum(n, edges, weights), abs=1e-12)


def test_longest_path_of_nothing_and_of_one():
    none = np.empty((0, 2), dtype=np.intp)
    assert longest_path(0, none, np.empty(0)).tolist() == []
    assert longest_path(1, none, np.empty(0)).tolist() == [0]


def test_longest_path_stops_before_edges_that_cost():
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    assert longest_path(5, edges, np.array([-1.0, 2.0, 2.0, -0.5])).tolist() in ([1, 2, 3], [3, 2, 1])
    assert len(longest_path(5, edges, np.full(4, -1.0))) == 1


def test_a_cycle_or_a_forest_is_refused():
    with pytest.raises(ValueError, match="no tree"):
        longest_path(4, np.array([[0, 1], [1, 2], [0, 2]]), np.ones(3))


pixels = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), min_size=1, max_size=60, unique=True).map(
    lambda rows: np.array(sorted(rows))
)


@given(pixels)
@settings(max_examples=60, deadline=None)
def test_tree_weighs_as_much_as_that_of_the_complete_graph(points):
    edges, length = spanning_tree(points)
    assert len(edges) == len(points) - 1
    complete = csgraph.minimum_spanning_tree(cdist(points, points))
    assert length.sum() == pytest.approx(complete.sum(), rel=1e-12)
    tree = coo_array((length + 1, (edges[:, 0], edges[:, 1])), shape=(len(points), len(points)))
    assert csgraph.connected_components(tree, directed=False)[0] == 1


def test_tree_weighs_as_much_as_that_of_calfins_nearest_neighbours():
    """Skeletons with gaps and spurs; CALFIN joins each pixel with the N / 4 nearest ones, at least 3."""
    rng = np.random.default_rng(3)
    connected = 0
    for _ in range(40):
        n = int(rng.integers(12, 90))
        rows = np.cumsum(rng.integers(-1, 2, n)) + n
        line = np.column_stack([rows, np.arange(n)])[rng.random(n) < 0.8]
        points = np.unique(np.vstack([line, line[: len(line) // 4] + np.array([3, 0])]), axis=0)
        k = max(3, len(points) // 4)
        away, near = KDTree(points).query(points, k=k + 1)
        pairs = (away[:, 1:].ravel(), (np.repeat(np.arange(len(points)), k), near[:, 1:].ravel()))
        graph = coo_array(pairs, shape=(len(points), len(points)))
        if csgraph.connected_components(graph, directed=False)[0] > 1:
            continue
        connected += 1
        theirs = csgraph.minimum_spanning_tree(graph.tocsr().maximum(graph.T.tocsr()))
        assert spanning_tree(points)[1].sum() == pytest.approx(theirs.sum(), rel=1e-12)
    assert connected >= 30


@given(pixels, st.integers(-3, 3), st.integers(-3, 3))
@settings(max_examples=50, deadline=None)
def test_tree_prefers_low_indices_among_equal_edges(points, down, right):
    """The tree is that of Kruskal's algorithm over all pairs, sorted by length and then by index."""
    points += np.array([down + 3, right + 3])
    pairs = list(itertools.combinations(range(len(points)), 2))
    squared = {pair: int(((points[pair[0]] - points[pair[1]]) ** 2).sum()) for pair in pairs}
    roots = list(range(len(points)))

    def root(node):
        while roots[node] != node:
            node = roots[node]
        return node

    wanted = []
    for a, b in sorted(pairs, key=lambda pair: (squared[pair], pair)):
        if root(a) != root(b):
            roots[root(a)] = root(b)
            wanted.append((a, b))
    assert [tuple(edge) for edge in spanning_tree(points)[0].tolist()] == wanted


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (1, 1), (1, -1), (2, 3), (3, -7)])
def test_collinear_pixels_become_a_chain(step):
    points = np.array(sorted([k * step[0], 100 + k * step[1]] for k in range(12)))
    path = trace_points(points[np.random.default_rng(0).permutation(12)])
    kept = {tuple(pixel) for pixel in path.tolist()}
    reach = np.hypot(*step)
    assert len(kept) == (12 if reach < 3 else 1)
    if reach < 3:
        assert np.allclose(np.hypot(*np.diff(path, axis=0).T), reach)


def test_duplicates_and_tiny_sets():
    assert trace_points(np.empty((0, 2), dtype=int)).shape == (0, 2)
    assert trace_points(np.array([[5, 7], [5, 7]])).tolist() == [[5, 7]]
    assert trace_points(np.array([[5, 7], [5, 8], [5, 7]])).tolist() == [[5, 7], [5, 8]]
    assert len(trace_points(np.array([[0, 0], [0, 1], [1, 0]]))) == 3


def test_gap_is_bridged_and_spur_dropped():
    line = [[20, c] for c in range(60) if not 25 <= c < 34]
    spur = [[20 - k, 45] for k in range(1, 6)]
    path = trace_points(np.array(line + spur))
    assert path[0].tolist() == [20, 0]
    assert path[-1].tolist() == [20, 59]
    assert len(path) == len(line)


def test_far_blob_is_left_out():
    line = [[20, c] for c in range(40)]
    blob = [[20, 60 + k] for k in range(5)]
    assert trace_points(np.array(line + blob))[:, 1].max() == 39


def test_jump_over_unknown_pixels_costs_less():
    points = np.array([[20, c] for c in range(60) if not 20 <= c < 50])
    known = np.ones((40, 60), dtype=bool)
    assert trace_points(points, known=known, unknown_cost=0.3)[:, 1].max() == 19
    known[:, 20:50] = False
    assert np.ptp(trace_points(points, known=known, unknown_cost=0.3)[:, 1]) == 59


def test_unsupported_pixels_are_passed_but_not_followed():
    front = [[30, c] for c in range(80)]
    rift = [[10 + k, 0] for k in range(20)] + [[10, c] for c in range(1, 80)]
    points = np.array(front + rift)
    supported = points[:, 0] == 30
    supported[30:40] = False  # a berg hides the ocean there
    path = trace_points(points, np.where(supported, 0.0, 2.1))
    assert (path[:, 0] == 30).all()
    assert len(path) == 80
    assert (trace_points(points)[:, 0] == 10).any()


def test_ten_times_the_pixels_take_about_ten_times_as_long():
    def seconds(n):
        rng = np.random.default_rng(1)
        columns = np.arange(n)
        rows = np.cumsum(rng.integers(-1, 2, n)) + n
        points = np.column_stack([rows, columns])
        start = time.process_time()
        assert len(trace_points(points)) == n
        return time.process_time() - start

    seconds(100)
    assert seconds(10_000) < 20 * max(min(seconds(2_000), seconds(2_000)), 0.005)
