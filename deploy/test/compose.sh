#!/usr/bin/env bash
# compose.yaml is one, and every file that it mounts is there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need docker-compose
(cd "$root/deploy" && docker-compose -f compose.yaml config -q)
sed -n 's/^ *- \.\/\([^:]*\):.*/\1/p' "$root/deploy/compose.yaml" | while read -r path; do
  [[ -e $root/deploy/$path ]] || fail "there is no deploy/$path"
done
# It is no check if it lets anything through.
sed 's/command:/comand:/' "$root/deploy/compose.yaml" >"$work/wrong.yaml"
if docker-compose -f "$work/wrong.yaml" config -q 2>/dev/null; then
  fail 'a wrong file passes'
fi
