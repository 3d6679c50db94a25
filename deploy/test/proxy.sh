#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests gRPC behind nginx with the shipped site, over TLS: what a client sees of
# calls, streams, errors, limits, a drain and a reload, and what the server is told
# about the client. proxy_http.sh tests HTTP.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl nginx openssl python3

health() { "$bin/sheaf" health "${through[@]}"; }
translate() { "$bin/sheaf" translate "${through[@]}" --from=en --to=de "$@"; }
# translate_in_background INPUT OUTPUT [FLAG ...]: sets client, its process.
translate_in_background() {
  : >"$2"
  "$bin/sheaf" translate "${through[@]}" --from=en --to=de "${@:3}" <"$1" >"$2" 2>"$2.err" &
  client=$!
  children+=("$client")
}
# stream INPUT OUTPUT: begins a stream and waits for its first part.
stream() {
  translate_in_background "$1" "$2" --stream
  await 60 test -s "$2"
}
# message FILE NUMBER TEXT ...: writes a message of gRPC with fields of text.
message() {
  python3 - "$@" <<'PYTHON'
import sys
def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
fields = zip(sys.argv[2::2], (text.encode() for text in sys.argv[3::2]))
body = b"".join(varint(int(n) << 3 | 2) + varint(len(text)) + text for n, text in fields)
open(sys.argv[1], "wb").write(b"\0" + len(body).to_bytes(4, "big") + body)
PYTHON
}
# call METHOD FILE [CURL_OPTION ...]: sends the message of the file. Writes headers
# and trailers to $work/head, and the answer to $work/body.
call() {
  curl -sS --http2 --cacert "$door_files/tls.crt" -H 'content-type: application/grpc' \
    -H 'te: trailers' --data-binary "@$2" -D "$work/head" -o "$work/body" \
    "${@:3}" "https://$door/$1" 2>"$work/curl.err" || true
}
# expect_head NAME VALUE: the last call's answer must have this header or trailer.
expect_head() {
  expect_equal "$1" "$(sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r')" "$2"
}
# expect_error STATUS MESSAGE: nginx must have answered the last call as gRPC does.
expect_error() {
  grep -q '^HTTP/2 200' "$work/head" || fail "no answer of gRPC: $(cat "$work/head" "$work/curl.err")"
  expect_head content-type application/grpc
  expect_head grpc-status "$1"
  expect_head grpc-message "$2"
}
# watch NAME: follows the server's health with curl, in the background.
watch() {
  : >"$work/$1"
  curl -sN --http2 --cacert "$door_files/tls.crt" -H 'content-type: application/grpc' \
    -H 'te: trailers' --data-binary "@$work/empty" -o "$work/$1" \
    "https://$door/grpc.health.v1.Health/Watch" &
  watcher=$!
  children+=("$watcher")
  await 20 test -s "$work/$1"
}
is_running() { [[ $(value "$metrics" sheaf_num_requests_running) == "$1" ]]; }
text=sheaf.v1.TextService

for _ in {1..12000}; do printf 'We are going home tomorrow. '; done >"$work/long"
head -c 8400 "$work/long" >"$work/short"
message "$work/hello" 2 'Good morning.' 3 en 4 de
message "$work/wrong" 2 'Good morning.' 3 en 4 xx
message "$work/late" 2 "$(head -c 100000 "$work/long")" 3 en 4 de
message "$work/empty"
start_server one --trusted_proxies=127.0.0.1 --drain_timeout=120s
one=$address
start_nginx door "$one"

echo '--- calls, streams, trailers and errors'
"$bin/sheaf" translate --server="$one" --from=en --to=de "$(cat "$work/short")" >"$work/whole"
translate <"$work/short" | cmp - "$work/whole" || fail 'the translation differs'
expect_equal health "$(health)" SERVING
call $text/Translate "$work/hello" -H 'x-request-id: my-request'
expect_head grpc-status 0
expect_head x-request-id my-request
call inference.GRPCInferenceService/ServerReady "$work/empty"
expect_head grpc-status 0
call $text/Translate "$work/wrong"
expect_head grpc-status 3
sed -n 's/^grpc-status-details-bin: *//p' "$work/head" | tr -d '\r' |
  python3 -c 'import base64, sys; sys.stdout.buffer.write(base64.b64decode(sys.stdin.read() + "=="))' \
    >"$work/details"
grep -aq 'google.rpc.BadRequest.*target_language' <(tr '\n' ' ' <"$work/details") ||
  fail 'an error lacks its details'
call $text/Translate "$work/late" -H 'grpc-timeout: 200m'
expect_head grpc-status 4
# The answer's beginning must arrive while the server still works on the rest.
stream "$work/short" "$work/streamed"
is_running 1 || fail 'the stream arrived only at its end'
wait "$client" || fail 'the stream failed'
cmp "$work/streamed" "$work/whole" || fail 'the stream differs'

echo '--- a client that is killed'
stream "$work/long" "$work/killed"
kill -9 "$client"
wait "$client" 2>/dev/null || true
await 10 is_running 0

echo '--- the server knows who calls, and nginx overwrites what clients claim'
call $text/Translate "$work/hello" --interface 127.0.0.2 -H 'x-request-id: spoof' \
  -H 'x-forwarded-for: 192.0.2.9' -H 'x-client-subject: CN=somebody'
expect_head grpc-status 0
await 5 grep -q 'request_id=spoof' "$work/one.log"
line=$(grep 'request_id=spoof' "$work/one.log")
[[ $line == *' peer=ipv4:127.0.0.2 '* && $line != *certificate_subject* ]] ||
  fail "the server took over a claim: $line"
