#!/usr/bin/env bash
# Walks the journeys of the browser client: the real binary with the demo school, a real Chromium, axe-core.
# Without Node.js, the built client or a Chromium it says so and goes on.
# Arguments go to Playwright: scripts/e2e.sh scorm.spec.ts --repeat-each 3
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
# What plays H5P packages, as a school would install it: under another licence, so that it is no dependency.
h5p=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum/h5p-standalone-3.8.2
if [ ! -e "$h5p/package" ]; then
  mkdir -p "$h5p"
  (cd "$h5p" && npm pack --silent h5p-standalone@3.8.2 >/dev/null 2>&1 &&
    echo "de7844ac07d5baddf5664c03738f25755914854b472f9b093251300ea1fec391  h5p-standalone-3.8.2.tgz" | sha256sum --check --quiet && tar xf h5p-standalone-3.8.2.tgz) ||
    say "the journey of H5P is not walked: h5p-standalone 3.8.2 could not be fetched"
fi
LYCEUM_H5P_PLAYER=
if [ -e "$h5p/package/dist/main.bundle.js" ]; then
  LYCEUM_H5P_PLAYER=$h5p/package/dist
fi
export LYCEUM_H5P_PLAYER
"$lyceum" user grant ines instructor --course sound --institution harbour --data-dir "$folder/data" >>"$folder/demo.log"
# A lecture that a voice speaks, with captions and chapters, for the journey of recordings.
export LYCEUM_RECORDING=
if command -v ffmpeg >/dev/null && command -v flite >/dev/null; then
  flite -voice rms -t "The hull keeps the water out. A sail is a wing that stands upright. The keel keeps the boat from drifting." -o "$folder/said.wav"
  ffmpeg -hide_banner -nostdin -v error -y -f lavfi -i testsrc2=s=640x360:r=25:d=24 -i "$folder/said.wav" \
    -c:v libx264 -pix_fmt yuv420p -g 50 -c:a aac -af apad -t 24 "$folder/boats.mp4"
  printf 'WEBVTT\n\n00:00.500 --> 00:05.000\nThe hull keeps the water out.\n\n00:06.000 --> 00:11.000\nA sale is a wing that stands upright.\n\n00:12.000 --> 00:18.000\nThe keel keeps the boat from drifting.\n' >"$folder/boats.en.vtt"
  printf 'WEBVTT\n\n00:00.000 --> 00:06.000\nHulls\n\n00:06.000 --> 00:12.000\nSails\n\n00:12.000 --> 00:24.000\nKeels\n' >"$folder/boats.chapters.vtt"
  "$lyceum" ingest video "$folder/boats.mp4" --course sound --institution harbour --data-dir "$folder/data" >>"$folder/demo.log"
  LYCEUM_RECORDING=Boats
else
  say "the journey of recordings is not walked: ffmpeg and flite are not both installed"
fi
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
npx --no-install playwright test --output "$folder/results" "$@"
