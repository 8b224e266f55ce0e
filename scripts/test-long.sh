#!/usr/bin/env bash
# The long runs: a hundred kills of an ingestion of 200 documents, thirty full disks, hostile replies and canaries at full length. `make test-long`.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/lyceum/target}
eval "$(scripts/test-postgres.sh start)"
export LYCEUM_TEST_POSTGRES_URL LYCEUM_TEST_PROMISED=minilm,postgres LYCEUM_TEST_LONG=1
trap 'scripts/test-postgres.sh stop >/dev/null 2>&1 || true' EXIT
cargo build --locked --workspace --bin lyceum
"$CARGO_TARGET_DIR/debug/lyceum" model pull
LYCEUM_TEST_KILLS=${LYCEUM_TEST_KILLS:-100} cargo test --locked --workspace --test cli-it kill -- --nocapture
LYCEUM_TEST_FULL=${LYCEUM_TEST_FULL:-30} cargo test --locked --workspace --test cli-it operate -- --nocapture
scripts/gateway-kills.py --binary "$CARGO_TARGET_DIR/debug/lyceum" --kills 200 --stops 2
cargo test --workspace --locked --no-fail-fast -- --nocapture
