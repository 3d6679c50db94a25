#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Checks that kubectl builds both overlays and that each object fits the schemas of
# Kubernetes (the npm package kubernetes-models, which is made from them).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need kubectl python3
for overlay in small fleet; do
  kubectl kustomize "$root/deploy/kubernetes/overlays/$overlay" >"$work/$overlay.yaml"
  kinds=$(sed -n 's/^kind: //p' "$work/$overlay.yaml" | sort | tr '\n' ' ')
  echo "$overlay: $kinds"
  [[ $kinds == *Deployment*Namespace*NetworkPolicy*PodDisruptionBudget*Service*ServiceMonitor* ]] ||
    fail "$overlay lacks an object"
done
# The flags in the manifests must be flags of the server.
"$bin/sheaf-server" --help >"$work/help"
for overlay in small fleet; do
  sed -n '/- args:/,/ env:/s/^ *- \(--[a-z_]*\).*/\1/p' "$work/$overlay.yaml" >"$work/flags"
  (($(wc -l <"$work/flags") > 5)) || fail "$overlay: the flags of the server are not found"
  while read -r flag; do
    grep -q -- "  $flag " "$work/help" || fail "$overlay: the server has no flag $flag"
  done <"$work/flags"
done
# Clients reach nginx only. Its configuration is that of deploy/nginx.
for overlay in small fleet; do
  ports=$(sed -n 's/^ *- containerPort: //p' "$work/$overlay.yaml" | tr '\n' ' ')
  expect_equal "$overlay: the ports" "$ports" '9464 50443 5443 '
  for flag in listen http_listen; do
    grep -q -- "- --$flag=127.0.0.1:" "$work/$overlay.yaml" ||
      fail "$overlay: the server does not listen on loopback only (--$flag)"
  done
  for file in nginx.conf sheaf.conf sheaf-http.conf; do
    sed -n "/^  $file: |/,/^  [a-z]/p" "$work/$overlay.yaml" | sed -n 's/^    //p' |
      diff -B - "$root/deploy/nginx/$file" >"$work/diff" || fail "$overlay: $(head -3 "$work/diff")"
  done
done
# Debian's package is for Debian's Python.
if /usr/bin/python3 -c 'import yaml' 2>/dev/null; then
  for overlay in small fleet; do
    /usr/bin/python3 "$root/deploy/test/ports.py" "$work/$overlay.yaml" ||
      fail "$overlay: the ports do not fit together"
  done
else
  echo 'not run: whether the ports fit together (python3-yaml is missing)'
fi
command -v npm >/dev/null || not_run 'the schemas (npm is missing); kustomize passed'
mkdir -p "$work/npm"
(cd "$work/npm" && npm install --silent --no-audit --no-fund kubernetes-models@5.1.0 \
  @kubernetes-models/prometheus-operator yaml@2 >"$work/npm.log" 2>&1) ||
  not_run "the schemas (npm: $(tail -1 "$work/npm.log")); kustomize passed"
cp "$root/deploy/test/manifests.mjs" "$work/npm/"
(cd "$work/npm" && node manifests.mjs "$work/small.yaml" "$work/fleet.yaml")
