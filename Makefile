# The front door. Each target does its own set-up on a plain Debian 12 and can be run again at any time.
.DEFAULT_GOAL := help
.PHONY: help run run-district test bench bench-hub bench-count fuzz coverage lint format install uninstall clean

help:                ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 19

run:                 ## build, start the demo city and its simulated world, print the cockpit's address (PORT=8080, SPEED=1)
	@tools/setup run && exec tools/run $(if $(PORT),--port $(PORT)) $(if $(SPEED),--speed $(SPEED))

run-district:        ## a small federation: a city hub, two district hubs and a street node, joined over NATS (PORT=8080, of the first)
	@tools/setup district && exec tools/run_district $(if $(PORT),--port $(PORT))

test:                ## every test: C under sanitizers, borders, format, fuzz seeds, web, browser, documents
	@tools/setup test && exec tools/test

bench:               ## measure; prints lines "name value unit"
	@tools/setup test && exec bench/run

bench-hub:           ## the hub beside its peers (PostgreSQL, nginx, npm), one core each for servers and load
	@tools/setup bench && exec bench/run --hub

bench-count:         ## counting: how right on simulated cities, how fast beside PostgreSQL, Redis and DuckDB (COUNT_SEEDS=1: one draw of cameras)
	@tools/setup bench && exec bench/run --count

fuzz:                ## run every fuzz target under libFuzzer (SECONDS_EACH=30)
	@tools/setup test && exec tools/fuzz $(SECONDS_EACH)

coverage:            ## line and branch coverage of the C tests, as text and HTML
	@tools/setup test && exec tools/coverage

lint:                ## borders, format, clang-tidy
	@tools/setup test && exec tools/lint

format:              ## format every C file in place
	@tools/setup test && exec tools/check_format --fix

install:             ## build, then install below PREFIX (/usr/local), with DESTDIR in front: programs, screens, demo city, unit, manual
	@tools/setup run && tools/run --build-only && exec env PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install

uninstall:           ## remove what make install put there
	@exec env PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install --uninstall

clean:               ## remove what was built; keeps var/ (the demo city's data) and the npm modules
	rm -rf build build-asan build-tsan build-fuzz build-coverage build-lint cockpit/web/dist .cache
