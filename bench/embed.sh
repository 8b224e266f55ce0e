#!/usr/bin/env bash
# Embedding against the `fastembed` crate and PyPI `fastembed`; the last line is one JSON object.
# Everything that is fetched or built lies in the cache folder, nothing in the checkout.
set -euo pipefail
cd "$(dirname "$0")/embed"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/bench
python=$cache/fastembed-0.9.1/bin/python
# The runtime's version is that of models/catalog.toml: both sides run the same kernels.
peers="fastembed==0.9.1 onnxruntime==1.31.1"

mkdir -p "$cache"
if ! [ -x "$python" ] || ! "$python" -c 'import fastembed, numpy' 2>/dev/null; then
  "${LYCEUM_PYTHON:-python3}" -m venv "$cache/fastembed-0.9.1" >&2
  # shellcheck disable=SC2086 # two packages
  "$python" -m pip install --quiet --disable-pip-version-check $peers >&2 ||
    { echo "skipped: PyPI fastembed could not be installed"; exit 1; }
fi
# A folder of its own: the bench's lock file is not the product's.
export CARGO_TARGET_DIR=$cache/target-embed
# Not --locked: what the product depends on since the lock file was written is added to it.
cargo build --release >&2
bench=$CARGO_TARGET_DIR/release/lyceum-bench-embed
"$bench" pull >&2 || { echo "skipped: the embedding model could not be fetched"; exit 1; }
exec "$python" -u drive.py "$bench" "$cache/embed-work"
