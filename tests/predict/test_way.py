"""Networks that are told the way to the sea: what reaches them, in whole scenes, parts, crops and lazy data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr
from scipy.special import expit

from icefront_dask.models.normalise import seaward
from icefront_dask.predict import segment
from icefront_dask.predict.crops import crop_predictor
from icefront_dask.predict.options import resolve_options
from icefront_dask.predict.plugin import get_model
from icefront_dask.predict.scene import predict_scene
from icefront_dask.regions import Region, flow_ends
from tests.predict.networks import save_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

COMMON = {"pixel_size_m": 20.0, "calibration": "gamma0"}
FLOWS = (((20.0, 10.0), (70.0, 150.0)), ((60.0, 5.0), (90.0, 160.0)))


class Echo:
    """Answers with the third of its channels."""

    name = "echo"
    stride = receptive_radius = halo = 4
    windows = None
    guided = True

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        assert batch.shape[1] == 4
        return batch[:, [2, 2]]


class Unguided(Echo):
    guided = False

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        assert batch.shape[1] == 3
        return batch[:, [2, 2]]


def _scene(shape: tuple[int, int] = (128, 176)) -> dict[str, NDArray[np.float32]]:
    return {"hh": np.random.default_rng(0).gamma(4, 0.02, shape).astype(np.float32)}


@pytest.mark.parametrize("block_px", [64, 1024])
def test_a_network_is_told_the_way_in_whole_scenes_and_in_parts(block_px: int) -> None:
    for levels, bound in (([1], 1e-6), ([1, 2], 0.002)):  # means of 2 x 2 pixels are told the way of their middles
        options = resolve_options(passes="fine", tta="none", one_tile_px=64, block_px=block_px, levels=levels)
        found = predict_scene(_scene(), **COMMON, network=Echo(), options=options, flows=FLOWS)
        np.testing.assert_allclose(found.ice, expit(seaward((128, 176), FLOWS)), atol=bound)


def test_the_coarse_pass_is_told_the_same_way() -> None:
    options = resolve_options(passes="coarse-fine", tta="none", band_m=0, band_coarse_px=0, coarse_px_per_fjord=15)
    found = predict_scene(_scene(), **COMMON, network=Echo(), options=options, flows=FLOWS)
    assert found.factor > 1
    far = np.hypot(*(np.indices((128, 176)) - np.array([20, 10])[:, None, None])) > 30  # the way bends at its ends
    np.testing.assert_allclose(found.ice[far], expit(seaward((128, 176), FLOWS))[far], atol=0.02)


def test_turned_copies_are_told_turned_ways() -> None:
    options = resolve_options(passes="fine", tta="dihedral", levels=[1])
    found = predict_scene(_scene((96, 96)), **COMMON, network=Echo(), options=options, flows=FLOWS)
    np.testing.assert_allclose(found.ice, expit(seaward((96, 96), FLOWS)), atol=1e-6)


def test_without_flowlines_it_is_told_nothing_and_others_never_are() -> None:
    options = resolve_options(passes="fine", tta="none")
    assert (predict_scene(_scene(), **COMMON, network=Echo(), options=options).ice == 0.5).all()
    told = predict_scene(_scene(), **COMMON, network=Unguided(), options=options, flows=FLOWS)
    np.testing.assert_allclose(told.ice, expit(1.0))


def test_a_crop_is_told_the_way_of_the_scene() -> None:
    options = resolve_options(tta="none", levels=[1])
    look = crop_predictor(_scene(), options=options, network=Echo(), flows=FLOWS, **COMMON)
    ice, _ = look(slice(30, 94), slice(60, 124))
    np.testing.assert_allclose(ice, expit(seaward((128, 176), FLOWS))[30:94, 60:124], atol=1e-6)


@pytest.mark.parametrize("block_px", [64, 1024])
def test_lazy_data_take_the_flowlines_of_the_region(tmp_path: Path, block_px: int) -> None:
    model = save_model(tmp_path, "guided", channels=4, depth=4, fold=2, guided=True)
    x, y = 400_000 + 20.0 * np.arange(176) + 10, -2_500_000 - 20.0 * np.arange(128) - 10
    power = xr.DataArray(_scene()["hh"], {"y": y, "x": x}, ("y", "x"), "hh", {"calibration": "gamma0"})
    power = power.rio.write_crs("EPSG:3413")
    outline = shapely.box(x.min(), y.min(), x.max(), y.max())
    line = shapely.LineString([(x[5], y[90]), (x[60], y[80]), (x[170], y[20])])
    region = Region("here", outline, "EPSG:3413", flowlines=(line,))
    options = {"engine": "torch-fp32", "tta": "none", "passes": "fine", "one_tile_px": 64, "block_px": block_px}
    blind, told = (segment(power, model=model, region=where, **options).load() for where in (None, region))
    assert np.abs(blind.ice - told.ice).max() > 1e-3
    name, sha256 = model, told.attrs["model_sha256"]
    engines = get_model(name, sha256, "torch-fp32", None).engines
    ends = ((90.5, 5.5), (20.5, 170.5))
    expected = predict_scene(_scene(), **COMMON, network=engines, options=resolve_options(**options), flows=[ends])
    np.testing.assert_allclose(told.ice, expected.ice, atol=1e-5)


def test_ends_of_a_flowline_lie_on_the_grid_and_in_the_fjord() -> None:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    grid = GeoBox((10, 20), Affine(10, 0, 1000, 0, -10, 500), None)
    line = shapely.LineString([(900, 455), (1300, 455)])
    inland, sea = flow_ends(line, grid)
    assert inland == pytest.approx((4.5, 0.0), abs=0.6)
    assert sea == pytest.approx((4.5, 20.0), abs=0.6)
    fjord = np.zeros((10, 20), bool)
    fjord[:, 5:12] = True
    inland, sea = flow_ends(line, grid, fjord)
    assert (inland[1], sea[1]) == pytest.approx((5.0, 12.0), abs=0.6)
    assert flow_ends(shapely.LineString([(0, 0), (10, 0)]), grid) is None
