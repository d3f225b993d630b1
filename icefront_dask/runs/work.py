"""The unit of work: one region, one sensor family, one block of scenes."""

from __future__ import annotations

import hashlib
import json
import pickle
import zlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from icefront_dask.cube import CubeStore, Scene

__all__ = ["LayersUnit", "WorkUnit", "blocks"]


@dataclass(frozen=True)
class WorkUnit:
    """What one Dask task does: it reads, predicts, traces and writes the scenes of one block.

    It travels compressed, as the scenes of one region repeat each other's hrefs.

    Attributes
    ----------
    key : str
        Readable name ending in a digest of the specification's hash, region, family, block and scenes.
    region, family : str
        Name of the region; ``sentinel-1`` or ``landsat``.
    block : int
        Number of the block among those of its region and family.
    scenes : tuple of Scene
        The scenes, in the order of their slots.
    slots : tuple of int
        Places of the scenes along the time axis of the cube; in a plan, their places among the run's own.
    cube : CubeStore, optional
        What the unit writes through; a plan has none.
    """

    key: str
    region: str
    family: str
    block: int
    scenes: tuple[Scene, ...]
    slots: tuple[int, ...]
    cube: CubeStore | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        values = tuple(getattr(self, field.name) for field in fields(self))
        return _restored, (zlib.compress(pickle.dumps(values, protocol=5)),)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.region}/{self.family} block {self.block}"

    @property
    def item_ids(self) -> list[str]:
        """Identifiers of the items of all scenes, sorted."""
        return sorted({item for scene in self.scenes for item in scene.item_ids})


@dataclass(frozen=True)
class LayersUnit:
    """One Dask task before the units of a region and family: it writes the layers of the region into their store.

    Attributes
    ----------
    key, region, family : str
        As of a unit.
    cube : CubeStore
        What it writes through.
    """

    key: str
    region: str
    family: str
    cube: CubeStore = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"elevation and geoid of {self.region}/{self.family}"


def _restored(content: bytes) -> WorkUnit:
    return WorkUnit(*pickle.loads(zlib.decompress(content)))  # noqa: S301  made by the class itself


def blocks(spec_sha256: str, region: str, family: str, scenes: Sequence[Scene], size: int) -> Iterator[WorkUnit]:
    """Cut the scenes of a region and family, which are in slot order, into units of at most `size`."""
    for block, start in enumerate(range(0, len(scenes), size)):
        members = tuple(scenes[start : start + size])
        identity = [spec_sha256, region, family, block, [scene.scene_id for scene in members]]
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
        yield WorkUnit(
            key=f"{region}.{family}.{block:05d}.{digest}",
            region=region,
            family=family,
            block=block,
            scenes=members,
            slots=tuple(range(start, start + len(members))),
        )
