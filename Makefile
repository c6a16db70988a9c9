# Needs make, Python 3.11 or newer, and PyPI. Everything is installed into .venv from the lock files in requirements/, in
# the versions that were tested; `make clean` removes it.

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
# python3 may be an old one with a newer beside it.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
SUITE := -m pytest -n 3 --dist worksteal -m 'not slow and not agents'

# What the lock files serve: every one of these Pythons on every one of these platforms, from wheels alone.
VERSIONS := 3.11 3.12 3.13 3.14
PLATFORMS := x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version $(firstword $(VERSIONS)) --fork-strategy fewest \
	--generate-hashes --upgrade --custom-compile-command 'make lock' pyproject.toml
# As pip does.
export UV_SYSTEM_CERTS := 1
# What `make test-pythons` tries.
PYTHONS ?= $(VERSIONS:%=python%)
# A busy loop that ends with the shell that started it, however that ends.
BUSY := import os; shell = os.getppid(); all(sum(range(100_000)) for _ in iter(lambda: os.getppid() == shell, False))

# What `make test-agents` tries: `pinned` are the versions that docs/agents.md says were tested, `newest` those of today.
AGENTS ?= pinned
# A leading dash below: what cannot be installed is skipped, with a reason. The newest Qwen Code needs Node.js 22.
NPM_AGENTS := @anthropic-ai/claude-code@2.1.332 @openai/codex@0.171.0 @google/gemini-cli@0.61.0 opencode-ai@1.18.33 \
	@github/copilot@1.0.102 @mariozechner/pi-coding-agent@0.73.1 @qwen-code/qwen-code@0.15.10 cline@3.0.65 \
	@agentclientprotocol/claude-agent-acp@0.49.0
AIDER := aider-chat==0.86.2
NPM_NEWEST = $(shell echo $(NPM_AGENTS) | sed -E 's/@[0-9][^ ]*/@latest/g')
# What `make bench-faults` compares with, beside make, GNU parallel and task-spooler of the system. Each in a venv of its own.
RIVALS := ninja==1.13.2 doit==0.37.0 snakemake==9.27.1 luigi==3.8.1 go-task-bin==3.54.0 rust-just==1.59.0 invoke==3.0.3 dask==2026.8.0
TRACE_ENGINE := @paulirish/trace_engine@0.0.65
AGENTS_DIR := $(CURDIR)/.agents

.PHONY: help demo test campaign test-oldest test-newest test-pythons test-load properties test-agents test-trace lint lock dist \
	bench bench-tui bench-agents bench-isolation bench-faults mutants crash monkey orphans screenshots clean

help:
	@echo 'make demo        install Nova into .venv and run the quickstart plan in ./demo'
	@echo 'make test        run the tests (about two and a half minutes on two quiet cores)'
	@echo 'make campaign    the tests that take long: all cases of the tables and trials of which `make test` runs a sample'
	@echo 'make test-oldest the same tests with the lowest version of every package that pyproject.toml allows'
	@echo 'make test-newest the same tests with the newest versions, not those of the lock files'
	@echo 'make test-pythons the same tests with every Python from 3.11 on PATH (or PYTHONS="/a/python3 /b/python3")'
	@echo 'make test-load   the same tests beside two busy loops'
	@echo 'make properties  the property tests with 1,000 examples each, not 8'
	@echo 'make test-agents install the agents that Nova knows into .agents, run them on loopback (minutes; AGENTS=newest)'
	@echo 'make test-trace  open a trace with the engine of DevTools (npm)'
	@echo 'make lint        ruff and mypy --strict'
	@echo 'make lock        renew the lock files in requirements/'
	@echo 'make dist        build the wheel and the sdist into ./dist, and try both'
	@echo 'make bench       compare with ninja, make and doit (ten minutes; ROUNDS=1 SIZES=1000 for less)'
	@echo 'make bench-tui   measure the interface on a real terminal (two minutes)'
	@echo 'make bench-agents what reading eight loud agents costs the engine (half a minute)'
	@echo 'make bench-isolation the git steps of a task against a plain script (ten minutes; FILES=1000 for less)'
	@echo 'make bench-faults Nova and ten rivals under eleven faults (hours; TRIALS=1 ENGINES=nova,make for less)'
	@echo 'make mutants     change the guarding modules in small ways; 90 % must be noticed (a night; SAMPLE=15 MODULES=dag.py)'
	@echo 'make crash       kill engines and workers at random, fail at every change of a file, hammer the state: nothing is lost'
	@echo 'make monkey      press random keys on real terminals, with pastes, broken bytes, plan edits, killed engines (SECONDS=30 SEEDS=20)'
	@echo 'make orphans     end workers of every kind and check that no process is left'
	@echo 'make man         write the manual pages in docs/man from the help texts'
	@echo 'make screenshots draw docs/pictures anew'
	@echo 'make clean       remove .venv and its kin, ./demo, what was built and what the tools cached'

demo: $(VENV)/.installed
	@PATH="$(BIN):$$PATH" nova demo demo
	@echo 'nova is $(VENV)/bin/nova'

test: $(VENV)/.installed-dev
	$(BIN)/python $(SUITE)

campaign: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m 'slow and not agents' --ignore tests/test_distribution.py

test-oldest: RESOLUTION := lowest-direct
test-newest: RESOLUTION := highest
test-oldest test-newest: test-%: $(VENV)/.installed-lock
	@echo 'Installing the $* versions into .venv-$* ...'
	@$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python .venv-$*
	@$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --resolution $(RESOLUTION) --editable '.[dev,bench]'
	.venv-$*/bin/python $(SUITE)

