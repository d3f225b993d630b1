"""From finished units to products: fronts, series, statistics and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dask import delayed

from icefront_dask.change import reduce_regions
from icefront_dask.cube import open_cube
from icefront_dask.errors import StoreError
from icefront_dask.fronts import concat
from icefront_dask.fronts.cliffs import cliff_lines, flag_cliffs
from icefront_dask.fronts.orbits import BIAS_COLUMNS, remove_orbit_bias
from icefront_dask.publish import (
    Background,
    write_fronts,
    write_report,
    write_series,
    write_statistics,
)
from icefront_dask.regions import mask
from icefront_dask.runs.files import write_atomically
from icefront_dask.runs.judging import judged, outcome_counts, outcome_note, write_outcomes
from icefront_dask.runs.ledger import Ledger
from icefront_dask.runs.pictures import scene_picture
from icefront_dask.runs.stores import cube_of, region_elevation

if TYPE_CHECKING:
    from icefront_dask.runs.planning import Plan

__all__ = ["read_parts", "write_products"]

_MOST_GAPS = 0.5  # of a scene that may lie under the map


def write_products(plan: Plan) -> dict[str, Any]:
    """Write fronts, orbit bias, series, statistics and left-out items as Parquet, and ``report.html``.

    Where the run file names verdicts, they are on the fronts and in the series, and ``verdicts.parquet`` says what
    became of each.

    Parameters
    ----------
    plan : Plan
        All of whose units are done.

    Returns
    -------
    dict
        Counts of fronts by status, and of rows of the other tables.

    Raises
    ------
    StoreError
        If a unit's part is missing.
    """
    parts = read_parts(plan)
    regions = plan.regions
    fronts, bias = _without_bias(plan, parts)
    fronts, verdicts = judged(fronts, plan.config.verdicts)
    blocks = {name: _like(parts[name], whole) for name, whole in fronts.items()}
    # Threads of this process: the settings of the run are set here and not on every worker.
    reduction = reduce_regions(
        {name: [delayed(block, pure=False) for block in own] for name, own in blocks.items()},
        regions,
        verdicts=verdicts,
    )
    series, statistics = reduction.compute(scheduler="threads")
    out = plan.output
    write_fronts(fronts, out / "fronts.parquet")
    write_series(series, out / "series.parquet", regions=regions)
    write_statistics(statistics, out / "statistics.parquet", regions=regions)
    biases = pa.Table.from_pandas(bias, preserve_index=False)
    write_atomically(out / "orbit_bias.parquet", lambda path: pq.write_table(biases, path, compression="zstd"))
    left_out = pa.Table.from_pandas(plan.left_out, preserve_index=False)
    write_atomically(out / "left_out.parquet", lambda path: pq.write_table(left_out, path, compression="zstd"))
    write_outcomes(verdicts, out)
    detailed = regions[: int(plan.spec.section("publish")["detailed_regions"])]
    backgrounds = {region.name: found for region in detailed if (found := _background(plan, region.name))}
    write_report(
        out / "report.html",
        regions=regions,
        fronts=fronts,
        series=series,
        statistics=statistics,
        left_out=plan.left_out,
        backgrounds=backgrounds,
        provenance=_provenance(plan) | outcome_note(verdicts),
    )
    return _counts(fronts, series, statistics) | outcome_counts(verdicts)


def read_parts(plan: Plan) -> dict[str, list[gpd.GeoDataFrame]]:
    """Return the fronts of every finished unit, by region, in the order of the units.

    Raises
    ------
    StoreError
        If a unit's part is missing.
    """
    ledger = Ledger(plan.output, plan.spec.sha256)
    parts: dict[str, list[gpd.GeoDataFrame]] = {}
    for unit in plan.units:
        if not ledger.is_done(unit):
            raise StoreError(f"unit {unit.key} of {plan.output} is not done; run the configuration again")
        parts.setdefault(unit.region, []).append(gpd.read_parquet(ledger.fronts_part(unit.key)))
    return parts


def _without_bias(
    plan: Plan, parts: dict[str, list[gpd.GeoDataFrame]]
) -> tuple[dict[str, gpd.GeoDataFrame], pd.DataFrame]:
    """Return the fronts of each region without the bias of their orbits, and that bias.

    Fronts on the elevation model's own cliff are in review.
    """
    settings = plan.spec.section("fronts")
    days, pairs = float(settings["orbit_pair_days"]), int(settings["orbit_min_pairs"])
    whole, found = {}, []
    for name, own in parts.items():
        moved, bias = remove_orbit_bias(concat(own, own[0].crs), max_days=days, min_pairs=pairs)
        whole[name] = _cliffs_flagged(plan, name, moved)
        found.append(bias)
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(BIAS_COLUMNS))
    return whole, table.astype(BIAS_COLUMNS)


def _like(parts: list[gpd.GeoDataFrame], whole: gpd.GeoDataFrame) -> list[gpd.GeoDataFrame]:
    """Return the rows of a region cut by unit as its parts are."""
    return [whole[whole["scene_id"].isin(set(part["scene_id"]))] for part in parts]


def _cliffs_flagged(plan: Plan, name: str, fronts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    groups = [group for group in plan.spec.groups if group.region == name]
    height = region_elevation(plan.spec, cube_of(plan.spec, plan.output, name, groups[0].family))
    if height is None:
        return fronts
    region = plan.spec.regions[name]
    geobox = region.geobox(groups[0].resolution_m)
    fjord = None if region.fjord is None else mask(region.fjord, geobox)
    return flag_cliffs(fronts, cliff_lines(height, geobox.affine, fjord))


def _background(plan: Plan, region: str) -> Background | None:
    """Return the newest scene of a region that is mostly there."""
    best: tuple[Any, str, int] | None = None
    families = [group for group in plan.spec.groups if group.region == region]
    cubes = {}
    for family in (group.family for group in families):
        cube = open_cube(cube_of(plan.spec, plan.output, region, family))
        mine = [scene.scene_id for scene in plan.scenes(region, family)]  # the store may hold others
        cubes[family] = cube = cube.isel(time=np.isin(cube["scene_id"].to_numpy().astype(str), mine))
        whole = np.flatnonzero(cube["gap_fraction"].to_numpy() <= _MOST_GAPS)
        if whole.size:
            newest = (cube["time"].to_numpy()[whole[-1]], family, int(whole[-1]))
            best = newest if best is None else max(best, newest)
    if best is None:
        return None
    scene = cubes[best[1]].isel(time=best[2])
    bands = list(plan.spec.group(region, best[1]).variables)
    return scene_picture(scene[bands], plan.spec.regions[region].crs)


def _provenance(plan: Plan) -> dict[str, object]:
    content = plan.spec.content
    models = {f"{group.model} (sha256 {group.model_sha256[:12]}…)" for group in plan.spec.groups}
    return {
        "icefront_dask": content["package"],
        "specification": plan.spec.sha256,
        "source": content["search"]["source"],
        "items": len(plan.items),
        "models": ", ".join(sorted(models)),
        "engine": plan.spec.section("predict")["engine"],
    }


def _counts(fronts: dict[str, gpd.GeoDataFrame], series: pd.DataFrame, statistics: pd.DataFrame) -> dict[str, Any]:
    status = [value for frame in fronts.values() for value in frame["status"]]
    names = ("accepted", "review", "rejected", "no_front", "failed")
    return {
        "fronts": sum(int(frame.geometry.notna().sum()) for frame in fronts.values()),
        **{name: status.count(name) for name in names},
        "series_rows": len(series),
        "statistics_rows": len(statistics),
    }
