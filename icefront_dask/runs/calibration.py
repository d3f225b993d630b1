"""Uncertainty of fronts held against simulated scenes that no training used."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from icefront_dask.config import DEFAULTS_PATH
from icefront_dask.errors import ConfigError
from icefront_dask.fronts import Status, trace_scene
from icefront_dask.fronts.calibrate import LEVELS, TracedErrors, coverage, fit_uncertainty, uncertainty_px
from icefront_dask.fronts.options import from_config
from icefront_dask.models import registry
from icefront_dask.predict import crop_predictor, get_model, predict_scene, resolve_options
from icefront_dask.runs.files import write_atomically
from icefront_dask.simulate.views import VIEW_SEED, draw_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from icefront_dask.fronts.options import FrontOptions
    from icefront_dask.simulate.views import View

    Report = Callable[[str, int, int], None]

__all__ = ["SENSORS", "calibrate", "errors_of_view", "fitted", "write_settings"]

SENSORS = ("sar", "optical")
_JUDGED = (Status.ACCEPTED, Status.REVIEW)


def calibrate(
    *, scenes: int = 400, model: str = "auto", first_seed: int = VIEW_SEED, report: Report | None = None
) -> dict[str, Any]:
    """Predict and trace simulated views, fit the uncertainty on one half of them and check it on the other.

    Parameters
    ----------
    scenes : int
        Views, by turns of SAR and optical.
    model : str
        ``auto``, a model's name, or the path of its weights.
    first_seed : int
        Of the views, which no training uses.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.

    Returns
    -------
    dict
        See :func:`fitted`.

    Raises
    ------
    InputError
        For too few accepted fronts.
    ModelMismatchError, WeightsError
        If the model does not fit or is not there.
    """
    found = []
    for number in range(scenes):
        view = draw_view(first_seed + number, SENSORS[number % 2])
        found.append(errors_of_view(view, model=model))
        if report is not None:
            report("views", number + 1, scenes)
    return fitted(found, from_config())


def errors_of_view(view: View, *, model: str = "auto", options: FrontOptions | None = None) -> list[TracedErrors]:
    """Predict and trace a view; return its fronts with the distances of their points from the true front."""
    name = registry.choose(view.bands, view.calibration) if model == "auto" else model
    name, sha256 = registry.fingerprint(name)
    settings = resolve_options(models=(name,))
    loaded = get_model(name, sha256, settings.engine, settings.threads)
    common: dict[str, Any] = {
        "pixel_size_m": view.pixel_m,
        "calibration": view.calibration,
        "network": loaded.engines,
        "options": settings,
        "primary": loaded.card.primary,
        "cross": loaded.card.cross,
    }
    flows = [] if view.flow is None else [view.flow]
    prediction = predict_scene(view.bands, fjord_mask=view.fjord, flows=flows, **common)
    traced = trace_scene(
        prediction.ice,
        prediction.front,
        np.isfinite(prediction.ice),
        pixel_size_m=view.pixel_m,
        fjord=view.fjord,
        flow=view.flow,
        cloud=view.cloud,
        look_again=crop_predictor(view.bands, flows=flows, **common),
        options=from_config() if options is None else options,
    )
    true = shapely.MultiLineString(list(view.front))
    return [
        TracedErrors(
            errors_px=np.asarray(shapely.distance(shapely.points(front.xy), true), dtype=np.float64),
            spread_px=front.parts["spread_px"],
            confidence=front.confidence,
            status=front.status,
            group=view.sensor,
        )
        for front in traced
        if len(front.xy) and view.front
    ]


def fitted(views: Sequence[Sequence[TracedErrors]], options: FrontOptions) -> dict[str, Any]:
    """Fit on every other pair of views, check on the others; the settings are those of all views.

    Returns
    -------
    dict
        ``settings``: what section ``fronts`` is to hold. ``views`` and ``fronts`` (by status). ``coverage``: for
        accepted fronts and those in review, by group and for all, the shares of points within 1 and 1.96 sigma
        of the truth on the views that the fit did not see (each half by the fit of the other). ``coverage_as_set``:
        the same by the settings in force, on all views. ``target``: what the shares are to be. ``median_error_px`` and
        ``median_sigma_px`` of accepted fronts.
    """
    halves = [[f for n, view in enumerate(views) if n // 2 % 2 == half for f in view] for half in (0, 1)]
    checked: list[tuple[list[TracedErrors], FrontOptions]] = []
    for half in (0, 1):
        fit = fit_uncertainty(halves[1 - half], options)
        checked.append((halves[half], dataclasses.replace(options, **dataclasses.asdict(fit))))
    everything = [front for view in views for front in view]
    final = fit_uncertainty(everything, options)
    accepted = [front for front in everything if front.status == Status.ACCEPTED]
    settled = dataclasses.replace(options, **dataclasses.asdict(final))
    return {
        "settings": dataclasses.asdict(final),
        "views": len(views),
        "fronts": dict(Counter(str(front.status) for front in everything)),
        "target": [LEVELS[number] for number in LEVELS],
        "coverage": _table(checked),
        "coverage_as_set": _table([(everything, options)]),
        "median_error_px": _median(np.concatenate([front.errors_px for front in accepted])),
        "median_sigma_px": _median(np.array([uncertainty_px(f.spread_px, f.confidence, settled) for f in accepted])),
    }


def _table(checked: Sequence[tuple[Sequence[TracedErrors], FrontOptions]]) -> dict[str, dict[str, list[float]]]:
    """Coverage by status and group."""
    return {
        str(status): {
            group: _covered(checked, status, group)
            for group in ("all", *sorted({f.group for fronts, _ in checked for f in fronts if f.status == status}))
        }
        for status in _JUDGED
    }


def _covered(checked: Sequence[tuple[Sequence[TracedErrors], FrontOptions]], status: Status, group: str) -> list[float]:
    """Shares of points within each number of sigmas, over all that was checked."""
    inside, count = dict.fromkeys(LEVELS, 0.0), 0
    for fronts, options in checked:
        chosen = [f for f in fronts if f.status == status and group in {"all", f.group} and math.isfinite(f.spread_px)]
        points = sum(len(front.errors_px) for front in chosen)
        found = coverage(chosen, options)
        count += points
        for number in LEVELS:
            inside[number] += found[number] * points if points else 0.0
    return [round(inside[number] / count, 4) if count else math.nan for number in LEVELS]


def _median(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return round(float(np.median(values)), 3)


def write_settings(settings: Mapping[str, float], path: str | Path = DEFAULTS_PATH) -> None:
    """Put values into section ``fronts`` of a file in the form of ``icefront.yaml``; its comments stay.

    Raises
    ------
    ConfigError
        If the file lacks one of the keys.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    start = re.search(r"^  fronts:$", text, flags=re.MULTILINE)
    if start is None:
        raise ConfigError(f"{path} has no section fronts; take a copy of the packaged icefront.yaml")
    head, body = text[: start.end()], text[start.end() :]
    for key, value in settings.items():
        body, count = re.subn(
            rf"^(    {re.escape(key)}:) \S+( *)",
            partial(_line, value),
            body,
            count=1,
            flags=re.MULTILINE,
        )
        if not count:
            raise ConfigError(
                f"{path} has no key {key} in its section fronts; take a copy of the packaged icefront.yaml"
            )
    write_atomically(path, lambda target: target.write_text(head + body, encoding="utf-8"))


def _line(value: float, match: re.Match[str]) -> str:
    """Return the key with its new value, as wide as it was."""
    return f"{match[1]} {value:g}".ljust(len(match[0]))
