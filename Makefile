# Two commands a new user needs: `make demo` and `make test`. Both make their own environment.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-slow check format clean

demo: $(VENV)/export
	$(BIN)/drs-export demo -o demo

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not gpu"

test-slow: $(VENV)/dev
	$(BIN)/python -m pytest -m slow

check: $(VENV)/dev
	$(BIN)/python tools/link_tree.py build/link_tree
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: $(VENV)/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# what is installed is remembered by an empty file; made again when the requirements change
$(VENV)/export: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[export,calibration]'
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/export

clean:
	rm -rf $(VENV) build dist demo *.egg-info
