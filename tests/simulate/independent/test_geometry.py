"""Places of cells: the front is the edge between glacier and ocean, the mosaic's borders are distances."""

import numpy as np
import pytest
import shapely
from scipy.ndimage import label

from icefront_dask.simulate.independent.geometry import ICE, OCEAN, draw_place, mosaic

SIZE = 96


@pytest.mark.parametrize("seed", range(6))
def test_the_front_lies_on_the_edge_of_the_glacier(seed):
    place = draw_place(np.random.default_rng(seed), SIZE)
    ice, ocean = place.kind == ICE, place.kind == OCEAN
    assert label(ice)[1] <= max(1, label(ice)[1])
    across = [
        (ice[:-1] & ocean[1:]) | (ocean[:-1] & ice[1:]),
        (ice[:, :-1] & ocean[:, 1:]) | (ocean[:, :-1] & ice[:, 1:]),
    ]
    rows, cols = np.nonzero(across[0])
    edges = [shapely.points(cols + 0.5, rows + 1.0)]
    rows, cols = np.nonzero(across[1])
    edges.append(shapely.points(cols + 1.0, rows + 0.5))
    points = np.concatenate(edges)
    if place.front.is_empty:
        assert not len(points)
        return
    assert shapely.distance(points, place.front).max(initial=0) <= 0.5 + 1e-9
    along = (
        shapely.line_interpolate_point(place.front, np.linspace(0, place.front.length, 200))
        if (place.front.geom_type == "LineString")
        else shapely.points(np.vstack([part.segmentize(1).coords for part in place.front.geoms]))
    )
    inner = [p for p in along if 2 < p.x < SIZE - 2 and 2 < p.y < SIZE - 2]
    tree = shapely.STRtree(points)
    far = [shapely.distance(p, points[tree.nearest(p)]) for p in inner]
    assert np.percentile(far, 95) <= 1.5


def test_flow_goes_from_the_glacier_to_the_ocean():
    seen = 0
    for seed in range(8):
        place = draw_place(np.random.default_rng(seed), SIZE)
        means = [
            np.argwhere(place.kind == kind).mean(axis=0)[::-1] for kind in (ICE, OCEAN) if (place.kind == kind).any()
        ]
        if len(means) == 2:
            assert (means[1] - means[0]) @ place.down > 0
            seen += 1
    assert seen >= 4


def test_borders_are_distances_to_the_neighbouring_cell():
    found = mosaic(np.random.default_rng(1), 64, 9.0)
    for row, col in ((10, 12), (40, 33), (60, 5)):
        others = np.argwhere(found.cell != found.cell[row, col])
        nearest = np.hypot(*(others - (row, col)).T).min()
        assert found.border[row, col] <= nearest
        assert found.border[row, col] >= nearest - 1.5


def test_equal_seeds_give_equal_places():
    one, two = (draw_place(np.random.default_rng(5), 64) for _ in range(2))
    assert np.array_equal(one.kind, two.kind)
    assert one.front.equals(two.front)
