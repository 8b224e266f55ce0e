#!/usr/bin/env bash
# Walks the journeys of the browser client: the real binary with the demo school, a real Chromium, axe-core.
# Without Node.js, the built client or a Chromium it says so and goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
lyceum=${CARGO_TARGET_DIR:-$HOME/.cache/lyceum/target}/debug/lyceum
say() { printf 'e2e: %s\n' "$*" >&2; }

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ ! -e web/dist/index.html ]; then say "not run: the browser client is not built (make web)"; exit 0; fi
if [ -z "$CHROMIUM" ]; then say "not run: no Chromium was found (on Debian: apt-get install chromium)"; exit 0; fi
export CHROMIUM

folder=$(mktemp -d "${TMPDIR:-/tmp}/lyceum-e2e.XXXXXX")
server=
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap cleanup EXIT
"$lyceum" demo --data-dir "$folder/data" >"$folder/demo.log" 2>&1 || { tail -20 "$folder/demo.log" >&2; exit 1; }
"$lyceum" user grant ines instructor --course sound --institution harbour --data-dir "$folder/data" >>"$folder/demo.log"
"$lyceum" serve --data-dir "$folder/data" --listen 127.0.0.1:0 >"$folder/serve.log" 2>&1 &
server=$!
for _ in $(seq 150); do
  LYCEUM_URL=$(sed -nE 's/^serving (http:[^ ]+) .*/\1/p' "$folder/serve.log")
  [ -n "$LYCEUM_URL" ] && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.2
done
if [ -z "$LYCEUM_URL" ]; then cat "$folder/serve.log" >&2; exit 1; fi
LYCEUM_LOGINS=$(node -e '
  const all = Object.entries(JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")));
  console.log(JSON.stringify(Object.fromEntries(all.map(([name, { password }]) => [name, password]))));
' "$folder/data/demo-logins.json")
LYCEUM_BIN=$lyceum
LYCEUM_DATA_DIR=$folder/data
export LYCEUM_URL LYCEUM_LOGINS LYCEUM_BIN LYCEUM_DATA_DIR
cd web
npx --no-install playwright test --output "$folder/results"
