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
# electrolyte models' 40 to 60, and those of `electrolyte` 30 more to go on at a lower rate (docs/decisions/0039).
models: $(BIN)/.installed
	set -e; fit() { \
	  run=$$1; name=$$2; ship=cgsim/pretrained/$$2/seed-$${1##*-}; shift 2; \
	  test -f $$run/model/model.json || $(BIN)/cgsim train configs/benchmark/$$name.yaml "$$@" -o $$run \
	    $$(test -f $$run/checkpoints/last.ckpt && echo --resume); \
	  mkdir -p $$ship && cp $$run/model/model.* $$ship/; \
	}; \
	for one in chain/0 chain/1 chain/2 electrolyte/0 electrolyte/1 electrolyte/2 fast-electrolyte/0; do \
	  fit runs/models/$${one%/*}/seed-$${one#*/} $${one%/*} --set training.seed=$${one#*/}; \
	done; \
	for seed in 0 1 2; do \
	  fit runs/models/longer/seed-$$seed electrolyte --set training.seed=$$seed \
	    --set start_from=runs/models/electrolyte/seed-$$seed/model \
	    --set training.steps=8000 --set training.learning_rate=1e-3; \
	done

format: $(BIN)/.installed
	$(BIN)/ruff format cgsim tests notebooks docs
	$(BIN)/ruff check --fix cgsim tests notebooks docs

docs: $(BIN)/.installed
	$(BIN)/python docs/write_settings.py
	$(BIN)/python docs/write_reference_table.py
