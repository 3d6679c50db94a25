# For the checks of ./run test-deploy: each is a program of its own,
#   deploy/test/NAME.sh BIN_DIR WORK_DIR
# that ends with 0 (passed), 77 (not run: says why on its last line) or another
# code (failed). Sourced by all of them.
sheaf_test_work=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/tests/support/programs.sh"

not_run() {
  echo "not run: $*"
  exit 77
}
# give_up LOG WHAT: ends a step that failed: as not run if its log says that the
# package registry did not answer, else as failed.
give_up() {
  if grep -qE 'Failed to fetch|Unable to fetch|Could not resolve|Temporary failure' "$1"; then
    not_run "$2: the package registry does not answer"
  fi
  fail "$2: $(tail -20 "$1")"
}
# need COMMAND ...: what apt could not install is not run.
need() {
  for command in "$@"; do
    command -v "$command" >/dev/null || not_run "there is no $command"
  done
}
# value METRICS_ADDRESS SERIES_PREFIX: of the first series that begins so; nothing
# if there is none.
value() { curl -fsS "http://$1/metrics" | sed -n "s/^${2//\//\\/}.* //p" | head -1; }
# is_above NUMBER METRICS_ADDRESS SERIES_PREFIX
is_above() {
  local now
  now=$(value "${@:2}")
  [[ ${now:-0} -gt $1 ]]
}
# free_port: one that nobody has now.
free_port() {
  python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# start_server NAME [FLAG ...]: start, with a larger cache.
start_server() { start "$1" --kv_cache_bytes=64MiB "${@:2}"; }
