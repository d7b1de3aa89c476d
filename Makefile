# Every target works on a fresh machine with plain Python >= 3.11: `setup` comes first and does only what is missing.
PYTHON ?= python3
BIN := .venv/bin
# `make setup STACK=--gpu` installs the CUDA stack.
STACK ?=

.PHONY: setup quickstart test check bench docs

setup:
	@$(PYTHON) factory/bootstrap.py $(STACK)

quickstart: setup
	$(BIN)/factory run pipelines/quickstart.yaml

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest

bench: setup
	$(BIN)/python -m pip install --quiet --no-deps datasketch==2.0.0 rensa==0.5.0
	@broken=0; for bench in tests/bench/[a-z]*.py; do \
		echo "# $$bench"; $(BIN)/python "$$bench" || broken=1; \
	done; exit $$broken

docs: setup
	$(BIN)/factory schema > pipelines/schema.json
