"""What every command shares: one JSON object as the last line, progress on stderr, errors in one line."""

from __future__ import annotations

import json
import math
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Report = Callable[[str, int, int], None]

__all__ = ["note", "progress", "result"]


def note(text: str) -> None:
    """Print a line for the reader on stderr."""
    typer.echo(text, err=True)


def result(values: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command found or made: a JSON object in one line, or a line a value."""
    if as_json:
        typer.echo(json.dumps(plain(values), ensure_ascii=False, allow_nan=False))
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: NumPy scalars as Python's, NaN and infinities as null."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(entry) for entry in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _text(value: Any) -> str:
    value = plain(value)
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(_text(entry) for entry in value) or "-"
    return str(value)


@contextmanager
def progress() -> Iterator[Report]:
    """Yield a function that is called with a stage's name, what is done, and of how much.

    On a terminal it draws bars on stderr, elsewhere it says when a stage begins, and each quarter of it.
    """
    if not sys.stderr.isatty():
        quarters: dict[str, int] = {}

        def say(stage: str, done: int, total: int) -> None:
            quarter = 4 * done // total if total > 1 else 0
            if stage not in quarters or quarter > quarters[stage]:
                quarters[stage] = quarter
                note(f"{stage}: {done} of {total} done" if total > 1 else stage)

        yield say
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bars:
        tasks: dict[str, Any] = {}

        def draw(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield draw
