#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Runs examples/ in each language, and common clients. Each one lists the models,
# translates, streams, leaves a stream, exceeds its deadline, and reads the
# details of an error. The stubs are generated here. Packages come from the
# registries of the languages and are installed outside the tree.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
proto=$root/proto
start_server examples
python3 -c 'import json
print(json.dumps({"text": "We are going home tomorrow. " * 12000,
                  "source_language": "en", "target_language": "de"}))' >"$work/long.json"
missing=()

# says_all NAME: checks the four things that every example prints.
says_all() {
  local said=$work/$1.out
  grep -q sheaf-small "$said" && (($(grep -c 'Wo ist der Bahnhof?' "$said") == 2)) &&
    grep -qE '[0-9]+ tokens|output_tokens' "$said" &&
    grep -qiE 'INVALID_?ARGUMENT' "$said" && grep -q 'xx' "$said" ||
    fail "$1: $(cat "$said")"
  echo "$1: passed"
}
# absent NAME WHY: records that this example is not run.
absent() {
  missing+=("$1")
  echo "not run: $1 ($2)"
}

if [[ -x $bin/example ]]; then
  "$bin/example" "$address" >"$work/cpp.out"
  says_all cpp
else
  absent cpp 'it was not built'
fi

# left WHAT COMMAND ...: the command leaves a stream in the middle, and the server
# cancels the request.
left() {
  local series='grpc_server_handled_total{grpc_code="Canceled",grpc_method="TranslateStream"'
  local before
  before=$(value "$metrics" "$series")
  "${@:2}"
  await 30 is_above "${before:-0}" "$metrics" "$series"
  await 30 is_idle
  echo "$1: passed"
}
is_idle() { [[ $(value "$metrics" sheaf_num_requests_running) == 0 ]]; }

if python3 -m venv "$work/venv" >/dev/null 2>&1 &&
  "$work/venv/bin/pip" install -q grpcio grpcio-tools grpcio-status \
    >"$work/pip.log" 2>&1; then
  "$work/venv/bin/python" -m grpc_tools.protoc -I "$proto" --python_out="$work/venv" \
    --grpc_python_out="$work/venv" sheaf/v1/text.proto sheaf/v1/model.proto
  PYTHONPATH=$work/venv "$work/venv/bin/python" "$root/examples/python/translate.py" \
    "$address" >"$work/python.out"
  says_all python
  left 'python: leaving a stream, deadline, details of an error' env PYTHONPATH="$work/venv" \
    "$work/venv/bin/python" "$root/deploy/test/faults.py" "$address"
else
  absent python 'PyPI does not provide grpcio'
fi

mkdir -p "$work/node" &&
  cp "$root/examples/node/translate.mjs" "$root/deploy/test/faults.mjs" "$work/node/"
if command -v npm >/dev/null &&
  (cd "$work/node" && npm install --silent --no-audit --no-fund @grpc/grpc-js \
    @grpc/proto-loader protobufjs >"$work/npm.log" 2>&1); then
  (cd "$work/node" && PROTO=$proto node translate.mjs "$address") >"$work/node.out"
  says_all node
  left 'node: leaving a stream, deadline, details of an error' \
    env PROTO="$proto" node "$work/node/faults.mjs" "$address"
else
  absent node 'npm does not provide grpc-js'
fi

export GOPATH=$work/go GOFLAGS="-modcacherw -trimpath" GOTOOLCHAIN=local
if command -v go >/dev/null && command -v protoc >/dev/null &&
  go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.31.0 >"$work/go.log" 2>&1 &&
  go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.3.0 >>"$work/go.log" 2>&1 &&
  go mod download google.golang.org/grpc@v1.58.3 >>"$work/go.log" 2>&1; then
  mkdir -p "$work/example" && cp "$root/examples/go/translate.go" "$work/example/"
  packages=(--go_opt=paths=source_relative --go-grpc_opt=paths=source_relative)
  for file in text model; do
    packages+=("--go_opt=Msheaf/v1/$file.proto=example/sheaf/v1"
      "--go-grpc_opt=Msheaf/v1/$file.proto=example/sheaf/v1")
  done
  PATH=$work/go/bin:$PATH protoc -I "$proto" --go_out="$work/example" \
    --go-grpc_out="$work/example" "${packages[@]}" sheaf/v1/text.proto sheaf/v1/model.proto
  (cd "$work/example" && go mod init example && go get google.golang.org/grpc@v1.58.3 \
    google.golang.org/protobuf@v1.31.0 && go mod tidy) >>"$work/go.log" 2>&1 ||
    fail "$(tail -3 "$work/go.log")"
  (cd "$work/example" && go run . "$address") >"$work/go.out"
  says_all go
