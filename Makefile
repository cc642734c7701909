# make demo   the main job on a shipped catalogue: the light core alone, no PyTorch
# make test   the tests, with the extras that they need
# Both make .venv here; PYTHON=python3.12 chooses another interpreter (3.11 or later).
PYTHON ?= python3
BIN := .venv/bin
LOCK := requirements

.PHONY: demo test lint bench lock clean

demo: .venv/.core
	$(BIN)/galprism demo

test: .venv/.dev lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.dev
	for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file || exit 1; done

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "galprism needs Python 3.11 or later; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.core: $(LOCK)/core.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/core.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

.venv/.dev: $(LOCK)/dev.txt .venv/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/dev.txt
	touch $@

# Writes both locks anew from pyproject.toml, in environments of their own.
lock:
	$(PYTHON) $(LOCK)/lock.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
