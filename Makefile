# Every target makes and uses .venv in this folder; nothing else is needed than Python >= 3.11.
PYTHON ?= python3
BIN := .venv/bin
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-slow check format docs clean

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,oracles]' 2>&1 | { grep -v "^WARNING: Location" || true; }
	$(BIN)/cgsim --version
	touch $@

demo: $(BIN)/.installed
	$(BIN)/cgsim demo

check: $(BIN)/.installed
	$(BIN)/ruff format --check cgsim tests notebooks
	$(BIN)/ruff check cgsim tests notebooks
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/pytest -q -m "not slow and not compile"

test: check test-slow

test-slow: $(BIN)/.installed
	$(BIN)/pytest -q -m "slow and not compile"
	$(BIN)/pytest -q -m compile || test $$? -eq 5

format: $(BIN)/.installed
	$(BIN)/ruff format cgsim tests notebooks
	$(BIN)/ruff check --fix cgsim tests notebooks
