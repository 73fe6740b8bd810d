# The two commands: `make demo` and `make test`. Each sets up all it needs in .venv, given Python >= 3.11.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.DELETE_ON_ERROR:
.PHONY: demo test check faults mutants bench requirements clean

# make demo [EVENTS=20000] [FILE=events.csv.gz]
demo: $(READY)
	@$(BIN)/springtide demo $(if $(EVENTS),--events $(EVENTS)) $(if $(FILE),--file $(FILE))

test: check
	$(BIN)/pytest

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# make faults [OUT=faults.json] [SHORT=1] [ITERATIONS=10] [SEED=1] [ONLY=1,4] [AT_ONCE=3]
faults: $(READY)
	@$(BIN)/python -m tests.faults.run $(if $(OUT),--out $(OUT)) $(if $(SHORT),--short) \
		$(if $(ITERATIONS),--iterations $(ITERATIONS)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(AT_ONCE),--at-once $(AT_ONCE))

# Break what keeps the promises, one thing at a time, and see a test fail.
mutants: $(READY)
	@$(BIN)/python -m tests.faults.mutants

$(READY): requirements.txt requirements-uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "springtide needs Python >= 3.11: set PYTHON=/path/to/python3.11")'
	@echo "Setting up .venv: this takes some minutes the first time, one of them for compiling."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-uv.txt requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m consumers.serving.rehearsal
	@touch $@

# make bench OUT=bench.json [FILE=events.csv.gz]
bench: $(READY)
	@$(BIN)/python -m benchmarks --out $(or $(OUT),bench.json) $(if $(FILE),--file $(FILE))

# Pin everything anew, with hashes and without addresses.
requirements: $(READY)
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --group dev --output-file requirements.txt pyproject.toml
	echo uv | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --output-file requirements-uv.txt -

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
