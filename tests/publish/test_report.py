from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from icefront_dask import publish
from icefront_dask.change.statistics import STATISTICS_DTYPES
from icefront_dask.errors import ConfigError, InputError
from icefront_dask.publish.report_statistics import GROUPS
from tests.publish import glaciers

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&"


class Page(HTMLParser):
    """The elements of a page and its text, all spaces alike."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)

    def having(self, tag, name):
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


@pytest.fixture(scope="module")
def content():
    return glaciers.arguments([glaciers.region()])


@pytest.fixture(scope="module")
def page(content, tmp_path_factory):
    path = publish.write_report(tmp_path_factory.mktemp("report") / "report.html", **content)
    return Page(path.read_text(encoding="utf-8"))


def test_it_asks_for_nothing(page):
    links = page.having("a", "href")
    assert all(link.startswith("#") for link in links)
    requested = [v for t, n, v in page.attributes if n in {"src", "href"} and t != "a"]
    assert requested
    assert all(value.startswith("data:") for value in requested)
    assert not {"script", "iframe", "object", "embed", "form"} & set(page.tags)
    assert page.having("meta", "content")[1].startswith("default-src 'none'")


def test_every_front_is_on_the_map_and_every_position_in_the_chart(content, page):
    frame, series = content["fronts"]["helheim"], content["series"]
    lines = [v for v in page.having("path", "class") if v == "line"]
    assert len(lines) == frame.geometry.notna().sum()
    points = [v for v in page.having("g", "class") if v.startswith("mark ")]
    assert len(points) == series["position_m"].notna().sum()
    assert (
        len([v for v in points if "review" in v])
        == ((series["status"] == "review") & series["position_m"].notna()).sum()
    )


def test_every_left_out_scene_and_every_unaccepted_front_is_listed(content, page):
    for row in content["left_out"].itertuples():
        assert f"{row.item_id} {row.reason.replace('_', ' ')}: {row.detail}" in page.text
    frame = content["fronts"]["helheim"]
    for row in frame[frame["status"] != "accepted"].itertuples():
        sensor = {"C-SAR": "Sentinel-1 C-SAR", "OLI": "Landsat OLI"}[row.sensor]
        assert f"{row.datetime:%Y-%m-%d} {sensor} {row.scene_id} {row.status.replace('_', ' ')}" in page.text


def test_statistics_are_those_of_the_table(content, page):
    row = content["statistics"].set_index("method").loc["centreline"]
    for name in ("net_change", "largest_retreat"):
        shown = f"{abs(row[f'{name}_m']):,.0f}".replace(",", " ")
        assert f"\N{MINUS SIGN}{shown}" in page.text
        assert f"{row[f'{name}_from']:%Y-%m-%d} to {row[f'{name}_to']:%Y-%m-%d}" in page.text


def test_every_statistic_has_a_place():
    shown = {quantity.column for group in GROUPS.values() for quantity in group}
    shown |= {bound for group in GROUPS.values() for q in group if q.stem for bound in q.bounds}
    shown |= {f"{q.stem}_{end}" for group in GROUPS.values() for q in group if q.ends for end in ("from", "to")}
    elsewhere = {"region", "method", "flowline", "net_change_same_season", "rate_method", "reason"}
    assert set(STATISTICS_DTYPES) - elsewhere <= shown
    assert shown - {"net_change_low_m"} <= set(STATISTICS_DTYPES)


def test_a_sensor_has_one_mark_in_every_region(tmp_path):
    """The second region has no Landsat, which comes first in the order of names."""
    given = glaciers.arguments([glaciers.region(), glaciers.region("columbia", -147.0, 61.1, "EPSG:32606", "tongue")])
    frame = given["fronts"]["columbia"]
    radar = frame[frame["sensor"] == "C-SAR"]
    given["fronts"]["columbia"] = radar
    series = given["series"]
    given["series"] = series[(series["region"] != "columbia") | series["scene_id"].isin(radar["scene_id"])]
    text = publish.write_report(tmp_path / "report.html", **given).read_text(encoding="utf-8")
    marks = re.findall(r'class="key mark accepted (sensor-\d)"><path class="point" d="([^"]+)"/></svg> ([^<]+)<', text)
    names = [name.strip() for *_, name in marks]
    assert names == ["Landsat OLI", "Sentinel-1 C-SAR", "Sentinel-1 C-SAR"]
    assert marks[1] == marks[2]
    assert marks[0][:2] != marks[1][:2]


def test_provenance_is_shown(content, page):
    for value in content["provenance"].values():
        assert value in page.text


def test_equal_content_gives_equal_bytes(content, page, tmp_path):
    shuffled = dict(content)
    shuffled["fronts"] = [f.sample(frac=1, random_state=2) for f in content["fronts"].values()]
    for name in ("series", "statistics", "left_out"):
        shuffled[name] = content[name].sample(frac=1, random_state=3)
    one = publish.write_report(tmp_path / "one.html", **content).read_bytes()
    assert publish.write_report(tmp_path / "two.html", **shuffled).read_bytes() == one


def test_hostile_text_stays_text(content, tmp_path):
    place = content["regions"][0].patch(basin=HOSTILE)
    frame = content["fronts"]["helheim"].iloc[:6].copy()
    frame["sensor"] = HOSTILE
    frame.loc[frame.index[:3], ["status", "reason"]] = ["review", HOSTILE]
    frame.loc[frame.index[0], "scene_id"] = HOSTILE
    series = content["series"].assign(sensor=HOSTILE, reason=HOSTILE, flowline=HOSTILE)
    statistics = content["statistics"].assign(reason=f"rate: {HOSTILE}")
    left = pd.DataFrame({"item_id": [HOSTILE], "reason": [HOSTILE], "sensor": [HOSTILE], "datetime": ["2018-06-02"]})
    background = content["backgrounds"]["helheim"]
    named = publish.Background(background.array, background.bounds, background.crs, HOSTILE)
    path = publish.write_report(
        tmp_path / "report.html",
        regions=[place],
        fronts=frame,
        series=series,
        statistics=statistics,
        left_out=left,
        backgrounds={"helheim": named},
        provenance={HOSTILE: HOSTILE},
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert not {"script", "img"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") > 10


def test_no_front_at_all(content, tmp_path):
    place = content["regions"][0]
    frame = content["fronts"]["helheim"].iloc[:2].copy()
    frame["geometry"], frame["status"], frame["reason"] = None, "no_front", "no_ridge"
    for fronts in (frame, frame.iloc[:0], []):
        path = publish.write_report(
            tmp_path / "report.html",
            regions=[place],
            fronts=fronts,
            series=pd.DataFrame(),
            statistics=pd.DataFrame(),
            left_out=pd.DataFrame(),
        )
        page = Page(path.read_text(encoding="utf-8"))
        assert "No front to draw." in page.text
        assert "No front position." in page.text
        assert ("2 scenes without a front" in page.text) == (len(fronts) == 2)


def test_one_date(content, tmp_path):
    frame = content["fronts"]["helheim"].iloc[[0]]
    series = content["series"][content["series"]["scene_id"] == frame["scene_id"].iloc[0]]
    path = publish.write_report(
        tmp_path / "report.html",
        regions=content["regions"],
        fronts=frame,
        series=series,
        statistics=pd.DataFrame(),
        left_out=pd.DataFrame(),
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert "One front coloured by date" in page.text
    assert not re.search(r"\bnan\b", " ".join(v or "" for _, _, v in page.attributes), re.IGNORECASE)


def test_long_tables_are_folded_and_later_regions_only_listed(content, tmp_path):
    other = content["regions"][0].patch(name="other")
    left = pd.DataFrame({"region": "helheim", "item_id": [f"item-{i:05d}" for i in range(5000)], "reason": "cloud"})
    path = publish.write_report(
        tmp_path / "report.html",
        **{**content, "regions": [*content["regions"], other], "left_out": left},
        detailed_regions=1,
        open_rows=0,
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert page.text.count("item-0") == 5000
    assert not page.having("details", "open")
    assert "5000 cloud" in page.text
    assert page.having("section", "id") == ["region-helheim"]
    assert "1 regions have no section" in page.text


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"left_out": pd.DataFrame({"scene_id": ["a"]})}, InputError, "columns 'reason' and 'scene_id'"),
        ({"colour": "red"}, ConfigError, "unknown key colour"),
    ],
)
def test_what_does_not_fit_is_refused(content, tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        publish.write_report(tmp_path / "report.html", **{**content, **change})
    assert list(tmp_path.iterdir()) == []


def test_a_background_in_another_crs_is_refused(content, tmp_path):
    background = content["backgrounds"]["helheim"]
    wrong = publish.Background(background.array, background.bounds, "EPSG:3031")
    with pytest.raises(InputError, match="its background is in EPSG:3031, the region in EPSG:3413"):
        publish.write_report(tmp_path / "report.html", **{**content, "backgrounds": {"helheim": wrong}})


def test_scale_bar_and_north(content, page):
    """At Helheim the projection enlarges lengths by 1.2 %, and true north lies 6.8° to the left of up."""
    place = content["regions"][0]
    (view_box,) = page.having("svg", "viewbox")[:1]
    bar = next(re.search(r"v4h([\d.]+)v-4", d) for d in page.having("path", "d") if "v4h" in d)
    assert f"{view_box.split()[2]}" == "620"
    assert place.scale_factor == pytest.approx(1.012, abs=2e-3)
    frame = content["fronts"]["helheim"]
    west, south, east, north = frame.total_bounds
    side = max(east - west, north - south)
    width = max(east - west + 0.4 * side, (north - south + 0.4 * side) / 1.05)
    metres = 2000 * place.scale_factor
    assert float(bar.group(1)) == pytest.approx(metres * 592 / width, rel=0.01)
    (turn,) = [v for v in page.having("g", "transform") if "rotate" in v]
    centre = frame.to_crs("OGC:CRS84").total_bounds[[0, 2]].mean()
    assert float(re.search(r"rotate\((-?[\d.]+)\)", turn).group(1)) == pytest.approx(-(centre + 45), abs=0.3)


def test_stretch_keeps_order_and_marks_no_data():
    values = np.linspace(0.01, 1, 10_000).reshape(100, 100)
    values[0, :5] = [np.nan, 0, -1, np.inf, 2]
    grey = publish.stretch(values, decibel=True)
    assert list(grey[0, :4]) == [0, 0, 0, 0]
    assert grey.max() == 255
    assert grey[0, 5:].min() == 1
    assert (np.diff(grey.ravel()[5:].astype(int)) >= 0).all()
    assert not publish.stretch(np.full((3, 3), np.nan)).any()
    assert set(publish.stretch(np.full((3, 3), 7.0)).ravel()) == {1}
