"""How many scenes there are a month, sensor and region: as a table and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from icefront_dask.catalog.overpasses import PASS_PROPERTIES, overpasses, pass_of
from icefront_dask.errors import DependencyError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from icefront_dask.catalog.items import Items

__all__ = ["coverage_picture", "coverage_table"]


def coverage_table(items: Items) -> pd.DataFrame:
    """Count items and scenes by region, sensor and month, before any pixel is read.

    Items of one collection, platform, orbit and direction that follow one another within five minutes are one
    scene, as in a cube; items that state no orbit are scenes by themselves.

    Parameters
    ----------
    items : Items
        Of a search, or what a screening has kept.

    Returns
    -------
    DataFrame
        Columns region, sensor (platform, else collection), month (first day, UTC), items, scenes.
    """
    sensor = [str(p or c).lower() for p, c in zip(items.column("platform"), items.collections, strict=True)]
    properties = zip(*(items.column(name) for name in PASS_PROPERTIES), strict=True)
    passes = [
        pass_of(item_id, dict(zip(PASS_PROPERTIES, values, strict=True)))
        for item_id, values in zip(items.ids, properties, strict=True)
    ]
    times = items.times.tz_localize(None)
    keys = list(zip(items.collections, sensor, passes, strict=True))
    frame = pd.DataFrame(
        {"region": items.regions, "sensor": sensor, "scene": overpasses(keys, times.to_numpy()), "time": times}
    ).explode("region")
    frame = frame.sort_values("time", kind="stable", ignore_index=True)
    frame["begins"] = (~frame.duplicated(["region", "scene"])).astype(int)
    frame["month"] = frame["time"].dt.to_period("M").dt.to_timestamp()
    counts = frame.groupby(["region", "sensor", "month"], dropna=False)["begins"].agg(items="size", scenes="sum")
    return counts.reset_index()


def coverage_picture(table: pd.DataFrame, path: str | Path | None = None) -> Any:
    """Draw a table of coverage: a row a region and sensor, a column a month, darker for more scenes.

    Parameters
    ----------
    table : DataFrame
        Of :func:`coverage_table`, with at least one dated row.
    path : path, optional
        Write the picture here; its suffix says the format.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        For a table without a dated row.
    DependencyError
        Without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise DependencyError("a picture needs matplotlib; install icefront_dask[plot]") from error
    dated = table.dropna(subset=["month"])
    if dated.empty:
        raise InputError("there is no dated scene to draw; widen the search")
    months = pd.period_range(dated["month"].min(), dated["month"].max(), freq="M")
    rows = dated.assign(month=dated["month"].dt.to_period("M")).pivot_table(
        values="scenes", index=["region", "sensor"], columns="month", aggfunc="sum"
    )
    counts = rows.reindex(columns=months).to_numpy(dtype=float)
    figure = Figure(figsize=(min(4 + 0.12 * len(months), 24), 1.4 + 0.28 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.pcolormesh(np.ma.masked_invalid(counts), cmap="viridis_r", vmin=0, edgecolors="white", linewidth=0.4)
    axes.set_yticks(np.arange(len(rows)) + 0.5, [f"{region}  {sensor}" for region, sensor in rows.index])
    axes.invert_yaxis()
    step = max(1, int(np.ceil(len(months) / 24)))
    step = step if step == 1 else 12 * int(np.ceil(step / 12))
    axes.set_xticks(np.arange(0, len(months), step) + 0.5, [str(month) for month in months[::step]], rotation=90)
    whole = MaxNLocator(integer=True, steps=[1, 2, 5, 10])
    figure.colorbar(image, ax=axes, label="scenes a month", pad=0.01, ticks=whole)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
