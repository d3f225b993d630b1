"""Fronts of image files: guides on the grid of the prediction, lines back in the pixels of the file."""

from types import SimpleNamespace

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine

from icefront_dask.runs import images
from icefront_dask.runs.image_file import Image
from icefront_dask.runs.working_grid import working_grid

SHAPE = (150, 200)
# Near Helheim: 0.00025 by 0.00018 degrees are 10.3 x 20.1 m.
DEGREES = Affine(0.00025, 0, -38.2, 0, -0.00018, 66.4)


@pytest.fixture
def predicted(monkeypatch):
    """Replace the prediction by a front along a column of the file; what it was told is kept."""
    told = {}

    def predict(bands, **given):
        told.update(given, bands=bands)
        (band,) = bands.values()
        edge = np.nan_to_num(band, nan=0.0)
        near = np.exp(-(((edge - 100) / 2) ** 2)).astype(np.float32)
        invalid = np.isnan(band)
        layers = {"ice": (edge < 100).astype(np.float32), "front": near * np.float32(told.get("strength", 1))}
        layers = {name: np.where(invalid, np.float32(np.nan), layer) for name, layer in layers.items()}
        return SimpleNamespace(**layers, cross=False)

    monkeypatch.setattr(images, "predict_scene", predict)
    return told


def columns():
    """An image whose grey value is the number of the column."""
    return np.broadcast_to(np.arange(SHAPE[1], dtype=np.float32) + 0.5, (1, *SHAPE)).copy()


def test_guides_come_to_the_grid_and_the_line_comes_back(predicted, model):
    image = Image(columns(), transform=DEGREES, crs="EPSG:4326")
    fjord = np.zeros(SHAPE, bool)
    fjord[30:120] = True
    flow = shapely.LineString([(10, 75), (190, 75)])
    found = images.front_in(image, model=str(model), fjord=fjord, flowlines=[flow])
    grid = working_grid(image, 30.0)
    assert grid.pixel_size_m == pytest.approx(20.1, abs=0.2)
    corners = np.transpose([DEGREES * xy for xy in ((0, 30), (200, 30), (200, 120), (0, 120))])
    area = abs(pyproj.Geod(ellps="WGS84").polygon_area_perimeter(*corners)[0])
    assert predicted["fjord_mask"].sum() * grid.pixel_size_m**2 == pytest.approx(area, rel=0.05)
    ((inland, seaward),) = predicted["flows"]
    ends = grid.to_file(np.array([inland[::-1], seaward[::-1]]))
    np.testing.assert_allclose(ends, flow.coords, atol=1)
    x, y = np.asarray(shapely.get_coordinates(found.line)).T
    np.testing.assert_allclose(x, 100, atol=1)
    assert y.min() < 35
    assert y.max() > 115


def test_no_image_is_without_a_line_that_has_pixels(predicted, model):
    image = Image(columns(), transform=DEGREES, crs="EPSG:4326")
    predicted["strength"] = 0.0
    image.data[:] = np.where(np.arange(SHAPE[1]) % 2, 99.9, 100.1)  # no edge that could be a front
    found = images.front_in(image, model=str(model))
    assert found.guessed
    assert found.status == "rejected"
    assert np.isnan(found.confidence)
    assert found.line.length > 1
    nothing = images.front_in(Image(np.full((1, *SHAPE), np.nan, np.float32)), model=str(model))
    assert (nothing.line, nothing.guessed, nothing.status) == (None, False, "failed")


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
def test_lengths_are_those_of_the_ground(crs):
    """Web Mercator at 70° N has 58 m pixels where the file says 170."""
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(-50.0, 70.0)
    step = 170.0 if crs == "EPSG:3857" else 0.0015
    image = Image(columns(), transform=Affine(step, 0, x, 0, -step, y), crs=crs)
    grid = working_grid(image, 30.0)
    ground = pyproj.Geod(ellps="WGS84")
    sides = []
    for across, down in ((1, 0), (0, 1)):
        corners = [image.transform * (100 + across * n, 75 + down * n) for n in (0, 1)]
        lon, lat = pyproj.Transformer.from_crs(crs, 4326, always_xy=True).transform(*np.transpose(corners))
        sides.append(ground.inv(lon[0], lat[0], lon[1], lat[1])[2])
    assert grid.place is not None
    assert grid.pixel_size_m == pytest.approx(max(sides), rel=0.03)
    there = np.array([[10.0, 20.0], [150.0, 140.0]])
    np.testing.assert_allclose(grid.to_file(grid.from_file(there)), there, atol=1e-6)


def test_square_pixels_in_metres_stay():
    image = Image(columns(), transform=Affine(20, 0, 300_000, 0, -20, -2_500_000), crs="EPSG:3413")
    grid = working_grid(image, 30.0)
    assert grid.place is None
    assert grid.pixel_size_m == pytest.approx(20.0, rel=0.03)
