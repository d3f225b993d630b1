"""Pixels to a line: Euclidean minimum spanning tree and its longest path, after CALFIN (Cheng et al. 2021).

CALFIN joins the pixels of the skeleton by the minimum spanning tree of a k-nearest-neighbour graph and takes
the path of the tree with the largest sum of 3 - d over its edges of length d (in pixels): steps between
neighbours earn, a jump of three pixels is neutral, longer jumps cost what they exceed it. That bridges
stripes and drops spurs. Here the tree is the Euclidean one, found among the edges of the Delaunay
triangulation in O(N log N), and the path comes from one pass over the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.sparse import coo_array, csgraph
from scipy.spatial import Delaunay

from icefront_dask.fronts.gaps import beside_gaps

if TYPE_CHECKING:
    import numpy.typing as npt

    IntArray: TypeAlias = npt.NDArray[np.intp]
    FloatArray: TypeAlias = npt.NDArray[np.float64]

__all__ = ["CALFIN_REACH_PX", "longest_path", "spanning_tree", "trace_points"]

CALFIN_REACH_PX = 3.0  # a jump of this length neither earns nor costs


def spanning_tree(points: npt.NDArray[np.integer[Any]]) -> tuple[IntArray, FloatArray]:
    """Return the Euclidean minimum spanning tree of distinct pixels.

    Parameters
    ----------
    points : (N, 2) integer ndarray
        Row and column, sorted by both, without duplicates (as ``np.unique(points, axis=0)`` gives).

    Returns
    -------
    edges : (N - 1, 2) ndarray of intp
        Indices into `points`, the smaller first, sorted by length and then by index.
    length : (N - 1,) float64 ndarray
        In pixels.

    Notes
    -----
    Among edges of one length those of lower indices are preferred, so the tree does not depend on the
    triangulation: every edge of every minimum spanning tree has no other point in its closed diametral disc,
    hence is an edge of every Delaunay triangulation.
    """
    n = len(points)
    xy = np.asarray(points, dtype=np.int64)
    a, b = _delaunay_pairs(xy)
    squared = ((xy[a] - xy[b]) ** 2).sum(axis=1)
    order = np.lexsort((b, a, squared))
    a, b, squared = a[order], b[order], squared[order]
    rank = np.arange(1, len(a) + 1, dtype=np.float64)
    tree = csgraph.minimum_spanning_tree(coo_array((rank, (a, b)), shape=(n, n)).tocsr())
    kept = np.sort(tree.data).astype(np.intp) - 1
    return np.column_stack([a[kept], b[kept]]), np.sqrt(squared[kept].astype(np.float64))


def _delaunay_pairs(xy: npt.NDArray[np.int64]) -> tuple[IntArray, IntArray]:
    """Return the edges of the Delaunay triangulation of distinct sorted pixels, a chain where they are collinear."""
    n = len(xy)
    if n < 4 or _collinear(xy):
        if n == 3 and not _collinear(xy):
            return np.array([0, 0, 1], dtype=np.intp), np.array([1, 2, 2], dtype=np.intp)
        # Sorted by row and column, points of one straight line follow each other along it.
        return np.arange(max(n - 1, 0), dtype=np.intp), np.arange(1, max(n, 1), dtype=np.intp)
    triangulation = Delaunay(xy - xy.mean(axis=0).round())
    corners = triangulation.simplices
    pairs = np.concatenate(
        [corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]], triangulation.coplanar[:, [0, 2]]]
    ).astype(np.intp)
    pairs.sort(axis=1)
    keys = np.unique(pairs[:, 0] * n + pairs[:, 1])
    return keys // n, keys % n


def _collinear(xy: npt.NDArray[np.int64]) -> bool:
    if len(xy) < 3:
        return True
    offset = xy - xy[0]
    last = offset[-1]
    return not (offset[:, 0] * last[1] != offset[:, 1] * last[0]).any()


def longest_path(n: int, edges: IntArray, weights: FloatArray) -> IntArray:
    """Return the path of a tree with the largest sum of edge weights, which may be negative.

    A path may start and stop at any node; where no edge earns anything it is a single node. One pass from the
    leaves to the root, O(N).

    Parameters
    ----------
    n : int
        Number of nodes.
    edges : (n - 1, 2) ndarray of intp
        The tree.
    weights : (n - 1,) float64 ndarray

    Returns
    -------
    (K,) ndarray of intp
        Nodes along the path, empty for n = 0.

    Raises
    ------
    ValueError
        If the edges are no tree over all nodes.
    """
    if n < 2:
        return np.arange(n, dtype=np.intp)
    ones = np.ones(len(edges))
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    order, parents = csgraph.breadth_first_order(graph, 0, directed=False)
    if len(order) != n or len(edges) != n - 1:
        raise ValueError(f"{len(edges)} edges over {n} nodes are no tree")
    parents = parents.astype(np.intp)
    child = np.where(parents[edges[:, 1]] == edges[:, 0], edges[:, 1], edges[:, 0])
    upward = np.zeros(n)
    upward[child] = weights

    parent, up = parents.tolist(), upward.tolist()
    down = [0.0] * n  # the best sum from a node into its subtree
    via = [-1] * n  # the child where that way begins
    best, apex = 0.0, (0, -1, -1)
    for node in order[:0:-1].tolist():
        above = parent[node]
        gain = down[node] + up[node]
        if down[above] + gain > best:
            best, apex = down[above] + gain, (above, via[above], node)
        if gain > down[above]:
            down[above], via[above] = gain, node
    top, left, right = apex
    return np.array([*reversed(_descend(left, via)), top, *_descend(right, via)], dtype=np.intp)


def _descend(node: int, via: list[int]) -> list[int]:
    way = []
    while node >= 0:
        way.append(node)
        node = via[node]
    return way


def trace_points(
    points: npt.NDArray[np.integer[Any]],
    penalty: npt.NDArray[np.float64] | None = None,
    *,
    known: npt.NDArray[np.bool_] | None = None,
    unknown_cost: float = 1.0,
) -> npt.NDArray[np.intp]:
    """Return the pixels along the longest path of their minimum spanning tree, with CALFIN's weights.

    Parameters
    ----------
    points : (N, 2) integer ndarray
        Row and column on the grid, in any order, duplicates allowed.
    penalty : (N,) float64 ndarray, optional
        What an edge at the pixel loses, in pixels; of its two ends the larger counts.
    known : (H, W) bool ndarray, optional
        Pixels with data.
    unknown_cost : float
        What a pixel of a jump over and beside unknown pixels counts; 1 is CALFIN's weight.

    Returns
    -------
    (K, 2) ndarray of intp
        Row and column along the path, the end nearer to (0, 0) first.
    """
    if len(points) == 0:
        return np.empty((0, 2), dtype=np.intp)
    distinct, first = _distinct(np.asarray(points, dtype=np.intp))
    edges, length = spanning_tree(distinct)
    if known is not None and unknown_cost != 1:
        length = _jumps(distinct, edges, length, known, unknown_cost)
    weights = CALFIN_REACH_PX - length
    if penalty is not None and len(edges):
        weights = weights - np.asarray(penalty, dtype=np.float64)[first][edges].max(axis=1)
    path = distinct[longest_path(len(distinct), edges, weights)]
    ends = (path[[0, -1]] ** 2).sum(axis=1)
    return path if (ends[0], *path[0]) <= (ends[1], *path[-1]) else path[::-1]


def _distinct(points: IntArray) -> tuple[IntArray, IntArray]:
    """Return what ``np.unique(points, axis=0, return_index=True)`` does, in a fraction of its time."""
    low, high = points.min(axis=0), points.max(axis=0)
    key = (points[:, 0] - low[0]) * (high[1] - low[1] + 1) + points[:, 1] - low[1]
    first = np.unique(key, return_index=True)[1].astype(np.intp)
    return points[first], first


def _jumps(
    points: IntArray, edges: IntArray, length: FloatArray, known: npt.NDArray[np.bool_], cost: float
) -> FloatArray:
    """Return lengths in which pixels under a jump that are unknown, or beside such, count `cost`."""
    out = length.copy()
    for k in np.flatnonzero(length > CALFIN_REACH_PX):
        a, b = points[edges[k]]
        at = np.linspace(a, b, int(np.ceil(length[k])) + 1)[1:-1].round().astype(np.intp)
        unknown = float(beside_gaps(at, known).mean())
        out[k] = length[k] * (1 - unknown * (1 - cost))
    return out
