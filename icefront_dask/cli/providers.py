"""Command ``providers``: what the known archives have."""

from __future__ import annotations

import itertools
from typing import Annotated

import typer

from icefront_dask.cli.options import AsJson
from icefront_dask.cli.output import note, result

__all__ = ["providers"]


def providers(
    as_json: AsJson = False,
    family: Annotated[str | None, typer.Option("--family", help="sentinel-1 or landsat alone.")] = None,
) -> None:
    """Show the archives that are known, and what each has of every collection.

    A provider's name stands for its address in `icefront search` and in a run file. Any other STAC API,
    stac-geoparquet file or static catalogue is searched by its address.

    \b
    Example:  icefront providers --family sentinel-1
    """
    from icefront_dask.catalog.providers import provider_table

    records = [row for row in provider_table().to_dict("records") if family in {None, row["family"]}]
    if as_json:
        result({"providers": records}, as_json=True)
        return
    if not records:
        note(f"no provider has scenes of family {family!r}")
    for name, rows in itertools.groupby(records, key=lambda row: row["provider"]):
        holdings = list(rows)
        typer.echo(f"{name}  {holdings[0]['url']}\n  access: {holdings[0]['signing']}")
        for row in holdings:
            what = " ".join(part for part in (row["sensors"], row["modes"], row["polarisations"]) if part)
            span = f"{row['start']} to {row['end'] or 'now'}"
            typer.echo(f"  {row['collection']:<20} {what}; {span}; geometry {row['geometry']}")
            typer.echo(f"  {'':<20} {row['platforms']}")
            typer.echo(f"  {'':<20} {row['note']}")
