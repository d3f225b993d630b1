"""The layout ``cube``: fronts on a real store, their sides, and what is not known."""

import json

import dask.config
import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio import Affine

from icefront_dask.cube import create_store, open_cube, read_scenes, scenes, write_scenes
from icefront_dask.errors import ConfigError, InputError, ModelMismatchError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB
from icefront_dask.regions import Region, write_regions
from icefront_dask.runs.scoring import score_folder
from icefront_dask.train.config import Data, TrainConfig
from icefront_dask.train.cubes import cube_entries, draw_front
from icefront_dask.train.fit import fit_scored
from icefront_dask.train.ship import write_card
from tests.cube import builders

X, Y = builders.HELHEIM
X, Y = round(X / 120) * 120, round(Y / 120) * 120


def fjord_region():
    """A fjord 1.2 km wide that runs east, its flowline from west (inland) to east (sea)."""
    outline = shapely.box(X - 1800, Y - 1800, X + 1800, Y + 1800)
    fjord = shapely.box(X - 1800, Y - 600, X + 1800, Y + 600)
    return Region("helheim", outline, "EPSG:3413", fjord=fjord, flowlines=(line(X - 1500, Y, X + 1500, Y),))


def line(*xy):
    return shapely.LineString(np.reshape(xy, (-1, 2)))


GRID = GeoBox((90, 90), Affine(40, 0, X - 1800, 0, -40, Y + 1800), "EPSG:3413")


def test_a_front_parts_ice_from_ocean_inside_the_fjord():
    # 100 m short of both walls: it is taken to reach them.
    ice, known, front, front_known = draw_front(line(X, Y - 500, X, Y + 500), fjord_region(), GRID, "a")
    rows, cols = np.mgrid[0:90, 0:90]
    inside = (rows >= 30) & (rows < 60)
    np.testing.assert_array_equal(front_known, inside)
    assert not (known & ~inside).any()
    assert front.sum() in (25, 26)
    assert set(np.nonzero(front)[1]) <= {44, 45}
    sure = inside & (np.abs(cols - 45) > 2)
    np.testing.assert_array_equal(known[sure], np.ones(sure.sum(), bool))
    np.testing.assert_array_equal(ice[sure], cols[sure] < 45)


def test_a_flowline_the_other_way_turns_the_sides_round():
    region = fjord_region()
    front = line(X, Y - 600, X, Y + 600)
    ice, *_ = draw_front(front, region, GRID, "a")
    other, *_ = draw_front(front, region.patch(flowlines=(region.flowlines[0].reverse(),)), GRID, "a")
    assert not (ice & other).any()
    assert ice.sum() > 1000 < other.sum()


