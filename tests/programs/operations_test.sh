#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests what an operator and a machine can do to the server: signals, readers that
# do not read, full disks, Unix sockets and limits.
#   operations_test.sh BIN_DIR
set -euo pipefail
. "$(dirname "$0")/../support/programs.sh"

# ends CODE SECONDS: the server must exit with CODE within SECONDS of SIGTERM.
ends() {
  local code=0
  kill -TERM "$server"
  if ! timeout "$2" tail -s 0.1 --pid="$server" -f /dev/null; then
    kill -KILL "$server" # otherwise it would outlive the test
    fail "the server did not end within $2 s of SIGTERM"
  fi
  wait "$server" || code=$?
  expect_equal "exit code after SIGTERM" "$code" "$1"
}
# launch FLAG ...: starts a server on $address with the streams of the caller. The
# server is ready when it answers.
address=127.0.0.1:$((20000 + RANDOM % 10000))
launch() {
  "$bin/sheaf-server" --listen="$address" --metrics_listen=127.0.0.1:0 \
    --kv_cache_bytes=16MiB --drain_timeout=3s "$@" &
  server=$!
  children+=("$server")
}
is_serving() { "$bin/sheaf" health --server="$address"; }

mkfifo "$work/pipe"
exec 7<>"$work/pipe" # both ends, so that it never breaks; it has no reader

echo '--- a server whose log has no reader serves and ends in time'
launch 2>&7
await 30 is_serving
for _ in {1..900}; do echo 'Yes.'; done >"$work/lines"
"$bin/sheaf" translate --server="$address" --from=en --to=de --max_new_tokens=2 \
  <"$work/lines" >"$work/translated" 2>/dev/null
expect_equal 'lines' "$(wc -l <"$work/translated")" 900
ends 0 4

echo '--- a server whose streams accept no byte from the start serves'
timeout 1 cat /dev/zero >&7 || true # the pipe is full
launch >&7 2>&7
await 30 is_serving
ends 0 6
expect 2 '' timeout 5 bash -c "'$bin/sheaf-server' --max_queue=0 2>&7"

echo '--- a full disk, a reader that is gone, and closed streams'
launch >/dev/full 2>/dev/full
await 30 is_serving
ends 0 4
launch > >(true) 2> >(true)
await 30 is_serving
ends 0 4
launch <&- >&- 2>&-
await 30 is_serving
for fd in 0 1 2; do
  expect_equal "descriptor $fd" "$(readlink "/proc/$server/fd/$fd")" /dev/null
done
ends 0 4

echo '--- other signals do not end the server; a reload is logged'
start signals --drain_timeout=3s
for signal in HUP USR1 USR2 ALRM VTALRM PROF PIPE IO PWR XFSZ RTMIN; do
  kill -s "$signal" "$server"
done
await 30 grep -q ' reload' "$work/signals.log"
expect 0 SERVING "$bin/sheaf" health --server="$address"
ends 0 4

echo '--- both versions of reflection are served, or neither'
rpcs() { curl -fsS "http://$metrics/metrics" | grep -o 'grpc_service="grpc.reflection[^"]*' | sort -u | wc -l; }
start reflection
expect_equal 'versions of reflection' "$(rpcs)" 2
ends 0 4
start noreflection --noreflection
expect_equal 'versions of reflection' "$(rpcs)" 0
ends 0 4

echo '--- a Unix socket'
socket="$work/dir with %41/sheaf.sock"
mkdir "$work/dir with %41"
start_on_socket() {
  : >"$work/unix.out"
  "$bin/sheaf-server" --listen="unix:$socket" --metrics_listen=127.0.0.1:0 \
    --kv_cache_bytes=16MiB --max_connections=1 >"$work/unix.out" 2>"$work/unix.log" &
  server=$!
  children+=("$server")
  await 30 grep -qF "listening on unix:$socket" "$work/unix.out"
}
start_on_socket
expect 0 'Wo ist der Bahnhof?' "$bin/sheaf" translate --server="unix:$socket" \
  --from=en --to=de 'Where is the train station?'
expect 0 SERVING "$bin/sheaf" health --server="unix:$socket"
expect 0 SERVING env -C "$work" "$bin/sheaf" health --server='unix:dir with %41/sheaf.sock'
grep -q 'code=OK peer=unix ' "$work/unix.log" || fail 'the log has no peer'
refuse 1 'is the address taken?' sheaf-server --listen="unix:$socket" \
  --metrics_listen=127.0.0.1:0 --kv_cache_bytes=16MiB
python3 - "$socket" <<'END' &
import socket, sys, time
def connect():
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(sys.argv[1])
    peer.setblocking(False)
    return peer
def is_closed(peer):
    try:
        return peer.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
peers = [connect() for _ in range(1 + 16)]  # for this machine
# A client before may hold a place for a moment, so that one is refused.
for _ in range(600):
    peers = [connect() if is_closed(peer) else peer for peer in peers]
    time.sleep(0.1)
END
children+=("$!")
is_full() { ! "$bin/sheaf" health --timeout=500ms --server="unix:$socket" && grep -q connection_refused "$work/unix.log"; }
await 30 is_full
kill -KILL "$server" && wait "$server" 2>/dev/null || true
[[ -S $socket ]] || fail 'the socket of a killed server is gone'
start_on_socket
ends 0 4
[[ ! -e $socket ]] || fail 'the server left its socket behind'

echo '--- the server names limits of the machine with their values'
limited() { bash -c "$1 && exec '$bin/sheaf-server' --listen=$address --metrics_listen=127.0.0.1:0 --kv_cache_bytes=16MiB"; }
expect 1 'may open 20 files (ulimit -n); the server needs 129' limited 'ulimit -n 20'
# The superuser has no limit of processes, so use another user.
as_user() {
  if [[ $EUID == 0 ]]; then setpriv --reuid=54321 --clear-groups "$@"; else "$@"; fi
}
if as_user test -x "$bin/sheaf-server"; then
  expect 1 'may have 8 processes and threads (ulimit -u)' as_user bash -c \
    "ulimit -u 8 && exec '$bin/sheaf-server' --listen=$address"
else
  echo "not run: ulimit -u (another user cannot read $bin)"
fi
if is_sanitized; then
  echo 'not run: ulimit -v (built with a sanitizer)'
else
  expect 1 '100000 KiB of address space (ulimit -v)' limited 'ulimit -v 100000'
fi

echo '--- SIGTERM while the model loads, and a second SIGTERM'
mkfifo "$work/model.flags"
launch --flagfile="$work/model.flags" 2>"$work/loading.log"
: >"$work/model.flags" # the server has begun to read its flags
ends 0 4
start twice --drain_timeout=60s
for _ in {1..200}; do printf 'We are going home tomorrow. '; done >"$work/long"
"$bin/sheaf" translate --server="$address" --from=en --to=de --stream \
  "$(cat "$work/long")" >"$work/streamed" 2>/dev/null &
children+=("$!")
until [[ -s $work/streamed ]]; do sleep 0.01; done
kill -TERM "$server"
sleep 0.2
ends 143 2

echo PASSED
