# SPDX-License-Identifier: MIT
# The front door. Everything is done by the CMake presets; `make help` lists what there is.

PORT ?= 8080
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
TESTS_AT_ONCE ?= $(shell expr 3 \* $(JOBS))
DEPENDENCIES = packaging/dependencies.sh
server = build/release/occwserv
ours = csp io http server ogi modules tests fuzz bench
sources = $(shell find $(ours) -name '*.cpp' -o -name '*.hpp' 2>/dev/null)

.PHONY: all run deb deb-test test asan tsan bench bench-paper bench-slow lint format fuzz pgo install clean help
.DEFAULT_GOAL = all

all: ## build the server (build/release/occwserv)
	@$(DEPENDENCIES) build
	@cmake --preset release -DOCCWSERV_TESTS=OFF -DOCCWSERV_BENCH=OFF $(QUIET)
	@cmake --build --preset release -j $(JOBS)

run: QUIET = >/dev/null
run: all ## serve site/ on http://127.0.0.1:8080 (PORT= changes it)
	@exec $(server) build/release/site --cgi /cgi-bin/ --port $(PORT)

test: ## build all and run every test
	@$(DEPENDENCIES) test
	@cmake --preset release -DOCCWSERV_TESTS=ON
	@cmake --build --preset release -j $(JOBS)
	@ctest --preset release -j $(TESTS_AT_ONCE)

asan tsan: ## the tests under AddressSanitizer with UBSan, or under ThreadSanitizer
	@$(DEPENDENCIES) test
	@cmake --preset $@
	@cmake --build --preset $@ -j $(JOBS)
	@ctest --preset $@ -j $(TESTS_AT_ONCE)

bench: ## measure the runtime and the server beside others
	@$(DEPENDENCIES) test
	@packaging/bench-dependencies.sh
	@cmake --preset release -DOCCWSERV_BENCH=ON
	@cmake --build --preset release -j $(JOBS)
	@cmake --build --preset release -j $(JOBS) --target bench_programs
	@bench/run

bench-paper: ## repeat the experiment of the paper, and draw its figures into docs/
	@$(DEPENDENCIES) test
	@packaging/bench-dependencies.sh
	@cmake --preset release -DOCCWSERV_BENCH=ON
	@cmake --build --preset release -j $(JOBS) --target occwserv floor
	@bench/paper.py --rounds "$${ROUNDS:-1}"

bench-slow: ## measure what thousands of slow clients cost the others, and the server
	@$(DEPENDENCIES) test
	@packaging/bench-dependencies.sh
	@cmake --preset release -DOCCWSERV_BENCH=ON
	@cmake --build --preset release -j $(JOBS) --target occwserv load slow
	@bench/slow_clients.py --csv build/slow_clients.csv

lint: ## clang-format and clang-tidy, warnings as errors
	@$(DEPENDENCIES) lint
	@clang-format-22 --dry-run --Werror $(sources)
	@cmake --preset dev -DOCCWSERV_BENCH=OFF >/dev/null
	@run-clang-tidy-22 -quiet -p build/dev -j $(JOBS) '$(CURDIR)/(csp|io|http|server)/.*(?<!_test)\.cpp$$' >build/tidy.log 2>&1 || \
		{ grep -E 'error|warning' build/tidy.log | sort -u; echo "clang-tidy: see build/tidy.log"; exit 1; }

format: ## put every source into the house's form
	@$(DEPENDENCIES) lint
	@clang-format-22 -i $(sources)

fuzz: ## build the fuzzers (build/fuzz/fuzz)
	@$(DEPENDENCIES) test
	@cmake --preset fuzz
	@cmake --build --preset fuzz -j $(JOBS)

pgo: ## record the profile that release builds are optimized by (packaging/occwserv.profdata), and build by it
	@$(DEPENDENCIES) test
	@cmake --preset record
	@cmake --build --preset record -j $(JOBS) --target occwserv load
	@packaging/record_profile build/record/occwserv build/record/bench/load packaging/occwserv.profdata
	@$(MAKE) all

install: all ## install into PREFIX (/usr/local)
	@cmake --install build/release --prefix $(DESTDIR)$(PREFIX)

deb: ## build the Debian package (build/occwserv_*.deb)
	@$(DEPENDENCIES) deb
	@rm -f build/occwserv_*.deb
	@DEB_DESTINATION=build debian/rules clean binary $(QUIET)
	@debian/rules clean >/dev/null

deb-test: deb ## install the package here, try it, and purge it
	@/usr/bin/python3 -B -m pytest -q packaging/deb_test.py

clean: ## remove what was built
	@rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
