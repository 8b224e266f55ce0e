#!/usr/bin/env bash
# Checks what this machine has for `make run` (setup.sh run) or `make test` (setup.sh test).
# As root on Debian or Ubuntu it installs what is missing; otherwise it prints one exact command and stops.
set -euo pipefail
goal=${1:-run}
say() { printf 'setup: %s\n' "$*" >&2; }

rust_floor=1.95
rust_command='curl --proto "=https" --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . "$HOME/.cargo/env"'
if ! command -v cargo >/dev/null; then
  say "Rust $rust_floor or newer is needed and cargo was not found. Get it with:"
  say "  $rust_command"
  exit 1
fi
have=$(rustc --version | sed -E 's/^rustc ([0-9]+\.[0-9]+).*/\1/')
if [ "$(printf '%s\n%s\n' "$rust_floor" "$have" | sort -V | head -n 1)" != "$rust_floor" ]; then
  say "Rust $have is too old; $rust_floor or newer is needed. Update with: rustup update stable"
  exit 1
fi

packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }
need cc gcc
need c++ g++
need make make
need pkg-config pkg-config
need git git
if [ "$goal" = test ]; then
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || packages+=(postgresql)
  need ffprobe ffmpeg
  need python3 python3
  need pip3 python3-pip
  python3 -c 'import ensurepip' >/dev/null 2>&1 || packages+=(python3-venv)
  need curl curl
  need pgrep procps
  # The journeys of the browser client; elsewhere than on Debian any Chromium in the path does.
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then need chromium chromium; fi
  # Rough transcripts, and a voice to test them with; only Debian and Ubuntu have these packages.
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    need pocketsphinx_batch pocketsphinx
    [ -f /usr/share/pocketsphinx/model/en-us/en-us.lm.bin ] || packages+=(pocketsphinx-en-us)
    need flite flite
  fi
  cargo fmt --version >/dev/null 2>&1 || { say "rustfmt is missing: rustup component add rustfmt"; exit 1; }
  cargo clippy --version >/dev/null 2>&1 || { say "clippy is missing: rustup component add clippy"; exit 1; }
fi

if [ ${#packages[@]} -gt 0 ]; then
  if [ "$(uname -s)" = Darwin ]; then
    say "missing: ${packages[*]}. Install with: xcode-select --install; brew install pkg-config git ffmpeg postgresql@15 python3"
    exit 1
  elif ! command -v apt-get >/dev/null; then
    say "missing: ${packages[*]}. This set-up knows Debian and Ubuntu; install the same programs with your package manager."
    exit 1
  elif [ "$(id -u)" = 0 ]; then
    say "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
  else
    say "missing: ${packages[*]}. Install them with:"
    say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}"
    exit 1
  fi
fi

if [ "$goal" = test ]; then
  command -v go >/dev/null || say "optional: Go is missing; the tests against a real Ollama are skipped (https://go.dev/dl)"
fi
if [ "$goal" = run ]; then
  command -v ffprobe >/dev/null || say "optional: ffmpeg is missing; the duration of videos is read by our own reader (sudo apt-get install ffmpeg)"
  python3 -m pip --version >/dev/null 2>&1 || say "optional: python3 with pip is missing; the embedding model runs in candle, about three times slower than ONNX Runtime (sudo apt-get install python3 python3-pip)"
  command -v pocketsphinx_batch >/dev/null || say "optional: pocketsphinx is missing; there are no rough transcripts of speech (sudo apt-get install pocketsphinx pocketsphinx-en-us)"
  command -v npm >/dev/null || say "optional: Node.js 20.19 or newer is missing; the binary then has no pages for browsers (https://nodejs.org)"
fi
