# `make` or `make help` lists the commands. Each but `lock` does all of its own set-up.
#   VENV=DIR          where the packages go (default: .venv in the checkout)
#   PYTHON=COMMAND    the Python to build it with (default: a 3.13, 3.12 or 3.11 found on the PATH)
#   PROFILE, SEED, NOTEBOOKS="01 02", OUT=DIR    what `make notebooks` executes and where it writes
#   ONLY="01", SEED, SCALE=0.1    which experiments `make experiments` trains, under which master seed, how many rows
#   MINUTES=60        how long `make verify` trains first rows again (default: 8)
#   FRESH=1, CONFIRM=1, STATUS=1  train all anew, also what other code made, or only list them
#   DASK=ADDRESS      a dask scheduler (or scheduler file) whose workers train the experiments
SHELL := /bin/sh
VENV ?= .venv
PYTHON ?=
PROFILE ?= full
SEED ?= 0
ONLY ?=
SCALE ?=
FRESH ?=
CONFIRM ?=
SEEDS ?= 11 12 13 14 15
STATUS ?=
DASK ?=
MINUTES ?=
NOTEBOOKS ?=
OUT ?=
TEST_ARGS ?=
BENCH_ARGS ?=
WHEEL_ARGS ?=
SITE_ARGS ?=
EDITIONS_ARGS ?=
HYPOTHESIS_PROFILE ?=
FILES ?= class/*.json
LAB_ARGS ?=
# A leading ~ is the home folder, as everywhere else; spaces are part of a path.
override VENV := $(patsubst ~/%,$(HOME)/%,$(VENV))
override OUT := $(patsubst ~/%,$(HOME)/%,$(OUT))
PY := $(VENV)/bin/python
# Without the settings that somebody may have for Keras, Matplotlib, Jupyter, pytest, XLA or Python.
CLEAN := "$(PY)" -E -m tools.surroundings

LOCKED := --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
  --custom-compile-command "make lock"

# The environment's own kernel before any the user has installed, and nothing of the user's IPython start-up.
export JUPYTER_PREFER_ENV_PATH := 1
export JUPYTER_PLATFORM_DIRS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help env experiments stability notebooks test slow verify wheel bench class grade lab lint lock site slides editions prose clean

help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

env: ## only the set-up: packages into .venv, or VENV=DIR
	@sh tools/make_env.sh "$(VENV)" "$(PYTHON)"

experiments: env ## train the registered experiments that the store lacks, judge all claims, write results/
	@$(CLEAN) -m helpers.experiments $(ONLY) --seed "$(SEED)" $(if $(SCALE),--scale "$(SCALE)") \
	  $(if $(FRESH),--fresh) $(if $(CONFIRM),--confirm) $(if $(STATUS),--status) $(if $(DASK),--dask "$(DASK)")

stability: env ## fewer of the same under other master seeds (SEEDS="11 12", SCALE=0.25); writes results/stability.csv
	@$(CLEAN) -m helpers.experiments $(ONLY) --stability $(SEEDS) $(if $(SCALE),--scale "$(SCALE)") $(if $(DASK),--dask "$(DASK)")

notebooks: env ## execute every lesson, in place (PROFILE=quick: few networks, to build/; FRESH=1: train all first)
	@$(if $(FRESH),$(MAKE) --no-print-directory experiments FRESH=1)
	@"$(PY)" -E -m tools.notebooks --profile "$(PROFILE)" --seed "$(SEED)" --out "$(OUT)" $(NOTEBOOKS)

# BLAS on one thread: several processes with a thread a core each wait for each other many times as long.
PYTEST = $(CLEAN) PYTHONWARNDEFAULTENCODING=1 OPENBLAS_NUM_THREADS=1 HYPOTHESIS_PROFILE="$(HYPOTHESIS_PROFILE)" \
  -m pytest -n auto --maxprocesses 4 --dist worksteal

test: env ## the tests, every lesson in the quick profile among them
	@$(PYTEST) -m "not slow" $(TEST_ARGS)

slow: env ## the tests that take longest: Keras against compiled programs, processes that are killed
	@$(PYTEST) --compiled -m "slow or both" $(TEST_ARGS)

verify: env ## execute the committed lessons again and compare their marked outputs, then the stored results
	@"$(PY)" -E -m tools.verify $(NOTEBOOKS)
	@$(CLEAN) -m tools.check $(MINUTES)

wheel: env ## build the wheel and use it from another folder (WHEEL_ARGS=--install: with its dependencies)
	@"$(PY)" -E -m tools.wheel $(WHEEL_ARGS)

bench: env ## time `fit_many` against plain Keras and JAX in 25 minutes; writes results/bench/ and benchmarks/README.md
	@$(CLEAN) benchmarks/bench.py $(BENCH_ARGS)

class: env ## what a class handed in, beside the stored replicates (FILES="class/*.json"); pictures in build/class
	@$(CLEAN) -m helpers.classroom $(FILES)

grade: env ## grade the assignments that were handed in (FILES="handed_in/*.json")
	@$(CLEAN) -m tools.grade $(FILES)

lab: env ## open the notebooks in JupyterLab
	@PYTHONPATH="$(CURDIR)" "$(PY)" -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks $(LAB_ARGS)

lint: env ## check code and notebooks: ruff, its formatter, types
	@"$(PY)" -m ruff check .
	@"$(PY)" -m ruff format --check .
	@if grep -q '^\[tool\.mypy\]' pyproject.toml; then "$(PY)" -m mypy; fi

lock: ## pin every package again, with hashes (needs uv; UPGRADE=--upgrade takes the newest)
	@uv pip compile pyproject.toml --extra test $(LOCKED) $(UPGRADE) --quiet -o requirements.txt
	@sed -n '/^site = /,/^\]/s/^ *"\(.*\)".*/\1/p' pyproject.toml | \
	  uv pip compile - --constraint requirements.txt $(LOCKED) $(UPGRADE) --quiet -o requirements-site.txt
	@sed -i -E "s/ and platform_machine == 'x86_64' and sys_platform == 'linux'//; \
	  s/ ; platform_machine == 'x86_64' and sys_platform == 'linux'//; \
	  s/ ; python_full_version < '3.14'( and |( \\\\)$$)/ ; \2/; s/ ;  \\\\$$/ \\\\/" requirements.txt requirements-site.txt

site: env ## build the course as web pages in build/site, and test them (SITE_ARGS=--changed: only what has changed)
	@sh tools/add_site.sh "$(VENV)"
	@$(CLEAN) -m tools.site $(SITE_ARGS)
	@$(CLEAN) GENERALIZE_SITE=1 -m pytest tests/site $(TEST_ARGS)

slides: env ## each lesson's figures as SVG and PDF, with captions, in build/slides (NOTEBOOKS="00 01": only these)
	@$(CLEAN) -m tools.slides $(NOTEBOOKS)

editions: env ## zips of the course for students and for instructors, in build/editions (NOTEBOOKS="00 01": only these)
	@"$(PY)" -E -m tools.editions $(NOTEBOOKS) $(EDITIONS_ARGS)

prose: env ## count each lesson against its budgets and list its long sentences
	@"$(PY)" -E -m tools.prose $(NOTEBOOKS)

clean: ## remove what the commands wrote (build/ and caches); the environment stays
	@rm -rf build .pytest_cache .ruff_cache .mypy_cache
	@folder=$$("$(PY)" -E -c "from helpers._base import paths; print(paths.programs())") && rm -rf "$$folder" || true
	@find helpers tests tools notebooks data benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	  -prune -exec rm -rf {} + 2>/dev/null || true
