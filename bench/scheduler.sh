#!/usr/bin/env bash
# How the gateway's scheduler compares with first-come, round robin and the Virtual Token Counter: the real
# process over HTTP, only the time of model servers simulated. Called by `make bench-scheduler`;
# docs/benchmarks.md says what is measured and how to read it.
#
#   LYCEUM_BIN=FILE   the binary to measure (default: built with --release)
#   arguments         passed on: --seeds N, --lanes N, --scenarios mix,flood,gap,overload,prefix, --reference,
#                     --keep; --only-peers and --stand-in need no binary
#
# Uses no network but 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum
target=${BENCH_TARGET_DIR:-$cache/target-bench}

CARGO_TARGET_DIR=$target cargo build --quiet --locked --manifest-path bench/scheduler/Cargo.toml
case " $* " in
*" --only-peers "* | *" --stand-in "* | *" --help "*) ;;
*)
  if [ -z "${LYCEUM_BIN:-}" ]; then
    echo "bench-scheduler: building the product" >&2
    product=${CARGO_TARGET_DIR:-$cache/target}
    CARGO_TARGET_DIR=$product cargo build --quiet --release --locked --workspace --bin lyceum
    export LYCEUM_BIN=$product/release/lyceum
  fi
  ;;
esac

# A flood is five hundred connections at once, and several runs go side by side.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
exec "$target/debug/lyceum-bench-scheduler" "$@"
