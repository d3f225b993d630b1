"""``review.html``: fronts for review over their scenes, and a button that saves the verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import shapely

from icefront_dask.change.verdicts import VERDICT_COLUMNS
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status
from icefront_dask.publish.files import write_bytes
from icefront_dask.publish.map_figure import front_map
from icefront_dask.publish.report_region import sensor_labels
from icefront_dask.publish.wording import date, sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd
    import pandas as pd

    from icefront_dask.publish.background import Background
    from icefront_dask.regions import Region

__all__ = ["review_queue", "write_review"]


def review_queue(fronts: gpd.GeoDataFrame, series: pd.DataFrame | None = None) -> gpd.GeoDataFrame:
    """Return the fronts that a person has to look at, with the reasons of the series beside their own.

    Parameters
    ----------
    fronts : GeoDataFrame
        A fronts table.
    series : DataFrame, optional
        Its series: accepted fronts of scenes that it sends to review are in the queue, too.

    Returns
    -------
    GeoDataFrame
        Rows of `fronts` with a line, sorted by time; ``reason`` holds all reasons.
    """
    reasons: dict[tuple[Any, Any], str] = {}
    if series is not None:
        doubtful = series[series["status"] == Status.REVIEW]
        for (name, scene), group in doubtful.groupby(["region", "scene_id"]):
            words = [word for text in group["reason"] for word in str(text).split("; ") if word]
            reasons[name, scene] = "; ".join(dict.fromkeys(words))
    keys = list(zip(fronts["region"], fronts["scene_id"], strict=True))
    asked = np.array([key in reasons for key in keys], dtype=bool)
    drawn = ~fronts.geometry.isna()
    wanted = drawn & ((fronts["status"] == Status.REVIEW) | ((fronts["status"] == Status.ACCEPTED) & asked))
    queue = fronts[wanted].copy()
    own = [str(reason or "") for reason in queue["reason"]]
    more = [reasons.get(key, "") for key, want in zip(keys, wanted, strict=True) if want]
    queue["reason"] = [
        "; ".join(dict.fromkeys(word for word in (*a.split("; "), *b.split("; ")) if word))
        for a, b in zip(own, more, strict=True)
    ]
    return queue.sort_values(["datetime", "scene_id", "front_id"], kind="stable").reset_index(drop=True)


def write_review(
    path: str | Path,
    queue: gpd.GeoDataFrame,
    region: Region,
    background: Callable[[str], Background | None] | None = None,
) -> Path:
    """Write the page: each front of the queue over its scene, a verdict and a note.

    Parameters
    ----------
    path : path
        The file; it is replaced in one step. It asks for nothing else; its button saves ``verdicts.csv``.
    queue : GeoDataFrame
        From :func:`review_queue`, of one region, in its CRS.
    region : Region
    background : callable, optional
        Returns the picture of a scene by its ``scene_id``, or None.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If the queue holds fronts of another region.
    """
    if others := sorted(set(queue["region"]) - {region.name}):
        raise InputError(f"the queue holds fronts of {', '.join(others)}; a page is about one region, {region.name}")
    pixels = section("publish")["map_px"]
    items = []
    for k in range(len(queue)):
        one = queue.iloc[[k]]
        row = one.iloc[0]
        picture = None if background is None else background(str(row["scene_id"]))
        facts = [f"confidence {row['confidence']:.2f}" if row["confidence"] == row["confidence"] else ""]
        facts.append(f"± {row['uncertainty_m']:.0f} m" if row["uncertainty_m"] > 0 else "")
        items.append(
            {
                "region": region.name,
                "scene": str(row["scene_id"]),
                "front": int(row["front_id"]),
                "line": shapely.to_wkt(shapely.simplify(row.geometry, 1.0), rounding_precision=0),
                "map": front_map(region, one, picture, pixels, key=f"-{k}")[0],
                "date": date(row["datetime"]),
                "sensor": sensor_labels(one).iloc[0],
                "reason": sentence(row["reason"]),
                "facts": ", ".join(fact for fact in facts if fact),
            }
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("review.html.j2").render(
        title=f"Fronts of {region.name} for review",
        lead=f"{len(items)} fronts. Judge them, save the verdicts and pass the file to icefront review --verdicts, "
        "or name it as verdicts in the run file; they hold for these lines after a reprocessing, too.",
        items=items,
        columns=list(VERDICT_COLUMNS),
    )
    path = Path(path)
    write_bytes(path, page.encode("utf-8"))
    return path
