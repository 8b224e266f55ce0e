#!/usr/bin/env bash
# What the gateway costs, beside its peers, interleaved in one run against one stub upstream.
# Called by `make bench-gateway`; docs/benchmarks.md says what is measured and how to read it.
#
#   LYCEUM_BIN=FILE      the binary to measure (default: built with --release)
#   LYCEUM_BIN=stand-in  the stub in the product's place: tries the harness, says nothing about the product
#   BENCH_PEERS="..."    which peers (default: floor smg vllm-router litellm portkey)
#   BENCH_SWAP=1         exchange the two processors
#   BENCH_ROUNDS, BENCH_ROUNDS_WIDE, BENCH_REQUESTS, BENCH_STREAMS, BENCH_CELL_MS, BENCH_CELL_WIDE_MS  see plan.rs
#
# Peers are installed once, outside the checkout, from PyPI and npm; afterwards no network is used but 127.0.0.1.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/bench
peers=${BENCH_PEERS-floor smg vllm-router litellm portkey}
smg_version=1.13.0
vllm_router_version=0.1.17
litellm_version=1.80.10
portkey_version=1.15.2
say() { printf 'bench-gateway: %s\n' "$*" >&2; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/lyceum-bench-gateway.XXXXXX")
started=()
cleanup() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap cleanup EXIT

# The load and the stub share one processor, the system under test has the other.
load_pin=() system_pin=()
if command -v taskset >/dev/null && [ "$(nproc)" -ge 2 ]; then
  load_cpu=0 system_cpu=1
  if [ "${BENCH_SWAP:-0}" = 1 ]; then load_cpu=1 system_cpu=0; fi
  load_pin=(taskset -c "$load_cpu") system_pin=(taskset -c "$system_cpu")
  say "load and stub on processor $load_cpu, each gateway on processor $system_cpu"
else
  say "not pinned: taskset or a second processor is missing; the figures are not those of the issue"
fi

# --- tools and peers ---------------------------------------------------------------------------------------------
export CARGO_TERM_COLOR=never NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
bench_target=${BENCH_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/target-bench}
CARGO_TARGET_DIR=$bench_target cargo build --quiet --release --locked --manifest-path bench/gateway/Cargo.toml
bench=$bench_target/release/gateway-bench

# Installs once; the marker is written last, so that a broken installation is tried again.
once() { # folder, command...
  local place=$cache/$1
  shift
  [ -e "$place/.installed" ] && return 0
  say "installing $(basename "$place") into $place (network is used)"
  rm -rf "$place"
  mkdir -p "$place"
  if "$@" "$place" >"$folder/install.log" 2>&1; then touch "$place/.installed"; else
    tail -5 "$folder/install.log" >&2
    return 1
  fi
}
from_pypi() { # requirement, folder
  python3 -m venv "$2" && "$2/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$1"
}
from_npm() { # package, folder
  npm install --prefix "$2" --no-audit --no-fund --no-progress --ignore-scripts "$1"
}

# --- starting ----------------------------------------------------------------------------------------------------
background() { # log, command... ; leaves the process id in $pid
  "${@:2}" >"$folder/$1.log" 2>&1 </dev/null &
  pid=$!
  started+=("$pid")
}
targets=()
target() { # name, port, pid, seconds to wait, features, headers as JSON, stand-in
  local file=$folder/$1.json
  printf '{"name":"%s","port":%s,"pid":%s,"features":"%s","headers":%s,"stand_in":%s}\n' \
    "$1" "$2" "$3" "$5" "$6" "${7:-false}" >"$file"
  if "$bench" wait "$file" "$4" 2>"$folder/wait.log"; then targets+=("$file"); else
    say "$1 is left out: $(tail -1 "$folder/wait.log")"
    tail -5 "$folder/$1.log" >&2 || true
    return 1
  fi
}

"${load_pin[@]}" "$bench" stub >"$folder/stub.port" 2>"$folder/stub.log" &
stub_pid=$!
started+=("$stub_pid")
for _ in $(seq 100); do [ -s "$folder/stub.port" ] && break; sleep 0.05; done
stub=$(cat "$folder/stub.port")

ours() {
  local port data=$folder/data key
  port=$("$bench" port)
  if [ "${LYCEUM_BIN:-}" = stand-in ]; then
    target ours "$stub" "$stub_pid" 10 "stand-in" '{}' true
    return
  fi
  if [ -z "${LYCEUM_BIN:-}" ]; then
    local product=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/target}
    say "building the product with --release"
    CARGO_TARGET_DIR=$product cargo build --quiet --release --locked --workspace --bin lyceum
    LYCEUM_BIN=$product/release/lyceum
  fi
  mkdir -p "$data"
  cat >"$data/lyceum.toml" <<TOML
embedding_model = "none"
[[upstream]]
name = "stub"
kind = "openai"
url = "http://127.0.0.1:$stub"
slots = 64
models = ["stub-model"]
TOML
  local lyceum=("$LYCEUM_BIN" --data-dir "$data")
  # Joined by &&: within a condition the shell does not stop at a failure by itself.
  "${lyceum[@]}" institution create bench --name Bench >"$folder/ours.log" 2>&1 &&
    "${lyceum[@]}" user create bench >>"$folder/ours.log" 2>&1 &&
    "${lyceum[@]}" user grant bench admin >>"$folder/ours.log" 2>&1 &&
    "${lyceum[@]}" gateway limits set --user bench --requests-minute 100000000 --tokens-day 1000000000000 \
      >>"$folder/ours.log" 2>&1 &&
    "${lyceum[@]}" key create --user bench --json >"$folder/key.json" 2>>"$folder/ours.log" ||
    { say "ours cannot be set up:"; tail -5 "$folder/ours.log" >&2; return 1; }
  key=$(sed -nE 's/.*"key": *"([^"]+)".*/\1/p' "$folder/key.json")
  background ours "${system_pin[@]}" "${lyceum[@]}" serve --listen "127.0.0.1:$port"
  target ours "$port" "$pid" 60 "key, quota, queue, accounting" "{\"authorization\":\"Bearer $key\"}"
}

