#!/usr/bin/env bash
# The clients that people use, and examples/ in each language. Stubs are made
# here; packages come from the languages' own registries, outside the tree.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
proto=$root/proto
start_server examples
missing=()

# says_all NAME: the four things that every example prints.
says_all() {
  local said=$work/$1.out
  grep -q sheaf-small "$said" && (($(grep -c 'Wo ist der Bahnhof?' "$said") == 2)) &&
    grep -qE '[0-9]+ tokens|output_tokens' "$said" &&
    grep -qiE 'INVALID_?ARGUMENT' "$said" && grep -q 'xx' "$said" ||
    fail "$1: $(cat "$said")"
  echo "$1: passed"
}
# absent NAME WHY: this one is not run.
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

if python3 -m venv "$work/venv" >/dev/null 2>&1 &&
  "$work/venv/bin/pip" install -q grpcio grpcio-tools >"$work/pip.log" 2>&1; then
  "$work/venv/bin/python" -m grpc_tools.protoc -I "$proto" --python_out="$work/venv" \
    --grpc_python_out="$work/venv" sheaf/v1/text.proto sheaf/v1/model.proto
  PYTHONPATH=$work/venv "$work/venv/bin/python" "$root/examples/python/translate.py" \
    "$address" >"$work/python.out"
  says_all python
  PYTHONPATH=$work/venv "$work/venv/bin/python" "$root/deploy/test/client_faults.py" "$address"
else
  absent python 'no grpcio from PyPI'
fi

mkdir -p "$work/node" && cp "$root/examples/node/translate.mjs" "$work/node/"
if command -v npm >/dev/null &&
  (cd "$work/node" && npm install --silent --no-audit --no-fund @grpc/grpc-js \
    @grpc/proto-loader >"$work/npm.log" 2>&1); then
  (cd "$work/node" && PROTO=$proto node translate.mjs "$address") >"$work/node.out"
  says_all node
else
  absent node 'no grpc-js from npm'
fi

export GOPATH=$work/go GOFLAGS=-modcacherw GOTOOLCHAIN=local
if command -v go >/dev/null && command -v protoc >/dev/null &&
  go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.31.0 >"$work/go.log" 2>&1 &&
  go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.3.0 >>"$work/go.log" 2>&1; then
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
  absent go 'no go, protoc or Go modules'
fi

if command -v go >/dev/null &&
  go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9 >"$work/grpcurl.log" 2>&1; then
  PATH=$work/go/bin:$PATH "$root/examples/shell/translate.sh" "$address" \
    >"$work/shell.all" 2>&1 || true
  # The stream's chunks are objects: their texts joined are the second answer.
  python3 - "$work/shell.all" >"$work/shell.out" <<'END'
import re, sys
said = open(sys.argv[1], encoding="utf-8").read()
print(said)
texts = re.findall(r'"text": "([^"]*)"', said)
print("".join(texts[1:]))
END
  says_all shell
else
  absent shell 'no grpcurl among the Go modules'
fi
if ((${#missing[@]} == 5)); then not_run 'no language could be installed'; fi
