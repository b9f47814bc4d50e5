# `make book` and `make test` are all a reader needs; `make` lists the rest.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One may name an interpreter, `make book PYTHON=python3.12`; otherwise the first one that fits is taken
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
BIN := .venv/bin
READY := .venv/.ready
TORCH := 2.13.0
CONTRACTS := tests/test_notebooks.py tests/test_book.py

# Threads that wait must not spin: on a machine with other work it makes small models ten times slower
export OMP_WAIT_POLICY := passive
# glibc must not give the memory of large tensors back after every call: a third of the time of small networks on a CPU
export MALLOC_MMAP_THRESHOLD_ := 2000000000
export MALLOC_TRIM_THRESHOLD_ := 2000000000

.PHONY: help
help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: book
book: $(READY)  ## run every lab, build the book, print where it lies
	$(BIN)/python -m tools build

.PHONY: figures
figures: $(READY)  ## draw the figures and the animations of the theory pages anew
	$(BIN)/python -m tools figures
	$(BIN)/python -m tools animations

.PHONY: student
student: $(READY)  ## cut the solutions out of the labs, and write a folder to hand out, _build/student
	$(BIN)/python -m tools student

.PHONY: slides
slides: $(READY)  ## make a deck of slides for each chapter, _build/slides/*.html
	$(BIN)/python -m tools slides

.PHONY: pdf
pdf: book  ## print the theory pages as one PDF, _build/pdf/theory.pdf, by a Chromium that is there
	$(BIN)/python -m tools pdf

.PHONY: artifacts
artifacts: book  ## make all that a release consists of, with checksums, _build/release; takes a Chromium, too
	$(BIN)/python -m tools artifacts

.PHONY: links
links: $(READY)  ## ask the web for every address that the book links to; takes a network
	$(BIN)/python -m tools links

.PHONY: clocks
clocks: export MGD_QUIET := 1
clocks: export OMP_NUM_THREADS := 1
clocks: $(READY)  ## run every lab and keep its seconds in tools/clocks.json, for the page "How to use this book"
	$(BIN)/python -m tools clocks

.PHONY: test
test: export MGD_QUIET := 1
# Two workers share two cores; and sums depend on the number of threads, in their last digits
test: export OMP_NUM_THREADS := 1
test: $(READY)  ## lint, types, unit tests, every lab against its recorded results, the contracts of labs and book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests -m "not reproduce" -n 2 --dist worksteal
	PYTHONPATH=tests $(BIN)/python -m pytest notebooks -p forks --nbval-lax --dist loadfile -n 2
	@echo "Passed. This took no browser; with a Chromium at hand, make browser tests the built book in it."

.PHONY: reproduce
reproduce: export MGD_QUIET := 1
reproduce: export OMP_NUM_THREADS := 1
reproduce: $(READY)  ## a cell of every committed table anew, and labs with all shipped pipelines: minutes, part of .ci/run
	$(BIN)/python -m pytest tests/test_studies.py tests/test_profiles.py -m reproduce -n 2 --dist worksteal

.PHONY: browser
browser: export MGD_QUIET := 1
browser: export OMP_NUM_THREADS := 1
browser: $(READY)  ## test the book that make book has built, and sliders in JupyterLab, in a Chromium
	$(BIN)/python -m pytest tests/browser -n 2

.PHONY: check
check: export MGD_QUIET := 1
check: export OMP_NUM_THREADS := 1
check: $(READY)  ## lint, types and the fast tests, in under a minute: what to run before each commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests $(addprefix --ignore=,$(CONTRACTS)) -m "not slow and not reproduce" -q -n 2

.PHONY: bench
# One after the other, or they would disturb each other; BENCH="--device cuda" names the device
bench: $(READY)  ## run all benchmarks on this machine and keep their tables in benchmarks/results/
	$(BIN)/python -m benchmarks all $(BENCH)

.PHONY: gpu
# Eight minutes at most, results as it goes; BENCH="--minutes 4 --parts stall batches" gives it less to do
gpu: $(READY)  ## check and time what a GPU does, in eight minutes, and keep it in benchmarks/results/gpu/
	$(BIN)/python -m benchmarks gpu $(BENCH)

.PHONY: study
# Hours on two cores. Every cell is kept as soon as it is known, so it may be stopped and called again; DATA="digits"
# names data sets, and `python -m studies` lists the single studies
study: export OMP_NUM_THREADS := 1
study: $(READY)  ## compute what is missing of the tables in studies/results/ (MGD_DATA_DIR names local data sets)
	$(BIN)/python -m studies all $(DATA)

.PHONY: release
# VERSION=0.2.0; it changes labs, README, pyproject.toml and CITATION.cff, and leaves the wheel in _build/wheel
release: $(READY)  ## set the version, build the wheel, and write both into the set-up cell of every lab
	$(BIN)/python -m tools release $(or $(VERSION),$(error which one? make release VERSION=0.2.0))

.PHONY: stamp
stamp: $(READY)  ## write set-up cell, badge and absolute links into every lab, of the last release
	$(BIN)/python -m tools stamp

.PHONY: address
address: $(READY)  ## give the project another address everywhere: URL=https://github.com/OWNER/NAME
	$(BIN)/python -m tools address $(or $(URL),$(error which one? make address URL=https://github.com/OWNER/NAME))

.PHONY: lab
lab: $(READY)  ## open the labs in JupyterLab
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter-lab --notebook-dir=notebooks

.PHONY: format
format: $(READY)  ## format the code; strip the labs' outputs, but for checked cells
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-count --keep-id --extra-keys "metadata.language_info.version" notebooks/*.ipynb

.PHONY: lock
lock: $(READY)  ## resolve requirements.lock afresh (torch pins its CUDA packages itself, so they stay out)
	$(BIN)/python -m pip install --quiet uv
	mkdir -p build && rm -f build/resolved.txt && echo "torch==$(TORCH)" > build/torch.txt
	$(BIN)/uv pip compile pyproject.toml --universal --fork-strategy fewest --python-version 3.11.5 \
		--extra book --extra browser --extra test --extra study --constraint build/torch.txt --no-annotate --no-header --quiet --output-file build/resolved.txt
	head -n 1 requirements.lock > build/requirements.lock
	grep -vE '^(nvidia-|cuda-|triton)' build/resolved.txt >> build/requirements.lock
	mv build/requirements.lock requirements.lock

.PHONY: clean
clean:  ## remove the built book and all caches; the environment, .venv, stays
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache
	find mgd_helpers tests tools studies benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +

# The environment. The helpers are installed editable, so a change of theirs needs no new installation.
$(READY): requirements.lock pyproject.toml
	@for python in $(CANDIDATES); do "$$python" -c '$(FITS)' 2> /dev/null && break || python=; done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11, 3.12 or 3.13 is needed; tried: $(CANDIDATES). Name one: make book PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	if [ ! -x $(BIN)/pip ]; then echo "Setting up .venv with $$python"; "$$python" -m venv --clear .venv; fi
	@echo "Installing requirements.lock: minutes the first time, for torch is large"
	@# Python compiles what it imports; all of the 20,000 files would take a minute, and most are never read
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
