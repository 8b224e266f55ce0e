#!/usr/bin/env bash
# What a change must pass. Prints the seconds of each step. Called by `make test`.
# Everything is built with --workspace, so that a dependency is compiled once, with one set of features.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/lyceum/target}
export CARGO_TERM_COLOR=never RUST_BACKTRACE=1

step() { # name, command...
  local name=$1 began=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  printf '== %s: %d s\n' "$name" $((SECONDS - began))
}

prune() { # keeps the target directory under 15 GB
  local gigabytes
  gigabytes=$(du -s --block-size=1G "$CARGO_TARGET_DIR" 2>/dev/null | cut -f1)
  if [ "${gigabytes:-0}" -gt 15 ]; then
    echo "target directory holds $gigabytes GB; clearing incremental files"
    rm -rf "$CARGO_TARGET_DIR"/debug/incremental
  fi
}

model() {
  cargo build --locked --workspace --bin lyceum
  "$CARGO_TARGET_DIR/debug/lyceum" model pull
}

promised=minilm
# What setup.sh installs where it can.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then promised=$promised,speech; fi
database() {
  eval "$(scripts/test-postgres.sh start)"
  export LYCEUM_TEST_POSTGRES_URL
  promised=$promised,postgres
  echo "PostgreSQL at $LYCEUM_TEST_POSTGRES_URL"
}
ollama() { # a real Ollama where Go can build one; elsewhere its tests say that they are skipped
  local exports status=0
  exports=$(scripts/test-ollama.sh start) || status=$?
  case $status in
    0)
      eval "$exports"
      promised=$promised,ollama
      echo "Ollama at $LYCEUM_TEST_OLLAMA_URL"
      ;;
    3) echo "skipped: the tests against a real Ollama" ;;
    *) return 1 ;;
  esac
}
finish() {
  scripts/test-postgres.sh stop >/dev/null 2>&1 || true
  scripts/test-ollama.sh stop >/dev/null 2>&1 || true
}
trap finish EXIT

prune
step format cargo fmt --all --check
step web scripts/web.sh test
step lints cargo clippy --workspace --all-targets --locked -- -D warnings
step model model
step database database
step ollama ollama
export LYCEUM_TEST_PROMISED=$promised
step suites cargo test --workspace --lib --bins --tests --locked --no-fail-fast
step journeys scripts/e2e.sh
printf '\nall steps: %d s\n' "$SECONDS"