else
  absent go 'go, protoc or the Go modules are missing'
fi

if command -v go >/dev/null &&
  go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9 >"$work/grpcurl.log" 2>&1; then
  PATH=$work/go/bin:$PATH "$root/examples/shell/translate.sh" "$address" \
    >"$work/shell.all" 2>&1 || true
  # The chunks of the stream are objects. Their joined texts are the second answer.
  python3 - "$work/shell.all" >"$work/shell.out" <<'END'
import re, sys
said = open(sys.argv[1], encoding="utf-8").read()
print(said)
texts = re.findall(r'"text": "([^"]*)"', said)
print("".join(texts[1:]))
END
  says_all shell
  "$work/go/bin/grpcurl" -plaintext -max-time 0.2 -d @ "$address" \
    sheaf.v1.TextService/Translate <"$work/long.json" >"$work/late" 2>&1 || true
  grep -q 'Code: DeadlineExceeded' "$work/late" || fail "grpcurl: $(cat "$work/late")"
  grep -q '"field": "target_language"' "$work/shell.all" ||
    fail 'grpcurl: the error has no details'
  # A signal ends grpcurl in the middle of its stream.
  interrupt_grpcurl() {
    "$work/go/bin/grpcurl" -plaintext -d @ "$address" \
      sheaf.v1.TextService/TranslateStream <"$work/long.json" >"$work/begun" 2>&1 &
    await 30 grep -q text "$work/begun"
    kill -TERM "$!"
  }
  left 'grpcurl: leaving a stream, deadline, details of an error' interrupt_grpcurl
else
  absent shell 'the Go modules do not provide grpcurl'
fi
if command -v go >/dev/null &&
  go install github.com/bojand/ghz/cmd/ghz@v0.120.0 >"$work/ghz.log" 2>&1; then
  # run_ghz EXPECTED RPC FLAG ...: checks that ghz reports "CODE COUNT" and, for an
  # error, its message.
  run_ghz() {
    "$work/go/bin/ghz" --insecure --format=json --call="sheaf.v1.$2" "${@:3}" "$address" \
      >"$work/ghz.json" || fail "ghz: $(cat "$work/ghz.json")"
    python3 - "$work/ghz.json" >"$work/ghz.said" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
print(*(f"{code} {count}" for code, count in report["statusCodeDistribution"].items()),
      *report.get("errorDistribution", {}))
END
    grep -q "^$1" "$work/ghz.said" || fail "ghz $2: $(cat "$work/ghz.said"), not $1"
  }
  short='{"text": "Where is the train station?", "source_language": "en", "target_language": "de"}'
  run_ghz 'OK 3$' ModelService/ListModels -n 3 -c 1 -d '{}'
  run_ghz 'OK 500$' TextService/Translate -n 500 -c 20 -d "$short"
  run_ghz 'OK 20$' TextService/TranslateStream -n 20 -c 4 -d "$short"
  run_ghz 'DeadlineExceeded 2 ' TextService/Translate -n 2 -c 2 -t 200ms -D "$work/long.json"
  run_ghz 'InvalidArgument 1 .*target_language is' TextService/Translate -n 1 -c 1 \
    -d '{"text": "a", "target_language": "xx"}'
  left 'ghz: all six calls' run_ghz 'Canceled 1 ' TextService/TranslateStream -n 1 -c 1 \
    --stream-call-count=3 -D "$work/long.json"
else
  absent ghz 'the Go modules do not provide it'
fi
if ((${#missing[@]} == 6)); then not_run 'no language could be installed'; fi
