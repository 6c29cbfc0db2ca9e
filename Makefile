# Two commands a new user needs: `make demo` and `make test`. Both make their own environment.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin

# Which build of PyTorch a new environment gets on Linux: `cpu`, or `cuda` for what pip's own index has (2.7 GB, not 0.2).
TORCH  ?= cpu
# An index that must have the CPU build. If it is empty, PyTorch's own index is tried once.
TORCH_INDEX ?=

# the C and C++ sources that are ours
CPP = $(shell git ls-files 'cpp/*.c' 'cpp/*.cpp' 'cpp/*.h' 'cpp/*.hpp' ':!cpp/third_party')

INSTALL := $(BIN)/python tools/install.py -c constraints.txt --torch $(TORCH) \
	$(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX),--try-index https://download.pytorch.org/whl/cpu)

.PHONY: demo test test-slow cpp-test check format clean

demo: $(VENV)/export
	$(BIN)/drs-export demo -o demo

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not gpu"

test-slow: $(VENV)/dev
	$(BIN)/python -m pytest -m slow

# the C and C++ library: builds it with g++, clang++ and sanitizers, and runs its tests
cpp-test: $(VENV)/dev
	$(BIN)/python cpp/tests/run_all.py

check: $(VENV)/dev
	$(BIN)/python tools/link_tree.py build/link_tree
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy
	@$(BIN)/clang-format --dry-run --Werror $(CPP)

format: $(VENV)/dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	@$(BIN)/clang-format -i $(CPP)

# what is installed is remembered by an empty file; made again when the requirements change
$(VENV)/export: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[export,calibration]'
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/export

clean:
	rm -rf $(VENV) build dist demo *.egg-info
