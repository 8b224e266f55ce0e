# Two commands matter: `make run` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lyceum/target
DATA_DIR ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/lyceum/demo
LYCEUM := $(CARGO_TARGET_DIR)/debug/lyceum

.PHONY: help run bin web test test-long test-clients bench-gateway bench-scheduler bench-embed bench-media bench-ingest audit fmt lint setup setup-test openapi

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: ## check the machine for what `make run` needs; install it as root, or print one command
	@scripts/setup.sh run

setup-test: ## the same for `make test`
	@scripts/setup.sh test

web: ## build the browser client into web/dist (needs Node.js 20.19 or newer; without it this says so)
	@scripts/web.sh build

bin: setup web ## build the binary, fetch the embedding model, print the binary's path last
	@cargo build --locked --workspace --bin lyceum 1>&2
	@$(LYCEUM) model pull 1>&2 || echo "No embedding model: keyword search only. Try again with: $(LYCEUM) model pull" 1>&2
	@echo $(LYCEUM)

run: bin ## build, fetch the model, make the demo school, print its scorecard, keep serving
	@$(LYCEUM) demo --data-dir $(DATA_DIR) --serve

test: setup-test ## everything a change must pass: format, lints, suites on SQLite and PostgreSQL
	@scripts/test.sh

test-long: setup-test ## kill -9, canaries, hostile replies at full length
	@scripts/test-long.sh

test-clients: ## openai, ollama, langchain-openai, llm and JavaScript openai against the gateway's HTTP surface
	@scripts/test-clients.sh

bench-gateway: ## what the gateway costs beside smg, vllm-router, LiteLLM and Portkey; last line is JSON
	@bench/gateway.sh
bench-scheduler: ## the gateway's scheduler beside first-come, round robin and the Virtual Token Counter
	@bench/scheduler.sh

audit: ## licences, advisories, bans (needs cargo-deny)
	cargo deny check

bench-embed: ## embedding against fastembed (crate and PyPI), a query beside a bulk; ratios last
	@bench/embed.sh

bench-media: ## processor time of a ladder in one process beside one for each rung, and of a remux; ratios last
	@bench/media.sh

bench-ingest: ## parsing beside markitdown and unstructured, the embedder's idle time, recordings, the same bytes again
	@bench/ingest.sh

fmt: ## format
	cargo fmt --all

lint: ## lints as CI runs them
	cargo clippy --workspace --all-targets --locked -- -D warnings

openapi: ## write api/openapi.json anew
	cargo run --quiet --bin lyceum -- export-openapi > api/openapi.json
