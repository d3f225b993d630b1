# Two commands set the project up by themselves: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON ?=
PY := $(VENV)/bin/python
OUT ?= out/demo
# Processes of tests side by side, each with a folder of its own.
WORKERS ?= 2
DEMO_EXTRAS := plot,openvino
TEST_EXTRAS := dev,plot,icechunk,openvino,gateway

export PYTHON VENV

.PHONY: help demo test lint bench bench-fronts bench-cube bench-predict bench-gpu real soak train clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

# Stamps: set-up runs again only when the dependencies change. The packages of the tests include those of the demo.
$(VENV)/.icefront-test: pyproject.toml constraints.txt tools/setup-venv.sh
	@tools/setup-venv.sh $(TEST_EXTRAS)
	@touch $@ $(VENV)/.icefront-demo

$(VENV)/.icefront-demo: pyproject.toml constraints.txt tools/setup-venv.sh
	@tools/setup-venv.sh $(if $(wildcard $(VENV)/.icefront-test),$(TEST_EXTRAS),$(DEMO_EXTRAS))
	@touch $@

demo: $(VENV)/.icefront-demo ## simulate an archive, run the whole way over it, write OUT/report.html
	@$(VENV)/bin/icefront demo --out $(OUT) --json

test: $(VENV)/.icefront-test lint ## lint, type-check and test everything that runs on this machine
	@tools/setup-tests.sh
	@WORKERS=$(WORKERS) $(PY) -m tests.run -m "not soak and not acceptance"

lint: $(VENV)/.icefront-test ## ruff, mypy --strict, import-linter
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

bench: $(VENV)/.icefront-test ## run the benchmarks; each prints ratios measured side by side
	@set -e; shopt -s nullglob; for file in benchmarks/bench_*.py; do echo "== $$file"; $(PY) "$$file"; done

bench-cube: $(VENV)/.icefront-test ## cubes beside odc-stac and stackstac, graph and plan sizes; fails where a bound is broken
	@$(PY) -W ignore benchmarks/bench_cube.py

bench-fronts: $(VENV)/.icefront-test ## tracing: growth, against a search, one scene on one core
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) benchmarks/bench_fronts.py

bench-predict: $(VENV)/.icefront-test ## prediction: against the convolution peak, plain code, a peer; SIZE=--small to try it
	@$(PY) -W ignore benchmarks/bench_predict.py $(SIZE)

bench-gpu: $(VENV)/.icefront-test ## prediction on an NVIDIA GPU; where there is none it says so
	@$(PY) -W ignore benchmarks/bench_gpu.py

real: $(VENV)/.icefront-test ## run the whole way over the real scenes, through real servers
	@tools/setup-tests.sh
	@status=0; $(PY) -m pytest tests/real -m real || status=$$?; $(PY) -m tests.real.helheim --out out/real; exit $$status

soak: $(VENV)/.icefront-test ## the full counts of kills, seeds and sizes (hours)
	@tools/setup-tests.sh
	@$(PY) -m pytest -m soak -s --timeout 0

train: $(VENV)/.icefront-test ## print the commands that made the shipped weights; MODEL=NAME runs one again
	@$(PY) tools/train.py $(MODEL)

clean: ## remove the virtual environment, caches and outputs
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
