# SPDX-License-Identifier: Apache-2.0
# `make` lists the targets. Everything runs from the checkout; nothing needs an environment variable.

TOPOLOGY ?=
INVENTORY = inventory/lab$(if $(TOPOLOGY),-$(TOPOLOGY))
SCENARIO ?= default
# What CI has time for; `make test-all` runs every scenario. scripts/test_all.py knows the parts, and what passed.
CI_SCENARIOS ?= networks swift ceph default

BIN = .venv/bin
# Linters and Molecule look for each other's commands there.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# sudo may ask for a password; root does not.
PLAYBOOK = $(BIN)/ansible-playbook -i $(INVENTORY) $(shell [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null || echo --ask-become-pass)

# The variable keeps it from advertising another generator in a frame.
SITE = NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --config-file .config/mkdocs.yml

.PHONY: tempest functional help .venv lab lab-down test test-all lint unit integration molecule docs bench bench-empty lock clean

help: ## this list
	@sed -n 's/^\([.a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

lab: .venv/runtime ## a whole cloud on this machine (TOPOLOGY=name for another inventory/lab-name)
	scripts/machine $(INVENTORY)
	$(PLAYBOOK) playbooks/lab_up.yml
	$(PLAYBOOK) playbooks/site.yml
	$(PLAYBOOK) playbooks/verify.yml
	@scripts/lab-summary $(INVENTORY)

lab-down: ## remove all that the lab made, also after a crash
	@if [ -x $(BIN)/ansible-playbook ]; then $(PLAYBOOK) playbooks/lab_down.yml; else echo "No .venv, so no lab was made here."; fi

test: .venv/dev ## what CI runs
	@$(BIN)/python scripts/test_all.py --always lint unit $(CI_SCENARIOS)

test-all: .venv/dev ## lint, unit and integration tests, every scenario, but what passed for the same content (FRESH=1)
	@$(BIN)/python scripts/test_all.py $(if $(FRESH),--fresh)

lint: .venv/dev .venv/docs ## ruff, mypy, import-linter, yamllint, ansible-lint; the changelog, whether `make docs` is due, and the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.collections $(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/yamllint --strict .
	$(BIN)/antsibull-changelog lint
	$(BIN)/python scripts/generate_docs.py --check
	$(SITE)
	$(BIN)/ansible-lint

unit: .venv/dev ## unit tests
	$(BIN)/pytest tests/unit

integration: .venv/dev ## the lab's own tests, on this machine; the lab must be down
	@[ "$$(id -u)" = 0 ] || { echo "The lab's own tests need root: sudo make integration"; exit 1; }
	$(BIN)/pytest tests/integration

molecule: .venv/dev ## one scenario: SCENARIO=name; the lab must be down
	scripts/machine molecule/$(SCENARIO)/inventory
	@$(BIN)/python scripts/no_living_lab.py
	$(BIN)/molecule test --scenario-name $(SCENARIO)

tempest: .venv/tempest ## OpenStack's own smoke tests against the lab; ALL=1 for all, REALM=block for a realm's
	$(BIN)/python scripts/tempest $(if $(ALL),--all) $(if $(REALM),--realm $(REALM))

functional: .venv/functional ## Swift's own functional tests against the lab, from its sources: CHECKOUT=dir
	$(BIN)/python scripts/swift_functional $(CHECKOUT)

docs: .venv/dev .venv/docs ## the reference pages from the source, and the site in .cache/site; any warning is an error
	$(BIN)/python scripts/generate_docs.py
	$(SITE)

bench: .venv/runtime ## cost of a converged run on the lab, on simulated hosts, and on the lab full of things
	$(BIN)/python tests/bench/bench.py

bench-empty: .venv/runtime ## take out what make bench filled the lab with
	$(BIN)/python tests/bench/filling.py --empty

lock: ## renew requirements/*.txt from requirements/*.in; needs uv
	for name in runtime dev docs tempest functional; do uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 \
	    --no-emit-index-url requirements/$$name.in -o requirements/$$name.txt || exit; done

clean: ## remove what make installed in the checkout; the lab must be down
	@[ ! -e .lab ] || { echo "There is a lab: make lab-down"; exit 1; }
	rm -rf .venv .venv-docs .venv-tempest .venv-functional .collections .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible

.venv: .venv/runtime ## Ansible and what it needs, pinned
.venv/runtime: requirements/runtime.txt requirements/collections.txt scripts/vendor_collections
	@echo "Installing Ansible and what it needs into .venv"
	@PYTHON=$(PYTHON) && export PYTHON && python=$$(scripts/python) && "$$python" -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/runtime.txt
	@$(BIN)/python scripts/vendor_collections
	@touch $@
.venv/tempest: .venv/runtime requirements/tempest.txt
	@echo "Installing OpenStack's acceptance tests into .venv-tempest"
	@PYTHON=$(PYTHON) && export PYTHON && python=$$(scripts/python) && "$$python" -m venv .venv-tempest
	@.venv-tempest/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/tempest.txt
	@touch $@
.venv/functional: .venv/runtime requirements/functional.txt
	@echo "Installing what Swift's functional tests need into .venv-functional"
	@PYTHON=$(PYTHON) && export PYTHON && python=$$(scripts/python) && "$$python" -m venv .venv-functional
	@.venv-functional/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/functional.txt
	@touch $@
.venv/docs: .venv/runtime requirements/docs.txt
	@echo "Installing what builds the site of the documentation into .venv-docs"
	@PYTHON=$(PYTHON) && export PYTHON && python=$$(scripts/python) && "$$python" -m venv .venv-docs
	@.venv-docs/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/docs.txt
	@touch $@
.venv/dev: .venv/runtime requirements/dev.txt
	@echo "Installing linters and test tools into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@
