"""Runs: the frozen specification, the plan, the units of work, the ledger and the driver."""
