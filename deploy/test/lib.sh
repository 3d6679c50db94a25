# SPDX-License-Identifier: Apache-2.0

# Functions for the checks of ./run test-deploy, which all source this file. Each
# check is a program:
#   deploy/test/NAME.sh BIN_DIR WORK_DIR
# It exits with 0 if it passed, with 77 if it was not run (its last line says why),
# and with another code if it failed.
sheaf_test_work=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/tests/support/programs.sh"

not_run() {
  echo "not run: $*"
  exit 77
}
# give_up LOG WHAT: ends a failed step. The step counts as not run if its log says
# that the package registry did not answer, and otherwise as failed.
give_up() {
  if grep -qE 'Failed to fetch|Unable to fetch|Could not resolve|Temporary failure' "$1"; then
    not_run "$2: the package registry does not answer"
  fi
  fail "$2: $(tail -20 "$1")"
}
# need COMMAND ...: ends the check as not run if a command is missing.
need() {
  for command in "$@"; do
    command -v "$command" >/dev/null || not_run "$command is missing"
  done
}
# value METRICS_ADDRESS SERIES_PREFIX: prints the value of the first series with
# this prefix, or nothing if there is none.
value() { curl -fsS "http://$1/metrics" | sed -n "s/^${2//\//\\/}.* //p" | head -1; }
# is_above NUMBER METRICS_ADDRESS SERIES_PREFIX: whether the value is above NUMBER.
is_above() {
  local now
  now=$(value "${@:2}")
  [[ ${now:-0} -gt $1 ]]
}
# free_port: prints a port that is not in use now.
free_port() {
  python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# start_server NAME [FLAG ...]: like start, with a larger cache. Sets http, the
# address of HTTP, which is empty without --http_listen.
start_server() {
  start "$1" --kv_cache_bytes=64MiB "${@:2}"
  http=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/$1.log")
}
# start_http NAME [FLAG ...]: starts a server with HTTP that asks for one of the
# tokens "key" and "other", and sets url, its address.
start_http() {
  for key in key other; do
    printf '%s %s\n' "$key" "$(printf %s "$key" | sha256sum | cut -d' ' -f1)"
  done >"$work/tokens"
  start_server "$1" --http_listen=127.0.0.1:0 --auth_tokens_file="$work/tokens" "${@:2}"
  url=http://$http
}
# says WHAT TEXT: checks that $work/said, the last answer, contains TEXT.
says() {
  grep -qF -- "$2" "$work/said" || fail "$1: $(cat "$work/said")"
  echo "$1: passed"
}
# make_certificate DIRECTORY: makes DIRECTORY/tls.{crt,key} for this machine.
make_certificate() {
  mkdir -p "$1"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout "$1/tls.key" -out "$1/tls.crt" 2>/dev/null
}
# start_nginx NAME SERVERS [SED_COMMAND ...]: starts nginx with the shipped files in
# front of the servers (separated by commas) and of $http, on ports of its own. The
# commands of sed change both sites. Sets door and web (the addresses for gRPC and
# HTTP), through (the flags of a client), nginx (its process) and door_files (its
# directory, with tls.crt and access.log).
start_nginx() {
  door=127.0.0.1:$(free_port)
  web=127.0.0.1:$(free_port)
  door_files=$work/$1
  through=(--server="$door" --tls_ca="$door_files/tls.crt" --timeout=120s)
  make_certificate "$door_files"
  local servers=${2//,/ max_fails=1 fail_timeout=5s; server } change=()
  # Nothing listens on port 9 here.
  local http_servers=${http:-127.0.0.1:9}
  for command in "${@:3}"; do change+=(-e "$command"); done
  for site in sheaf sheaf-http; do
    sed -e "s|listen 50443 |listen $door |; s|listen 5443 |listen $web |
      s|/etc/sheaf/tls/|$door_files/|; s|/var/log/nginx/sheaf.log|$door_files/access.log|
      s|server 127.0.0.1:50051 |server $servers |
      s|server 127.0.0.1:5000 |server ${http_servers//,/ max_fails=1 fail_timeout=5s; server } |" \
      "${change[@]}" "$root/deploy/nginx/$site.conf" >"$door_files/$site.conf"
  done
  # Here, other users may not enter the directory.
  { ((EUID != 0)) || echo 'user root;'
    sed "s|/tmp/|$door_files/|" "$root/deploy/nginx/nginx.conf"
  } >"$door_files/nginx.conf"
  nginx -p "$door_files" -c "$door_files/nginx.conf" 2>"$door_files/error.log" &
  nginx=$!
  children+=("$nginx")
  await 20 curl -sk -o /dev/null "https://$door/"
}
