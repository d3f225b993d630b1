"""New scenes for a cube that is there: appended behind the others, reprocessed ones in the slots of the old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from icefront_dask.cube import attributes as attrs_of
from icefront_dask.cube.lazy import calibrations_of
from icefront_dask.cube.packing import Packing, packings_of
from icefront_dask.cube.shards import erase_scene
from icefront_dask.cube.store import (
    STORE_VERSION,
    CubeStore,
    create_store,
    differences,
    scenes_sha256,
    write_coordinates,
)
from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from icefront_dask.cube.scene import Scene

__all__ = ["check_store", "extend_store", "is_finished", "prepare_store"]

_SAME_PASS = np.timedelta64(2, "s")  # the start of a scene moves by less when it is processed again
_PASS = ("platform", "orbit_direction", "relative_orbit")


def prepare_store(
    path_or_url: str | Path,
    scenes: Sequence[Scene],
    region: Any,
    family: str,
    geobox: Any,
    variables: Sequence[str],
    attrs: Mapping[str, Any] | None = None,
    *,
    session: Any = None,
) -> tuple[CubeStore, list[int]]:
    """Make a cube for scenes, or give them their slots in the one that is there.

    Parameters
    ----------
    path_or_url, scenes, region, family, geobox, variables, attrs, session
        As for :func:`icefront_dask.cube.create_store`; `attrs` are those of a cube that is made.

    Returns
    -------
    store : CubeStore
        What :func:`icefront_dask.cube.write_scenes` takes.
    slots : list of int
        The slot of each scene.

    Raises
    ------
    StoreError
        For a cube of another grid or version, and as :func:`extend_store`; the message names the difference.
    """
    cube = CubeStore(str(path_or_url), f"{region.name}/{family}", session)
    if not is_finished(cube):
        cube = create_store(path_or_url, scenes, region, family, geobox, variables, attrs, session=session)
        return cube, list(range(len(scenes)))
    check_store(cube, scenes, geobox, variables)
    return cube, extend_store(cube, scenes, variables)


def check_store(cube: CubeStore, scenes: Sequence[Scene], geobox: Any, variables: Sequence[str]) -> None:
    """Refuse a finished cube that cannot hold scenes; nothing is written.

    Parameters
    ----------
    cube, scenes, geobox, variables
        As for :func:`prepare_store`.

    Raises
    ------
    StoreError
        As :func:`prepare_store`.
    """
    group = cube.open("r")
    template: Any = group.attrs["template"]
    wanted = {
        "version": STORE_VERSION,
        "grid": {
            "crs": str(geobox.crs),
            "transform": [float(v) for v in tuple(geobox.affine)[:6]],
            "shape": [int(n) for n in geobox.shape.yx],
        },
    }
    where = f"{cube.url}/{cube.group}"
    if found := differences({key: template.get(key) for key in wanted}, wanted):
        raise StoreError(f"{where} holds another cube ({'; '.join(found)}); write to another store, or on its grid")
    _check_variables(where, group, scenes, variables)
    _slots(where, _held(group), scenes)


def is_finished(cube: CubeStore) -> bool:
    """Return whether a cube is there, all of its slots, coordinates and attributes."""
    return _template(cube) is not None


def _template(cube: CubeStore) -> dict[str, Any] | None:
    """Return the template of a finished cube, None where there is none or one whose creation was interrupted."""
    try:
        return cube.open("r").attrs.asdict().get("template")
    except (FileNotFoundError, KeyError):
        return None


def extend_store(store: CubeStore, scenes: Sequence[Scene], variables: Sequence[str] | None = None) -> list[int]:
    """Give scenes their slots in a cube, which grows for those that are new.

    Slots are never moved or removed. A scene that the cube holds keeps its slot; one of the same pass of the same
    satellite, made of other items since it was processed again, takes over that slot, whose old pixels are removed:
    it is a scene that was not written yet. An extension that was interrupted is completed by the next one, whatever
    it asks for. One process at a time may extend a cube.

    Parameters
    ----------
    store : CubeStore
        A finished cube.
    scenes : sequence of Scene
        Those that will be written, on the grid of the cube.
    variables : sequence of str, optional
        What of them will be written; by default all that they have.

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
    _check_variables(where, group, scenes, variables)
    _complete(store, group)  # what was interrupted
    held = _held(group)
    slots = _slots(where, held, scenes)
    merged = _merged(held, attrs_of.scene_coordinates(scenes), slots)
    if scenes_sha256(str(v) for v in merged["scene_id"].to_numpy()) != group.attrs["template"]["scenes_sha256"]:
        before = held["scene_id"].to_numpy()
        taken = [
            slot
            for slot, scene in zip(slots, scenes, strict=True)
            if slot < len(before) and str(before[slot]) != scene.scene_id
        ]
        # All that is to be, in one object: from here on the extension is completed, by whoever comes next.
        coordinates = {name: _plain(variable) for name, variable in merged.items()}
        group.attrs["extending"] = {"coordinates": coordinates, "taken": taken}
        _complete(store, group)
    return slots


def _complete(store: CubeStore, group: Any) -> None:
    """Carry out the extension that a cube's attributes describe, from wherever it was interrupted."""
    attributes = group.attrs.asdict()
    planned = attributes.pop("extending", None)
    if planned is None:
        return
    template, coordinates = attributes["template"], planned["coordinates"]
    scene_ids, geometries = coordinates["scene_id"]["values"], set(coordinates["geometry"]["values"])
    for name in [*template["variables"], "quality", "gap_fraction"]:
        array = group[name]
        array.resize((len(scene_ids), *array.shape[1:]))
        for slot in planned["taken"]:
            erase_scene(array, store, slot)
        if name in template["variables"]:
            described = attrs_of.variable_attributes(name, str(array.attrs["calibration"]), geometries)
            array.attrs["long_name"] = described["long_name"]
    write_coordinates(group, {name: _variable(name, values) for name, values in coordinates.items()})
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


def _check_variables(where: str, group: Any, scenes: Sequence[Scene], variables: Sequence[str] | None) -> None:
    """Refuse scenes with variables that a cube has not, packs otherwise or holds in another calibration."""
    present = group.attrs["template"]["variables"]
    names = dict.fromkeys(v for s in scenes for v in s.variables if variables is None or v in variables)
    for name in names:
        if name not in present:
            raise StoreError(f"{where} has no variable {name}, which the new scenes have; ask for {', '.join(present)}")
        kept = Packing.from_template(present[name])
        theirs = packings_of([scene for scene in scenes if name in scene.variables], [name])[name]
        if kept.dtype == "uint16" and theirs != kept:
            raise StoreError(
                f"{where} packs {name} as {kept}, which does not hold the new scenes' {theirs} exactly; write them "
                "into a cube of their own"
            )
    for name, calibration in calibrations_of(scenes, list(names)).items():
        if (held := group[name].attrs["calibration"]) != calibration:
            raise StoreError(
                f"{where} holds {name} as {held}, the new scenes have it as {calibration}; write them into a cube of "
                "their own"
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
