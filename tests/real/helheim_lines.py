"""Two hand-drawn fronts of each Sentinel-1 scene of Helheim, and what is measured against them.

    python -m tests.real.helheim_lines DIR [--model NAME]

writes the scenes with the first of their lines as a data set of the layout ``scenes`` (for `icefront score` and
`icefront ablate`) and prints the distances between the two drawings; with a model its own distances too, without the
fjord of a run.

The lines were drawn by eye, to about 50 m, on pixels of 10 m: first on a smoothed view, then on a raw one without
looking at the first; shortly after each other, so the distance between them is a lower bound of what two people would
differ by. The seaward edge of the bright cliff is the front; where mélange hides it the line stops. They are for
measuring alone: nothing is trained or chosen on them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import LineString

from tests.real import helheim

CORNER, STEP = (306_500.0, -2_574_500.0), 6000 / 1060  # of the views, from their pixels to EPSG:3413
STEP_M, END_M = 20.0, 40.0  # sampling of a line, and what is left out at both ends of the common span

# x and y of the views' pixels.
VIEWS = {
    "S1_IW_HH_20180602": (
        ((700, 180), (660, 230), (645, 265), (637, 330), (625, 400), (605, 460), (585, 510), (575, 545), (568, 580),
         (550, 620), (535, 670), (522, 710), (516, 760), (513, 820), (508, 875)),
        ((648, 235), (643, 275), (638, 315), (634, 350), (627, 385), (618, 420), (608, 455), (596, 485), (583, 510),
         (577, 540), (575, 565), (562, 590), (552, 615), (545, 640), (535, 665), (528, 695), (521, 720), (517, 750),
         (515, 785), (512, 815), (509, 845), (511, 870)),
    ),
    "S1_IW_HH_20180606": (
        ((640, 95), (600, 125), (560, 160), (548, 200), (535, 245), (525, 290), (515, 345), (495, 385), (480, 430),
         (475, 470), (465, 520), (458, 565), (440, 610), (410, 635), (395, 665), (388, 700), (390, 750), (393, 800),
         (410, 850), (430, 905), (445, 945), (462, 970)),
        ((645, 98), (615, 112), (590, 132), (565, 150), (553, 180), (548, 205), (537, 235), (522, 265), (518, 300),
         (517, 330), (508, 360), (490, 385), (482, 410), (480, 440), (484, 460), (470, 485), (468, 520), (462, 550),
         (455, 575), (440, 595), (437, 612), (410, 630), (402, 655), (388, 690), (391, 720), (390, 760), (389, 795),
         (400, 825), (410, 850), (415, 875), (428, 900), (438, 930), (450, 965)),
    ),
}  # fmt: skip


def lines(scene_id: str) -> tuple[LineString, LineString]:
    """Return both drawings of a scene, EPSG:3413."""
    first, second = (
        LineString([(CORNER[0] + STEP * x, CORNER[1] - STEP * y) for x, y in view]) for view in VIEWS[scene_id]
    )
    return first, second


def distances_m(one: shapely.Geometry, other: shapely.Geometry) -> np.ndarray:
    """Return the distances of points every 20 m of each line to the other one, true metres.

    Both are cut to their common span across the flow (the fjord runs along x), without 40 m at its ends.
    """
    low = max(line.bounds[1] for line in (one, other)) + END_M
    high = min(line.bounds[3] for line in (one, other)) - END_M
    if low >= high:
        return np.empty(0)
    span = shapely.box(-1e9, low, 1e9, high)
    cut = [shapely.intersection(line, span) for line in (one, other)]
    found = []
    for line, reference in (cut, cut[::-1]):
        points = shapely.points(shapely.get_coordinates(shapely.segmentize(line, STEP_M)))
        found.append(shapely.distance(points, reference))
    return np.concatenate(found) / helheim.region().scale_factor


def measured(scene_id: str, front: shapely.Geometry | None) -> dict[str, float]:
    """Return mean and median distance of a front to both drawings, and of these to each other, metres."""
    drawn = lines(scene_id)
    repeat = distances_m(*drawn)
    found = {"repeat_mean_m": repeat.mean(), "repeat_median_m": np.median(repeat)}
    if front is not None:
        pooled = np.concatenate([distances_m(front, line) for line in drawn])
        share = min(1.0, len(pooled) / max(sum(2 * line.length / STEP_M for line in drawn), 1))
        if len(pooled):
            found |= {"mean_m": pooled.mean(), "median_m": np.median(pooled), "compared_share": share}
    return {key: round(float(value), 2) for key, value in found.items()}


def write_scenes(scenes: Path, out: Path) -> None:
    """Write both scenes with the first of their lines as ``NAME.tif`` beside ``NAME.geojson``."""
    out.mkdir(parents=True, exist_ok=True)
    to_lonlat = Transformer.from_crs(3413, 4326, always_xy=True)
    for scene in helheim.SCENES:
        if scene.id not in VIEWS:
            continue
        shutil.copyfile(scenes / scene.file, out / f"{scene.id}.tif")
        line = shapely.transform(lines(scene.id)[0], lambda xy: np.column_stack(to_lonlat.transform(*xy.T)))
        feature = {
            "type": "Feature",
            "properties": {"glacier": "helheim"},
            "geometry": shapely.geometry.mapping(line),
        }
        content = {"type": "FeatureCollection", "features": [feature]}
        (out / f"{scene.id}.geojson").write_text(json.dumps(content), encoding="utf-8")


def fronts_of(folder: Path, model: str) -> dict[str, shapely.Geometry | None]:
    """Return the fronts that a model finds in the written scenes, EPSG:3413."""
    from icefront_dask.runs.images import front_of_image
    from icefront_dask.score.lines import apply_affine

    to_map = Transformer.from_crs(4326, 3413, always_xy=True)
    found = {}
    for name in VIEWS:
        front = front_of_image(folder / f"{name}.tif", model=model)

        def ground(xy: np.ndarray, transform=front.transform) -> np.ndarray:
            return np.column_stack(to_map.transform(*apply_affine(transform, xy).T))

        found[name] = None if front.line is None else shapely.transform(front.line, ground)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the data set")
    parser.add_argument("--model", help="auto, a model's name, or the path of its weights")
    options = parser.parse_args(arguments)
    scenes = helheim.real_data() / helheim.FOLDER
    if not scenes.is_dir():
        sys.stderr.write(f"no real scenes in {scenes}; set ICEFRONT_REAL_DATA\n")
        return 2
    write_scenes(scenes, options.out)
    fronts = dict.fromkeys(VIEWS) if options.model is None else fronts_of(options.out, options.model)
    sys.stdout.write(json.dumps({name: measured(name, front) for name, front in fronts.items()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
