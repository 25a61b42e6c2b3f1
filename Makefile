# Each target makes its own .venv. PYTHON: any Python ≥ 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-rest test-all test-cluster test-browser check lint types examples bench scan soak soak-cluster golden clean

demo: $(VENV)/.runtime
	if [ -e runs/demo ]; then $(BIN)/ired-interp resume runs/demo; \
	else $(BIN)/ired-interp run exp001 --model inverse-4 --problems 20 --out runs/demo --open; fi
	@echo "The page: file://$(CURDIR)/runs/demo/report.html"

# A file's tests share a worker, so that what several of them read is made once.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -q --durations=25

# What is made at every change, in minutes; and the rest, of which CONTRIBUTING.md has the table.
test: $(VENV)/.dev
	$(PYTEST) -m "not slow and not cluster and not browser"

test-rest: $(VENV)/.dev
	$(PYTEST) -m "slow and not cluster and not browser"

test-all: test test-rest

# A real SLURM with accounting and a real sshd, started and stopped by the tests, as root; Debian's
# packages are installed if they are missing.
test-cluster: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m cluster tests/cluster

# Reports of every experiment in Debian's chromium, which is installed if it is missing.
test-browser: $(VENV)/.browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m browser tests/browser

check: lint types test-all examples

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

examples: $(VENV)/.examples
	for script in examples/*.py; do echo $$script; $(BIN)/python $$script || exit 1; done

bench: $(VENV)/.runtime
	$(BIN)/python benchmarks/spectra.py

# Hessians of torch operations, and what differs from what is expected: after a new torch.
# ONLY="cdist sparse" takes those with one of the words in their names.
scan: $(VENV)/.dev
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python tests/torch_operations.py $(ONLY)

# Kill runs at 25 random moments; the first five are in the tests.
soak: $(VENV)/.dev
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python tests/soak.py --kills 25

# The same of tasks of a real SLURM, as test-cluster starts it.
soak-cluster: $(VENV)/.dev
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python tests/soak.py --slurm --kills 25

# The stored files that tests read; see tests/golden/rewrite.py before you run it.
golden: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python tests/golden/rewrite.py

clean:
	rm -rf $(VENV) runs/demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ired-interp needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.examples: $(VENV)/.runtime
	$(PIP) install -c constraints.txt -e '.[examples]'
	touch $@

$(VENV)/.browser: $(VENV)/.dev
	$(PIP) install -c constraints.txt -e '.[browser]'
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) install -c constraints.txt -e '.[dev,examples]'
	touch $@
