"""Which variables become the channels of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icefront_dask.errors import ModelMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CROSS", "PRIMARY", "RADAR", "choose_bands"]

RADAR = ("hh", "vv")
PRIMARY = (*RADAR, "nir", "red", "green", "pan", "grey")
CROSS = ("hv", "vh")


def choose_bands(
    variables: Iterable[str], primary: Sequence[str] = PRIMARY, cross: Sequence[str] = CROSS
) -> tuple[str, str | None]:
    """Return the variables that become the network's primary and cross-polarised channel.

    Parameters
    ----------
    variables : iterable of str
        Of the closed list (`icefront_dask.sensors.VARIABLES`).
    primary, cross : sequence of str
        What the network can take as either channel, in order of preference (fields of its card).

    Raises
    ------
    ModelMismatchError
        If there is no primary band.
    """
    there = set(variables)
    first = next((name for name in primary if name in there), None)
    if first is None:
        raise ModelMismatchError(
            f"the network starts from one of {', '.join(primary)}, and the data has "
            f"{', '.join(sorted(there)) or 'none'}; rename a band to what it is, or take another model"
        )
    if first not in RADAR:
        return first, None
    own = {"hh": "hv", "vv": "vh"}[first]
    return first, next((name for name in sorted(cross, key=lambda name: name != own) if name in there), None)
