#!/usr/bin/env bash
# Builds the browser client into web/dist, from where the binary embeds it. Without a fitting Node.js it says so
# and goes on: the binary then serves a page that tells how to build the client.
#
#   scripts/web.sh build   install what package-lock.json names, check, build
#   scripts/web.sh test    that, and the unit tests of the client
set -euo pipefail
cd "$(dirname "$0")/../web"
say() { printf 'web: %s\n' "$*" >&2; }

if ! command -v npm >/dev/null || ! node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; then
  say "the browser client is not built: it needs Node.js 20.19 or newer with npm (https://nodejs.org)"
  exit 0
fi
stamp=node_modules/.lyceum-lock
if ! cmp -s package-lock.json "$stamp"; then
  npm ci --no-progress >&2
  cp package-lock.json "$stamp"
fi
newest=$(find src index.html vite.config.ts vite.player.config.ts package-lock.json ../api/openapi.json -newer dist/index.html -print -quit 2>/dev/null || echo all)
if [ ! -e dist/index.html ] || [ -n "$newest" ]; then
  npm run --silent build >&2
fi
if [ "${1:-build}" = test ]; then npm test --silent >&2; fi
