# Every command makes the environment it needs: a Python of at least 3.11 and make are enough.
#
#   make demo     genes in real lymphoma data, and made reports, breathing and patients
#   make test     run the tests
#   make help     the rest

PYTHON ?= python3
VENV ?= .venv
DEMO_OUT ?= demo-output
TEST_JOBS ?= 2
PYTEST_ARGS ?=

BIN := $(VENV)/bin
# The pinned versions, so that today's environment is next year's as well.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# One thread per process: quick on small tables, and sums are rounded the same way everywhere.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

# A stamp file says what is installed; it is older than its sources when they have changed.
RUN := $(VENV)/.installed-run
TEST := $(VENV)/.installed-test
LINT := $(VENV)/.installed-lint
DOCS := $(VENV)/.installed-docs
BENCH := $(VENV)/.installed-bench
PEERS := $(VENV)/.installed-peers

.PHONY: help demo test coverage lint format docs bench compare clean

help:
	@echo "make demo      genes, reports, breathing, patients; results go to $(DEMO_OUT)/"
	@echo "make test      tests and doctests (PYTEST_ARGS='-k path -x' to choose, TEST_JOBS=4)"
	@echo "make coverage  the tests again, with the lines they reach"
	@echo "make lint      ruff, mypy, codespell"
	@echo "make format    let ruff put things right"
	@echo "make docs      the documentation, in docs/_build/html"
	@echo "make bench     time and memory, by asv"
	@echo "make compare   other methods beside ours; writes the table of the docs"
	@echo "make clean     remove what was built, the environment included"

demo: $(RUN)
	$(BIN)/python -m sklearn_medsel demo --out $(DEMO_OUT)

test: $(TEST)
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(TEST_JOBS) $(PYTEST_ARGS)

coverage: $(TEST)
	$(INSTALL) coverage
	$(ONE_THREAD) $(BIN)/python -m coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lint: $(LINT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

format: $(LINT)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS)
	$(ONE_THREAD) MPLBACKEND=Agg $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(BENCH)
	$(BIN)/asv machine --yes >/dev/null
	$(ONE_THREAD) $(BIN)/asv run --quick --show-stderr --python=same

compare: $(PEERS)
	$(BIN)/python benchmarks/compare_selection.py
	$(BIN)/python benchmarks/compare_reports.py
	$(BIN)/python benchmarks/compare_forecasting.py
	$(BIN)/python benchmarks/compare_multimodal.py

clean:
	rm -rf $(VENV) $(DEMO_OUT) build dist *.egg-info .asv .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache docs/_build docs/api docs/auto_examples
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first install of the package also brings torch, which takes a minute or two.
$(RUN): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@echo "installing the package and torch into $(VENV)"
	$(INSTALL) -e ".[all]"
	@touch $@

# scikit-survival is another implementation to test against. It is under the GPL, so no extra
# that users install for themselves has it.
$(TEST): $(RUN)
	$(INSTALL) -e ".[all,test]" scikit-survival
	@touch $@

$(LINT): $(RUN)
	$(INSTALL) -e ".[lint]"
	@touch $@

$(DOCS): $(RUN)
	$(INSTALL) -e ".[all,docs]"
	@touch $@

$(BENCH): $(RUN)
	$(INSTALL) -e ".[bench]"
	@touch $@

$(PEERS): $(RUN)
	$(INSTALL) -e ".[compare]"
	@touch $@
