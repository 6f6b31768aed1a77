#!/usr/bin/env bash
# Runs the benchmarks of the Bayeux server and writes the results in Markdown.
#
#   bayeux/bench/run.sh [-full] FILE
#
# Without -full it takes less than three minutes. Everything stays on loopback.
# It needs Go, Node 20 or newer with npm, and 20,000 file descriptors for -full.
set -euo pipefail

full=
if [ "${1:-}" = -full ]; then full=1; shift; fi
out=${1:?"usage: $0 [-full] FILE"}
case $out in /*) ;; *) out=$PWD/$out ;; esac
here=$(cd "$(dirname "$0")" && pwd)
ulimit -n "$(ulimit -Hn)"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cd "$here/rivals"
lock=node_modules/.halley
if [ ! -e $lock ] || [ package-lock.json -nt $lock ]; then
  npm ci --no-audit --no-fund --loglevel=error
  touch $lock
fi
cd "$here/../.."
go build -o "$tmp/server" ./bayeux/bench/server
go build -o "$tmp/compare" ./bayeux/bench/compare

"$tmp/compare" ${full:+-full} -server "$tmp/server" -rivals "$here/rivals" -o "$tmp/compare.md"

# Of the idle benchmarks only the shortest without -full.
idle=BenchmarkIdle/waiting times=100x
if [ -n "$full" ]; then idle=BenchmarkIdle times=2000x; fi
{
  go test -run '^$' -bench BenchmarkPublish -benchmem -benchtime $times ./bayeux/bench
  go test -run '^$' -bench "$idle" -benchtime 1x -timeout 10m ./bayeux/bench
} | tee "$tmp/memory.txt" >&2

{
  cat "$tmp/compare.md"
  printf '\n## Without sockets\n\n```\n'
  grep '^Benchmark' "$tmp/memory.txt"
  echo '```'
} > "$tmp/all.md"
mkdir -p "$(dirname "$out")"
mv "$tmp/all.md" "$out"
echo "written: $out" >&2
