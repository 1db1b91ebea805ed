# Everything runs inside .venv, which the first command creates.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/examples
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python examples/classify_reviews.py

test: .venv/test
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --cov --cov-report=term

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: .venv/dev
	$(BIN)/python -m benchmarks.preprocess

clean:
	rm -rf .venv build dist out *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage

$(BIN)/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

# One stamp an extra: installed again when setup.cfg or pyproject.toml changes.
.venv/%: setup.cfg pyproject.toml | $(BIN)/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
