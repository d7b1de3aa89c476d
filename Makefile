# Every target works on a fresh machine with plain Python >= 3.11: `setup` comes first and does only what is missing.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# `make setup STACK=--gpu` installs the CUDA stack.
STACK ?=

.PHONY: setup quickstart check test test-quick test-long bench docs

setup:
	@$(PYTHON) factory/bootstrap.py $(STACK)

quickstart: setup
	$(BIN)/factory run pipelines/quickstart.yaml

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two phases: what pins no thread runs in two processes, then what holds an engine or a Ray cluster runs alone.
test: check
	$(PYTEST) -n 2 -m "not (teacher or ray or long)" --junitxml=build/tests/rules.xml
	$(PYTEST) -m "(teacher or ray) and not long" --junitxml=build/tests/engines.xml

# The inner loop: rules and errors, without models, programs and real data.
test-quick: setup
	$(PYTEST) -q -n 2 -m "not (teacher or ray or long or embedder or realdata)" --ignore=tests/sandbox

# Every kill, user and tier.
test-long: setup
	$(PYTEST) -m long --junitxml=build/tests/long.xml

bench: setup
	$(BIN)/python -m pip install --quiet --no-deps datasketch==2.0.0 rensa==0.5.0
	@broken=0; for bench in tests/bench/[a-z]*.py; do \
		echo "# $$bench"; $(BIN)/python "$$bench" || broken=1; \
	done; exit $$broken

docs: setup
	$(BIN)/factory schema --json > pipelines/schema.json
	$(BIN)/python -c "from factory.reference import reference_page; print(reference_page(), end='')" > docs/reference.md
