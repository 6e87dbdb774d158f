# make demo       set everything up, train a small model on a real book, let it write
# make check      style, types and the tests that a change touches, in less than a minute
# make test       set everything up, check style and types, run all tests
# make docs       build the site, executing the course's notebooks once; then it takes some seconds
# make figures    measure the figures of README and docs again, in 40 minutes on two idle cores
# make sanitize   run the kernels under address and thread sanitizers, and valgrind if installed

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := runs/demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: demo check system-packages style types test tests docs figures sanitize clean

# Many short processes run here: what they import is compiled once, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

demo: .venv/installed
	@$(BIN)/rnnlab train --corpus auto --preprocessing letters --budget 60s --run-dir $(RUN) \
	  --sample-prefix "the time traveller" --sample-length 60
	@echo
	@echo "The ten phrases of the lab report, continued by this model:"
	@$(BIN)/rnnlab generate $(RUN) --prefix-file src/rnnlab/recipes/phrases.txt --length 100 --temperature 0.5
	@echo
	@echo "Everything about this run is in $(RUN); its curves: $(RUN)/curves.svg"
	@echo "Let it write on: $(BIN)/rnnlab generate $(RUN) --prefix 'the time machine'"

check: style types
	$(BIN)/python tests/support/affected.py -n 2

# The system's packages come while pip installs, and types are checked while tests run: without a
# cache, that takes one core for a minute.
test:
	@$(MAKE) --no-print-directory --jobs 2 system-packages .venv/installed-dev
	@$(MAKE) --no-print-directory style
	@$(MAKE) --no-print-directory --jobs 2 types tests

system-packages:
	@tests/system-packages.sh

tests: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

style: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/installed-dev
	$(BIN)/mypy

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/rnnlab/__init__.py)

docs: .venv/installed-dev
	@$(BIN)/sphinx-build -q -W --keep-going -c docs -d docs/_build/doctrees . docs/_build/html/$(VERSION)
	@echo "The site: docs/_build/html/$(VERSION)/index.html"

figures: .venv/installed-dev
	@$(BIN)/python -c 'import jax' 2>/dev/null || $(PIP) --editable '.[peers]'
	@$(BIN)/python benchmarks/figures.py

sanitize:
	native/tests/run.sh

clean:
	rm -rf .venv

# pip would compile the modules on one core.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile
COMPILE = @$(BIN)/python -m compileall -qq -j 0 -x '/(tests?|rllib|transformers/models)/' .venv >/dev/null 2>&1 || true

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "rnnlab needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv, once; this takes a minute or two."
	@$(PYTHON) -m venv .venv

# On Linux, the usual package index has torch with several GB of CUDA. Where there is no GPU, torch comes from an index
# of builds for CPUs; if that cannot be reached, from the usual one. TORCH_INDEX= leaves it out.
IS_LINUX := $(filter Linux,$(shell uname -s 2>/dev/null))
HAS_GPU := $(shell command -v nvidia-smi || true)
TORCH_INDEX ?= $(if $(IS_LINUX),$(if $(HAS_GPU),,https://download.pytorch.org/whl/cpu))
TORCH := $(shell sed -n 's/^ *"\(torch[<>=][^"]*\)",$$/\1/p' pyproject.toml)
INSTALL_TORCH = @test -z "$(TORCH_INDEX)" || $(PIP) --timeout 10 --retries 0 --no-deps --index-url $(TORCH_INDEX) "$(TORCH)" \
  2>/dev/null || echo "$(TORCH_INDEX) cannot be used; torch comes from the usual package index."

# native/ is compiled if possible; everything else works without it.
BUILT_FROM := pyproject.toml CMakeLists.txt $(wildcard native/*.cc native/*.h native/*.cmake)
SAY_IF_NOT_COMPILED = @$(BIN)/python -c 'import importlib.util as u; assert u.find_spec("rnnlab._native")' 2>/dev/null \
  || echo "native/ could not be compiled and is left out; CONTRIBUTING.md says how to see why."

.venv/installed: $(BUILT_FROM) | .venv/pyvenv.cfg
	$(INSTALL_TORCH)
	@$(PIP) --editable .
	$(COMPILE)
	$(SAY_IF_NOT_COMPILED)
	@touch $@

.venv/installed-dev: $(BUILT_FROM) | .venv/pyvenv.cfg
	$(INSTALL_TORCH)
	@$(PIP) --editable '.[dev]'
	$(COMPILE)
	$(SAY_IF_NOT_COMPILED)
	@touch .venv/installed $@
