"""What a person has said about the fronts of a run, put on them and kept beside the products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from icefront_dask.change import apply_verdicts, read_verdicts
from icefront_dask.runs.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd

__all__ = ["OUTCOMES", "judged", "outcome_counts", "outcome_note", "write_outcomes"]

OUTCOMES = "verdicts.parquet"


def judged(
    fronts: dict[str, gpd.GeoDataFrame], path: Path | None
) -> tuple[dict[str, gpd.GeoDataFrame], pd.DataFrame | None]:
    """Return the fronts of each region with the verdicts of a file on them, and what became of each verdict.

    Parameters
    ----------
    fronts : dict
        Region → fronts, in its CRS.
    path : Path, optional
        What the page of ``icefront review`` saved; without it nothing is judged.

    Raises
    ------
    InputError
        If the file is no such table.
    """
    if path is None:
        return fronts, None
    verdicts = read_verdicts(path)
    said, outcomes = {}, []
    for name, table in fronts.items():
        said[name], outcome = apply_verdicts(table, verdicts[verdicts["region"] == name])
        outcomes.append(outcome)
    elsewhere = verdicts[~verdicts["region"].isin(set(fronts))]
    if len(elsewhere):
        outcomes.append(elsewhere.assign(outcome="no_such_scene", moved_m=float("nan"), others_stand=False))
    return said, pd.concat(outcomes).sort_index(kind="stable")


def write_outcomes(verdicts: pd.DataFrame | None, folder: Path) -> None:
    """Write ``verdicts.parquet``: each verdict, its outcome and how far its line has moved; without verdicts none."""
    if verdicts is None:
        (folder / OUTCOMES).unlink(missing_ok=True)
        return
    plain = verdicts.drop(columns="others_stand").assign(line=[shapely.to_wkt(line) for line in verdicts["line"]])
    table = pa.Table.from_pandas(plain, preserve_index=False)
    write_atomically(folder / OUTCOMES, lambda path: pq.write_table(table, path, compression="zstd"))


def outcome_counts(verdicts: pd.DataFrame | None) -> dict[str, Any]:
    """Return how many verdicts were applied or are void, by outcome; nothing without verdicts."""
    return {} if verdicts is None else {"verdicts": verdicts["outcome"].value_counts().sort_index().to_dict()}


def outcome_note(verdicts: pd.DataFrame | None) -> dict[str, object]:
    """Return the counts as a line of the report."""
    words = {"applied": "applied", "line_changed": "void, the line has changed", "no_such_scene": "void, no such scene"}
    return {
        name: ", ".join(f"{count} {words[outcome]}" for outcome, count in counts.items())
        for name, counts in outcome_counts(verdicts).items()
    }
