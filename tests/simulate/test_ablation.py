"""Ingredients of the simulator taken away one at a time: the rest of a scene stays what it was."""

from dataclasses import fields, replace

import numpy as np
import pytest

from icefront_dask.errors import ConfigError
from icefront_dask.simulate.ablation import INGREDIENTS, check_ingredients, without
from icefront_dask.simulate.fields import Atlas
from icefront_dask.simulate.landscape import FrontShape, Landscape
from icefront_dask.simulate.layers import GLACIER, Layers, Surface
from icefront_dask.simulate.optical import Sky, draw_sky
from icefront_dask.simulate.sar import Radar, draw_radar, render_sar
from icefront_dask.train.simulated import Drawn, draw_scene

SEEDS = range(6)
DRAWN = {Landscape, FrontShape, Surface}


@pytest.fixture(scope="module")
def atlas():
    return Atlas.from_seed(0)


def arrays(scene):
    return {f.name: getattr(scene.layers, f.name) for f in fields(scene.layers)}


def test_names_are_checked():
    check_ingredients(["rifts", "speckle"])
    with pytest.raises(ConfigError, match="no ingredient 'tea'; it has: walls, bends"):
        check_ingredients(["rifts", "tea"])


def test_nothing_is_left_out_unless_it_is_said(atlas):
    one, two = (draw_scene(3, atlas, 64, Drawn(ablated=given)) for given in ((), ("speckle", "clouds")))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(one).values(), arrays(two).values(), strict=True))


@pytest.mark.parametrize("name", [n for n, entry in INGREDIENTS.items() if set(entry.changes) & DRAWN])
def test_an_ingredient_of_the_place_is_gone_from_some_scenes(atlas, name):
    changed = 0
    for seed in SEEDS:
        whole, part = (draw_scene(seed, atlas, 64, Drawn(ablated=given)) for given in ((), (name,)))
        assert (whole.pixel_m, whole.cliff_m) == (part.pixel_m, part.cliff_m)
        assert np.array_equal(whole.clouds, part.clouds)
        changed += any(
            not np.array_equal(a, b) for a, b in zip(arrays(whole).values(), arrays(part).values(), strict=True)
        )
    assert changed


def test_what_a_surface_had_is_not_there(atlas):
    for seed in SEEDS:
        layers = draw_scene(
            seed, atlas, 64, Drawn(ablated=("bergs", "calved-bergs", "melange", "rifts", "relief"))
        ).layers
        assert (layers.berg <= 0).all()
        assert (layers.cover == 0).all()
        assert (layers.rift == 3000).all()
        assert (layers.elevation == 0).all()


def test_layers_lose_their_texture_alone(atlas):
    whole, part = (draw_scene(1, atlas, 64, Drawn(ablated=given)) for given in ((), ("crevasses",)))
    assert (part.layers.crevasse == 0).all()
    for name, values in arrays(whole).items():
        assert name == "crevasse" or np.array_equal(values, getattr(part.layers, name))


def test_speckle_and_floor_are_gone_from_backscatter(atlas):
    layers = draw_scene(1, atlas, 64).layers.unpacked()
    radar = draw_radar(np.random.default_rng(1))
    smooth = without(radar, ("speckle", "noise-floor", "speckle-correlation"))
    assert replace(smooth, looks=radar.looks, floor_db=radar.floor_db, smooth_px=radar.smooth_px) == radar
    one, two = (render_sar(layers, smooth, np.random.default_rng(seed), 20.0)[0] for seed in (1, 2))
    assert (layers.kind == GLACIER).any()
    assert np.abs(10 * np.log10(one / two)).max() < 0.2


@pytest.mark.parametrize("kind", [Layers, Radar, Sky])
def test_each_kind_of_part_has_ingredients(kind):
    assert any(kind in entry.changes for entry in INGREDIENTS.values())
    assert without(draw_sky(np.random.default_rng(1)), ["clouds"]).cloud_share == 0
