"""Hand-drawn lines of Helheim: measured as lines of known distance are, drawn on the scenes, told beside a run."""

import json

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString

from icefront_dask.score import read_dataset
from tests.real import helheim, helheim_lines


def test_distances_of_parallel_lines_on_their_common_span():
    one = LineString([(300_000, 0), (300_000, 4000)])
    other = LineString([(300_090, 1000), (300_090, 9000)])
    found = helheim_lines.distances_m(one, other) * helheim.region().scale_factor
    np.testing.assert_allclose(found, 90, atol=1e-6)
    assert len(found) == pytest.approx(2 * (3000 - 80) / 20, abs=4)
    assert not len(helheim_lines.distances_m(one, shapely.affinity.translate(other, 0, 9000)))


@pytest.mark.parametrize("scene_id", helheim_lines.VIEWS)
def test_drawings_agree_with_each_other_and_with_the_points_drawn_before(scene_id):
    found = helheim_lines.measured(scene_id, None)
    assert found["repeat_median_m"] < 50
    (scene,) = [scene for scene in helheim.SCENES if scene.id == scene_id]
    for line in helheim_lines.lines(scene_id):
        away = [line.distance(shapely.Point(point)) for point in scene.points]
        assert np.median(away) < 120
        assert line.within(helheim.OUTLINE)


def test_a_front_beside_a_drawing_is_that_far_from_it():
    line = helheim_lines.lines("S1_IW_HH_20180602")[0]
    found = helheim_lines.measured("S1_IW_HH_20180602", shapely.affinity.translate(line, 200, 0))
    assert 120 < found["median_m"] < 220


@pytest.mark.real
def test_the_data_set_has_its_lines_in_the_scenes(real_data, tmp_path, capsys):
    assert helheim_lines.main([str(tmp_path / "sar")]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(helheim_lines.VIEWS)
    for sample in read_dataset(tmp_path / "sar", "scenes"):
        assert sample.group == "helheim"
        assert sample.truth.within(shapely.box(0, 0, sample.shape[1], sample.shape[0]))
