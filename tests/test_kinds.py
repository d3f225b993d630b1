"""Whether a scene is optical or radar."""

import pytest

from icefront_dask._collection import FAMILIES, VARIABLES
from icefront_dask._kinds import KIND_OF_FAMILY, kind_of, kind_of_file
from icefront_dask.sensors import TABLE


def test_every_family_and_variable_but_grey_is_of_one_kind():
    assert set(KIND_OF_FAMILY) == set(FAMILIES)
    assert {name for name in VARIABLES if kind_of([name]) is None} == {"grey"}
    for entry in TABLE.values():
        if entry.assets:
            assert kind_of(entry.assets) == KIND_OF_FAMILY[entry.family]


@pytest.mark.parametrize(
    ("variables", "sensors", "kind"),
    [
        (["grey"], ["C-SAR"], "radar"),
        (["grey"], ["OLI", "ETM+"], "optical"),
        (["grey"], ["OLI", "C-SAR"], None),
        (["grey"], ["a camera"], None),
        (["grey", "hh"], ["OLI"], "radar"),
        (["hh", "nir"], [], None),
        ([], [], None),
    ],
)
def test_bands_go_before_sensors(variables, sensors, kind):
    assert kind_of(variables, sensors) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("LC08_L1TP_231013_20160706_20170323_01_T1_B8_Subset", "optical"),
        ("LT05_L1GS_021006_19940529", "optical"),
        ("LE07_x", "optical"),
        ("helheim-landsat8-2015", "optical"),
        ("S1A_IW_GRDH_1SDH_20180602T195845", "radar"),
        ("20180602_hh_GEE_sentinel_GRD_IW_helheim_stretch", "radar"),
        ("COL_2011-11-13_TDX_7_1_092", "radar"),
        ("Crane_2002-11-09_ENVISAT_20_1_467", "radar"),
        ("S2B_MSIL2A_20200801", "optical"),
        ("landsat-and-sentinel-1", None),
        ("shelf_20200801", None),
        ("newsletter", None),
    ],
)
def test_names_of_files(name, kind):
    assert kind_of_file(name) == kind
