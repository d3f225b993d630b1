"""Comparison with other products: biases that are known, schemas, what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString

from icefront_dask.change import (
    compare_fronts,
    compare_positions,
    front_series,
    known_schemas,
    read_reference,
    read_schema,
)
from icefront_dask.change.compare import offsets
from icefront_dask.errors import InputError
from icefront_dask.publish import write_comparison_figure
from tests.change.builders import frame, front_at, place, straight_flowline

DATES = pd.date_range("2019-06-01", periods=6, freq="30D")
POSITIONS = 5_000.0 - 40 * np.arange(6)


def ours(shift=0.0, **columns):
    lines = [front_at(p + shift, bumps=60.0, seed=k) for k, p in enumerate(POSITIONS)]
    return frame(lines, DATES, sensor=["S1", "L8"] * 3, pixel_size_m=20.0, uncertainty_m=20.0, **columns)


def calfin(shift=0.0, authors=("A",), days=1):
    rows = []
    for author, extra in zip(authors, (0.0, 12.0), strict=False):
        table = ours(shift + extra).rename(columns={"datetime": "Date", "sensor": "Satellite"})
        dates = (DATES + pd.Timedelta(days=days)).strftime("%Y-%m-%d")
        rows.append(table.assign(Date=dates, RefName="Fjord", Author=author, ImageID="x", QualFlag=10))
    return pd.concat(rows, ignore_index=True)


def test_a_known_bias():
    reference = read_reference(calfin(shift=-75.0), read_schema("calfin"))
    found = compare_fronts(ours(), reference, flowlines=straight_flowline(), true_scale=False)
    assert found.summary["n_pairs"] == 6
    assert found.summary["bias_m"] == pytest.approx(75.0, abs=0.5)
    assert found.summary["median_m"] == pytest.approx(75.0, abs=0.5)
    assert found.summary["p95_m"] == pytest.approx(75.0, abs=0.5)
    assert found.pairs["days"].to_numpy() == pytest.approx(-1.0)
    # front of 4400 m, 40 m off at both ends
    assert found.pairs["common_m"].to_numpy() == pytest.approx(4_320, abs=1)
    assert found.summary["trimmed_share"] == pytest.approx(80 / 4_400, abs=1e-3)
    assert found.by_sensor["sensor"].tolist() == ["L8", "S1"]
    assert found.between_authors.empty
    seaward_of_ours = read_reference(calfin(shift=50.0), read_schema("calfin"))
    backward = {"flowlines": shapely.reverse(straight_flowline()), "flowline_direction": "sea-to-inland"}
    landward = compare_fronts(ours(), seaward_of_ours, **backward)
    assert landward.summary["bias_m"] * 0.99 == pytest.approx(-50.0, abs=1.5)


def test_scatter_between_authors():
    reference = read_reference(calfin(authors=("A", "B")), read_schema("calfin"))
    found = compare_fronts(ours(), reference, flowlines=straight_flowline(), true_scale=False)
    assert found.summary["n_pairs"] == 12
    assert found.between_authors["authors"].tolist() == ["B − A"]
    assert found.between_authors["bias_m"].item() == pytest.approx(12.0, abs=0.5)
    assert found.between_authors["n_pairs"].item() == 6


def test_distances_over_the_common_span_only():
    flowline = LineString([(0, 0), (10_000, 0)])  # seaward is east, left is north
    front = LineString([(5_000, -1_000), (5_000, 2_000)])
    reference = LineString([(4_900, -3_000), (4_900, 1_000)])
    distance, width, trimmed = offsets(front, reference, flowline, trim=0.0)
    assert distance == pytest.approx(100.0)
    assert width == pytest.approx(2_000)
    assert trimmed == pytest.approx(0.5)
    assert offsets(front, shapely.affinity.translate(reference, 0, -9_000), flowline, trim=0.0) is None


def test_pairs_that_are_too_far_apart():
    reference = read_reference(calfin(days=5), read_schema("calfin"))
    with pytest.raises(InputError, match="within 3 days"):
        compare_fronts(ours(), reference, flowlines=straight_flowline())
    assert compare_fronts(ours(), reference, flowlines=straight_flowline(), max_days=6).summary["n_pairs"] == 6
    with pytest.raises(InputError, match="needs a flowline"):
        compare_fronts(ours(), reference)


def test_schemas():
    assert known_schemas() == ("autoterm", "calfin", "maqit")
    for name in known_schemas():
        assert read_schema(name)["title"]
    with pytest.raises(InputError, match="write a YAML file"):
        read_schema("termpicks")
    with pytest.raises(InputError, match="no column Date"):
        read_reference(ours(), read_schema("calfin"))


def test_a_schema_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("title: Mine\ncolumns: {date: tp_date, sensor: sat}\n")
    table = ours().rename(columns={"datetime": "TP_DATE", "sensor": "sat"})
    assert read_reference(table, read_schema(file))["sensor"].tolist() == ["S1", "L8"] * 3
    for text, message in (
        ("columns: {when: x}\n", "unknown field when"),
        ("columns: {sensor: x}\n", "needs a date"),
        ("- a\n", "no schema"),
        ("a: [\n", "not a readable YAML"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            read_schema(file)


def test_positions_of_maqit():
    table = pd.DataFrame({"Year": DATES.year, "Month": DATES.month, "Day": DATES.day,
                          "Position on flowline": 20_000 - POSITIONS + [0, 0, 0, 30, 0, 0]})  # fmt: skip
    reference = read_reference(table, read_schema("maqit"))
    lines = [LineString(place(p, np.array([-2_000.0, 2_000.0]))) for p in POSITIONS]
    series = front_series(frame(lines, DATES, uncertainty_m=20.0), flowlines=straight_flowline(), true_scale=False,
                          methods=["centreline"])  # fmt: skip
    pairs, summary = compare_positions(series, reference, seaward=False)
    assert summary["n_pairs"] == 6
    assert summary["median_m"] == pytest.approx(0.0, abs=1e-6)
    assert pairs["difference_m"].abs().max() == pytest.approx(30.0, abs=1e-6)
    with pytest.raises(InputError, match="two are needed"):
        compare_positions(series, reference.iloc[:1])
    with pytest.raises(InputError, match="neither lines nor positions"):
        compare_positions(series, reference.drop(columns="position_m"))


def test_the_figure(tmp_path):
    reference = read_reference(calfin(shift=-75.0), read_schema("calfin"))
    found = compare_fronts(ours(), reference, flowlines=straight_flowline())
    text = write_comparison_figure(found.pairs, tmp_path / "a.svg", title="ours < theirs & co").read_text()
    assert text.count("<circle") == 6 + 2
    assert "ours &lt; theirs &amp; co" in text
    one = write_comparison_figure(found.pairs.iloc[:1], tmp_path / "b.svg", title="one").read_text()
    assert one.count("<circle") == 2
