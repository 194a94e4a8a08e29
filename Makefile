# The front door: `make` says what there is.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV ?= .venv
IMAGE ?= reconciler:dev
BIN := $(VENV)/bin

# Only a KUBECONFIG that was given to make itself: the demo must never meet the cluster that
# happens to be the current one of who tries it.
ifeq ($(origin KUBECONFIG),command line)
DEMO_CLUSTER := --kubeconfig '$(KUBECONFIG)'
endif

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

# --- the environment ---------------------------------------------------------------------------

.PHONY: setup
setup: $(VENV)/.installed ## the Python environment in .venv; quick when nothing has changed

$(VENV)/.locked: requirements/build.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11 to 3.13 is needed, $$($(PYTHON) --version 2>&1 || true) was found:" \
		'make setup PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'Python has no venv module here: apt-get install python3-venv' >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@echo 'installing what requirements/dev.txt locks (the first time a minute or two)'
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/build.txt -r requirements/dev.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: lock
lock: setup ## resolve the dependencies again, and lock them by hash
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --group dev -o requirements/dev.txt
	$(LOCK) --group pyproject.toml:bench -o requirements/bench.txt
	awk -F'"' '/^requires = / {print $$2}' pyproject.toml | $(LOCK) - -o requirements/build.txt

# --- the program -------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## a commit becomes a finished workflow; KUBECONFIG=FILE takes a cluster of yours
	@env -u KUBECONFIG $(BIN)/python -m hack.demo.demo $(DEMO_CLUSTER)

.PHONY: bench
bench: setup ## beside peers, with budgets (half an hour); SCENARIOS='…' for some, COMPARE=file
	@$(BIN)/python -m bench $(if $(COMPARE),--compare '$(COMPARE)') $(SCENARIOS)

.PHONY: image
image: ## the container image
	@docker version >/dev/null 2>&1 || { echo 'no Docker daemon answers here: the image is' \
		'built where one does (`make check` lints the Dockerfile all the same)' >&2; exit 1; }
	docker build --tag $(IMAGE) .

.PHONY: generate
generate: setup ## the files that are made from code: the CRDs, the patch for Argo CD, the chart's table
	@$(BIN)/python -m hack.generate

# --- quality -----------------------------------------------------------------------------------

.PHONY: fmt
fmt: setup ## format, and fix what can be fixed
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --fix

.PHONY: check
check: lint types imports spelling images shell generated ## everything that can be checked without running it

.PHONY: lint types imports spelling images shell generated
lint: setup
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check || { echo 'not formatted: make fmt' >&2; exit 1; }
	@echo 'ruff: ok'
types: setup
	@$(BIN)/mypy
imports: setup
	@$(BIN)/lint-imports --no-logo >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@tail -1 $(VENV)/imports.log
spelling: setup
	@git ls-files -z | xargs -0 $(BIN)/codespell
	@echo 'codespell: ok'
images: setup
	@$(BIN)/hadolint Dockerfile
	@echo 'hadolint: ok'
shell: setup
	@$(BIN)/shellcheck .ci/run $$(git ls-files '*.sh')
	@echo 'shellcheck: ok'
generated: setup
	@$(BIN)/python -m hack.generate --check
	@echo 'generated files: ok'

.PHONY: test
test: test-unit test-apiserver ## all tests: units, properties, and those on a real API server

.PHONY: test-unit
test-unit: setup ## the tests that need nothing but this machine
	@hack/cluster build helm helm3 >/dev/null
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --timeout 300 -m 'not apiserver and not e2e'

.PHONY: test-apiserver
test-apiserver: setup ## the tests on a real control plane (its first build takes 5 to 10 minutes)
	@test -n "$${RECONCILER_TEST_KUBECONFIG:-}" || hack/cluster build
	@hack/cluster build helm helm3 >/dev/null
	@$(BIN)/python -m pytest -q --timeout 300 -m apiserver

.PHONY: test-e2e
test-e2e: setup ## the journey on kind with the built image; needs Docker, kind and kubectl
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[kind]'
	@$(BIN)/python -m pytest -q -rs -m e2e tests/e2e

.PHONY: soak
soak: setup ## runs that are killed 100 times, and the server twice; two minutes
	@hack/cluster run -- $(BIN)/python -m tests.soak

.PHONY: explore mutants
explore: setup ## every schedule of faults and overlaps (an hour); PLAN='…' replays one
	@$(BIN)/python -m tests.faults.explore $(PLAN)
mutants: setup ## seeds bugs into a copy of the reconciler: the share in `make test` must see each
	@$(BIN)/python -m tests.faults.mutants

.PHONY: clean
clean: ## remove what was made here: environment, caches, builds
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
