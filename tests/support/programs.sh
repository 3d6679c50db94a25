# SPDX-License-Identifier: Apache-2.0

# Functions for the tests of programs (*_test.sh BIN_DIR ...) and for
# deploy/test/lib.sh, which source this file. Files go to $work, which is
# $sheaf_test_work or a directory that the test removes at its end.
bin=$1
work=${sheaf_test_work:-$(mktemp -d)}
children=()
trap 'kill "${children[@]}" 2>/dev/null || true
  [[ ${sheaf_test_work:-} ]] || rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# expect_equal WHAT ACTUAL EXPECTED: fails unless the two are equal.
expect_equal() {
  [[ $2 == "$3" ]] || fail "$1: got \"$2\", expected \"$3\""
}
# is_sanitized: whether the programs are built with AddressSanitizer, which needs
# more memory than the limits of these tests allow.
is_sanitized() {
  grep -q __asan_init "$bin/sheaf-server"
}
# limit_memory BYTES: from now on $bin/sheaf-server runs in a new control group
# (version 1 or 2) with this limit of memory. Sets $group, which stays empty if the
# machine allows no new group. An EXIT trap must call remove_group.
limit_memory() {
  local base file real=$bin
  group=
  for base in /sys/fs/cgroup/memory /sys/fs/cgroup; do
    [[ -w $base ]] && mkdir "$base/sheaf-test-$$" 2>/dev/null || continue
    for file in memory.limit_in_bytes memory.max; do
      [[ -e $base/sheaf-test-$$/$file ]] || continue
      echo "$1" >"$base/sheaf-test-$$/$file" && group=$base/sheaf-test-$$
    done
    [[ $group ]] && break
    rmdir "$base/sheaf-test-$$"
  done
  if [[ ! $group ]]; then
    echo 'no control group; the test compares the peak with the limit'
    return
  fi
  bin=$work/bin
  mkdir "$bin"
  ln -s "$real/sheaf" "$bin/sheaf"
  printf '#!/bin/sh\necho $$ >%q/cgroup.procs && exec %q "$@"\n' \
    "$group" "$real/sheaf-server" >"$bin/sheaf-server"
  chmod +x "$bin/sheaf-server"
}
remove_group() { [[ ! $group ]] || rmdir "$group" || true; }
# expect CODE TEXT COMMAND ...: the command must exit with CODE and print TEXT.
expect() {
  local code=0 said
  said=$("${@:3}" 2>&1) || code=$?
  [[ $code == "$1" ]] || fail "${*:3}: exit code $code, expected $1: $said"
  [[ $said == *"$2"* ]] || fail "${*:3}: \"$said\" does not contain \"$2\""
}
# refuse CODE TEXT PROGRAM FLAG ...: the program must exit with CODE, and print one
# line, which contains TEXT, on stderr.
refuse() {
  local code=0
  timeout 30 "$bin/$3" "${@:4}" >"$work/refuse.out" 2>"$work/refuse.log" || code=$?
  expect_equal "exit code of ${*:3}" "$code" "$1"
  expect_equal "lines on stderr of ${*:3}" "$(wc -l <"$work/refuse.log")" 1
  grep -qF -- "$2" "$work/refuse.log" || fail "${*:3}: $(cat "$work/refuse.log")"
}
# await SECONDS COMMAND ...: repeats the command until it succeeds.
await() {
  local end=$((SECONDS + $1))
  until "${@:2}" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "no success within $1 s: ${*:2}"
    sleep 0.1
  done
}
# start NAME [FLAG ...]: starts a server with its log in $work/NAME.log. Sets address,
# metrics and server.
start() {
  : >"$work/$1.out"
  "$bin/sheaf-server" --listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 \
    --kv_cache_bytes=16MiB "${@:2}" >"$work/$1.out" 2>"$work/$1.log" &
  server=$!
  children+=("$server")
  until address=$(sed -n 's/^listening on //p' "$work/$1.out") && [[ $address ]]; do
    kill -0 "$server" 2>/dev/null || fail "$1: $(cat "$work/$1.log")"
    sleep 0.05
  done
  metrics=$(sed -n 's/.*metrics on \([0-9.:]*\).*/\1/p' "$work/$1.log")
}
