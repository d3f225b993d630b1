"""Data sets on disk, good and bad."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from icefront_dask.errors import InputError
from icefront_dask.score import read_dataset, read_line, write_line
from icefront_dask.score.groups import glacier_groups
from icefront_dask.score.lines import apply_affine

UTM = Affine(20, 0, 500_000, 0, -20, 7_400_000)


def write_tif(path, shape=(40, 50), crs=None, transform=None, nodata=None, driver="GTiff", count=1):
    profile = {"driver": driver, "height": shape[0], "width": shape[1], "count": count, "dtype": "uint8"}
    if crs:
        profile |= {"crs": crs, "transform": transform}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        target = rasterio.open(path, "w", nodata=nodata, **profile)
    with target:
        target.write(np.arange(count * shape[0] * shape[1], dtype=np.uint8).reshape(count, *shape))


def write_geojson(path, line, crs=None, **properties):
    content = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(line)}],
    }
    if crs:
        content["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(content))


def write_pair(folder, name, shape=(30, 20), label_shape=None, row=10):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels_1px").mkdir(exist_ok=True)
    write_tif(folder / "images" / f"{name}_Subset.png", shape, driver="PNG", count=4)
    label = np.full((3, *(label_shape or shape)), 255, np.uint8)
    if row is not None:
        label[:, row, 2:-2] = 0
    profile = {
        "driver": "PNG",
        "height": label.shape[1],
        "width": label.shape[2],
        "count": 3,
        "dtype": "uint8",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        target = rasterio.open(folder / "labels_1px" / f"{name}_Front.png", "w", **profile)
    with target:
        target.write(label)


def test_scenes_reads_every_kind_of_coordinates(tmp_path):
    pixel_line = shapely.LineString([(5.5, 10.5), (30.5, 12.5), (44.5, 20.5)])
    ground = shapely.transform(pixel_line, lambda xy: apply_affine(UTM, xy))
    to_lonlat = pyproj.Transformer.from_crs(32624, 4326, always_xy=True)
    lonlat = shapely.transform(ground, lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
    for name in ("member", "plain"):
        write_tif(tmp_path / f"{name}.tif", crs="EPSG:32624", transform=UTM)
    write_tif(tmp_path / "pixels.tif")
    write_geojson(tmp_path / "member.geojson", ground, crs="urn:ogc:def:crs:EPSG::32624", glacier="helheim")
    write_geojson(tmp_path / "plain.geojson", lonlat)
    write_geojson(tmp_path / "pixels.geojson", pixel_line)
    dataset = read_dataset(tmp_path, "scenes")
    assert [s.name for s in dataset] == ["member", "pixels", "plain"]
    assert [s.group for s in dataset] == ["helheim", "pixels", "plain"]
    for sample in dataset:
        np.testing.assert_allclose(shapely.get_coordinates(sample.truth), pixel_line.coords, atol=1e-6)
    assert dataset.samples[0].crs == "EPSG:32624"
    assert dataset.samples[1].to_ground(np.array([[0.5, 0.5]])) is None


def test_ground_distances_are_geodesic_whatever_the_projection(tmp_path):
    geod = pyproj.Geod(ellps="WGS84")
    transforms = {
        "EPSG:3413": Affine(30, 0, 300_000, 0, -30, -2_570_000),
        "EPSG:32624": UTM,
        "EPSG:4326": Affine(0.00025, 0, -38.3, 0, -0.00025, 66.5),  # pixels that are not square in metres
    }
    for crs, transform in transforms.items():
        folder = tmp_path / crs.replace(":", "")
        folder.mkdir()
        write_tif(folder / "a.tif", crs=crs, transform=transform)
        line = shapely.LineString([(2.5, 2.5), (45.5, 30.5)])
        write_line(folder / "a.geojson", line, transform, crs)
        (sample,) = read_dataset(folder, "scenes")
        np.testing.assert_allclose(shapely.get_coordinates(sample.truth), line.coords, atol=1e-5)
        ends = sample.to_ground(np.array([[2.5, 2.5], [45.5, 30.5]]))
        lonlat = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
        corners = apply_affine(transform, np.array([[2.5, 2.5], [45.5, 30.5]]))
        (lon0, lon1), (lat0, lat1) = lonlat.transform(*corners.T)
        assert np.hypot(*(ends[1] - ends[0])) == pytest.approx(geod.inv(lon0, lat0, lon1, lat1)[2], rel=1e-6)


def test_reading_turns_nodata_into_nan_and_leaves_out_alpha(tmp_path):
    write_tif(tmp_path / "a.tif", nodata=7)
    write_geojson(tmp_path / "a.geojson", shapely.LineString([(1, 1), (9, 9)]))
    data = read_dataset(tmp_path, "scenes").samples[0].read()
    assert data.dtype == np.float32
    assert np.isnan(data[0, 0, 7])
    assert data[0, 0, 8] == 8
    write_pair(tmp_path / "pairs", "LC08_L1TP_020007_20140801")
    assert read_dataset(tmp_path / "pairs", "pairs").samples[0].read().shape == (3, 30, 20)


def test_lines_round_trip_and_an_empty_one_stays_empty(tmp_path):
    line = shapely.MultiLineString([[(1.5, 2.5), (8.25, 9.5)], [(10, 10), (20, 11)]])
    write_line(tmp_path / "a.geojson", line, UTM, "EPSG:32624", status="accepted")
    content = json.loads((tmp_path / "a.geojson").read_text())
    lon, lat = content["features"][0]["geometry"]["coordinates"][0][0]
    assert -40 < lon < -38
    assert 66 < lat < 67
    assert content["features"][0]["properties"] == {"status": "accepted"}
    back = read_line(tmp_path / "a.geojson", UTM, "EPSG:32624")
    np.testing.assert_allclose(shapely.get_coordinates(back), shapely.get_coordinates(line), atol=1e-6)
    write_line(tmp_path / "none.geojson", None)
    assert read_line(tmp_path / "none.geojson").is_empty


def test_pairs_matches_names_and_groups_neighbouring_paths(tmp_path):
    for name in (
        "LC08_L1TP_020007_20140801",
        "LE07_L1TP_023006_20010801",
        "LT05_L1TP_009011_19900801",
        "other",
    ):
        write_pair(tmp_path, name)
    dataset = read_dataset(tmp_path, "pairs")
    assert {s.name: s.group for s in dataset} == {
        "LC08_L1TP_020007_20140801": "path-020-023",
        "LE07_L1TP_023006_20010801": "path-020-023",
        "LT05_L1TP_009011_19900801": "path-009-009",
        "other": "other",
    }
    sample = dataset.samples[0]
    assert len(sample.true_pixels) == 16
    np.testing.assert_allclose(sample.truth.coords, [[c + 0.5, 10.5] for c in range(2, 18)])


def test_paths_on_both_sides_of_the_last_one_are_neighbours():
    groups = glacier_groups([f"LC08_L2SP_{p:03d}010_20200801" for p in (1, 2, 233, 100)])
    assert len(set(groups.values())) == 2


def test_real_pairs_are_three_glaciers(real_data):
    dataset = read_dataset(real_data / "greenland-landsat-fronts", "pairs")
    sizes = {}
    for sample in dataset:
        sizes[sample.group] = sizes.get(sample.group, 0) + 1
        assert sample.shape == (300, 200)
        # The ordered path keeps to the label, but for what juts out of the line by a few pixels.
        assert shapely.distance(shapely.points(sample.true_pixels), sample.truth).max() < 5
    assert sizes == {"path-008-010": 30, "path-020-024": 70, "path-229-231": 23}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "images" / "a_Subset.png").unlink(), r"1 label\(s\) without image: a"),
        (lambda d: (d / "labels_1px" / "b_Front.png").unlink(), r"1 image\(s\) without label: b"),
        (lambda d: write_pair(d, "c", label_shape=(31, 20)), "the label has 31 × 20 px, its image 30 × 20"),
        (lambda d: write_pair(d, "c", row=None), "the label has no front"),
        (lambda d: (d / "images" / "c_Subset.png").write_bytes(b"no png"), "without label"),
        (lambda d: (d / "images" / "a_Subset.png").write_bytes(b"no png"), "cannot be read as PNG"),
        (lambda d: (d / "images" / "a.png").write_bytes(b""), "a occurs twice"),
    ],
)
def test_bad_pairs_are_named(tmp_path, spoil, message):
    for name in "ab":
        write_pair(tmp_path, name)
    spoil(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        read_dataset(tmp_path, "pairs")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "is not GeoJSON"),
        ("front", "cannot be read as GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "no front"),
        ('{"type": "Feature", "properties": {}, "geometry": null}', "no front"),
        ('{"type": "LineString", "coordinates": []}', "no front"),
        ('{"type": "Point", "coordinates": [1, 2]}', "not Point"),
        ('{"type": "LineString", "coordinates": [[1000, 1000], [1010, 1000]]}', "lies outside a.tif"),
    ],
)
def test_bad_labels_of_scenes_are_named(tmp_path, text, message):
    write_tif(tmp_path / "a.tif")
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(InputError, match=message):
        read_dataset(tmp_path, "scenes")


def test_a_crs_member_that_means_nothing_is_refused(tmp_path):
    write_tif(tmp_path / "a.tif", crs="EPSG:32624", transform=UTM)
    write_geojson(tmp_path / "a.geojson", shapely.LineString([(0, 0), (1, 1)]), crs="EPSG:1")
    with pytest.raises(InputError, match="crs member"):
        read_dataset(tmp_path, "scenes")


def test_a_vrt_named_tif_does_not_open(tmp_path):
    write_tif(tmp_path / "real.tiff")
    vrt = '<VRTDataset rasterXSize="50" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    (tmp_path / "a.tif").write_text(vrt)
    for name in ("a", "real"):
        write_geojson(tmp_path / f"{name}.geojson", shapely.LineString([(1, 1), (9, 9)]))
    with pytest.raises(InputError, match=r"a\.tif: cannot be read as GTiff"):
        read_dataset(tmp_path, "scenes")


def test_unknown_layout_missing_folder_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match="unknown layout 'caffee'; known: pairs, scenes"):
        read_dataset(tmp_path, "caffee")
    with pytest.raises(InputError, match="no such folder"):
        read_dataset(tmp_path / "none", "pairs")
    with pytest.raises(InputError, match="nothing in layout scenes"):
        read_dataset(tmp_path, "scenes")
