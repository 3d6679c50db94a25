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
# What listens where, from the program to the network: each port of a service is one of
# the pod, which nginx (or the server) opens and the network lets in.
python3 -c 'import yaml' 2>/dev/null || not_run 'the ports (python3-yaml is missing); kustomize passed'
for overlay in small fleet; do
  python3 - "$work/$overlay.yaml" <<'PYTHON' || fail "$overlay: the ports do not fit together"
import re, sys, yaml
objects = [each for each in yaml.safe_load_all(open(sys.argv[1])) if each]
def specs(kind):
    return [each["spec"] for each in objects if each["kind"] == kind]
pod = specs("Deployment")[0]["template"]["spec"]
opened = {port["name"]: port["containerPort"]
          for container in pod["containers"] for port in container["ports"]}
sites = next(each["data"] for each in objects if each["kind"] == "ConfigMap")
arguments = " ".join(pod["containers"][0]["args"])
for site, name, flag in [("sheaf.conf", "grpc", "listen"),
                         ("sheaf-http.conf", "http", "http_listen")]:
    assert re.search(rf"^ *listen {opened[name]} ssl", sites[site], re.M), site
    server = re.search(r"^ *server (127\S+) ", sites[site], re.M).group(1)
    assert f"--{flag}={server}" in arguments, flag
allowed = {port["port"] for rule in specs("NetworkPolicy")[0]["ingress"]
           for port in rule["ports"]}
assert allowed == set(opened.values()), allowed
served = [port for service in specs("Service") for port in service["ports"]]
assert {port["targetPort"] for port in served} == set(opened), served
for service in specs("Service"):
    for port in service["ports"]:
        # A headless service passes each port on as it is.
        if service.get("clusterIP") == "None":
            assert port["port"] == opened[port["targetPort"]], port
for container in pod["containers"]:
    probe = container["readinessProbe"].get("httpGet")
    assert probe is None or probe["port"] in opened, probe
PYTHON
done
command -v npm >/dev/null || not_run 'the schemas (npm is missing); kustomize passed'
mkdir -p "$work/npm"
(cd "$work/npm" && npm install --silent --no-audit --no-fund kubernetes-models@5.1.0 \
  @kubernetes-models/prometheus-operator yaml@2 >"$work/npm.log" 2>&1) ||
  not_run "the schemas (npm: $(tail -1 "$work/npm.log")); kustomize passed"
cp "$root/deploy/test/manifests.mjs" "$work/npm/"
(cd "$work/npm" && node manifests.mjs "$work/small.yaml" "$work/fleet.yaml")
