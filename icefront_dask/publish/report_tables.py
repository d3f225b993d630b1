"""The report's tables: statistics beside each other, scenes left out, fronts to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.errors import InputError
from icefront_dask.publish.wording import date, plain, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd

__all__ = [
    "LEFT_OUT_COLUMNS",
    "fronts_to_look_at",
    "left_out_rows",
    "left_out_table",
]

LEFT_OUT_COLUMNS = ("region", "scene", "datetime", "sensor", "reason", "detail")
_FROM = ("sensor", "collection")  # what says which instrument an item is of


def left_out_table(left_out: pd.DataFrame, regions: Sequence[str]) -> pd.DataFrame:
    """Return left-out scenes with the columns of ``LEFT_OUT_COLUMNS``, sorted.

    Raises
    ------
    InputError
        Without a column ``reason`` or an identifier, or without ``region`` where there are several.
    """
    if left_out.empty:
        return pd.DataFrame(
            {
                name: pd.Series(dtype="datetime64[us, UTC]" if name == "datetime" else object)
                for name in LEFT_OUT_COLUMNS
            }
        )
    identifiers = [name for name in ("scene_id", "item_id", "id", "scene") if name in left_out.columns]
    if not identifiers or "reason" not in left_out.columns:
        raise InputError(
            "left_out: the columns 'reason' and 'scene_id' (or 'item_id') are needed; "
            f"there are: {', '.join(map(str, left_out.columns))}"
        )
    if "region" not in left_out.columns and len(regions) != 1:
        raise InputError("left_out: the column 'region' is needed where there are several regions")
    out = pd.DataFrame(index=left_out.index)
    out["region"] = left_out["region"] if "region" in left_out.columns else regions[0]
    out["scene"] = left_out[identifiers].bfill(axis=1).iloc[:, 0]
    missing = pd.Series(pd.NaT, index=left_out.index)
    out["datetime"] = pd.to_datetime(left_out.get("datetime", missing), utc=True, format="ISO8601")
    out["sensor"] = left_out[of[0]] if (of := [c for c in _FROM if c in left_out.columns]) else None
    out["reason"] = left_out["reason"]
    out["detail"] = left_out["detail"] if "detail" in left_out.columns else None
    return out.sort_values(["region", "datetime", "scene", "reason"], kind="stable", ignore_index=True)


def left_out_rows(left: pd.DataFrame, open_rows: int) -> dict[str, Any]:
    """Return the table of left-out items with a count of each reason."""
    rows = [[date(r.datetime), plain(r.sensor), plain(r.scene), _why(r.reason, r.detail)] for r in left.itertuples()]
    counts = left["reason"].map(plain).value_counts()
    summary = sorted(((int(n), str(label)) for label, n in counts.items()), key=lambda pair: (-pair[0], pair[1]))
    return {
        "title": "Left out before processing",
        "count": len(rows),
        "labels": ["Date", "Sensor", "Item or scene", "Reason"],
        "rows": rows,
        "summary": [{"count": n, "label": label} for n, label in summary] if len(rows) > 3 else [],
        "open": 0 < len(rows) <= open_rows,
    }


def fronts_to_look_at(fronts: gpd.GeoDataFrame, open_rows: int) -> dict[str, Any]:
    """Return the table of fronts and scenes that are not accepted."""
    rows = fronts[fronts["status"] != "accepted"].sort_values(["datetime", "scene_id", "front_id"], kind="stable")
    shown = [
        [
            date(row.datetime),
            plain(row.sensor),
            row.scene_id,
            plain(row.status),
            plain(row.reason),
            signed(row.confidence, 2) if pd.notna(row.confidence) else "",
            f"±{row.uncertainty_m:.0f} m" if pd.notna(row.uncertainty_m) else "",
        ]
        for row in rows.itertuples()
    ]
    return {
        "title": "Fronts for review, rejected fronts, scenes without a front",
        "count": len(shown),
        "labels": ["Date", "Sensor", "Scene", "Status", "Reason", "Confidence", "Uncertainty"],
        "rows": shown,
        "summary": [],
        "open": 0 < len(shown) <= open_rows,
    }


def _why(reason: Any, detail: Any) -> str:
    return f"{plain(reason)}: {detail}" if detail else plain(reason)
