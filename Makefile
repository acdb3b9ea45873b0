# Every target makes and uses .venv in this folder; nothing else is needed than Python >= 3.11.
PYTHON ?= python3
BIN := .venv/bin
export OMP_WAIT_POLICY ?= passive
# Two test processes side by side, one thread each: threads that wait for each other would only slow both.
check test test-slow: export OMP_NUM_THREADS = 1

.PHONY: demo test test-slow check models format docs

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --disable-pip-version-check -e '.[dev,oracles]'
	$(BIN)/cgsim --version
	touch $@

demo: $(BIN)/.installed
	$(BIN)/cgsim demo

check: $(BIN)/.installed
	$(BIN)/ruff format --check cgsim tests notebooks docs
	$(BIN)/ruff check cgsim tests notebooks docs
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 -m "not slow"

test: check test-slow

test-slow: $(BIN)/.installed
	$(BIN)/pytest -q -n 2 -m slow

# Trains the models that ship again, on data/ alone: the chain model's seeds take about 20 minutes of one core each, the
# electrolyte models' 40 to 60.
models: $(BIN)/.installed
	for seed in chain/0 chain/1 chain/2 electrolyte/0 electrolyte/1 electrolyte/2 fast-electrolyte/0; do \
	  name=$${seed%/*}; ship=cgsim/pretrained/$$name/seed-$${seed#*/}; run=runs/models/$$name/seed-$${seed#*/}; \
	  test -f $$run/model/model.json || $(BIN)/cgsim train configs/benchmark/$$name.yaml \
	    --set training.seed=$${seed#*/} -o $$run $$(test -f $$run/checkpoints/last.ckpt && echo --resume) || exit; \
	  mkdir -p $$ship && cp $$run/model/model.* $$ship/; \
	done

format: $(BIN)/.installed
	$(BIN)/ruff format cgsim tests notebooks docs
	$(BIN)/ruff check --fix cgsim tests notebooks docs

docs: $(BIN)/.installed
	$(BIN)/python docs/write_settings.py
	$(BIN)/python docs/write_reference_table.py
