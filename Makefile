PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

.PHONY: help demo test corpora optimizations attacks check install clean

help:  ## List these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: install  ## Find and prove a speedup on this machine: no key, no GPU
	$(BIN)/kernelwright demo

test: install  ## Run every test but those of the next three
	$(PYTEST) --ignore tests/cheats --ignore tests/honest \
		--ignore tests/end_to_end --ignore tests/attacks \
		--ignore tests/uses/test_misuses.py

corpora: install  ## Judge all cheats, honest candidates, and misuses
	$(PYTEST) tests/cheats tests/honest tests/uses/test_misuses.py

optimizations: install  ## Run the tests that optimize whole tasks
	$(BIN)/python -m pytest --timeout 900 tests/end_to_end

attacks: install  ## Run what attacks the sandboxes, and every backend in them
	$(BIN)/python -m pytest tests/attacks

check: install  ## Lint, formatting, types, import direction
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(STAMP)  ## Create .venv with this package and everything it needs

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "kernelwright needs Python 3.11 or later as $(PYTHON);" \
			"name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "$(PYTHON) cannot create virtual environments;" \
			"on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo 'Installing into $(VENV): the first time takes some minutes, most of it PyTorch.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check \
		-c constraints.txt -e '.[dev,rl]'
	@touch $@

clean:  ## Remove .venv, caches and build products; results stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find agents sandbox tasks verifier rl prompts src tests -name __pycache__ -prune \
		-exec rm -rf {} +
