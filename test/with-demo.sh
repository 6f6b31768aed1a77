#!/usr/bin/env bash
# Runs a command with HALLEY_URL pointing to a demo of its own, and ends the
# demo with it.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
"$top/bin/halley" serve --demo --listen 127.0.0.1:0 --data "$dir/data" >"$dir/out" 2>"$dir/err" &
server=$!
finish() {
  kill "$server" 2>/dev/null || true
  wait "$server" || { echo "the server did not end well:" >&2; cat "$dir/err" >&2; exit 1; }
  rm -rf "$dir"
}
trap finish EXIT
url=
for _ in $(seq 600); do # a minute
  url=$(sed -n 's/.* serves at //p' "$dir/out")
  [ -n "$url" ] && break
  kill -0 "$server" || { cat "$dir/err" >&2; exit 1; }
  sleep 0.1
done
[ -n "$url" ] || { echo "the demo does not serve:" >&2; cat "$dir/err" >&2; exit 1; }
HALLEY_URL="$url" "$@"
