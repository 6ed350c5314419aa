# `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE # every process would compile everything again

# The first Python that is new enough; `make PYTHON=...` names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
BIN := .venv/bin
# Node's tools check the document; without Node those tests say that they were skipped.
NODE := $(shell node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null && echo yes)
# Every variable blank, so that neither .env nor the shell has a say, and then those of the example.
# Its SECRET_KEY is a placeholder, which the checks refuse.
PRODUCTION = env $$(sed -n 's/^\(\# \)\{0,1\}\([A-Z_]*=\).*/\2/p' .env.example) \
	$$(grep -v '^\#' production.env.example) SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))')

.PHONY: help run web test coverage mutation bench bench-quick check audit fix openapi screenshots architecture example lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: .venv/runtime .env ## Serve on 127.0.0.1:$PORT with an embedded PostgreSQL and demo tasks
	@exec $(BIN)/python manage.py serve

web: .venv/runtime examples/web/.env examples/node_modules/.installed ## Serve examples/web and its Better Auth on localhost:3000
	@exec $(BIN)/python -m config.embedded better_auth npm run --silent --prefix examples/web dev

test: .venv/dev $(if $(NODE),tests/npm/node_modules/.package-lock.json) tests/debian/packages/.installed ## Run the whole suite on a real PostgreSQL
	$(BIN)/python -m pytest $(or $(TEST),-n 3 --dist loadfile --no-loadscope-reorder)

coverage: .venv/dev $(if $(NODE),tests/npm/node_modules/.package-lock.json) tests/debian/packages/.installed ## Run it twice as slowly, and name what it leaves out
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(or $(TEST),-n 3 --dist loadfile --no-loadscope-reorder)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutation: .venv/dev ## Change the code of PACKAGE, authjwt or tasks, a little at a time, and list what no test notices; an hour
	tests/mutation/run $(or $(PACKAGE),authjwt)

bench: .venv/runtime .venv-bench/.installed bench/packages/.installed ## Measure ours beside its peers, half an hour on a quiet machine; writes bench/results
	$(BIN)/python -m bench

bench-quick: .venv/runtime .venv-bench/.installed bench/packages/.installed ## The same in 2 minutes, without granian, printed and not kept
	$(BIN)/python -m bench --quick --systems a b c d d2 e

check: .venv/dev ## Run every static check; writes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PRODUCTION) $(BIN)/mypy .
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(PRODUCTION) DATABASE_URL= DATABASE_URL_UNPOOLED= $(BIN)/python manage.py makemigrations --check --dry-run

audit: .venv/dev ## Look up known vulnerabilities of the locked dependencies (needs the network)
	$(BIN)/uv tool run pip-audit --strict --disable-pip --require-hashes -r requirements.lock

fix: .venv/dev ## Format, and fix what can be fixed; the only target that edits files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: .venv/dev $(if $(NODE),tests/npm/node_modules/.package-lock.json) ## Write openapi.json, and with Node its types
	$(PRODUCTION) $(BIN)/python manage.py export_openapi > openapi.json
	$(if $(NODE),cd examples/client && PATH="$(CURDIR)/tests/npm/node_modules/.bin:$$PATH" npm run --silent types)

screenshots: .venv/dev ## Write docs/images (needs Chromium), and record the README's first five minutes
	$(BIN)/python -m pytest -q tests/browser/screenshots.py tests/web/screenshots.py
	$(BIN)/python -m tests.recording

architecture: .venv/dev ## Write the picture of ARCHITECTURE.md
	$(BIN)/python -m tests.architecture

example: ## Bring docs/examples/add-a-field.patch to the code as it is committed
	@docs/examples/refresh

lock: .venv/dev ## Resolve pyproject.toml into the two locks, and the peers' into theirs
	$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --upgrade -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --group dev --extra granian --universal --python-version 3.11 \
		--generate-hashes --no-annotate --custom-compile-command "make lock" -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile -q bench/peers/requirements.in --universal --python-version 3.11 --generate-hashes \
		--no-annotate --custom-compile-command "make lock" --upgrade -o bench/peers/requirements.lock

clean: ## Remove the environment and the embedded database
	rm -rf .venv .venv-bench .mutation .postgres .static tests/npm/node_modules examples/node_modules tests/debian/packages* bench/packages* bench/.postgres

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.lock | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/dev: requirements-dev.lock | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@ .venv/runtime

.venv-bench/.installed: bench/peers/requirements.lock | .venv/bin/python
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r bench/peers/requirements.lock
	@touch $@

.env: | .venv/bin/python
	@$(BIN)/python -m config.dotenv $@

tests/npm/node_modules/.package-lock.json: tests/npm/package-lock.json
	@npm ci --prefix tests/npm --silent --ignore-scripts && touch $@ || { \
		echo "npm could not install tests/npm: the tests that need it are skipped" >&2; test -z "$$CI"; }

examples/web/.env: | .venv/bin/python
	@umask 077 && $(BIN)/python -c 'import secrets; print(f"BETTER_AUTH_SECRET={secrets.token_urlsafe(32)}")' > $@

examples/node_modules/.installed: examples/package.json examples/client/package.json examples/web/package.json
	@echo "npm installs what the examples need, once"
	@npm install --prefix examples --silent --no-package-lock --ignore-scripts && touch $@

bench/packages/.installed: bench/install tests/debian/unpack.sh
	@bench/install && mkdir -p $(@D) && touch $@

tests/debian/packages/.installed: tests/debian/install tests/debian/unpack.sh
	@tests/debian/install && touch $@ || { \
		echo "not all programs of tests/debian are here: the tests that need them are skipped" >&2; test -z "$$CI"; }
