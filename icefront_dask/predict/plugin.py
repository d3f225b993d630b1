"""One model a worker process: loaded once, found by name and SHA-256.

Tasks call `get_model`, which works in any process, with any scheduler. `ModelPlugin` calls it when a worker
starts, also when a nanny starts it again, so that no task waits for the weights.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from distributed import WorkerPlugin, get_worker

from icefront_dask.errors import WeightsError
from icefront_dask.models import registry
from icefront_dask.predict.dropout import dropped
from icefront_dask.predict.engine import make_engine
from icefront_dask.predict.memory import is_spoilt_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Worker

    from icefront_dask.models.card import Card
    from icefront_dask.models.registry import LoadedModel
    from icefront_dask.predict.engine import Engine

__all__ = [
    "Members",
    "ModelPlugin",
    "WorkerModel",
    "ends_with_its_device",
    "get_model",
    "load_counts",
]

_LOG = logging.getLogger(__name__)
_SPOILT_DEVICE = 70
_LOCK = threading.Lock()
_MODELS: dict[tuple[object, ...], WorkerModel] = {}
_LOADS: Counter[tuple[str, str]] = Counter()

Members: TypeAlias = tuple[tuple[str, str], ...]
"""Name and SHA-256 of the further networks of an ensemble."""


@dataclass(frozen=True)
class WorkerModel:
    """A model, or an ensemble of several, ready to run in this process."""

    engines: tuple[Engine, ...]
    card: Card


def get_model(
    name: str,
    sha256: str,
    engine: str,
    threads: int | None = None,
    *,
    members: Members = (),
    dropout_members: int = 0,
) -> WorkerModel:
    """Return a model, loaded at the first call of this process.

    Parameters
    ----------
    name : str
        As `icefront_dask.models.registry.fingerprint` gives it.
    sha256 : str
        Of the weights that the graph was built for.
    engine : str
        A key of `icefront_dask.predict.engine.ENGINES`.
    threads : int, optional
        Threads of a forward pass; by default those of the Dask worker that runs this, or PyTorch's own number
        outside one.
    members : tuple of (str, str)
        Name and SHA-256 of further weights, which make an ensemble with the first.
    dropout_members : int
        From 1 on: so many networks with channels dropped, in place of each whole one.

    Raises
    ------
    WeightsError
        If this process finds no weights of that name, or others.
    ModelMismatchError
        If channels are to be dropped and a network was not trained so.
    """
    if threads is None:
        threads = _worker_threads()
    key = (name, sha256, engine, threads, members, dropout_members)
    with _LOCK:
        if key not in _MODELS:
            models = [_load(*which) for which in ((name, sha256), *members)]
            engines = [
                make_engine(network, engine, threads, card=model.card)
                for model in models
                for network in dropped(model.network, model.card, dropout_members)
            ]
            _MODELS[key] = WorkerModel(tuple(engines), models[0].card)
        return _MODELS[key]


def _load(name: str, sha256: str) -> LoadedModel:
    loaded = registry.load(name)
    if loaded.sha256 != sha256:
        raise WeightsError(
            f"model {name!r} has the SHA-256 {loaded.sha256[:12]}… in this process, and the work "
            f"needs {sha256[:12]}…; install the same weights on every worker, or plan anew"
        )
    _LOADS[name, sha256] += 1
    return loaded


def load_counts() -> dict[tuple[str, str], int]:
    """Return how often this process has loaded which (name, SHA-256)."""
    with _LOCK:
        return dict(_LOADS)


def _worker_threads() -> int | None:
    """Threads of the Dask worker whose task this is."""
    try:
        return int(get_worker().state.nthreads)
    except ValueError:  # not in a task of a worker
        return None


@contextmanager
def ends_with_its_device() -> Iterator[None]:
    """End the worker process whose CUDA context is spoilt, so that its nanny starts another that can go on.

    The scheduler gives the task to that one. Without a nanny the error is raised as it is, as any other error.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_spoilt_device(error) or not _has_nanny():
            raise
        _LOG.critical("the GPU of this worker can do nothing more in this process, which ends: %s", error)
        logging.shutdown()
        os._exit(_SPOILT_DEVICE)


def _has_nanny() -> bool:
    try:
        return get_worker().nanny is not None
    except ValueError:  # not in a task of a worker
        return False


@dataclass(eq=False)
class ModelPlugin(WorkerPlugin):
    """Loads a model as soon as a worker process starts, also one that a nanny started again.

    ``client.register_plugin(ModelPlugin(...))`` sends it to the worker processes that a client has or will have.

    Parameters
    ----------
    model, sha256, engine, threads, members, dropout_members
        As for `get_model`; the threads are the worker's by default.
    """

    model: str
    sha256: str
    engine: str
    threads: int | None = None
    members: Members = field(default=(), kw_only=True)
    dropout_members: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        ensemble = "".join(f"+{digest[:8]}" for _, digest in self.members)
        dropout = f"x{self.dropout_members}" * (self.dropout_members > 0)
        self.name = f"icefront-model-{self.sha256[:12]}{ensemble}{dropout}-{self.engine}-{self.threads or 'auto'}"

    def setup(self, worker: Worker) -> None:
        """Load the model with the worker's number of threads."""
        get_model(
            self.model,
            self.sha256,
            self.engine,
            self.threads or int(worker.state.nthreads),
            members=self.members,
            dropout_members=self.dropout_members,
        )
