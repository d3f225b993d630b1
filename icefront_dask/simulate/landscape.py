"""A glacier or ice shelf as functions of position: walls, islands, relief, and the level of the front.

Positions are metres in the landscape's own frame: ``x`` points down-flow from the middle of the mean front,
``y`` to the left of the flow. Everything can be evaluated at any coordinates, so that scenes on different
grids and dates show the same place, and the true front is the zero line of a function rather than of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from icefront_dask.simulate.fields import Atlas, Floats, line_noise, sample

__all__ = ["Front", "FrontShape", "Kind", "Landscape", "draw_front", "draw_landscape"]

Kind = Literal["outlet", "tongue", "ice_shelf"]


class Front(Protocol):
    """Any front."""

    def __call__(self, atlas: Atlas, across: Floats, half_width_m: float) -> Floats:
        """Along-flow position (m) at across-flow coordinates (m)."""


@dataclass(frozen=True)
class FrontShape:
    """One front: along-flow position as a function of the across-flow coordinate.

    Attributes
    ----------
    offset_m : float
        Mean along-flow position.
    rms_m, cell_m, row, phase : float, float, int, float
        Fractal part: standard deviation, size of a cell, which 1-D fractal, where it starts.
    arc_m : float
        Sag of a parabola over the half width; positive bows seaward in the middle.
    notch_m, notch_at, notch_width : float
        Depth (m), centre and width (shares of the half width) of a calved notch.
    """

    offset_m: float = 0.0
    rms_m: float = 150.0
    cell_m: float = 40.0
    row: int = 0
    phase: float = 0.0
    arc_m: float = 0.0
    notch_m: float = 0.0
    notch_at: float = 0.0
    notch_width: float = 0.3

    def __call__(self, atlas: Atlas, across: Floats, half_width_m: float) -> Floats:
        """Along-flow position of the front (m) at across-flow coordinates ``across`` (m)."""
        unit = across / half_width_m
        position = self.offset_m + self.arc_m * (1 - np.minimum(unit**2, 1.5))
        position = position + self.rms_m * line_noise(atlas, self.row, across, self.cell_m, self.phase)
        notch = np.clip(1 - ((unit - self.notch_at) / self.notch_width) ** 2, 0, None)
        return (position - self.notch_m * np.sqrt(notch)).astype(np.float32)


@dataclass(frozen=True)
class Landscape:
    """The fixed part of a place.

    Attributes
    ----------
    atlas : Atlas
    kind : {"outlet", "tongue", "ice_shelf"}
    half_width_m : float
        Mean half width of the fjord (or half the length of a shelf's front).
    wall_rms_m, bend_m, bend_length_m : float
        Roughness of the walls; amplitude and wavelength of the fjord's bends.
    tongue_share : float
        Half width of a floating tongue as a share of the fjord's.
    mouth_m : float
        Along-flow position beyond which a tongue leaves its walls.
    islands : tuple of (x, y, radius) in metres
    tributary : (x, angle, half width) or None
    overhang_m : float
        Amplitude of the two-dimensional warp of the front.
    relief_m, facet_m, rugged_m : float
        Height of the rock; size of a cell of its ridges (slopes are some 20 cells long); roughness of its slopes.
    phase : float
        Offset into the fields.
    chip_m, chip_cell_m : float
        How far the front steps back or forth from one calved block to the next (0: it does not), and the size of a
        cell of their mosaic; a block is some 7 cells wide.
    """

    atlas: Atlas
    kind: Kind
    half_width_m: float
    wall_rms_m: float
    bend_m: float
    bend_length_m: float
    tongue_share: float
    mouth_m: float
    islands: tuple[tuple[float, float, float], ...]
    tributary: tuple[float, float, float] | None
    overhang_m: float
    relief_m: float
    phase: float
    facet_m: float = 90.0
    rugged_m: float = 18.0
    chip_m: float = 0.0
    chip_cell_m: float = 10.0

    def flow(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Along-flow and across-flow coordinates (m) of positions."""
        turn = 2 * np.pi * x / self.bend_length_m + self.phase
        return x, (y - self.bend_m * (np.sin(turn) - np.sin(self.phase))).astype(np.float32)

    def centreline(self, start_m: float, stop_m: float, step_m: float) -> Floats:
        """Points (n, 2) of the line of zero across-flow coordinate, in the direction of flow."""
        x = np.arange(start_m, stop_m + step_m / 2, step_m)
        turn = 2 * np.pi * x / self.bend_length_m + self.phase
        return np.stack([x, self.bend_m * (np.sin(turn) - np.sin(self.phase))], axis=1).astype(np.float32)

    def wall(self, x: Floats, y: Floats) -> Floats:
        """Distance-like level (m): negative inside the fjord, positive in the rock."""
        along, across = self.flow(x, y)
        if self.kind == "ice_shelf":
            level: Floats = np.full(along.shape, -1e6, np.float32)
        else:
            side = np.where(across > 0, 0, 1)
            rough = np.where(
                side == 0,
                line_noise(self.atlas, 0, along, 60.0, 300 + self.phase),
                line_noise(self.atlas, 1, along, 60.0, 900 + self.phase),
            )
            level = np.abs(across) - self.half_width_m - self.wall_rms_m * rough
            level += 0.15 * self.wall_rms_m * sample(self.atlas.rough, x / 40 + self.phase, y / 40)
        if self.tributary is not None:
            at, angle, half = self.tributary
            u = (x - at) * np.cos(angle) + (y - 0) * np.sin(angle)
            v = -(x - at) * np.sin(angle) + (y - 0) * np.cos(angle)
            branch = np.maximum(np.abs(v) - half * (1 + 0.1 * line_noise(self.atlas, 2, u, 60.0, 100.0)), -u)
            level = np.minimum(level, branch)
        for cx, cy, radius in self.islands:
            ragged = 1 + 0.25 * sample(self.atlas.smooth, (x - cx) / radius * 8 + cy, (y - cy) / radius * 8 + cx)
            level = np.maximum(level, radius * ragged - np.hypot(x - cx, y - cy))
        return level.astype(np.float32)

    def ice(self, x: Floats, y: Floats, front: Front) -> Floats:
        """Level (m) along the flow: negative on the glacier, positive on the ocean; walls are left aside."""
        along, across = self.flow(x, y)
        warp = self.overhang_m * sample(self.atlas.rough, x / 25 + 77.0, y / 25 + 31.0)
        level = along - front(self.atlas, across, self.half_width_m) + warp
        if self.kind == "tongue":
            edge = self.half_width_m * self.tongue_share * (1 + 0.12 * line_noise(self.atlas, 3, along, 60.0, 55.0))
            level = np.maximum(level, np.minimum(np.abs(across) - edge, along - self.mouth_m))
        if self.chip_m:
            u, v = along / self.chip_cell_m + 60 * self.phase, across / self.chip_cell_m
            level = level + self.chip_m * sample(self.atlas.tone, u, v)
        return level.astype(np.float32)

    def elevation(self, x: Floats, y: Floats) -> Floats:
        """Height of the rock (m), rising from the walls; 0 in the fjord."""
        away = np.clip(self.wall(x, y), 0, None)
        ridges = 1 - np.abs(sample(self.atlas.smooth, x / self.facet_m + 9, y / self.facet_m + 5))
        broad = sample(self.atlas.smooth, x / 40 + 70, y / 40 + 20)
        ramp = 1 - np.exp(-away / (0.9 * self.relief_m))
        height = self.relief_m * ramp * np.clip(0.45 + 0.35 * ridges + 0.2 * broad, 0.03, None)
        return (height + self.rugged_m * ramp * sample(self.atlas.rough, x / 35 + 200, y / 35 + 100)).astype(np.float32)


def draw_landscape(rng: np.random.Generator, atlas: Atlas, kind: Kind, half_width_m: float) -> Landscape:
    """Draw a place of the given kind and half width (ranges: ``simulate/table.py``)."""
    w = half_width_m
    islands: list[tuple[float, float, float]] = []
    if rng.random() < (0.25 if kind == "ice_shelf" else 0.15):
        islands = [
            (rng.uniform(-3, 3) * w, rng.uniform(-0.8, 0.8) * w, rng.uniform(0.08, 0.25) * w)
            for _ in range(int(rng.integers(1, 3)))
        ]
    tributary = None
    if kind == "outlet" and rng.random() < 0.3:
        angle = rng.choice([-1, 1]) * rng.uniform(np.radians(60), np.radians(130))
        tributary = (rng.uniform(-3.5, 1.5) * w, float(angle), rng.uniform(0.2, 0.6) * w)
    return Landscape(
        atlas=atlas,
        kind=kind,
        half_width_m=w,
        wall_rms_m=rng.uniform(0.03, 0.14) * w,
        bend_m=rng.uniform(0, 0.7) * w,
        bend_length_m=rng.uniform(6, 16) * w,
        tongue_share=rng.uniform(0.35, 0.75),
        mouth_m=-rng.uniform(0.5, 3.0) * w,
        islands=tuple(islands),
        tributary=tributary,
        overhang_m=rng.uniform(0, 0.015) * w,
        relief_m=rng.uniform(200, 1500),
        phase=rng.uniform(0, 6.28),
        facet_m=float(np.exp(rng.uniform(np.log(15), np.log(110)))),
        rugged_m=float(np.exp(rng.uniform(np.log(4), np.log(35)))),
    )


def draw_front(rng: np.random.Generator, half_width_m: float) -> FrontShape:
    """Draw a front: a fractal of rms 2 to 15 % of the width, an arc, often a calved notch."""
    w = half_width_m
    front = FrontShape(
        rms_m=2 * w * np.exp(rng.uniform(np.log(0.015), np.log(0.08))),
        cell_m=2 * w / rng.uniform(150, 1500),
        row=int(rng.integers(0, 4)),
        phase=rng.uniform(0, 4096),
        arc_m=rng.uniform(-0.6, 0.6) * w,
    )
    if rng.random() < 0.35:
        front = replace(
            front,
            notch_m=rng.uniform(0.1, 0.7) * w,
            notch_at=rng.uniform(-0.8, 0.8),
            notch_width=rng.uniform(0.1, 0.5),
        )
    return front
