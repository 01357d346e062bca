# AUFusion. `make help` explains the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(firstword $(shell command -v python3.11 python3 2>/dev/null) python3.11)
UV := 0.13.9
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/installed
export PATH := $(BIN):$(PATH)
# DVC's and the libraries' own telemetry stay off: nothing leaves the machine
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
# without bytecode files every stage's start would compile torch anew, 5 s become 18
unexport PYTHONDONTWRITEBYTECODE
# encoders, and runs of sequence networks, that `make weights` trains at once: results do not depend
# on it; of `dvc repro` it is compute.workers
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# files of tests at once, each with up to 2 GB
TEST_JOBS ?= $(shell [ $(JOBS) -gt 4 ] && echo 4 || echo $(JOBS))
.PHONY: help setup gpu repro weights tables test test-all check bench lock pictures screenshots clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv and install the locked dependencies into it (about 6 GB with torch)

# the project itself last, in place and without its dependencies: it brings the command `aufusion`
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "AUFusion needs Python 3.11 and '$(PYTHON)' is not it: install it, or name it: make repro PYTHON=/path/to/python3.11"; exit 1; }
	@echo "==> making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@echo "==> installing the locked dependencies (one to ten minutes, by the network)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
	@touch $(STAMP)

# both packages are the module onnxruntime: one takes the place of the other
gpu: $(STAMP) ## for an NVIDIA GPU: onnxruntime's build for CUDA in place of the usual one
	@$(BIN)/uv pip uninstall --quiet --python $(BIN)/python onnxruntime onnxruntime-gpu
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps 'onnxruntime-gpu>=1.21'
	@$(BIN)/python -c 'import onnxruntime as o; print("onnxruntime", o.__version__, *o.get_available_providers())'

repro: $(STAMP) ## run the whole pipeline on the generated corpus (or on data.root), print the F1
	@$(BIN)/dvc repro
	@$(BIN)/python -m stages.table

weights: $(STAMP) ## make the weights that are shipped, by models/pretrained/recipe.yaml (hours; continues)
	@$(BIN)/python -m stages.make_weights $(JOBS)

tables: repro ## train every row of the paper's tables 1 to 8 as well, and report them (metrics/tables)
	@$(BIN)/dvc repro metrics/tables/dvc.yaml

test: $(STAMP) ## run the tests (12 minutes on two cores, half an hour on two slow ones)
	@echo "==> pytest, $(TEST_JOBS) files at once"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder

test-all: $(STAMP) ## run all tests, the slow ones too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not gpu" -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder

check: $(STAMP) ## ruff and mypy, as continuous integration sees them
	@$(BIN)/ruff check stages tests
	@$(BIN)/ruff format --check stages tests
	@$(BIN)/mypy

bench: $(STAMP) ## measure crop, encoders, training and predict (needs a finished make repro)
	@$(BIN)/python -m tests.benchmarks.crop
	@$(BIN)/python -m tests.benchmarks.encoders
	@$(BIN)/python -m tests.benchmarks.encoders --scale full --videos 1 --repeats 1
	@$(BIN)/python -m tests.benchmarks.training
	@$(BIN)/python -m tests.benchmarks.training --full
	@$(BIN)/python -m tests.benchmarks.predict

pictures: $(STAMP) ## draw the README's pictures again
	@$(BIN)/python -m stages.pictures

screenshots: $(STAMP) ## photograph overlay, report and web page for the README (needs a Chromium)
	@$(BIN)/python -m tests.screenshots

lock: $(STAMP) ## resolve the dependencies again and write requirements.lock with hashes
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --extra corpus --extra dev --extra formats --extra ray --custom-compile-command "make lock" \
	  pyproject.toml -o requirements.lock

clean: ## remove what the pipeline made (not .venv, not DVC's cache, nothing that git tracks)
	@rm -rf .partial data/corpus data/index data/crops data/faces.h5 data/faces_left_out.txt \
	  data/faces+train.h5 data/masked.h5 data/features data/inputs.h5 data/runs data/network_sizes.json data/ensembles \
	  data/tables data/submission.txt models/encoders models/runs models/tables models/ensemble \
	  metrics/encoders metrics/mask metrics/report metrics/report.html metrics/tables/report \
	  metrics/tables/report.html
