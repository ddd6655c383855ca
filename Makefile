# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

.DEFAULT_GOAL := help
.PHONY: help demo test checks scenarios tests test-matrix coverage lint docs bench release clean

# The first of these that is new enough and has venv wins. All supported versions of ansible-core run on 3.11. The build of
# the distribution comes first: it is optimised, which makes the tests 15% faster than with most other builds.
PYTHON ?= /usr/bin/python3.11 python3.11 python3.12 python3.13 python3
VENV := .venv
NOX := $(VENV)/bin/nox

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/demo.done ## Run the demonstration on the server of BAO_ADDR or VAULT_ADDR, or on a temporary one
	@if [ -n "$$BAO_ADDR$$VAULT_ADDR" ]; then \
		exec $(VENV)/bin/python examples/llm_gateway/demo.py; \
	else \
		exec $(VENV)/bin/mlkeys dev -- $(VENV)/bin/python examples/llm_gateway/demo.py --throwaway; \
	fi

test: $(VENV)/nox.done ## Run all checks and tests
	@$(MAKE) --no-print-directory --keep-going --jobs=3 $(WHOLE) checks scenarios tests

# Run at the same time: each of them often waits, for servers, hosts or the network.
WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

checks: $(VENV)/nox.done
	@$(NOX) --session lint docs build sanity

scenarios: $(VENV)/nox.done
	@$(NOX) --session molecule oldest

tests: $(VENV)/nox.done
	@$(NOX) --session tests

test-matrix: $(VENV)/nox.done ## Run all checks and tests, on each supported ansible-core and Python, and print a table
	@$(VENV)/bin/python -m tests.support.matrix

coverage: $(VENV)/nox.done ## Run the tests and report uncovered lines
	@$(NOX) --session coverage

lint: $(VENV)/nox.done ## Run the linters and type checkers
	@$(NOX) --session lint

docs: $(VENV)/nox.done ## Build the documentation site into .cache/site
	@$(NOX) --session docs

bench: $(VENV)/nox.done ## Benchmark against community.hashi_vault and raw API calls, and update docs/benchmarks.md
	@$(NOX) --session bench

release: $(VENV)/nox.done ## Build the release artefacts into dist, and test them in an empty home
	@$(NOX) --session release

clean: ## Remove all generated files
	rm -rf $(VENV) .cache .nox dist docs/collection

$(VENV)/ready.done:
	@for python in $(PYTHON); do \
		$$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -m venv --clear $(VENV) && touch $@; exit; \
	done; \
	echo "Python 3.11 or newer with the module venv is required. Tried: $(PYTHON)." >&2; \
	echo "On Debian, run: apt install python3 python3-venv. Elsewhere, run: make PYTHON=/path/to/python3 ..." >&2; exit 1

$(VENV)/demo.done: $(VENV)/ready.done requirements/demo.txt pyproject.toml galaxy.yml
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/demo.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/nox.done: $(VENV)/ready.done requirements/nox.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/nox.txt
	@touch $@
