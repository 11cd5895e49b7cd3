# Every target sets up what it needs: Python 3.11 or newer and make are enough.
PYTHON ?= python3
# Extra arguments for pytest, for example: make test ARGS="-k refresh"
ARGS ?=
# Half as many workers again as there are cores (tests/conftest.py). Each takes whole files, so that a
# seed gives the order of `pytest FILE`, in the order of conftest.py, which puts slow files first, and
# last those that run alone. One process: make test ARGS="-n 0"
# What takes long and seldom says anything new is left to CI: make test CI=true
PARALLEL = $(if $(filter true 1,$(CI)),$(SECOND_CHANCE),-m "not thorough") -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0
# Whatever counts by `trials` (tests/accounts/racing.py). What takes longer than its --timeout has
# a mark of its own, which counts instead.
RACES = ${shell grep -rl --include='test_*.py' 'trials(' tests}
# Ten thousand tests with servers, browsers and clocks in them meet an accident of the machine now and
# then, which is no reason to refuse a change: CI runs up to three that failed once more, and shows
# what they failed with. A race that was lost is lost, however seldom.
LOST_IS_LOST = ${shell grep -rlE --include='test_*.py' 'trials\(|at_once\(|mirror_model' tests}
SECOND_CHANCE = --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks \
	$(LOST_IS_LOST:%=--rerun-exclude-path %)
# Kept when compiled, whatever this machine does otherwise: a run starts hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
IN_ENVIRONMENT := $(PYTHON) -m authdemo.bootstrap tests/requirements.txt
# What `check --deploy` looks at: production settings, nothing of this checkout's own.
PRODUCTION = ENV_FILE=/dev/null VAR_DIR=$$(mktemp -d) DEBUG=0 LAB=0 HTTPS=1 COOKIE_SECURE=1 \
	ALLOWED_HOSTS=www.example.com REDIS_URL=redis://redis:6379/0

# How many reads and changes `make mirror` judges.
MIRROR_STEPS ?= 10000000

.PHONY: help run test full races fuzz mirror mirror-times login-times load benchmark pictures defences check doctor clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up and serve on http://127.0.0.1:8000 (another port: PORT=8080 make run)
	@$(PYTHON) manage.py demo

test: ## run every test, on SQLite and on PostgreSQL
	$(IN_ENVIRONMENT) -m pytest $(PARALLEL) $(ARGS)
	$(IN_ENVIRONMENT) -m pytest --postgres $(PARALLEL) $(ARGS)

full: ## every full count and every measurement, one after the other: a night and more
	$(MAKE) test CI=true FULL=true
	$(MAKE) races
	$(MAKE) fuzz
	$(MAKE) mirror
	$(MAKE) mirror-times
	$(MAKE) login-times
	$(MAKE) load
	$(MAKE) defences

races: ## the races at their full count: 100 trials each, and a refresh every minute: a night
	RACE_TRIALS=100 $(IN_ENVIRONMENT) -m pytest -n logical --timeout=1800 $(RACES) $(ARGS)
	RACE_TRIALS=100 $(IN_ENVIRONMENT) -m pytest -n logical --timeout=1800 --postgres $(RACES) $(ARGS)

fuzz: ## what /api/schema/ allows and forbids, drawn at random: 500 cases for each call
	FUZZ_EXAMPLES=500 $(IN_ENVIRONMENT) -m pytest tests/test_schema.py --timeout=1800 $(ARGS)

mirror: ## ten million random reads and changes of what is kept in memory, judged: some ten minutes
	MIRROR_STEPS=$(MIRROR_STEPS) $(IN_ENVIRONMENT) -m pytest -q tests/accounts/test_mirror_model.py --timeout=7200 $(ARGS)

mirror-times: ## how long after its end a session is let in from memory: a few minutes
	$(IN_ENVIRONMENT) -m pytest -q tests/mirror_times.py $(ARGS)

login-times: ## how long failed logins take, by what is wrong with them: a few minutes, on an idle machine
	$(IN_ENVIRONMENT) -m pytest -q --show-capture=no tests/login_times.py $(ARGS)

benchmark: ## measure every strategy and its peers on this machine (under a minute: ARGS=--quick)
	$(PYTHON) -m authdemo.bootstrap requirements.txt manage.py benchmark $(ARGS)

pictures: ## take the pictures of README and docs anew, with Chromium: a minute
	$(IN_ENVIRONMENT) -m pytest -q tests/pictures.py $(ARGS)

defences: ## take each defence out, see a test go red, and green again: about an hour
	$(IN_ENVIRONMENT) -m tests.defences

load: ## refreshes timed while a million overdue rows are purged: half an hour
	$(IN_ENVIRONMENT) -m tests.purge_load $(ARGS)
	$(IN_ENVIRONMENT) -m tests.purge_load --postgres $(ARGS)

check: ## style, types, migrations, and the system checks of production
	$(IN_ENVIRONMENT) -m ruff check
	$(IN_ENVIRONMENT) -m ruff format --check
	$(IN_ENVIRONMENT) -m mypy .
	$(IN_ENVIRONMENT) manage.py makemigrations --check --dry-run
	$(IN_ENVIRONMENT) manage.py check --fail-level WARNING
	$(PRODUCTION) $(IN_ENVIRONMENT) manage.py check --deploy --fail-level WARNING

doctor: ## say what is wrong with this installation, and what mends it
	@$(PYTHON) -m authdemo.bootstrap requirements.txt manage.py doctor

clean: ## remove the environment and all caches; your data in var/ are kept
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov test-results .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