def test_a_front_that_parts_nothing_is_refused():
    with pytest.raises(InputError, match=r"scene b: .*across the whole fjord"):
        draw_front(line(X, Y + 600, X, Y - 100 + 900), fjord_region(), GRID, "b")
    with pytest.raises(InputError, match="does not part"):
        draw_front(line(X - 1700, Y + 300, X + 1700, Y + 300), fjord_region(), GRID, "c")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of two dates, of which one has a front."""
    path = tmp_path_factory.mktemp("cube")
    region = fjord_region()
    grid = region.geobox(40)
    rng = np.random.default_rng(5)
    utm = builders.utm_grid(32624, 480, 10)
    items = [
        builders.s1_item(
            path,
            f"S1A_IW_GRDH_1SDH_{day}_rtc",
            {"hh": builders.speckle(rng, utm.shape.yx), "hv": builders.speckle(rng, utm.shape.yx, 0.02)},
            utm,
            datetime=f"2018-06-{day}T20:15:32Z",
            **{"sat:absolute_orbit": 22_186 + 88 * n},
        )
        for n, day in enumerate(("02", "06"))
    ]
    with dask.config.set({"icefront.catalog.allow_roots": [str(path)]}):
        found = scenes(items, region, "sentinel-1")
    store = create_store(path / "cube.zarr", found, region, "sentinel-1", grid, ("hh", "hv"))
    write_scenes(store, [0, 1], read_scenes(found, grid, ("hh", "hv")))
    write_regions([region], path / "regions.geojson")
    fronts = gpd.GeoDataFrame(
        {"scene_id": [found[1].scene_id], "region": ["helheim"]}, geometry=[line(X, Y - 600, X, Y + 600)], crs=3413
    )
    fronts.to_file(path / "fronts.gpkg")
    return path


def data(folder, **changes):
    given = {"path": folder / "cube.zarr", "fronts": folder / "fronts.gpkg", "regions": folder / "regions.geojson"}
    return Data(layout="cube", **(given | changes))


def test_scenes_with_a_front_are_read_in_decibel(folder):
    (entry,) = cube_entries(data(folder))
    assert entry.group == "helheim"
    found = entry.read()
    assert found.image.shape == (2, *entry.shape)
    assert found.image.dtype == np.float32
    assert np.nanmin(found.image[0]) >= CO_FLOOR_DB
    assert np.nanmin(found.image[1]) >= CROSS_FLOOR_DB
    assert -5 < np.nanmedian(found.image[0]) - np.nanmedian(found.image[1]) - 10 < 10
    assert found.ice.any()
    assert (found.ice_known & ~found.ice).any()
    assert not (found.ice_known & ~np.isfinite(found.image[0])).any()


def test_hed_unet_trains_on_it(folder, tmp_path):
    config = TrainConfig(
        name="hed",
        out=tmp_path,
        data=data(folder),
        task="area-edge",
        preprocessing="hed-unet-sar",
        augmentation="hed-unet",
        crop_px=64,
        batch=2,
        loaders=0,
        steps=1,
        threads=1,
        curves=False,
        precision="fp32",
        architecture="hed_unet",
        architecture_options={"in_channels": 2, "width": 2},
    )
    assert fit_scored(config).weights.is_file()
    one = config.model_copy(update={"data": data(folder, bands=("hh",)), "out": tmp_path / "one"})
    with pytest.raises(ModelMismatchError, match="takes 2 channels, the data give 1"):
        fit_scored(one)


def with_elevation(folder, tmp_path):
    """The regions with a plane as elevation: 1 m higher for each 100 m to the east."""
    utm = builders.utm_grid(32624, 480, 10)
    column = np.broadcast_to(np.arange(480, dtype="float32"), (480, 480))
    href = builders.cog(tmp_path / "dem.tif", 300 + column / 10, utm)
    write_regions([fjord_region().patch(elevation=href)], tmp_path / "regions.geojson")
    return data(folder, regions=tmp_path / "regions.geojson", bands=("hh", "hv", "elevation")), utm


def test_elevation_is_a_band_on_the_grid_of_the_cube(folder, tmp_path):
    given, utm = with_elevation(folder, tmp_path)
    (entry,) = cube_entries(given)
    height = entry.read().image[2]
    cube = cube_grid(folder)
    x, y = np.meshgrid(cube["x"], cube["y"])
    east, _ = pyproj.Transformer.from_crs("EPSG:3413", "EPSG:32624", always_xy=True).transform(x, y)
    expected = 300 + ((east - utm.affine.c) / 10 - 0.5) / 10
    seen = np.isfinite(height)
    assert seen.mean() > 0.5
    np.testing.assert_allclose(height[seen], expected[seen], atol=0.1)
    with pytest.raises(ConfigError, match="region helheim states no elevation"):
        cube_entries(data(folder, bands=("hh", "elevation")))


def cube_grid(folder):
    return open_cube(str(folder / "cube.zarr"), region="helheim", family="sentinel-1")


@pytest.mark.parametrize("elevation", [True, False])
def test_baumhoer_trains_on_it_and_is_scored(folder, tmp_path, elevation):
    """B-NN from a cube to scores of scenes: HH, HV, HH/HV and, where it is given, the elevation."""
    given = with_elevation(folder, tmp_path)[0] if elevation else data(folder)
    config = TrainConfig(
        name="bnn",
        out=tmp_path / "out",
        data=given,
        task="area",
        preprocessing="baumhoer",
        augmentation="none",
        crop_px=64,
        batch=2,
        loaders=0,
        steps=2,
        threads=1,
        curves=False,
        precision="fp32",
        architecture="baumhoer_unet",
        architecture_options={"in_channels": 3 + elevation, "out_channels": 1, "width": 2},
    )
    weights = fit_scored(config).weights
    card = write_card(config, weights, "icefront train")
    assert json.loads(card.read_text())["protocol"] == "baumhoer"
    (entry,) = cube_entries(given)
    image = entry.read().image
    scenes_folder = tmp_path / "scenes"
    scenes_folder.mkdir()
    height, width = image.shape[1:]
    profile = {"driver": "GTiff", "height": height, "width": width, "count": len(image), "dtype": "float32"}
    grid = cube_grid(folder)
    place = Affine(40, 0, float(grid["x"][0]) - 20, 0, -40, float(grid["y"][0]) + 20)
    with rasterio.open(
        scenes_folder / "a.tif", "w", crs="EPSG:3413", transform=place, nodata=np.nan, **profile
    ) as target:
        target.write(image)
        target.descriptions = ("hh", "hv", "elevation")[: len(image)]
    content = {"type": "LineString", "coordinates": [(X, Y - 600), (X, Y + 600)]}
    named = {"type": "name", "properties": {"name": "EPSG:3413"}}
    (scenes_folder / "a.geojson").write_text(json.dumps(content | {"crs": named}))
    scores, fronts = score_folder(scenes_folder, "scenes", model=str(weights))
    assert scores.pooled["images"] == 1
    assert (fronts["a"].model, fronts["a"].channels) == ("bnn", "hh+hv")


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(ModelMismatchError, match="no band vv; the cube has hh, hv"):
        cube_entries(data(folder, bands=("vv",)))
    fronts = gpd.read_file(folder / "fronts.gpkg")
    fronts.assign(scene_id="elsewhere").to_file(tmp_path / "lonely.gpkg")
    with pytest.raises(InputError, match=r"1 front\(s\) of scenes that .* lacks: elsewhere"):
        cube_entries(data(folder, fronts=tmp_path / "lonely.gpkg"))
    fronts.assign(status="review").to_file(tmp_path / "review.gpkg")
    with pytest.raises(InputError, match="no front to teach"):
        cube_entries(data(folder, fronts=tmp_path / "review.gpkg"))
    fronts.drop(columns="scene_id").to_file(tmp_path / "nameless.gpkg")
    with pytest.raises(InputError, match="scene_id"):
        cube_entries(data(folder, fronts=tmp_path / "nameless.gpkg"))
    fronts.assign(region="petermann").to_file(tmp_path / "other.gpkg")
    with pytest.raises(InputError, match="petermann"):
        cube_entries(data(folder, fronts=tmp_path / "other.gpkg"))
    write_regions([fjord_region().patch(flowlines=())], tmp_path / "regions.geojson")
    with pytest.raises(ConfigError, match="no flowline"):
        cube_entries(data(folder, regions=tmp_path / "regions.geojson"))
    with pytest.raises(InputError, match="cannot be read"):
        cube_entries(data(folder, fronts=tmp_path / "nothing.gpkg"))
