#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Checks that compose.yaml is valid and that every file that it mounts exists.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need docker-compose
(cd "$root/deploy" && docker-compose -f compose.yaml config -q)
sed -n 's/^ *- \.\/\([^:]*\):.*/\1/p' "$root/deploy/compose.yaml" | while read -r path; do
  [[ -e $root/deploy/$path ]] || fail "there is no deploy/$path"
done
# A check that accepts everything is no check.
sed 's/command:/comand:/' "$root/deploy/compose.yaml" >"$work/wrong.yaml"
if docker-compose -f "$work/wrong.yaml" config -q 2>/dev/null; then
  fail 'a wrong file passes the check'
fi
# The door is nginx. The server's own port must not leave the pod.
grep -q 'listen=127.0.0.1:' "$root/deploy/compose.yaml" || fail 'the server listens on all addresses'
docker-compose -f "$root/deploy/compose.yaml" config >"$work/config"
grep -q 127.0.0.1:50443:50443 "$work/config" || fail 'nginx has no port'
if grep -q ':50051/tcp' "$work/config"; then fail 'the port of the server is published'; fi
