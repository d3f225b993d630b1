"""Which images show the same glacier, so that their errors are not independent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["glacier_groups"]

_LANDSAT = re.compile(r"L[COTEM]0\d_L\w{3}_(?P<path>\d{3})(?P<row>\d{3})_")
_PATHS = 233  # WRS-2 paths round the Earth
_REACH = 3  # a place in the high Arctic is seen from about this many neighbouring paths


def glacier_groups(names: Iterable[str]) -> dict[str, str]:
    """Group Landsat scene names by neighbouring WRS-2 paths; a name of another form is a group of its own.

    Swaths overlap so much near the poles that one glacier is seen from several neighbouring paths. Paths
    which lie within 3 of each other, directly or through others, are one group, named ``path-FIRST-LAST``.
    Two glaciers far apart along one path would be joined: that widens an interval and never narrows it.

    Parameters
    ----------
    names : iterable of str
        For instance ``LC08_L1TP_020007_20140801_20170420_01_T1_B2``.

    Returns
    -------
    dict of str to str
        Group by name.
    """
    listed = list(names)
    paths = {name: int(match["path"]) for name in listed if (match := _LANDSAT.search(name))}
    chains: list[list[int]] = []
    for path in sorted(set(paths.values())):
        if chains and path - chains[-1][-1] <= _REACH:
            chains[-1].append(path)
        else:
            chains.append([path])
    if len(chains) > 1 and chains[0][0] + _PATHS - chains[-1][-1] <= _REACH:
        chains[0] = chains.pop() + chains[0]
    label = {path: f"path-{chain[0]:03d}-{chain[-1]:03d}" for chain in chains for path in chain}
    return {name: label[paths[name]] if name in paths else name for name in listed}
