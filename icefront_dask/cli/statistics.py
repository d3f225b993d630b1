"""What a series says, as tables: the command ``statistics``, and the options that ``series`` shares with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icefront_dask.cli.options import AsJson, RegionName
from icefront_dask.cli.output import note, result
from icefront_dask.cli.tables import check_ending, read_series, write_table
from icefront_dask.errors import ConfigError, InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Epochs", "EpochsOut", "EventsOut", "RelativeLengthOut", "check_listings", "listings", "statistics"]

Epochs = Annotated[
    list[str] | None,
    typer.Option("--epoch", help="Date of a fixed epoch, as 2000-08-15; twice or more. Changes between them are told."),
]
EpochsOut = Annotated[
    Path | None, typer.Option("--epochs-out", help="Write the changes between the epochs: .parquet or .csv.")
]
EventsOut = Annotated[
    Path | None, typer.Option("--events-out", help="Write calving events, size and dates: .parquet or .csv.")
]
RelativeLengthOut = Annotated[
    Path | None,
    typer.Option(
        "--relative-length-out",
        help="Write the relative length change in km, positive for a retreat (CALFIN): .parquet or .csv.",
    ),
]


def check_listings(
    epochs: list[str] | None, epochs_out: Path | None, events_out: Path | None, relative_length_out: Path | None
) -> None:
    """Raise for options that cannot be met, before anything is computed."""
    if epochs_out is not None and not epochs:
        raise ConfigError("--epochs-out needs epochs; give --epoch twice or more")
    if epochs is not None and len(epochs) == 1:
        raise ConfigError(f"one epoch, {epochs[0]}, has no change; give --epoch twice or more")
    for path in (epochs_out, events_out, relative_length_out):
        if path is not None:
            check_ending(path, ".parquet", ".csv")


def listings(
    series: pd.DataFrame,
    *,
    epochs: list[str] | None,
    epochs_out: Path | None,
    events_out: Path | None,
    relative_length_out: Path | None,
) -> dict[str, Any]:
    """Write the tables that are asked for; return what they say in short."""
    from icefront_dask.change import calving_events, epoch_changes, relative_length_change

    said: dict[str, Any] = {}
    if epochs:
        changes = epoch_changes(series, epochs)
        said["epoch_changes_m"] = {
            f"{_named(row)} {row['from']:%Y-%m-%d} to {row['to']:%Y-%m-%d}": row["change_m"]
            for row in changes.to_dict("records")
        }
        if epochs_out is not None:
            write_table(changes, epochs_out)
    if events_out is not None:
        events = calving_events(series)
        write_table(events, events_out)
        said["calving_events"] = len(events)
    if relative_length_out is not None:
        lengths = relative_length_change(series)
        write_table(lengths, relative_length_out)
        last = lengths.groupby(["region", "flowline"], sort=True, as_index=False).last()
        said["relative_length_change_km"] = {
            f"{row['region']} {row['flowline']}".strip(): row["relative_length_change_km"]
            for row in last.to_dict("records")
        }
    return said


def _named(row: dict[Any, Any]) -> str:
    return " ".join(str(row[name]) for name in ("region", "method", "flowline") if row[name])


def statistics(
    series: Annotated[Path, typer.Argument(help="series.parquet of a run, or what `icefront series` wrote.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write change statistics: .parquet or .csv.")] = None,
    region: RegionName = None,
    epoch: Epochs = None,
    epochs_out: EpochsOut = None,
    events_out: EventsOut = None,
    relative_length_out: RelativeLengthOut = None,
    as_json: AsJson = False,
) -> None:
    """Say what a series says: net change, rates, season, change between epochs, calving events, length change.

    \b
    Example:  icefront statistics out/series.parquet --epoch 2000-08-15 --epoch 2020-08-15 --epochs-out epochs.csv
              icefront statistics series.csv --relative-length-out length.csv --events-out events.csv
    """
    from icefront_dask.change import change_statistics

    check_listings(epoch, epochs_out, events_out, relative_length_out)
    if out is not None:
        check_ending(out, ".parquet", ".csv")
    rows = read_series(series)
    if region is not None:
        rows = rows[rows["region"] == region]
        if rows.empty:
            raise InputError(f"{series} has no rows of region {region!r}")
    summary = change_statistics(rows)
    if out is not None:
        write_table(summary, out)
    elif not as_json:
        note(summary.T.to_string(header=False))
    said = listings(
        rows, epochs=epoch, epochs_out=epochs_out, events_out=events_out, relative_length_out=relative_length_out
    )
    result(
        {
            "rows": len(summary),
            "net_change_m": {_named(row): row["net_change_m"] for row in summary.to_dict("records")},
            "rate_m_per_year": {_named(row): row["rate_m_per_year"] for row in summary.to_dict("records")},
            **said,
            "output": out,
        },
        as_json=as_json,
    )
