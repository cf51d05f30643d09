# Every target sets up what it needs; running it again installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TYPE ?= classification

.PHONY: demo test test-page screenshots test-sim test-mutants test-chaos test-security lint format clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

# A stamp is made when its installation is complete; a newer requirements file makes it stale.
$(VENV)/installed: requirements.txt clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "TFModel needs Python 3.11, 3.12 or 3.13; say which with: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing TensorFlow and the rest into $(VENV); this takes a minute or two, once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt requirements-traces.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# Without these packages, the tests of what runs past one machine are skipped and say so.
.PHONY: cluster-packages
cluster-packages: $(VENV)/installed-cluster  ## what the tests of Ray, PostgreSQL and object storage need
$(VENV)/installed-cluster: $(VENV)/installed-dev requirements-cluster.txt requirements-cluster-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cluster-dev.txt
	@touch $@

demo: $(VENV)/installed  ## train a model on real images through the running service (TYPE=segmentation for the other kind)
	@$(BIN)/python -m demo $(TYPE)

# Three processes on two cores, because a third of the time of a process goes into waiting. tests/conftest.py has the
# order of the files.
# The tests start some hundred programs from this folder and from copies of it. With bytecode, these need not compile
# their modules each time.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/installed-dev lint  ## the whole suite
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-page: $(VENV)/installed-dev browser  ## the page, report.html and /docs in a real Chromium
	$(BIN)/python -m pytest tests/browser

screenshots: $(VENV)/installed-dev browser  ## every view of the page at three sizes and in two themes, into docs/screenshots
	$(BIN)/python -m tests.browser.screenshots

# Where they can't be installed, the tests of the examples are skipped and say so.
.PHONY: runtimes
runtimes:  ## PHP, Node, curl and jq, which the tests of the examples in clients/ need
	@for program in php:php-cli node:nodejs npm:npm curl:curl jq:jq; do \
	  command -v "$${program%:*}" >/dev/null || missing="$$missing $${program#*:}"; \
	done; \
	test -z "$$missing" || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get update -qq; apt-get install -qq -y --no-install-recommends $$missing; } >/dev/null 2>&1; } \
	  || echo "There is no$$missing and it can't be installed here: tests in tests/process/test_journeys.py will be skipped."

# Where it can't be installed, the tests in tests/browser are skipped and say so.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get update -qq; apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1; } \
	  || echo "There is no chromium and it can't be installed here: the tests in tests/browser will be skipped."

test-sim: $(VENV)/installed-dev  ## a million steps of the simulated broker, agents and network
	SIM_EXAMPLES=10000 SIM_STEPS=100 $(BIN)/python -m pytest tests/stateful --timeout 0

test-mutants: $(VENV)/installed-dev  ## plant one-line bugs and see each caught by the fast tests
	$(BIN)/python -m tests.mutants

test-chaos: $(VENV)/installed-dev  ## break the real service 300 times on purpose; writes docs/reliability.md
	$(BIN)/python -m tests.chaos --faults 300 --write
	$(BIN)/python -m tests.chaos.webhooks
	$(BIN)/python -m tests.chaos.standby --write
	$(BIN)/python -m tests.chaos.power_loss --write
	$(BIN)/python -m tests.chaos.flipped_bits --write

test-security: $(VENV)/installed-dev  ## try every door of SECURITY.md, then 12,000 hostile inputs; some minutes
	$(BIN)/python -m tests.security

lint: $(VENV)/installed-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/mypy --python-version 3.10 clients/python
	@if command -v npm >/dev/null; then bash tests/javascript/check_types.sh $(CURDIR)/$(BIN)/python; \
	  else echo "There is no npm: the types of the page's scripts are not checked."; fi

format: $(VENV)/installed-dev  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what was installed and made here, but no models and no journal
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