test-pythons:
	@set -e; for python in $(PYTHONS); do \
		version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || \
			{ echo "$$python: skipped, there is none that runs"; continue; }; \
		echo "$$python: Python $$version"; \
		$(MAKE) --no-print-directory test VENV=".venv-$$version" PYTHON="$$python"; \
	done; test -n "$$version" || { echo 'no Python was found: name one with PYTHONS=/path/to/python3' >&2; exit 1; }

test-load: $(VENV)/.installed-dev
	@for _ in 1 2; do $(BIN)/python -c '$(BUSY)' & done; $(BIN)/python $(SUITE)

properties: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m 'hypothesis and not slow and not agents' --hypothesis-profile campaign

test-agents: $(VENV)/.installed-dev
	@case '$(AGENTS)' in pinned|newest) mkdir -p $(AGENTS_DIR)/$(AGENTS) ;; \
		*) echo 'AGENTS is pinned or newest, not $(AGENTS)' >&2; exit 2 ;; esac
	-npm install --no-audit --no-fund --loglevel=error --prefix $(AGENTS_DIR)/$(AGENTS) \
		$(if $(filter newest,$(AGENTS)),$(NPM_NEWEST),$(NPM_AGENTS))
	-test -x $(AGENTS_DIR)/$(AGENTS)/aider/bin/aider || { $(BIN)/python -m venv $(AGENTS_DIR)/$(AGENTS)/aider && \
		$(AGENTS_DIR)/$(AGENTS)/aider/bin/python -m pip install --quiet --disable-pip-version-check \
		$(if $(filter newest,$(AGENTS)),$(firstword $(subst ==, ,$(AIDER))),$(AIDER)); }
	NOVA_TEST_AGENTS="$(AGENTS_DIR)/$(AGENTS)/node_modules/.bin:$(AGENTS_DIR)/$(AGENTS)/aider/bin" \
		$(BIN)/python -m pytest -m agents

test-trace: $(VENV)/.installed-dev
	npm install --no-audit --no-fund --loglevel=error --prefix $(AGENTS_DIR)/trace $(TRACE_ENGINE)
	NOVA_TEST_TRACE_ENGINE=$(AGENTS_DIR)/trace $(BIN)/python -m pytest tests/exports/test_trace.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(VENV)/.installed-lock
	$(COMPILE) --extra dev --output-file requirements/dev.txt
	$(COMPILE) --extra build --constraint requirements/dev.txt --output-file requirements/run.txt
	@set -e; for set in pictures bench lock; do \
		$(COMPILE) --extra $$set --constraint requirements/dev.txt --output-file requirements/$$set.txt; done
	@set -e; for set in run dev pictures bench lock; do for version in $(VERSIONS); do for platform in $(PLATFORMS); do \
		$(BIN)/uv pip install --quiet --dry-run --target $(VENV)/lock --require-hashes --only-binary :all: \
		--python-version $$version --python-platform $$platform --requirements requirements/$$set.txt; done; done; done

dist: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m 'slow or not slow' tests/test_distribution.py
	$(BIN)/python -m build --no-isolation

bench: $(VENV)/.installed-bench
	PATH="$(BIN):$$PATH" $(BIN)/python bench/bench.py --rounds $(or $(ROUNDS),3) $(if $(SIZES),--sizes $(SIZES))

bench-tui: $(VENV)/.installed-dev
	$(BIN)/python bench/tui.py

bench-agents: $(VENV)/.installed-dev
	$(BIN)/python bench/agents.py

bench-isolation: $(VENV)/.installed-dev
	$(BIN)/python bench/isolation.py $(if $(FILES),--files $(FILES))

bench-faults: $(VENV)/.installed-dev
	@for rival in $(RIVALS); do folder=.rivals/$${rival%%==*}; test -d $$folder || { $(BIN)/python -m venv $$folder && \
	$$folder/bin/python -m pip install --quiet --disable-pip-version-check $$rival; } || rm -rf $$folder; done
	PATH="$(BIN):$$PATH" $(BIN)/python bench/faults.py --trials $(or $(TRIALS),20) $(if $(ENGINES),--engines $(ENGINES))

mutants: $(VENV)/.installed-dev
	$(BIN)/python bench/mutants.py --gaps --least 100 -n 2 $(MODULES)
	$(BIN)/python bench/mutants.py --least 90 -n 2 $(if $(SAMPLE),--sample $(SAMPLE)) $(MODULES)

crash: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow tests/executors/test_crash.py tests/engine/test_hammer.py tests/engine/test_faults.py

monkey: $(VENV)/.installed-dev
	NOVA_TEST_SECONDS=$(or $(SECONDS),30) NOVA_TEST_SEEDS=$(or $(SEEDS),20) $(BIN)/python -m pytest -m slow tests/tui/test_monkey.py

orphans: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow tests/executors/test_orphans.py

.PHONY: man
man: $(VENV)/.installed
	$(BIN)/python docs/man/make.py

screenshots: $(VENV)/.installed-dev $(VENV)/.installed-pictures
	$(BIN)/python docs/pictures/screenshots.py

clean:
	rm -rf $(VENV) .venv-* $(AGENTS_DIR) .rivals demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n '$(PYTHON)' || { echo 'Nova needs Python 3.11 or newer; name one with `make PYTHON=/path/to/python3`' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo 'The venv module does not work here; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

$(VENV)/.installed: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo 'Installing Nova into $(VENV) ...'
	@$(PIP) --require-hashes --requirement requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-%: requirements/%.txt | $(VENV)/.installed
	@echo 'Installing the [$*] tools into $(VENV) ...'
	@$(PIP) --require-hashes --requirement requirements/$*.txt
	@touch $@
