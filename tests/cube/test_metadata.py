from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from icefront_dask.cube import Quality, load, metadata
from icefront_dask.cube.metadata import fetch, load_mtl
from icefront_dask.errors import CatalogError, ReadError
from tests.cube import builders


def level_1(item, mtl):
    """The Landsat item as a Level 1 item of Landsat 5 that states no scaling but has a metadata file."""
    item = copy.deepcopy(item)
    item["id"], item["collection"] = "LT05_L1TP_233013_19900710_02_T1", "landsat-c2l1"
    item["properties"] |= {"platform": "landsat-5", "view:sun_elevation": 30.0}
    folder = mtl.parent
    for key, band in (("green", 2), ("nir08", 4)):
        asset = item["assets"][key]
        name = folder / f"LT05_L1TP_233013_19900710_02_T1_B{band}.TIF"
        name.symlink_to(asset["href"])
        item["assets"][key] = {"href": str(name), "raster:bands": [{"nodata": 0, "data_type": "uint16"}]}
    item["assets"]["MTL.json"] = {"href": str(mtl)}
    return item


MTL = {
    "LANDSAT_METADATA_FILE": {
        "IMAGE_ATTRIBUTES": {"SUN_ELEVATION": "30.0"},
        "LEVEL1_RADIOMETRIC_RESCALING": {
            f"REFLECTANCE_{what}_BAND_{band}": value
            for band, pair in ((2, ("2.5E-05", "-0.1")), (4, ("3.0E-05", "-0.2")))
            for what, value in zip(("MULT", "ADD"), pair, strict=True)
        },
    }
}


def test_level_1_is_scaled_by_its_metadata_file_in_the_worker(landsat, tmp_path):
    mtl = tmp_path / "LT05_MTL.json"
    item = level_1(landsat, mtl)
    cube = load([item], builders.region(crs="EPSG:32624"), "landsat", resolution=30)
    assert cube.attrs["calibration"] == "reflectance"
    mtl.write_text(json.dumps(MTL))  # read when the pixels are, not before
    level_2 = load([landsat], builders.region(crs="EPSG:32624"), "landsat", resolution=30)
    computed, reference = cube.compute(), level_2.compute()
    for name, scale, offset in (("green", 2.5e-5, -0.1), ("nir", 3e-5, -0.2)):
        numbers = (reference[name].values[0].astype(float) + 0.2) / 2.75e-5
        seen = ~np.isnan(numbers)  # another sensor's saturation bits
        expected = (numbers * scale + offset) / 0.5
        np.testing.assert_allclose(computed[name].values[0][seen], expected[seen], atol=2e-6)
    assert not (computed.quality & np.uint16(Quality.READ_FAILED)).any()


def test_a_metadata_file_that_cannot_be_read_is_a_failed_read(landsat, tmp_path):
    item = level_1(landsat, tmp_path / "absent_MTL.json")
    cube = load([item], builders.region(crs="EPSG:32624"), "landsat", resolution=30)
    with pytest.raises(ReadError, match=r"'LT05_L1TP_233013_19900710_02_T1'.*absent_MTL\.json cannot be read"):
        cube.compute()
    flagged = load([item], builders.region(crs="EPSG:32624"), "landsat", resolution=30, on_read_error="flag").compute()
    assert ((flagged.quality & np.uint16(Quality.READ_FAILED)) != 0).all()
    assert np.isnan(flagged.nir).all()


def test_what_is_no_metadata_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "a.json"
    other.write_text("[1, 2]")
    with pytest.raises(ReadError, match="no Landsat metadata file"):
        load_mtl(str(other), "item 'a'")
    broken = tmp_path / "b.json"
    broken.write_text('{"a": ')
    with pytest.raises(ReadError, match="is no JSON"):
        load_mtl(str(broken), "item 'b'")
    monkeypatch.setattr(metadata, "MAX_BYTES", 3)
    with pytest.raises(ReadError, match="no metadata file"):
        fetch(str(other), "item 'a'")
    with pytest.raises(CatalogError, match="virtual file systems"):
        fetch("/vsizip/x.zip/a.xml", "item 'a'")