grep -q '"address":"127.0.0.2".*"grpc_status":"0"' "$door_files/access.log" ||
  fail 'the log of nginx lacks the call'

echo '--- errors of nginx itself'
call unknown.Service/Method "$work/empty"
expect_error 12 'nginx: unknown method, or not HTTP/2'
message "$work/large" 3 en 4 de
head -c 6400000 /dev/zero >>"$work/large"
call $text/Translate "$work/large"
expect_error 8 'nginx: the request exceeds client_max_body_size'
expect_head grpc-retry-pushback-ms -1
call $text/Translate "$work/hello" -H "x-large: $(printf '%020000d' 0)"
grep -q '^HTTP/2 200' "$work/head" && fail 'a header of 20,000 bytes passed'

echo '--- a reload with new certificates does not break a stream'
cp "$door_files/tls.crt" "$work/old.crt"
stream "$work/short" "$work/streamed"
make_certificate "$door_files"
nginx -p "$door_files" -c "$door_files/nginx.conf" -s reload 2>/dev/null
await 20 health
is_running 1 || fail 'the stream ended before the reload'
expect 1 UNAVAILABLE "$bin/sheaf" health --server="$door" --tls_ca="$work/old.crt" --timeout=5s
wait "$client" || fail 'the reload broke a stream'
cmp "$work/streamed" "$work/whole" || fail 'the stream differs after a reload'

echo '--- SIGTERM in the middle of a stream'
watch health
stream "$work/short" "$work/streamed"
kill -TERM "$server"
# A client that watches is told SERVING (1), then NOT_SERVING (2).
printf '\0\0\0\0\2\x08\1\0\0\0\0\2\x08\2' >"$work/serving_then_not"
await 10 cmp "$work/health" "$work/serving_then_not"
expect 1 UNAVAILABLE translate --max_attempts=1 'Good morning.'
wait "$client" || fail 'the drain broke a stream'
cmp "$work/streamed" "$work/whole" || fail 'the stream differs after a drain'
wait "$server" || fail 'the drained server exited with an error'
expect 1 UNAVAILABLE translate --max_attempts=1 'Good morning.'
call $text/Translate "$work/hello"
expect_error 14 'nginx: the server does not answer'
kill "$nginx"

echo '--- a full server, retries with its pushback'
start_server full --max_sequences=1 --max_queue=1 --trusted_proxies=127.0.0.1
start_nginx second "$address"
hogs=()
for begun in num_requests_running num_requests_waiting; do
  translate_in_background "$work/long" "$work/hog" --stream
  hogs+=("$client")
  await 60 is_above 0 "$metrics" "sheaf_$begun"
done
translate_in_background <(echo 'Good morning.') "$work/retried" --max_attempts=5
await 20 is_above 0 "$metrics" 'sheaf_requests_rejected_total{.*queue_full'
kill "${hogs[@]}"
wait "$client" || fail 'a refused call was not sent again'
kill "$nginx"

echo '--- limits per address, and idle connections'
start_server three --trusted_proxies=127.0.0.1
start_nginx limited "$address" 's/rate=200r/rate=1r/; s/burst=400/burst=3/' \
  's/limit_conn sheaf_calls 256/limit_conn sheaf_calls 1/' \
  's/keepalive_timeout 300s/keepalive_timeout 1s/'
stream "$work/long" "$work/held"
call $text/Translate "$work/hello"
expect_error 8 'nginx: too many calls from this address'
expect_head grpc-retry-pushback-ms 1000
call $text/Translate "$work/hello" --interface 127.0.0.2
expect_head grpc-status 0
kill "$client"
wait "$client" 2>/dev/null || true
for _ in {1..5}; do call $text/Translate "$work/hello"; done
expect_error 8 'nginx: too many calls from this address'
# A client that waits for the time in the answer succeeds.
translate --max_attempts=5 'Good morning.' >/dev/null || fail 'a call over the rate was not sent again'
python3 - "$door" <<'PYTHON' || fail 'an idle connection stays open'
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.set_alpn_protocols(["h2"])
host, port = sys.argv[1].split(":")
with context.wrap_socket(socket.create_connection((host, int(port)), timeout=30)) as link:
    link.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    data = b""
    while part := link.recv(65536):
        data += part
kinds = []
while data:
    kinds.append(data[3])
    data = data[9 + int.from_bytes(data[:3], "big"):]
GOAWAY = 7
sys.exit(kinds[-1] != GOAWAY)
PYTHON
kill "$nginx"

echo '--- certificates of clients'
mkdir "$work/callers"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
  -subj '/O=Example/CN=caller one' -keyout "$work/callers/key" \
  -out "$work/callers/crt" 2>/dev/null
start_nginx callers "$address" 's/# ssl_client_certificate/ssl_client_certificate/' \
  's/# ssl_verify_client on/ssl_verify_client on/' "s|$work/callers/ca.crt|$work/callers/crt|"
call $text/Translate "$work/hello"
expect_error 16 'nginx: a valid certificate of the client is required'
call $text/Translate "$work/hello" -H 'x-request-id: certified' \
  -H 'x-client-subject: CN=somebody' --cert "$work/callers/crt" --key "$work/callers/key"
expect_head grpc-status 0
await 5 grep -q 'request_id=certified' "$work/three.log"
grep 'request_id=certified' "$work/three.log" | grep -q 'certificate_subject="CN=caller one,O=Example"' ||
  fail "the server does not know the subject: $(tail -1 "$work/three.log")"
kill "$nginx"
