#!/usr/bin/env bash
# A throwaway PostgreSQL for the tests, in the temporary directory, on a free port; it installs nothing.
#
#   eval "$(scripts/test-postgres.sh start)"   sets LYCEUM_TEST_POSTGRES_URL and LYCEUM_TEST_POSTGRES_DIR
#   scripts/test-postgres.sh stop              stops and removes it (or: stop FOLDER)
#
# PostgreSQL refuses to run as root, so root starts it as the user postgres.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

as_owner() { # runs a command as the user that may run a server
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

bin_of() { # the newest installed server
  local newest
  newest=$(ls -d /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null | sort -V | tail -1)
  if [ -x "$newest/initdb" ]; then echo "$newest"; return; fi
  if command -v initdb >/dev/null; then dirname "$(command -v initdb)"; return; fi
  say "no PostgreSQL server is installed: apt-get install -y --no-install-recommends postgresql"
  return 1
}

start() {
  local bin folder port try
  bin=$(bin_of)
  if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then
    say "as root a user named postgres is needed to run the server: useradd --system postgres"
    exit 1
  fi
  folder=$(mktemp -d "${TMPDIR:-/tmp}/lyceum-postgres.XXXXXX")
  [ "$(id -u)" = 0 ] && chown postgres "$folder"
  cd "$folder"
  as_owner "$bin/initdb" -D "$folder/data" -U lyceum -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 ||
    { say "initdb failed:"; cat "$folder/initdb.log" >&2; exit 1; }
  for try in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 12000))
    if as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 30 -o "-p $port -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
      -c max_connections=300 -c shared_buffers=64MB" start >/dev/null 2>&1; then
      echo "LYCEUM_TEST_POSTGRES_URL='postgres://lyceum@127.0.0.1:$port/postgres'"
      echo "LYCEUM_TEST_POSTGRES_DIR='$folder'"
      echo "export LYCEUM_TEST_POSTGRES_URL LYCEUM_TEST_POSTGRES_DIR"
      echo "# stop it with: scripts/test-postgres.sh stop '$folder'"
      return
    fi
    say "try $try: port $port did not work"
  done
  say "PostgreSQL did not start:"
  tail -5 "$folder/log" >&2
  exit 1
}

stop() {
  local folder=${1:-${LYCEUM_TEST_POSTGRES_DIR:-}}
  case "$folder" in
    */lyceum-postgres.*) ;;
    *) say "no server to stop: LYCEUM_TEST_POSTGRES_DIR is not set"; exit 1 ;;
  esac
  cd "$folder"
  as_owner "$(bin_of)/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || say "it was not running"
  cd /
  rm -rf "$folder"
}

case "${1:-}" in
  start) start ;;
  stop) stop "${2:-}" ;;
  *) say "usage: scripts/test-postgres.sh start|stop [FOLDER]"; exit 2 ;;
esac
