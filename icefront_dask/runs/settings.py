"""Which settings belong to the specification, and how all of them reach the code that reads them."""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dask.config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["apply", "frozen_settings", "transport_settings", "using"]

# How things are found and fetched, and who does the work: these move no bit of the result.
_TRANSPORT = {
    "catalog": {
        "allow_hosts", "allow_roots", "attempts", "connections_per_host", "max_document_mb", "max_file_gb",
        "max_megapixels", "page_size", "retry_max_wait_s", "retry_wait_s", "signing", "signing_url", "timeout_s",
    },
    "models": {"folders", "order"},
    "runs": {"seconds_per_megapixel", "units_per_commit", "window", "workers"},
}  # fmt: skip
_TURN = threading.Lock()


def frozen_settings(settings: Mapping[str, Mapping[str, Any]], *, engine: str = "auto") -> dict[str, Any]:
    """Return what of the resolved settings belongs to the specification.

    Parameters
    ----------
    settings : mapping
        Section → key → value.
    engine : str
        What ``predict.engine`` means on this machine.
    """
    frozen = {
        name: {key: value for key, value in values.items() if key not in _TRANSPORT.get(name, ())}
        for name, values in copy.deepcopy(dict(settings)).items()
    }
    frozen = {name: values for name, values in frozen.items() if values}
    frozen["predict"]["engine"] = engine
    if frozen["predict"]["threads"] == "auto":
        # Sums depend on the number of threads, so it must not depend on who does the work.
        frozen["predict"]["threads"] = 1
    return frozen


def transport_settings(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what of the resolved settings a worker needs besides the specification."""
    return {name: {key: settings[name][key] for key in sorted(_TRANSPORT[name])} for name in ("catalog", "models")}


def apply(*parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Set sections of Dask's configuration in this process until others are set.

    Several threads of a worker process do units: values stay, rather than being taken back while another thread
    still needs them.
    """
    wanted = {
        f"icefront.{name}.{key}": value
        for part in parts
        for name, values in part.items()
        for key, value in values.items()
    }
    with _TURN:
        changed = {key: value for key, value in wanted.items() if dask.config.get(key, None) != value}
        if changed:
            dask.config.set(changed)


@contextmanager
def using(settings: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Set sections of Dask's configuration for a block of the process that plans and reduces."""
    with dask.config.set({f"icefront.{name}": dict(values) for name, values in settings.items()}):
        yield
