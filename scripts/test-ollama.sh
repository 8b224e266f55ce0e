#!/usr/bin/env bash
# A throwaway Ollama for the tests, on a free port, with small models of our own making.
#
#   eval "$(scripts/test-ollama.sh start)"   sets LYCEUM_TEST_OLLAMA_URL, _DIR, _BIN and _MODELS
#   scripts/test-ollama.sh stop              stops and removes it (or: stop FOLDER)
#   scripts/test-ollama.sh build             only builds what is missing, once
#
# The server is built by Go and kept, with the packages that make the models, in the user's cache.
# Exit status 3: something that it needs is not on this machine; nothing is wrong otherwise.
set -euo pipefail

version=v0.6.8 # newer ones lack vendored headers in their module archive
packages=(gguf==0.19.0 safetensors==0.8.0 numpy==2.4.6)
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/servers
program=$cache/ollama-${version#v}/ollama
python=$cache/gguf-0.19.0/bin/python
models=${LYCEUM_MODEL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/models}

say() { printf '%s\n' "$*" >&2; }
missing() { say "$*"; exit 3; }

build() {
  if [ ! -x "$program" ]; then
    command -v go >/dev/null || missing "Go is not installed: Ollama cannot be built"
    command -v c++ >/dev/null || missing "a C++ compiler is not installed: Ollama cannot be built"
    say "building Ollama $version, once (two to four minutes)"
    mkdir -p "$cache"
    local made
    made=$(mktemp -d "$cache/building.XXXXXX")
    (cd "$made" && GOBIN=$made go install -ldflags '-s -w' "github.com/ollama/ollama@$version" >&2) ||
      { rm -rf "$made"; say "Ollama could not be built"; exit 1; }
    # In one step, so that a build that was broken off is never taken for a whole one.
    mkdir -p "$(dirname "$program")"
    mv "$made/ollama" "$program"
    rm -rf "$made"
  fi
  if [ ! -e "$(dirname "$python")/../ready" ]; then
    command -v python3 >/dev/null || missing "python3 is not installed: the models cannot be made"
    say "installing ${packages[*]}, once"
    python3 -m venv "$(dirname "$(dirname "$python")")" >&2 || missing "python3 has no venv: the models cannot be made"
    "$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]}" >&2 ||
      { say "the packages could not be installed"; exit 1; }
    touch "$(dirname "$python")/../ready"
  fi
}

alive() { curl -fsS --max-time 2 "http://$1/api/version" >/dev/null 2>&1; }

serve() { # folder, port: starts the server and waits until it answers
  OLLAMA_HOST=127.0.0.1:$2 OLLAMA_MODELS=$1/models OLLAMA_NOPRUNE=1 OLLAMA_NUM_PARALLEL=1 HOME=$1 \
    nohup "$program" serve >"$1/log" 2>&1 </dev/null &
  echo $! >"$1/pid"
  local try
  for try in $(seq 100); do
    kill -0 "$(cat "$1/pid")" 2>/dev/null || return 1
    alive "127.0.0.1:$2" && return 0
    sleep 0.1
  done
  return 1
}

create() { # host, folder, name, lines of the Modelfile
  printf '%s\n' "${@:4}" >"$2/$3.modelfile"
  (cd "$2" && OLLAMA_HOST=$1 HOME=$2 "$program" create "$3" -f "$3.modelfile" >"$2/create.log" 2>&1) ||
    { say "the model $3 could not be made:"; tail -5 "$2/create.log" >&2; return 1; }
}

start() {
  command -v curl >/dev/null || missing "curl is not installed"
  build
  local folder port try host=
  folder=$(mktemp -d "${TMPDIR:-/tmp}/lyceum-ollama.XXXXXX")
  for try in 1 2 3 4 5; do
    port=$((33000 + RANDOM % 12000))
    if serve "$folder" "$port"; then host=127.0.0.1:$port; break; fi
    end "$folder"
    say "try $try: port $port did not work"
  done
  [ -n "$host" ] || { say "Ollama did not start:"; tail -5 "$folder/log" >&2; exit 1; }
  "$python" "$here/test-models.py" word-salad "$folder/tiny.gguf" >&2
  "$python" "$here/test-models.py" same-token "$folder/same.gguf" >&2
  local template='TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""'
  local common=("$template" "PARAMETER stop <|im_end|>" "PARAMETER num_ctx 512" "PARAMETER num_thread 1")
  create "$host" "$folder" tiny "FROM ./tiny.gguf" "${common[@]}" || { end "$folder"; exit 1; }
  create "$host" "$folder" same "FROM ./same.gguf" "${common[@]}" || { end "$folder"; exit 1; }
  if [ -e "$models/all-MiniLM-L6-v2/model.safetensors" ]; then
    "$python" "$here/test-models.py" minilm "$models/all-MiniLM-L6-v2" "$folder/minilm.gguf" >&2
    create "$host" "$folder" minilm "FROM ./minilm.gguf" "PARAMETER num_thread 1" || { end "$folder"; exit 1; }
  else
    say "MiniLM is not there (lyceum model pull): Ollama has no embedding model"
  fi
  rm -f "$folder"/*.gguf
  echo "LYCEUM_TEST_OLLAMA_URL='http://$host'"
  echo "LYCEUM_TEST_OLLAMA_DIR='$folder'"
  echo "LYCEUM_TEST_OLLAMA_BIN='$program'"
  echo "LYCEUM_TEST_OLLAMA_MODELS='$folder/models'"
  echo "export LYCEUM_TEST_OLLAMA_URL LYCEUM_TEST_OLLAMA_DIR LYCEUM_TEST_OLLAMA_BIN LYCEUM_TEST_OLLAMA_MODELS"
  echo "# stop it with: scripts/test-ollama.sh stop '$folder'"
}

end() { # stops the server of a folder, and with it its runners
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  local try
  for try in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
}

stop() {
  local folder=${1:-${LYCEUM_TEST_OLLAMA_DIR:-}}
  case "$folder" in
    */lyceum-ollama.*) ;;
    *) say "no server to stop: LYCEUM_TEST_OLLAMA_DIR is not set"; exit 1 ;;
  esac
  end "$folder"
  rm -rf "$folder"
}

case "${1:-}" in
  start) start ;;
  stop) stop "${2:-}" ;;
  build) build ;;
  *) say "usage: scripts/test-ollama.sh start|stop|build [FOLDER]"; exit 2 ;;
esac
