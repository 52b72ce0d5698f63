# make demo   the sample exports in the browser          make test   every test
VENV ?= .venv
PORT ?= 8501
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := $(shell find etl dashboard data/sample -type f -not -name "*.pyc")

.PHONY: demo test lint types bench readme pictures requirements clean help

help:
	@echo "make demo          refresh from the sample exports and serve http://localhost:$(PORT) (PORT=... changes it)"
	@echo "make test          run the tests"
	@echo "make lint types    style and types"
	@echo "make bench         speed and memory, kept in tests/benchmarks/RESULTS.md"
	@echo "make readme        write the generated parts of the README"
	@echo "make pictures      take the pictures of the README anew (needs Chromium)"
	@echo "make requirements  resolve requirements.txt anew"
	@echo "make clean         remove the virtual environment and what the demo made"

demo: $(READY)
	$(BIN)/python -m etl demo --port $(PORT)

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

readme: $(READY)
	$(BIN)/python -m tests.readme

pictures: $(READY)
	$(BIN)/python -m tests.pictures

requirements:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra dev --extra insights --extra report --upgrade -o requirements.txt pyproject.toml

clean:
	rm -rf $(VENV) data/demo build dist

$(VENV)/.packages: requirements.txt
	@python=""; \
	for candidate in python3.13 python3.12 python3.11 python3 python; do \
		if $$candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
		then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Meantime needs Python 3.11, 3.12 or 3.13 with venv; none was found" >&2; exit 1; fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

# The packages are pinned by hash; Meantime itself is built from this folder, without fetching anything.
$(READY): $(VENV)/.packages pyproject.toml $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@touch $@
