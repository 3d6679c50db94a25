#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Calls the server by the Open Inference Protocol with the client of Triton and with
# grpcurl. Packages come from the registries and are installed outside the tree.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
start_server inference
missing=()

if python3 -m venv "$work/venv" >/dev/null 2>&1 &&
  "$work/venv/bin/pip" install -q 'tritonclient[grpc]' >"$work/pip.log" 2>&1; then
  "$work/venv/bin/python" "$root/deploy/test/inference.py" "$address"
  echo 'tritonclient: passed'
else
  missing+=(tritonclient)
  echo 'not run: tritonclient (PyPI does not provide it)'
fi

export GOPATH=$work/go GOFLAGS="-modcacherw -trimpath" GOTOOLCHAIN=local
if command -v go >/dev/null &&
  go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9 >"$work/grpcurl.log" 2>&1; then
  # call METHOD JSON: the service is known by reflection.
  call() {
    "$work/go/bin/grpcurl" -plaintext -d "$2" "$address" \
      "inference.GRPCInferenceService/$1" >"$work/said" 2>&1 || true
  }
  call ServerReady '{}'
  grep -q '"ready": true' "$work/said" || fail "grpcurl: $(cat "$work/said")"
  bytes() { printf '%s' "$1" | base64; }
  call ModelInfer '{"model_name": "sheaf-small", "inputs": [
    {"name": "text", "datatype": "BYTES", "shape": [1],
     "contents": {"bytes_contents": ["'"$(bytes 'Where is the train station?')"'"]}},
    {"name": "target_language", "datatype": "BYTES", "shape": [1],
     "contents": {"bytes_contents": ["'"$(bytes de)"'"]}}]}'
  grep -qF "$(bytes 'Wo ist der Bahnhof?')" "$work/said" ||
    fail "grpcurl: $(cat "$work/said")"
  call ModelInfer '{"model_name": "sheaf-small"}'
  grep -q 'inputs has no tensor "text"' "$work/said" || fail "grpcurl: $(cat "$work/said")"
  echo 'grpcurl: passed'
else
  missing+=(grpcurl)
  echo 'not run: grpcurl (the Go modules do not provide it)'
fi
if ((${#missing[@]} == 2)); then not_run 'no client could be installed'; fi
