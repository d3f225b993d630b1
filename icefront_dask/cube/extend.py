"""New scenes for a cube that is there: appended behind the others, reprocessed ones in the slots of the old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from icefront_dask.cube import attributes as attrs_of
from icefront_dask.cube.packing import Packing, packings_of
from icefront_dask.cube.store import scenes_sha256, write_coordinates
from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.cube.scene import Scene
    from icefront_dask.cube.store import CubeStore

__all__ = ["extend_store"]

_SAME_PASS = np.timedelta64(2, "s")  # the start of a scene moves by less when it is processed again
_PASS = ("platform", "orbit_direction", "relative_orbit")


def extend_store(store: CubeStore, scenes: Sequence[Scene]) -> list[int]:
    """Give scenes their slots in a cube, which grows for those that are new.

    Slots are never moved or removed. A scene that the cube holds keeps its slot; one of the same pass of the same
    satellite, made of other items since it was processed again, takes over that slot, whose old pixels stay until it
    is written. An extension that was interrupted is completed by the next one, whatever it asks for.

    Parameters
    ----------
    store : CubeStore
        A finished cube.
    scenes : sequence of Scene
        Those that will be written, on the grid of the cube.

    Returns
    -------
    list of int
        The slot of each scene, for :func:`icefront_dask.cube.write_scenes`.

    Raises
    ------
    StoreError
        For a cube that is not finished, two scenes for one slot, and scenes whose variables or packing are not the
        cube's; the message names the difference.
    """
    group = store.open()
    template: Any = group.attrs.get("template")
    where = f"{store.url}/{store.group}"
    if not isinstance(template, dict):
        raise StoreError(f"{where} is not a finished cube; run again what writes it")
    _check_variables(where, template["variables"], scenes)
    _complete(group)  # what was interrupted
    held = _held(group)
    slots = _slots(where, held, scenes)
    merged = _merged(held, attrs_of.scene_coordinates(scenes), slots)
    if scenes_sha256(str(v) for v in merged["scene_id"].to_numpy()) != group.attrs["template"]["scenes_sha256"]:
        # All that is to be, in one object: from here on the extension is completed, by whoever comes next.
        group.attrs["extending"] = {name: _plain(variable) for name, variable in merged.items()}
        _complete(group)
    return slots


def _complete(group: Any) -> None:
    """Carry out the extension that a cube's attributes describe, from wherever it was interrupted."""
    attributes = group.attrs.asdict()
    planned = attributes.pop("extending", None)
    if planned is None:
        return
    template = attributes["template"]
    for name in [*template["variables"], "quality", "gap_fraction"]:
        array = group[name]
        array.resize((len(planned["time"]["values"]), *array.shape[1:]))
    write_coordinates(group, {name: _variable(name, values) for name, values in planned.items()})
    scene_ids = planned["scene_id"]["values"]
    template = {**template, "slots": len(scene_ids), "scenes_sha256": scenes_sha256(scene_ids)}
    group.attrs.put({**attributes, "template": template})


def _plain(variable: xr.Variable) -> dict[str, Any]:
    values = variable.to_numpy()
    values = values.astype("int64") if values.dtype.kind == "M" else values
    return {
        "values": values.tolist(),
        "dtype": "str" if values.dtype.kind == "O" else values.dtype.str,
        "attrs": dict(variable.attrs),
    }


def _variable(name: str, described: dict[str, Any]) -> xr.Variable:
    dtype = object if described["dtype"] == "str" else described["dtype"]
    values = np.array(described["values"], dtype=dtype)
    return xr.Variable(("time",), values.astype("datetime64[ns]") if name == "time" else values, described["attrs"])


def _check_variables(where: str, present: Mapping[str, Any], scenes: Sequence[Scene]) -> None:
    for name in dict.fromkeys(v for scene in scenes for v in scene.variables):
        if name not in present:
            raise StoreError(f"{where} has no variable {name}, which the new scenes have; ask for {', '.join(present)}")
    for name, stored in present.items():
        mine = [scene for scene in scenes if name in scene.variables]
        kept, wanted = Packing.from_template(stored), packings_of(mine, [name])[name]
        if mine and kept.dtype == "uint16" and wanted != kept:
            raise StoreError(
                f"{where} packs {name} as {kept}, which does not hold the new scenes' {wanted} exactly; write them "
                "into a cube of their own"
            )


def _held(group: Any) -> dict[str, xr.Variable]:
    """Return the coordinates along time as they are stored, strings as objects."""
    names = ["time", *(name for name in attrs_of.SCENE_COORDINATES if name != "gap_fraction")]
    out = {}
    for name in names:
        array = group[name]
        values = np.asarray(array[...])
        if name == "time":
            values = values.astype("datetime64[ns]")
        elif values.dtype.kind not in "if":
            values = values.astype(object)
        drop = {"units", "calendar"} if name == "time" else set()
        out[name] = xr.Variable(("time",), values, {k: v for k, v in array.attrs.asdict().items() if k not in drop})
    return out


def _slots(where: str, held: Mapping[str, xr.Variable], scenes: Sequence[Scene]) -> list[int]:
    ids = [str(v) for v in held["scene_id"].to_numpy()]
    known = {scene_id: slot for slot, scene_id in enumerate(ids)}
    passes = list(zip(*(held[name].to_numpy() for name in _PASS), strict=True))
    times = held["time"].to_numpy()
    slots, end = [], len(ids)
    for scene in scenes:
        slot = known.get(scene.scene_id)
        if slot is None:
            mine = (scene.platform, scene.orbit_direction, scene.relative_orbit)
            near = np.flatnonzero(np.abs(times - scene.time) <= _SAME_PASS)
            again = [int(i) for i in near if passes[i] == mine and scene.platform]
            slot = again[0] if again else end
            end += not again
        slots.append(slot)
    if len(set(slots)) < len(slots):
        twice = next(slot for slot in slots if slots.count(slot) > 1)
        both = ", ".join(scene.scene_id for scene, slot in zip(scenes, slots, strict=True) if slot == twice)
        raise StoreError(f"{where}: {both} are the same pass; keep the one that was processed last")
    return slots


def _merged(
    held: Mapping[str, xr.Variable], new: Mapping[str, xr.Variable], slots: Sequence[int]
) -> dict[str, xr.Variable]:
    total = max([held["time"].size, *(slot + 1 for slot in slots)])
    out = {}
    for name, before in held.items():
        values = np.empty(total, dtype=before.dtype)
        values[: before.size] = before.to_numpy()
        values[list(slots)] = new[name].to_numpy()
        out[name] = xr.Variable(("time",), values, before.attrs)
    return out
