"""Fjords and flowlines that lie beside the scenes."""

import json

import numpy as np
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score import read_dataset, unlabelled_images
from icefront_dask.score.layouts import guide_of
from icefront_dask.score.sides import fjord_of
from tests.score.test_layouts import UTM, write_geojson, write_pair, write_tif


def ground(*pixels):
    """Pixel coordinates on the ground."""
    return [UTM * xy for xy in pixels]


@pytest.fixture
def folder(tmp_path):
    """A scene in UTM and one without a georeference, 40 x 50 px each, and guides beside them."""
    write_tif(tmp_path / "a.tif", crs="EPSG:32624", transform=UTM)
    write_geojson(tmp_path / "a.geojson", shapely.LineString(ground((25, 5), (25, 35))), crs="EPSG:32624")
    write_tif(tmp_path / "b.tif")
    write_geojson(tmp_path / "b.geojson", shapely.LineString([(20, 5), (20, 35)]))
    box = shapely.Polygon(ground((0, 10), (50, 10), (50, 30), (0, 30)))
    write_geojson(tmp_path / "a_fjord.geojson", box, crs="EPSG:32624")
    line = shapely.LineString(ground((5, 20), (45, 22)))
    write_geojson(tmp_path / "a_flowlines.geojson", line, crs="EPSG:32624")
    return tmp_path


def test_guides_beside_a_scene_come_in_its_pixels(folder):
    a, b = read_dataset(folder, "scenes")
    assert unlabelled_images(folder, "scenes") == {}
    expected = np.zeros((40, 50), bool)
    expected[10:30] = True
    np.testing.assert_array_equal(fjord_of(a), expected)
    np.testing.assert_allclose(a.flowlines[0].coords, [(5, 20), (45, 22)], atol=1e-6)
    assert fjord_of(b) is None
    assert b.flowlines == ()


def test_guides_of_a_folder_are_those_of_all_its_scenes(folder):
    write_geojson(folder / "flowlines.geojson", shapely.MultiLineString([[(1, 2), (30, 2)], [(1, 9), (30, 9)]]))
    a, b = read_dataset(folder, "scenes")
    assert len(a.flowlines) == 1  # its own go before
    assert [list(line.coords) for line in b.flowlines] == [[(1, 2), (30, 2)], [(1, 9), (30, 9)]]
    (folder / "b.geojson").unlink()
    assert guide_of("scenes", "b", unlabelled_images(folder, "scenes")["b"]).flowlines == b.flowlines


def test_guides_that_mean_nothing_are_refused(folder):
    write_geojson(folder / "b_fjord.geojson", shapely.LineString([(0, 0), (1, 1)]))
    with pytest.raises(InputError, match=r"b_fjord\.geojson: a fjord must be Polygons"):
        fjord_of(read_dataset(folder, "scenes").samples[1])
    write_geojson(folder / "b_fjord.geojson", shapely.box(100, 100, 120, 120))
    with pytest.raises(InputError, match=r"the fjord lies outside b\.tif"):
        fjord_of(read_dataset(folder, "scenes").samples[1])
    (folder / "a_flowlines.geojson").write_text(json.dumps({"type": "Point", "coordinates": [1, 2]}))
    with pytest.raises(InputError, match=r"a_flowlines\.geojson: .*not Point"):
        read_dataset(folder, "scenes")


def test_pairs_flow_up_also_without_labels(tmp_path):
    write_pair(tmp_path, "a", shape=(30, 20))
    (sample,) = read_dataset(tmp_path, "pairs")
    assert [list(line.coords) for line in sample.flowlines] == [[(10, 30), (10, 0)]]
    for label in (tmp_path / "labels_1px").iterdir():
        label.unlink()
    (tmp_path / "labels_1px").rmdir()
    assert list(unlabelled_images(tmp_path, "pairs")) == ["a"]
    assert len(read_dataset(tmp_path, "pairs", unlabelled="skip")) == 0
    with pytest.raises(InputError, match=r"1 image.*without label: a"):
        read_dataset(tmp_path, "pairs")
