#!/usr/bin/env bash
# Real clients against the gateway's HTTP surface: openai, ollama, langchain-openai and llm of Python, openai of
# JavaScript; chat, streams, embeddings, errors. Prints client by case; fails when one case fails.
#
#   LYCEUM_BIN=FILE      the binary to serve with (default: the debug build)
#   LYCEUM_BIN=stand-in  a small correct server in its place: tries the clients, says nothing about the product
#   LYCEUM_URL, LYCEUM_KEY, LYCEUM_TIGHT_KEY, LYCEUM_CHAT_MODEL, LYCEUM_EMBED_MODEL, LYCEUM_EXPECTED
#                        a server that runs already: then nothing is started. LYCEUM_EXPECTED is what the chat model
#                        says to "ping, please"; LYCEUM_TIGHT_KEY a key with a limit of fewer than 8 requests.
#
# Set-up installs the pinned clients once into a cache outside the checkout; the test itself speaks to 127.0.0.1 alone.
# The models are `scripted` and, where its weights are, all-MiniLM-L6-v2.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum
say() { printf 'test-clients: %s\n' "$*" >&2; }

# --- set-up ------------------------------------------------------------------------------------------------------
digest=$(cat scripts/clients/requirements.txt scripts/clients/package.json | sha256sum | cut -c1-12)
place=$cache/clients/$digest
if [ ! -e "$place/.installed" ]; then
  say "installing the clients into $place (network is used)"
  rm -rf "$place"
  mkdir -p "$place/node"
  python3 -m venv "$place/python"
  "$place/python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    -r scripts/clients/requirements.txt
  if command -v npm >/dev/null; then
    cp scripts/clients/package.json "$place/node/"
    npm install --prefix "$place/node" --no-audit --no-fund --no-progress --ignore-scripts >&2
  fi
  touch "$place/.installed"
fi
python=$place/python/bin/python
node=$(command -v node || true)
if [ ! -d "$place/node/node_modules/openai" ]; then node=; fi

# --- a server ----------------------------------------------------------------------------------------------------
folder=$(mktemp -d "${TMPDIR:-/tmp}/lyceum-clients.XXXXXX")
server=
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap cleanup EXIT
until_said() { # file, expression of sed that yields what is waited for
  local said
  for _ in $(seq 300); do
    said=$(sed -nE "$2" "$1" | head -n 1)
    if [ -n "$said" ]; then printf '%s' "$said"; return 0; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  tail -20 "$folder"/*.log >&2
  return 1
}

stand_in() {
  LYCEUM_CHAT_MODEL=scripted
  LYCEUM_EMBED_MODEL=words
  export LYCEUM_CHAT_MODEL LYCEUM_EMBED_MODEL
  "$python" scripts/clients/stand_in.py >"$folder/port" 2>"$folder/serve.log" &
  server=$!
  LYCEUM_URL=http://127.0.0.1:$(until_said "$folder/port" '/./p')
  LYCEUM_KEY=good
  LYCEUM_TIGHT_KEY=tight
}

product() {
  local lyceum=${LYCEUM_BIN:-${CARGO_TARGET_DIR:-$cache/target}/debug/lyceum} data=$folder/data
  mkdir -p "$data"
  printf '[{"pattern": "ping", "reply": "%s"}]\n' "$LYCEUM_EXPECTED" >"$data/rules.json"
  LYCEUM_CHAT_MODEL=scripted
  LYCEUM_EMBED_MODEL=all-MiniLM-L6-v2@fp32
  if [ ! -e "$cache/models/all-MiniLM-L6-v2" ]; then
    say "no weights of all-MiniLM-L6-v2 (lyceum model pull): embeddings are skipped"
    LYCEUM_EMBED_MODEL=
  fi
  printf 'scripted_chat = "%s"\nembedding_model = "%s"\n' "$data/rules.json" "${LYCEUM_EMBED_MODEL:-none}" \
    >"$data/lyceum.toml"
  set_up() { "$lyceum" --data-dir "$data" "$@" 2>>"$folder/setup.log" || { tail -5 "$folder/setup.log" >&2; exit 1; }; }
  set_up institution create clients --name Clients >>"$folder/setup.log"
  for user in free tight; do
    set_up user create "$user" >>"$folder/setup.log"
    set_up user grant "$user" admin >>"$folder/setup.log"
    set_up key create --user "$user" --json >"$folder/$user.json"
  done
  set_up gateway limits set --user tight --requests-day 2 >>"$folder/setup.log"
  LYCEUM_KEY=$(sed -nE 's/.*"key": *"([^"]+)".*/\1/p' "$folder/free.json")
  LYCEUM_TIGHT_KEY=$(sed -nE 's/.*"key": *"([^"]+)".*/\1/p' "$folder/tight.json")
  "$lyceum" --data-dir "$data" serve --listen 127.0.0.1:0 >"$folder/serve.log" 2>&1 &
  server=$!
  LYCEUM_URL=$(until_said "$folder/serve.log" 's/^serving (http:[^ ]+).*/\1/p')
}

export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
export LYCEUM_EXPECTED=${LYCEUM_EXPECTED:-pong, says the model in the script, word after word}
if [ -z "${LYCEUM_URL:-}" ]; then
  if [ "${LYCEUM_BIN:-}" = stand-in ]; then stand_in; else product; fi
fi
export LYCEUM_URL LYCEUM_KEY LYCEUM_TIGHT_KEY LYCEUM_CHAT_MODEL LYCEUM_EMBED_MODEL
"$python" scripts/clients/table.py "$node" "$place/node"
