"""A search over the settings of a training: trials proposed by Optuna, trained on Dask workers, resumable."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from icefront_dask.errors import ConfigError, DependencyError, IcefrontError, RunError
from icefront_dask.train.config import TrainConfig, read_mapping, read_train_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

__all__ = ["Range", "TuneConfig", "read_tune_config", "tune"]

_JOURNAL = "study.journal"
_TRIAL = "trial-{:05d}"
_INSTEAD = "instead_of"


class Range(BaseModel):
    """Values of one setting: an interval (whole numbers where both ends are), or choices."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float | None = None
    high: int | float | None = None
    log: bool = Field(False, description="even in the logarithm")
    choices: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Range:
        if self.choices and (self.low, self.high) == (None, None):
            return self
        if self.choices or self.low is None or self.high is None or self.low >= self.high:
            raise ValueError("give low < high, or choices")
        return self


class TuneConfig(BaseModel):
    """One search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    out: Path = Field(description="folder of the study, its trials and pictures")
    training: Path = Field(description="configuration of the training, with a validation")
    search: dict[str, Range] = Field(min_length=1, description="settings by name; parts joined by dots")
    trials: int = Field(200, ge=1)
    seed: int = 0
    sampler: Literal["tpe", "random"] = "tpe"


def read_tune_config(path: Path) -> TuneConfig:
    """Read a YAML file; relative paths are relative to it.

    Raises
    ------
    ConfigError
        The file is missing or no mapping in YAML, or a key is unknown or out of range.
    """
    if not path.is_file():
        raise ConfigError(f"no search configuration {path}; see configs/papers/glacierdl-tune.yaml")
    try:
        config = TuneConfig(**read_mapping(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}: {where}: {first['msg']} (known keys: {', '.join(TuneConfig.model_fields)})"
        ) from error
    return config.model_copy(update={"out": path.parent / config.out, "training": path.parent / config.training})


def _with(config: TrainConfig, settings: dict[str, Any], out: Path) -> TrainConfig:
    """Return a training with some settings changed, checked like a new one."""
    values = config.model_dump()
    for name, value in settings.items():
        inner: Any = values
        *parents, last = name.split(".")
        for parent in parents:
            inner = inner.get(parent) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or (last not in inner and parents[:1] != ["architecture_options"]):
            raise ConfigError(f"search: a training has no setting {name!r}")
        inner[last] = value
    try:
        return TrainConfig(**{**values, "out": out})
    except ValidationError as error:
        raise ConfigError(f"search: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error


def _run_trial(config: TrainConfig) -> float:
    """Train, on a worker; return the best score that was watched."""
    from icefront_dask.train.fit import fit_scored

    return fit_scored(config).best


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise DependencyError("icefront tune needs Optuna: pip install 'icefront_dask[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distributions(optuna: Any, config: TuneConfig) -> dict[str, Any]:
    kinds = optuna.distributions
    found: dict[str, Any] = {}
    for name, range_ in config.search.items():
        if range_.choices:
            found[name] = kinds.CategoricalDistribution(range_.choices)
        elif isinstance(range_.low, int) and isinstance(range_.high, int):
            found[name] = kinds.IntDistribution(range_.low, range_.high, log=range_.log)
        else:
            found[name] = kinds.FloatDistribution(range_.low, range_.high, log=range_.log)
    return found


def _study(optuna: Any, config: TuneConfig, direction: str) -> Any:
    """Open the study; trials that an interruption left are put back in line, and go on in their own folders."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(config.out / _JOURNAL)))
    study = optuna.create_study(study_name=config.name, storage=storage, direction=direction, load_if_exists=True)
    states = optuna.trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)
        first = trial.user_attrs.get(_INSTEAD, trial.number)
        study.enqueue_trial(trial.params, user_attrs={_INSTEAD: first})
    ended = len(study.trials)
    kinds = optuna.samplers
    seed = config.seed + ended
    study.sampler = kinds.RandomSampler(seed) if config.sampler == "random" else kinds.TPESampler(seed=seed)
    return study


