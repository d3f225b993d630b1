"""Scenes of the second generator: truth on the edge, a data set that is read back, no code of the first one."""

import ast
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from icefront_dask.errors import InputError, StoreError
from icefront_dask.score import read_dataset
from icefront_dask.score.guides import fjord_mask, scene_guide
from icefront_dask.score.sides import ocean_of
from icefront_dask.simulate import independent
from icefront_dask.simulate.independent.geometry import ICE, OCEAN, ROCK
from icefront_dask.simulate.independent.scenes import draw_scene, read_textures, write_scenes
from tests.score.images import write_png

SIZE = 96


def test_equal_seeds_give_equal_bytes_and_others_differ():
    one, two, other = (draw_scene(seed, SIZE) for seed in (3, 3, 4))
    assert all(one.bands[band].tobytes() == two.bands[band].tobytes() for band in one.bands)
    assert one.bands["hh"].tobytes() != other.bands["hh"].tobytes()
    for band in one.bands.values():
        assert band.dtype == np.float32
        assert (band > 0).all()
    assert -35 < 10 * np.log10(np.median(one.bands["hh"])) < 5


def test_the_data_set_says_where_front_and_sea_are(tmp_path):
    names = write_scenes(tmp_path / "b", 2, seed=20, size=SIZE)
    dataset = read_dataset(tmp_path / "b", "scenes")
    assert [sample.name for sample in dataset] == names == ["independent-000020", "independent-000021"]
    for number, sample in enumerate(dataset):
        scene = draw_scene(20 + number, SIZE)
        assert sample.group == sample.name
        assert shapely.hausdorff_distance(sample.truth, scene.place.front) < 1e-3
        assert np.array_equal(ocean_of(sample, "scenes"), scene.place.kind == OCEAN)
        with rasterio.open(sample.image) as source:
            assert source.descriptions == ("hh", "hv")
            assert source.tags()["calibration"] == "gamma0"
            assert np.array_equal(source.read(1), scene.bands["hh"])
            assert source.transform.a == pytest.approx(scene.pixel_m)
    with pytest.raises(StoreError, match="new one"):
        write_scenes(tmp_path / "b", 1)


def test_guides_hold_the_front_and_lead_from_ice_to_sea(tmp_path):
    write_scenes(tmp_path / "b", 4, seed=20, size=SIZE, guides=True)
    for number, sample in enumerate(read_dataset(tmp_path / "b", "scenes")):
        place = draw_scene(20 + number, SIZE).place
        guide = scene_guide(sample.name, sample.image)
        inside = fjord_mask(guide.fjord, sample.image)
        assert (inside == (place.kind != ROCK)).mean() > 0.95
        (flow,) = guide.flowlines
        kinds = [place.kind[int(y), int(x)] for x, y in (flow.coords[0], flow.coords[-1])]
        assert kinds == [ICE, OCEAN]


def test_textures_come_from_a_folder(tmp_path):
    with pytest.raises(InputError, match="no PNG or TIFF"):
        read_textures(tmp_path)
    write_png(tmp_path / "a.png", np.random.default_rng(1).integers(0, 255, (120, 130)))
    (texture,) = read_textures(tmp_path)
    assert texture.mean() == pytest.approx(0, abs=0.01)
    assert texture.std() == pytest.approx(1, abs=0.02)
    assert draw_scene(3, SIZE, [texture]).bands["hh"].tobytes() != draw_scene(3, SIZE).bands["hh"].tobytes()


def test_it_shares_no_code_with_the_generator_of_the_trainings():
    folder = Path(independent.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("icefront_dask."):
                assert node.module.startswith(("icefront_dask.errors", "icefront_dask.simulate.independent")), (
                    node.module
                )
