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
for overlay in small fleet; do
  sed -n 's/^ *- \(--[a-z_]*\).*/\1/p' "$work/$overlay.yaml" | while read -r flag; do
    "$bin/sheaf-server" --help | grep -q -- "  $flag " || fail "$overlay: the server has no flag $flag"
  done
done
command -v npm >/dev/null || not_run 'the schemas (npm is missing); kustomize passed'
mkdir -p "$work/npm"
(cd "$work/npm" && npm install --silent --no-audit --no-fund kubernetes-models@5.1.0 \
  @kubernetes-models/prometheus-operator yaml@2 >"$work/npm.log" 2>&1) ||
  not_run "the schemas (npm: $(tail -1 "$work/npm.log")); kustomize passed"
cp "$root/deploy/test/manifests.mjs" "$work/npm/"
(cd "$work/npm" && node manifests.mjs "$work/small.yaml" "$work/fleet.yaml")