def tune(
    config: TuneConfig, client: Client | None = None, report: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """Search as configured, going on with the study in ``out`` where there is one.

    Trials are proposed and written down here; workers only train, so they need no access to the study. Each
    trial trains in ``out/trial-NNNNN``, which the workers must be able to write.

    Parameters
    ----------
    config : TuneConfig
    client : Client, optional
        As many trials at a time as it has workers; without one, one after the other in this process.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.

    Returns
    -------
    dict
        ``trials`` done, ``diverged``, ``best`` score, ``best_trial``, its ``settings``; also written to
        ``out/best.json``, with ``trials.csv``, ``history.png`` and ``importance.png``.

    Raises
    ------
    ConfigError
        The training has no validation, or no setting of a name.
    IcefrontError
        A trial failed by such an error; it is marked so in the study.
    RunError
        Every trial diverged.
    DependencyError
        Optuna or matplotlib is not installed.
    """
    optuna = _optuna()
    training = read_train_config(config.training)
    if training.validation is None:
        raise ConfigError(f"{config.training}: a search needs a validation, whose best score it compares")
    distributions = _distributions(optuna, config)
    config.out.mkdir(parents=True, exist_ok=True)
    study = _study(optuna, config, "minimize" if training.validation.monitor == "loss" else "maximize")
    states = optuna.trial.TrialState
    done = len(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED)))

    def ask() -> tuple[Any, TrainConfig]:
        trial = study.ask(distributions)
        number = trial.user_attrs.get(_INSTEAD, trial.number)
        return trial, _with(training, trial.params, config.out / _TRIAL.format(number))

    def tell(trial: Any, train: Callable[[], float]) -> None:
        nonlocal done
        try:
            score = train()
        except IcefrontError:
            study.tell(trial, state=states.FAIL)
            raise
        if math.isnan(score):  # diverged: a result too, but none to compare
            study.tell(trial, state=states.PRUNED)
        else:
            study.tell(trial, score)
        done += 1
        if report is not None:
            report("trials", done, config.trials)

    _search(config.trials, lambda: done, ask, tell, client)
    return _conclude(optuna, study, config)


def _search(
    wanted: int,
    done: Callable[[], int],
    ask: Callable[[], tuple[Any, TrainConfig]],
    tell: Callable[[Any, Callable[[], float]], None],
    client: Client | None,
) -> None:
    if client is None:
        while done() < wanted:
            trial, settings = ask()
            tell(trial, lambda settings=settings: _run_trial(settings))  # type: ignore[misc]
        return
    from distributed import as_completed

    under_way: dict[Any, Any] = {}
    queue = as_completed()

    def start() -> None:
        trial, settings = ask()
        future = client.submit(_run_trial, settings, pure=False, retries=0)
        under_way[future.key] = trial
        queue.add(future)

    for _ in range(min(wanted - done(), max(1, len(client.nthreads())))):
        start()
    for future in queue:
        tell(under_way.pop(future.key), future.result)
        if done() + len(under_way) < wanted:
            start()


def _conclude(optuna: Any, study: Any, config: TuneConfig) -> dict[str, Any]:
    """Write the table, the pictures and the best settings."""
    trials = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    study.trials_dataframe(attrs=("number", "value", "params", "state")).to_csv(config.out / "trials.csv", index=False)
    diverged = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.PRUNED,))
    if not trials:
        raise RunError(f"{config.out}: all {len(diverged)} trials diverged; lower the learning rates of the search")
    best = study.best_trial
    found = {
        "trials": len(trials),
        "diverged": len(diverged),
        "best": best.value,
        "best_trial": best.number,
        "settings": best.params,
    }
    (config.out / "best.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    _draw(optuna, study, config.out, enough=len(trials) > 1)
    return found


def _draw(optuna: Any, study: Any, out: Path, *, enough: bool) -> None:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise DependencyError("the pictures of a search need matplotlib: pip install 'icefront_dask[tune]'") from error
    import warnings

    with mpl.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        axes = optuna.visualization.matplotlib.plot_optimization_history(study)
        axes.figure.savefig(out / "history.png", dpi=110, bbox_inches="tight")
        if enough:
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            axes = optuna.visualization.matplotlib.plot_param_importances(study, evaluator=evaluator)
            axes.figure.savefig(out / "importance.png", dpi=110, bbox_inches="tight")
