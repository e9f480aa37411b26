# `make` or `make help` lists the commands. Each but `lock` does all of its own set-up.
#   VENV=DIR          where the packages go (default: .venv in the checkout)
#   PYTHON=COMMAND    the Python to build it with (default: a 3.13, 3.12 or 3.11 found on the PATH)
#   PROFILE, SEED, NOTEBOOKS="01 02", OUT=DIR    what `make notebooks` executes and where it writes
#   SEEDS="1 2"       the master seeds of `make stability` (default: 1 to 10)
SHELL := /bin/sh
VENV ?= .venv
PYTHON ?=
PROFILE ?= full
SEED ?= 0
SEEDS ?=
NOTEBOOKS ?=
OUT ?=
TEST_ARGS ?=
BENCH_ARGS ?=
LAB_ARGS ?=
PY := $(VENV)/bin/python

# The environment's own kernel before any the user has installed, and nothing of the user's IPython start-up.
export JUPYTER_PREFER_ENV_PATH := 1
export JUPYTER_PLATFORM_DIRS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help env notebooks stability controls test verify bench lab lint lock clean

help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

env: ## only the set-up: packages into .venv, or VENV=DIR
	@sh tools/make_env.sh "$(VENV)" "$(PYTHON)"

notebooks: env ## execute every notebook in full, in place (PROFILE=quick: the tour of five minutes, written to build/)
	@exec "$(PY)" tools/run_notebooks.py --parent "$$PPID" --profile "$(PROFILE)" --seed "$(SEED)" --out "$(OUT)" $(NOTEBOOKS)

stability: env ## measure every claim again under ten other master seeds (80 to 115 minutes); writes results/stability/ and README's table
	@exec "$(PY)" tools/stability.py --parent "$$PPID" $(SEEDS)

controls: env ## run experiments with a known outcome (three minutes); writes results/controls.json
	@"$(PY)" tools/controls.py

test: env ## the whole test suite
	@"$(PY)" -m pytest -n auto --maxprocesses 4 --dist worksteal $(TEST_ARGS)

verify: env ## execute the committed notebooks again and compare their marked outputs (nbval)
	@sh tools/verify.sh "$(PY)"

bench: env ## time `fit_many` against plain Keras and JAX in 20 minutes; writes results/bench/ and the README's table
	@sh tools/add_jax.sh "$(PY)"
	@"$(PY)" benchmarks/bench.py $(BENCH_ARGS)

lab: env ## open the notebooks in JupyterLab
	@"$(PY)" -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks $(LAB_ARGS)

lint: env ## check code and notebooks with ruff
	@"$(PY)" -m ruff check .

lock: ## pin every package again, with hashes (needs uv; UPGRADE=--upgrade takes the newest)
	@uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE) --quiet -o requirements.txt
	@sed -i -E "s/ and platform_machine == 'x86_64' and sys_platform == 'linux'//; \
	  s/ ; platform_machine == 'x86_64' and sys_platform == 'linux'//; \
	  s/ ; python_full_version < '3.14'( and |( \\\\)$$)/ ; \2/; s/ ;  \\\\$$/ \\\\/" requirements.txt

clean: ## remove what the commands wrote (build/ and caches); the environment stays
	@rm -rf build .pytest_cache .ruff_cache
	@find helpers tests tools notebooks data benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	  -prune -exec rm -rf {} + 2>/dev/null || true
