"""The command line ``icefront``: one command a room, no logic. Rooms are imported when their command runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from icefront_dask.cli.amounts import aggregate, areas, mass_change
from icefront_dask.cli.archive import cube, search, simulate
from icefront_dask.cli.calibrate import calibrate
from icefront_dask.cli.change import compare_fronts, review, series
from icefront_dask.cli.lines import segment, trace
from icefront_dask.cli.providers import providers
from icefront_dask.cli.scores import ablate, compare, score
from icefront_dask.cli.statistics import statistics
from icefront_dask.cli.workflow import demo, run, train, tune
from icefront_dask.errors import IcefrontError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

app = typer.Typer(
    name="icefront",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (
    simulate,
    providers,
    search,
    cube,
    segment,
    trace,
    series,
    statistics,
    review,
    compare_fronts,
    areas,
    aggregate,
    mass_change,
    score,
    compare,
    ablate,
    run,
    train,
    tune,
    calibrate,
    demo,
):
    app.command()(_command)


def _version(value: bool) -> None:
    if value:
        from icefront_dask import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def icefront(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Glacier and ice-shelf fronts from space and how they change.

    \b
    The whole way at once:        icefront run CONFIG.yaml
    See it on simulated scenes:   icefront demo --out out/demo
    Each step by itself:          icefront search, cube, segment, trace, series
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error of the project is one line on stderr and an exit status.

    ``ICEFRONT_DEBUG=1`` shows the traceback instead.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    try:
        app(args=None if arguments is None else list(arguments))
    except IcefrontError as error:
        if os.environ.get("ICEFRONT_DEBUG") == "1":
            raise
        typer.echo(f"icefront: error: {' '.join(str(error).split())}", err=True)
        raise SystemExit(error.exit_status) from None
    except OSError as error:
        if error.filename is None or os.environ.get("ICEFRONT_DEBUG") == "1":
            raise
        told = f"{error.filename}: {error.strerror}; check the path, who may write there, and the space that is left"
        typer.echo(f"icefront: error: {told}", err=True)
        raise SystemExit(1) from None
