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
# The door is nginx. The server's own ports must not leave the pod.
docker-compose -f "$root/deploy/compose.yaml" config >"$work/config"
# port_of SITE DIRECTIVE: the port of the first such directive of a site.
port_of() { sed -nE "s/^ *$2 ([0-9.]+:)?([0-9]+) .*/\2/p" "$root/deploy/nginx/$1" | head -1; }
for pair in listen=sheaf.conf http_listen=sheaf-http.conf; do
  inside=$(port_of "${pair#*=}" server) outside=$(port_of "${pair#*=}" listen)
  grep -q -- "- --${pair%=*}=127.0.0.1:$inside\$" "$work/config" ||
    fail "the server does not listen on loopback, where nginx expects it (--${pair%=*})"
  grep -q "127.0.0.1:$outside:$outside" "$work/config" || fail "nginx has no port $outside"
  # "- ADDRESS:5000:5000/tcp", or several lines with "target: 5000"
  if grep -qE "^ *(- ([0-9.]+:)+|target: )$inside(/tcp)?\$" "$work/config"; then
    fail "the port $inside of the server is published"
  fi
done
