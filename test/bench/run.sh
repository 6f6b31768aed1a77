#!/usr/bin/env bash
# Measures the Chat API with many live chats and says where the time goes.
# Usage: test/bench/run.sh [flags of the bench], as -chats 1000 -for 5s
set -euo pipefail
cd "$(dirname "$0")/../.."
ulimit -n "$(ulimit -Hn)"
mkdir -p bin
go build -o bin/bench-gms ./test/bench
bin/bench-gms -out bin "$@"
for what in send refresh; do
  printf '\nWhere the CPU time of the server goes, %s:\n\n' "$what"
  # Each line is a share of the whole; the lines overlap.
  go tool pprof -top -cum -nodecount 2000 bin/bench-gms "bin/$what.pprof" 2>/dev/null |
    sed -E 's/\[go\.shape[^]]*\]+(\]|\.)?/./g' |
    grep -E 'Total|\(\*socket\)\.(readOne|process)$|\(\*wire\)\.try$|bayeux\.decode$|\(\*Edge\)\.(handle|serveREST|notification)$|\(\*binding\)\.deliver$|\(\*room.*\)\.run$|\(\*writer\)\.commit$|readRequest$|\(\*call\)\.owner$|\(\*poller\)\.(read|attend)$|\(\*rest\)\.answer$|encoding/json\.Marshal$|\(\*Keyring\)\.(key|open)$|\(\*conn\)\.(serve|readRequest)$|finishRequest$|runtime\.(gcBgMarkWorker|mallocgc|schedule)$|syscall\.Syscall6?$'
done
