"""How a simulated front moves: it flows seaward, and calves; nothing else.

Between two calving events every point of the front advances with the ice. At an event the front becomes the
smaller of itself and a new, ragged calving surface over a part of its width. Most events fall into the melt
season, so the front breathes with the year; what calves in a year is what flowed in, plus the retreat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.simulate.fields import Atlas, Floats, line_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FrontHistory", "FrontState", "Motion", "draw_history"]

STEP_M = 5.0  # of the table of the front, across the flow
REACH = 3.0  # half widths on either side that the table covers
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Motion:
    """How a front moves on average.

    Attributes
    ----------
    speed_m_per_year : float
        Of the ice at the front.
    retreat_m_per_year : float
        Mean retreat; negative for an advancing front.
    events_per_year : float
        Mean number of calving events.
    peak_day : int
        Day of the year round which events gather.
    season_days : float
        Standard deviation of the events' days about it; one event in five falls on any day.
    """

    speed_m_per_year: float
    retreat_m_per_year: float
    events_per_year: float
    peak_day: int = 225
    season_days: float = 40.0


@dataclass(frozen=True)
class FrontState:
    """The front at one time, in the form that :meth:`Landscape.ice` asks for.

    Attributes
    ----------
    across_m, along_m : ndarray (n,)
        Table of the along-flow position over the across-flow coordinate, in metres.
    offset_m : float
        Mean along-flow position over the width.
    moved_m : float
        How far the ice has flowed since the start of the history.
    """

    across_m: NDArray[np.float64]
    along_m: NDArray[np.float64]
    offset_m: float
    moved_m: float

    def __call__(self, atlas: Atlas, across: Floats, half_width_m: float) -> Floats:
        """Along-flow position of the front (m) at across-flow coordinates ``across`` (m)."""
        del atlas, half_width_m  # the table holds both
        return np.interp(across, self.across_m, self.along_m).astype(np.float32)


@dataclass(frozen=True)
class FrontHistory:
    """A front from one date to another.

    Attributes
    ----------
    start : numpy.datetime64
        Begin of the history.
    speed_m_per_day : float
    event_days : ndarray (k,)
        Days since the start at which the front calved, ascending; the first is 0.
    event_m : ndarray (k,)
        Width-averaged retreat at each event (m); the first is 0.
    across_m : ndarray (n,)
    surfaces_m : ndarray (k, n)
        The front right after each event.
    half_width_m : float
    """

    start: np.datetime64
    speed_m_per_day: float
    event_days: NDArray[np.float64]
    event_m: NDArray[np.float64]
    across_m: NDArray[np.float64]
    surfaces_m: NDArray[np.float64]
    half_width_m: float

    def days(self, time: np.datetime64) -> float:
        """Days since the start."""
        return float((time - self.start) / np.timedelta64(1, "s")) / 86400.0

    def at(self, time: np.datetime64) -> FrontState:
        """Return the front at a time, not before the start."""
        day = self.days(time)
        if day < 0:
            raise ValueError(f"the history begins on {self.start}, {time} is before it")
        last = int(np.searchsorted(self.event_days, day, side="right")) - 1
        along = self.surfaces_m[last] + self.speed_m_per_day * (day - self.event_days[last])
        inside = np.abs(self.across_m) <= self.half_width_m
        return FrontState(self.across_m, along, float(along[inside].mean()), self.speed_m_per_day * day)


def draw_history(
    rng: np.random.Generator,
    atlas: Atlas,
    half_width_m: float,
    motion: Motion,
    start: np.datetime64,
    stop: np.datetime64,
) -> FrontHistory:
    """Draw the calving events of a front between two dates.

    Parameters
    ----------
    rng : numpy.random.Generator
    atlas : Atlas
        Its 1-D fractals make the calving surfaces.
    half_width_m : float
        Half width over which positions are averaged.
    motion : Motion
    start, stop : numpy.datetime64
        The mean position over the last year before `stop` is near 0.

    Returns
    -------
    FrontHistory
    """
    w = half_width_m
    length = float((stop - start) / np.timedelta64(1, "s")) / 86400.0
    days, sizes = _events(rng, motion, start, length)
    across = np.arange(-REACH * w, REACH * w + STEP_M / 2, STEP_M)
    inside = np.abs(across) <= w
    arc = rng.uniform(-0.25, 0.4) * w
    rms = 2 * w * np.exp(rng.uniform(np.log(0.012), np.log(0.04)))

    def fresh() -> NDArray[np.float64]:
        cell, row, phase = 2 * w / rng.uniform(150, 1000), int(rng.integers(4)), rng.uniform(0, 4096)
        ragged = rms * line_noise(atlas, row, across.astype(np.float32), cell, phase)
        shape = arc * (1 - np.minimum((across / w) ** 2, 1.5)) + ragged
        return np.asarray(shape - shape[inside].mean(), dtype=np.float64)

    front = fresh() + motion.retreat_m_per_year * length / YEAR_DAYS
    surfaces, taken, events = [front], [0.0], [0.0]
    speed = motion.speed_m_per_year / YEAR_DAYS
    for day, size in zip(days, sizes, strict=True):
        front = front + speed * (day - events[-1])
        width = w * np.exp(rng.uniform(np.log(0.35), np.log(2.5)))
        centre = _protruding(rng, front - arc * (1 - (across / w) ** 2), across, inside, rms)
        outside = np.clip((np.abs(across - centre) / width) ** 4 - 0.2, 0, 60) * 3 * rms
        shape = fresh() + outside
        low, high = float((front - shape).min()) - 6 * size - 1.0, float((front - shape).max())
        for _ in range(40):
            middle = 0.5 * (low + high)
            lost = float((front - np.minimum(front, shape + middle))[inside].mean())
            low, high = (middle, high) if lost > size else (low, middle)
        front = np.minimum(front, shape + high)
        surfaces.append(front)
        taken.append(float(size))
        events.append(float(day))
    return FrontHistory(start, speed, np.asarray(events), np.asarray(taken), across, np.asarray(surfaces), half_width_m)


def _protruding(
    rng: np.random.Generator,
    front: NDArray[np.float64],
    across: NDArray[np.float64],
    inside: NDArray[np.bool_],
    rms: float,
) -> float:
    """Where the front sticks out most, seen at 1 km; give or take twice its roughness."""
    cells = max(int(1000 / STEP_M), 1)
    blurred = np.convolve(front, np.ones(cells) / cells, mode="same")[inside]
    luck = np.repeat(rng.normal(0, 2 * rms, blurred.size // cells + 1), cells)[: blurred.size]
    return float(across[inside][np.argmax(blurred + luck)])


def _events(
    rng: np.random.Generator, motion: Motion, start: np.datetime64, length_days: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days and sizes of the events: their sum is what flowed in and the retreat."""
    first = int(str(start)[:4])
    days: list[float] = []
    sizes: list[float] = []
    due = 0.0  # a year without an event leaves its share to the next
    for year in range(first, first + int(length_days / YEAR_DAYS) + 2):
        begin = float((np.datetime64(f"{year}-01-01", "s") - start) / np.timedelta64(1, "s")) / 86400.0
        due += motion.speed_m_per_year + motion.retreat_m_per_year
        count = int(rng.poisson(motion.events_per_year))
        if not count:
            continue
        summer = rng.normal(motion.peak_day, motion.season_days, count)
        when = begin + np.where(rng.random(count) < 0.2, rng.uniform(0, YEAR_DAYS, count), summer)
        weight = np.exp(rng.normal(0, 0.7, count))
        days += when.tolist()
        sizes += (due * weight / weight.sum()).tolist()
        due = 0.0
    order = np.argsort(days, kind="stable")
    keep = [i for i in order if 0 < days[i] < length_days]
    return np.asarray([days[i] for i in keep]), np.asarray([sizes[i] for i in keep])
