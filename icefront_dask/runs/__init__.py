"""Runs: the frozen specification, the plan, the units of work, the ledger and the driver."""

from __future__ import annotations

from icefront_dask.runs.config import RunConfig, read_config
from icefront_dask.runs.driver import RunResult, run, run_on
from icefront_dask.runs.ledger import Ledger
from icefront_dask.runs.planning import Plan, plan
from icefront_dask.runs.spec import RunSpec
from icefront_dask.runs.work import WorkUnit

__all__ = ["Ledger", "Plan", "RunConfig", "RunResult", "RunSpec", "WorkUnit", "plan", "read_config", "run", "run_on"]
