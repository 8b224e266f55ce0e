#!/usr/bin/env bash
# What it costs to make a recording ready for players: one process for the whole ladder beside one process for
# each rung (same preset, same files written), and a remux beside the ladder. The last line is one JSON object.
#
#   BENCH_ROUNDS   rounds, of which the middle one counts (default: 3)
#   BENCH_SUITE    the built suite of ingestion (default: built here)
#
# Needs ffmpeg; uses no network. Processor time is that of the children, so other work on the machine matters little.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v ffmpeg >/dev/null || { echo "skipped: ffmpeg is not installed" >&2; exit 1; }
if [ -n "${BENCH_SUITE:-}" ]; then suite=("$BENCH_SUITE"); else
  suite=(cargo test --quiet --locked --workspace --test ingestion-it --)
fi
said=$("${suite[@]}" --ignored --nocapture --exact media_bench::what_a_ladder_costs)
grep -E '^(round|first)' <<<"$said"
grep -E '^\{"bench":"media"' <<<"$said"
