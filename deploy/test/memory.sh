#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests the server within the memory limit of a control group. It must refuse a KV
# cache that does not fit, and serve a load with one that fits.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
limit=$((320 << 20))
if [[ -d /sys/fs/cgroup/memory ]]; then
  group=/sys/fs/cgroup/memory/sheaf-test-$$ file=memory.limit_in_bytes
else
  group=/sys/fs/cgroup/sheaf-test-$$ file=memory.max
fi
mkdir "$group" 2>/dev/null || not_run 'this machine allows no new control group'
trap 'kill "${children[@]}" 2>/dev/null || true; wait; rmdir "$group"' EXIT
echo "$limit" >"$group/$file" 2>/dev/null || not_run "$file is missing"
grep -q . "$group/$file"

# limited COMMAND ...: runs the command within the group.
limited() { exec bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' _ "$group" "$@"; }
flags=(--listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0)
code=0
(limited "$bin/sheaf-server" "${flags[@]}" --kv_cache_bytes=256MiB) \
  >"$work/refused" 2>&1 || code=$?
cat "$work/refused"
[[ $code == 3 ]] && grep -q "kv_cache_bytes is 268435456; .* limit of $limit" "$work/refused" ||
  fail "exit code $code"
(limited "$bin/sheaf-server" "${flags[@]}" --kv_cache_bytes=90MiB) \
  >"$work/out" 2>"$work/log" &
server=$!
children+=("$server")
await 30 grep -q '^listening on' "$work/out"
address=$(sed -n 's/^listening on //p' "$work/out")
for i in {1..600}; do echo "Number $i is a good day for going home, said Tom."; done |
  "$bin/sheaf" translate --server="$address" --from=en --to=de --concurrency=64 |
  tail -1
kill -TERM "$server"
wait "$server" || fail 'the server exited with an error'