# No gateway: bytes passed on unread, about the least that anything in between costs on this machine.
floor() {
  local port
  port=$("$bench" port)
  background floor "${system_pin[@]}" "$bench" floor "$port" "$stub"
  target floor "$port" "$pid" 10 "none: bytes passed on unread" '{}'
}

smg() {
  local port metrics
  once "smg-$smg_version" from_pypi "smg==$smg_version" || return 1
  port=$("$bench" port) metrics=$("$bench" port)
  background smg "${system_pin[@]}" "$cache/smg-$smg_version/bin/smg" launch --worker-urls "http://127.0.0.1:$stub" \
    --policy cache_aware --host 127.0.0.1 --port "$port" --prometheus-port "$metrics" --api-key sk-bench \
    --log-level warn
  target smg "$port" "$pid" 60 "key, cache_aware, retries, breaker" '{"authorization":"Bearer sk-bench"}'
}

vllm-router() {
  local port metrics
  once "vllm-router-$vllm_router_version" from_pypi "vllm-router==$vllm_router_version" || return 1
  port=$("$bench" port) metrics=$("$bench" port)
  background vllm-router "${system_pin[@]}" "$cache/vllm-router-$vllm_router_version/bin/vllm-router" \
    --worker-urls "http://127.0.0.1:$stub" --policy cache_aware --host 127.0.0.1 --port "$port" \
    --prometheus-port "$metrics" --log-level warning
  target vllm-router "$port" "$pid" 60 "no key, cache_aware, retries, breaker" '{}'
}

litellm() {
  local port
  once "litellm-$litellm_version" from_pypi "litellm[proxy]==$litellm_version" || return 1
  port=$("$bench" port)
  cat >"$folder/litellm.yaml" <<YAML
model_list:
  - model_name: stub-model
    litellm_params: {model: openai/stub-model, api_base: "http://127.0.0.1:$stub/v1", api_key: sk-up}
litellm_settings:
  telemetry: false
  num_retries: 0
general_settings:
  master_key: sk-bench
YAML
  background litellm env LITELLM_LOCAL_MODEL_COST_MAP=True "${system_pin[@]}" \
    "$cache/litellm-$litellm_version/bin/litellm" --config "$folder/litellm.yaml" --host 127.0.0.1 --port "$port" \
    --num_workers 1
  target litellm "$port" "$pid" 120 "key, no database, one worker" '{"authorization":"Bearer sk-bench"}'
}

portkey() {
  local port
  command -v npm >/dev/null || { say "npm is missing"; return 1; }
  once "portkey-$portkey_version" from_npm "@portkey-ai/gateway@$portkey_version" || return 1
  port=$("$bench" port)
  background portkey "${system_pin[@]}" node \
    "$cache/portkey-$portkey_version/node_modules/@portkey-ai/gateway/build/start-server.js" --port="$port" --headless
  target portkey "$port" "$pid" 60 "routing by header" "{\"authorization\":\"Bearer sk-up\",\"x-portkey-provider\":\
\"openai\",\"x-portkey-custom-host\":\"http://127.0.0.1:$stub/v1\"}"
}

ours || say "ours is not measured: the run cannot be correct"
for peer in $peers; do
  case $peer in
    floor | smg | vllm-router | litellm | portkey) "$peer" || say "$peer is not measured" ;;
    *) say "unknown peer: $peer" ; exit 2 ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || { say "nothing to measure"; exit 1; }
say "load of the machine before: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"
"${load_pin[@]}" "$bench" run "$stub" "${targets[@]}"
