# Everything in one word. `make` alone says what there is; README.md says the rest.

PYTHON ?= python3
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake
# a bar a stage where someone looks on, a line a job in a log
PROGRESS := --logger gradgap
SMOKE := results/smoke
# what names another configuration than config.yaml
CONFIGFILE = $(if $(CONFIG),--configfile '$(CONFIG)')
# where its results are; asked for where a rule needs it
RESULTS ?= results
SMK := Snakefile $(wildcard workflow/rules/*.smk)

# what some studies need beside the rest, where the configuration has them: JAX and optax, or PyTorch and TRL
EXTRA := $(shell test -z "$(CONFIG)" || for study in networks trainer; do \
	grep -qsE "^  $$study:" "$(CONFIG)" && echo .venv/$$study; done)

.DEFAULT_GOAL := help
.PHONY: help study dist site smoke test test-bits digests test-browser test-faults test-slurm test-networks smoke-networks test-trl smoke-trl verify check format report docs lock clean bench bench-study

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

study: .venv/installed $(EXTRA) ## run config.yaml, or CONFIG=FILE: every dataset, figure, table, and the report
	@$(BIN)/gradgap check $(CONFIGFILE)
	@start=$$(date +%s) && $(SNAKEMAKE) $(PROGRESS) $(CONFIGFILE) && \
		$(MAKE) --no-print-directory report && $(BIN)/gradgap summary $(CONFIGFILE) --since $$start

smoke: .venv/installed ## run the whole workflow on a tiny configuration, under a minute
	@mkdir -p $(SMOKE)
	$(SNAKEMAKE) $(PROGRESS) --directory $(SMOKE) --configfile $(CURDIR)/tests/smoke.yaml

test: .venv/installed ## run the tests
	$(BIN)/pytest --numprocesses 2

test-bits: .venv/installed ## compile for no processor in particular, and compare every bit with tests/digests.json
	$(BIN)/pytest -m bits tests/test_digests.py

digests: .venv/installed ## remake tests/digests.json, where numbers were meant to change
	$(BIN)/python tests/digests.py tests/digests.json

test-faults: .venv/installed ## kill, fill and damage a running workflow; each time it must recover
	$(BIN)/pytest -m faults tests/test_faults.py

test-slurm: .venv/installed ## run the workflow on a Slurm of its own (needs slurm-wlm and munge, installs nothing)
	$(BIN)/pytest -m slurm -rs tests/test_slurm.py

test-networks: .cache/networks/installed ## test the policies that are networks, in an environment with JAX
	.cache/networks/bin/python -m pytest --numprocesses 2 --doctest-modules tests/test_networks.py workflow/scripts/gradgap/networks

# runs of seconds: what JAX compiles without its optimizations is there in half the time
smoke-networks: .cache/networks/installed ## run the study of networks on a tiny configuration, in that environment
	@mkdir -p $(SMOKE)-networks
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 .cache/networks/bin/python -m snakemake --directory $(SMOKE)-networks --configfile $(CURDIR)/tests/networks.yaml

test-trl: .cache/trainer/installed ## test the callback of TRL's GRPOTrainer, in an environment with PyTorch
	.cache/trainer/bin/pytest tests/test_trainer.py

smoke-trl: .cache/trainer/installed ## run the study of a real trainer on a tiny configuration, in that environment
	@mkdir -p $(SMOKE)-trl
	.cache/trainer/bin/snakemake --directory $(SMOKE)-trl --configfile $(CURDIR)/tests/trl.yaml

verify: .venv/installed ## check every file of the results of config.yaml, or CONFIG=FILE, and name what is bad
	$(BIN)/gradgap verify $(CONFIGFILE)

check: .venv/installed ## formatting, lint (scripts and styles of pages too), types, directions of imports and a dry run; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -x $(BIN)/biome ]; then set -x; $(BIN)/biome check; else echo "biome is not there on this platform: JavaScript and CSS are not checked"; fi
	$(BIN)/snakefmt --check $(SMK)
	$(SNAKEMAKE) --lint
	$(SNAKEMAKE) --dry-run --quiet all

format: .venv/installed ## format Python and Snakemake files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt $(SMK)
	@if [ -x $(BIN)/biome ]; then $(BIN)/biome format --write; fi

report: .venv/installed ## make the report of config.yaml, or CONFIG=FILE, from what is there
	@results=$$($(BIN)/gradgap check --results $(CONFIGFILE)) && \
		$(MAKE) --no-print-directory RESULTS=$$results $$results/report.html

# newer than every table and figure, so that a second `make study` has nothing to do
$(RESULTS)/report.html: .venv/installed $(wildcard $(RESULTS)/figures/*.png $(RESULTS)/tables/*.html)
	@$(SNAKEMAKE) $(CONFIGFILE) --report $(RESULTS)/.report.html --quiet all
	@mv $(RESULTS)/.report.html $@
	@$(BIN)/python -m gradgap.report.digests $(RESULTS)/digests/report/report.json $@

# the environment: pinned packages with hashes, then this package itself in place
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gradgap needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/networks: .venv/installed requirements-networks.lock
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-networks.lock
	@touch $@

# PyTorch last and without hashes (requirements-torch.txt says why); all that it asks for is in the lock
TRAINER = install --quiet --no-deps --require-hashes --requirement requirements-trainer.lock
TORCH = install --quiet --requirement requirements-torch.txt

.venv/trainer: .venv/installed requirements-trainer.lock requirements-torch.txt
	$(BIN)/pip $(TRAINER)
	$(BIN)/pip $(TORCH)
	@touch $@

.venv/site: .venv/installed requirements-site.lock
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-site.lock
	@touch $@

site: .venv/site ## make the documentation as a site, into site/; figures are those of the results that are there
	$(BIN)/python docs/site/build.py site $(RESULTS) $(SITE)

lock: ## choose versions anew: requirements.in to requirements.lock
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/pip install --quiet uv
	.cache/lock/bin/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --upgrade --quiet --output-file requirements.lock
	for extra in requirements jax; do .cache/lock/bin/uv pip compile benchmarks/$$extra.in --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade --quiet \
		--constraint requirements.lock --output-file benchmarks/$$extra.lock; done
	for group in networks site; do .cache/lock/bin/uv pip compile requirements-$$group.in --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade --quiet \
		--constraint requirements.lock --output-file requirements-$$group.lock; done
	echo "torch ; sys_platform == 'none'" > .cache/lock/without-torch.txt
	.cache/lock/bin/uv pip compile requirements-trainer.in --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --upgrade --quiet --constraint requirements.lock \
		--override .cache/lock/without-torch.txt --no-emit-package torch --output-file requirements-trainer.lock

# the environment of the networks: JAX and optax, on top of .venv, which stays without them
.cache/networks/installed: .venv/installed requirements-networks.lock
	$(PYTHON) -m venv --clear .cache/networks
	below=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
		above=$$(.cache/networks/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
		echo "import site; site.addsitedir('$$below')" > $$above/below.pth
	.cache/networks/bin/pip install --quiet --require-hashes --requirement requirements-networks.lock
	@touch $@

# the environment of the real trainer: all of the above but networks, TRL and PyTorch
.cache/trainer/installed: requirements.lock requirements-trainer.lock requirements-torch.txt pyproject.toml
	$(PYTHON) -m venv .cache/trainer
	.cache/trainer/bin/pip install --quiet --require-hashes --requirement requirements.lock
	.cache/trainer/bin/pip $(TRAINER)
	.cache/trainer/bin/pip $(TORCH)
	.cache/trainer/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

clean: ## remove what was computed; the environment stays
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .snakemake

docs: .venv/installed ## remake the pages of docs/ that are made from the code and the results
	$(BIN)/gradgap reference config > docs/config.md
	$(BIN)/gradgap reference datasets > docs/datasets.md
	$(BIN)/gradgap reference reproduce > docs/reproduce.md

dist: .venv/installed ## build the wheel and the source distribution, into dist/
	$(BIN)/python -c 'from setuptools import build_meta as b; b.build_sdist("dist"); b.build_wheel("dist")' >/dev/null
	@ls dist

# one thread, because processor time is summed over threads
bench: .cache/bench/installed ## measure how fast the kernels, the search and the workflow are; JAX=1 adds JAX
	$(if $(JAX),.cache/bench/bin/pip install --quiet --require-hashes --requirement benchmarks/jax.lock)
	OMP_NUM_THREADS=1 .cache/bench/bin/python -m benchmarks

bench-study: .cache/bench/installed ## time the default study, twice, against its simulations
	.cache/bench/bin/python -m benchmarks study --output results/bench-study.csv

.cache/bench/installed: requirements.lock benchmarks/requirements.lock pyproject.toml
	$(PYTHON) -m venv .cache/bench
	.cache/bench/bin/pip install --quiet --require-hashes --requirement requirements.lock
	.cache/bench/bin/pip install --quiet --require-hashes --requirement benchmarks/requirements.lock
	.cache/bench/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

test-browser: .venv/installed ## test the HTML pages in a headless Chromium without network, after `make study`
	$(BIN)/pytest tests/browser.py
