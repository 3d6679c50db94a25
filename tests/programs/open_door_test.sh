#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests a server that is open to others: encryption, certificates, tokens, limits,
# and what the log says about the callers.
#   open_door_test.sh BIN_DIR
set -euo pipefail
. "$(dirname "$0")/../support/programs.sh"

# refused FLAG ...: runs a server that should exit at once.
refused() { timeout 30 "$bin/sheaf-server" "$@"; }

start_logging() { start "$1" --log_format=json "${@:2}"; }

# authority NAME: makes a root certificate.
# certificate NAME AUTHORITY: makes a certificate that the authority signs.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
  openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" -CAkey "$work/$2.key" \
    -CAcreateserial -days 2 -out "$work/$1.pem" \
    -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') 2>/dev/null
}
# install_certificate NAME: replaces the files of the server by this certificate,
# each of them atomically.
install_certificate() {
  cp "$work/$1.key" "$work/next.key" && cp "$work/$1.pem" "$work/next.pem"
  mv "$work/next.key" "$work/server.key" && mv "$work/next.pem" "$work/server.pem"
}
hash_of() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

authority first-ca
authority second-ca
certificate first first-ca
certificate second second-ca
certificate client first-ca
certificate other second-ca
install_certificate first
echo "web $(hash_of open-sesame)" >"$work/tokens"
printf open-sesame >"$work/token"
printf wrong >"$work/wrong-token"

echo '--- an error in a file is one clear line'
expect 2 'no PEM certificate' refused --check_config \
  --tls_cert="$work/nowhere" --tls_key="$work/server.key"
expect 2 'is not the key' refused --check_config \
  --tls_cert="$work/first.pem" --tls_key="$work/second.key"
expect 2 'together' refused --tls_cert="$work/first.pem"
echo 'web 12' >"$work/bad-tokens"
expect 2 'line 1' refused --auth_tokens_file="$work/bad-tokens"
expect 2 'needs --tls_client_ca' refused --listen=0.0.0.0:0 --allow_insecure
expect 2 'or --behind_proxy' refused --listen=0.0.0.0:0 \
  --tls_cert="$work/server.pem" --tls_key="$work/server.key"
expect 2 'allow_insecure' refused --listen=0.0.0.0:0 --behind_proxy \
  --metrics_listen=0.0.0.0:0
expect 2 'needs --tls_cert with --tls_key, --behind_proxy' refused --http_listen=0.0.0.0:0
expect 0 'are right' refused --check_config --kv_cache_bytes=16MiB \
  --http_listen=0.0.0.0:0 --tls_cert="$work/server.pem" --tls_key="$work/server.key"
expect 2 '"10.0.0.1/8"' refused --trusted_proxies=127.0.0.1,10.0.0.1/8
expect 3 'nowhere' refused --check_config --model="$work/nowhere"
expect 0 'are right' refused --check_config --kv_cache_bytes=16MiB \
  --listen=0.0.0.0:0 --tls_cert="$work/server.pem" --tls_key="$work/server.key" \
  --tls_client_ca="$work/first-ca.pem" --auth_tokens_file="$work/tokens"

echo '--- encryption together with a token'
start_logging tls --tls_cert="$work/server.pem" --tls_key="$work/server.key" \
  --auth_tokens_file="$work/tokens" --http_listen=127.0.0.1:0
call() { "$bin/sheaf" "$1" --server="$address" --timeout=10s "${@:2}"; }
say=(--from=en --to=de 'Where is the train station?')
good=(--tls_ca="$work/first-ca.pem" --token_file="$work/token")
expect 0 'Wo ist der Bahnhof?' call translate "${good[@]}" "${say[@]}"
expect 0 'Wo ist der Bahnhof?' call translate "${good[@]}" --stream "${say[@]}"
expect 0 'sheaf-small' call models "${good[@]}"
expect 1 UNAVAILABLE call translate "${say[@]}" --max_attempts=1
expect 1 UNAVAILABLE call translate --tls_ca="$work/second-ca.pem" "${say[@]}" --max_attempts=1
expect 1 'UNAUTHENTICATED: authorization is missing' \
  call translate --tls_ca="$work/first-ca.pem" "${say[@]}"
expect 1 'UNAUTHENTICATED: the bearer token' call models \
  --tls_ca="$work/first-ca.pem" --token_file="$work/wrong-token"
expect 0 SERVING call health --tls_ca="$work/first-ca.pem"
expect 0 SERVING call health --tls_ca="$work/first-ca.pem" liveness
expect 1 NOT_FOUND call health --tls_ca="$work/first-ca.pem" unknown
# http FLAG ...: asks for the models over HTTP; prints the answer and its status.
http() {
  local address
  address=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/$1.log")
  curl -sS -w ' %{http_code}' "${@:2}" "https://$address/v1/models"
}
expect 0 sheaf-small http tls --cacert "$work/first-ca.pem" -H 'Authorization: Bearer open-sesame'
expect 0 ' 401' http tls --cacert "$work/first-ca.pem"
expect 60 'SSL certificate problem' http tls --cacert "$work/second-ca.pem"

echo '--- a changed token file is used, a broken one is not'
echo "batch $(hash_of wrong)" >"$work/next" && mv "$work/next" "$work/tokens"
await 30 call models --tls_ca="$work/first-ca.pem" --token_file="$work/wrong-token"
expect 1 UNAUTHENTICATED call models "${good[@]}"
echo "broken" >"$work/next" && mv "$work/next" "$work/tokens"
await 30 eval "call models '${good[0]}' --token_file='$work/wrong-token' &&
  grep -q '\"is_taken\":false' '$work/tls.log'"
echo "web $(hash_of open-sesame)" >"$work/next" && mv "$work/next" "$work/tokens"
await 30 call models "${good[@]}"

echo '--- a changed certificate is used for new connections; old ones stay'
for _ in {1..60}; do printf 'We are going home tomorrow. '; done >"$work/long"
call translate "${good[@]}" --from=en --to=de "$(cat "$work/long")" >"$work/whole"
call translate "${good[@]}" --from=en --to=de --stream "$(cat "$work/long")" \
  >"$work/streamed" &
client=$!
# The client is connected and has received a part of its stream.
until [[ -s $work/streamed ]] || ! kill -0 "$client" 2>/dev/null; do sleep 0.01; done
install_certificate second
new=(--tls_ca="$work/second-ca.pem" --token_file="$work/token")
await 30 call models "${new[@]}" --max_attempts=1
expect 1 UNAVAILABLE call models "${good[@]}" --max_attempts=1
wait "$client" || fail 'the stream broke'
cmp "$work/whole" "$work/streamed" || fail 'the stream is incomplete'
grep -q '"event":"certificates","is_taken":true' "$work/tls.log" || fail 'the log has no line of the new certificate'

echo '--- a broken certificate, or one without its key, is logged and not used'
refusals() { grep -c '"event":"certificates","is_taken":false' "$work/tls.log" || true; }
now_refused() { [[ $(refusals) -gt $1 ]]; }
before=$(refusals)
head -c 300 "$work/second.pem" >"$work/next.pem" && mv "$work/next.pem" "$work/server.pem"
await 30 now_refused "$before"
expect 0 sheaf-small call models "${new[@]}" --max_attempts=1
expect 0 sheaf-small http tls --cacert "$work/second-ca.pem" -H 'Authorization: Bearer open-sesame'
before=$(refusals)
cp "$work/first.pem" "$work/next.pem" && mv "$work/next.pem" "$work/server.pem"
await 30 now_refused "$before"
expect 0 sheaf-small call models "${new[@]}" --max_attempts=1
grep -q 'is not the key of --tls_cert' "$work/tls.log" || fail 'the log has no reason'
cp "$work/first.key" "$work/next.key" && mv "$work/next.key" "$work/server.key"
await 30 call models "${good[@]}" --max_attempts=1
install_certificate second
kill -HUP "$server"
await 30 call models "${new[@]}" --max_attempts=1
is_told() { sed -n '/"event":"reload"/,$p' "$work/tls.log" | grep '"event":"auth_tokens","is_taken":true'; }
await 30 is_told

echo '--- the log has one JSON object per line, names, and no text'
grep -q '"event":"start".*"isa":.*"flags":{.*"max_queue":"256"' "$work/tls.log" ||
  fail 'the log has no start line'
grep -q '"event":"request".*"method":"sheaf.v1.TextService/TranslateStream","code":"OK".*"token":"web".*"output_tokens":' \
  "$work/tls.log" || fail 'the log has no line of the stream'
grep -q '"code":"UNAUTHENTICATED"' "$work/tls.log" || fail 'the log has no refusal'
if grep -qiE 'station|Bahnhof|sesame|morgen' "$work/tls.log"; then
  fail 'the log contains a text or a token'
fi
python3 - "$work/tls.log" <<'END' || fail 'a line is not JSON, or its times are wrong'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
served = [line for line in lines if line.get("output_tokens")]
assert served
for line in served:
    assert 0 <= line["queue_ms"] <= line["first_token_ms"] <= line["total_ms"], line
END
curl -fsS "http://$metrics/metrics" >"$work/metrics"
grep -q 'sheaf_client_requests_total{.*client="web".*} [1-9]' "$work/metrics" ||
  fail 'the metrics do not have the token'
grep -q 'reason="unauthenticated".*} [1-9]' "$work/metrics" || fail 'the metrics do not have the refusal'
if grep -qiE 'station|Bahnhof|sesame' "$work/metrics"; then
  fail 'the metrics contain a text or a token'
fi
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo '--- a server that requires certificates from clients'
install_certificate first
start_logging mutual --tls_cert="$work/server.pem" --tls_key="$work/server.key" \
  --tls_client_ca="$work/first-ca.pem" --http_listen=127.0.0.1:0
trust=--tls_ca=$work/first-ca.pem
expect 1 UNAVAILABLE call models "$trust" --max_attempts=1
expect 1 UNAVAILABLE call models "$trust" --max_attempts=1 \
  --tls_cert="$work/other.pem" --tls_key="$work/other.key"
expect 0 'Wo ist der Bahnhof?' call translate "$trust" --tls_cert="$work/client.pem" \
  --tls_key="$work/client.key" "${say[@]}"
await 30 grep -q '"certificate_subject":"CN=client"' "$work/mutual.log"
if http mutual --cacert "$work/first-ca.pem" >/dev/null 2>&1; then
  fail 'HTTP takes a client without a certificate'
fi
expect 0 sheaf-small http mutual --cacert "$work/first-ca.pem" --cert "$work/client.pem" \
  --key "$work/client.key"
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo '--- limits'
# The server runs one sequence at a time, so that the long text takes a while.
rm -f "$work/streamed"
start_logging limits --max_sequences=1 --max_requests_per_caller=1 --max_text_bytes=100KiB \
  --max_metadata_bytes=1KiB --default_deadline=60s --message_timeout=1s
call translate --from=en --to=de --stream "$(cat "$work/long")" >"$work/streamed" &
client=$!
until [[ -s $work/streamed ]] || ! kill -0 "$client" 2>/dev/null; do sleep 0.01; done
expect 1 'RESOURCE_EXHAUSTED: requests of "ipv4:127.0.0.1" run 1 sequences, and this one asks for 1 more; this server allows 1 at a time' \
  call translate "${say[@]}" --max_attempts=1
wait "$client" || fail 'the stream broke'
# Sends a raw frame with a :status that is not a number, which gRPC logs.
python3 - "$address" <<'END'
import socket, sys
host, port = sys.argv[1].split(":")
headers = b"\x00\x07:status\x06sesame"
with socket.create_connection((host, int(port)), timeout=20) as client:
    client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
                   + bytes([0, 0, len(headers), 1, 5, 0, 0, 0, 1]) + headers)
    client.recv(1000)
END
# Opens a call and sends no message.
python3 - "$address" <<'END' || fail 'a silent call does not end with --message_timeout'
import socket, sys
def field(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
host, port = sys.argv[1].split(":")
headers = (field(b":method", b"POST") + field(b":scheme", b"http") +
           field(b":path", b"/sheaf.v1.TextService/Translate") + field(b":authority", b"test") +
           field(b"te", b"trailers") + field(b"content-type", b"application/grpc"))
with socket.create_connection((host, int(port)), timeout=20) as client:
    client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
                   + bytes([0, 0, len(headers), 1, 4, 0, 0, 0, 1]) + headers)
    received = b""
    while b"within 1s (--message_timeout)" not in received:
        more = client.recv(1000)
        assert more, received
        received += more
END
await 30 grep -q '"event":"grpc".*Error parsing metadata' "$work/limits.log"
if grep -q sesame "$work/limits.log"; then fail 'the log contains the value that the client sent'; fi
head -c 110000 /dev/zero | tr '\0' x >"$work/huge"
expect 1 'INVALID_ARGUMENT: text' call summarize --input="$work/huge"
head -c 9000000 /dev/zero | tr '\0' x >"$work/huge"
expect 1 'larger than max' call summarize --input="$work/huge" --max_attempts=1
head -c 4000 /dev/zero | tr '\0' x >"$work/huge-token"
expect 1 'RESOURCE_EXHAUSTED' call models --token_file="$work/huge-token" --max_attempts=1
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo '--- the limit of connections, and a server without free descriptors'
# hold N FROM: holds N connections from the address FROM, until release.
hold() {
  rm -f "$work/held"
  python3 - "$address" "$@" >"$work/held" <<'END' &
import socket, signal, sys
host, port = sys.argv[1].split(":")
held = [socket.create_connection((host, int(port)), 20, (sys.argv[3], 0))
        for _ in range(int(sys.argv[2]))]
print("held", flush=True)
signal.pause()
END
  holders+=("$!") && children+=("$!")
  await 30 grep -q held "$work/held"
}
release() { kill "${holders[@]}" && holders=(); }
is_refused() { grep -qF '"event":"connection_refused",'"$1" "$work/connections.log"; }
has_open() { curl -fsS "http://$metrics/metrics" | grep -q "^sheaf_num_connections{.*} $1\$"; }
holders=()
start_logging connections --max_connections=3 --max_connections_per_address=2
echo 'an address has 2 places, and this machine 16 more for its health checks'
# A connection of an earlier client may still count.
await 30 has_open 0
hold 17 127.0.0.1
expect 0 SERVING call health
await 30 has_open 17
hold 1 127.0.0.1
expect 1 'the server may have as many connections as it allows' call models --max_attempts=1
await 30 is_refused '"reason":"max_connections_per_address","num_open":2,"max_connections_per_address":2,"address":"ipv4:127.0.0.1"'
echo 'another address has the last usual place'
hold 1 127.0.0.2
hold 1 127.0.0.3
await 30 is_refused '"reason":"max_connections","num_open":19,"max_connections":3,"address":"ipv4:127.0.0.3"'
curl -fsS "http://$metrics/metrics" >"$work/metrics"
grep -q '^sheaf_connections_refused_total{.*} [2-9]' "$work/metrics" || fail 'the metrics do not have the refused connections'
release
await 30 call models --max_attempts=1
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo '--- a connection without a call is closed, whether it pings or not'
start_logging idle --max_connection_idle=1s --trusted_proxies=127.0.0.1
python3 - "$address" <<'END' || fail 'an idle connection was not closed, or a busy one was'
import select, socket, sys
host, port = sys.argv[1].split(":")
def frame(kind, flags, stream, payload):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags])
            + stream.to_bytes(4, "big") + payload)
def field(name, value):
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value
preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(4, 1, 0, b"")
ping = frame(6, 0, 0, bytes(8))
def call(path, *metadata):  # with an empty message
    return frame(1, 4, 1, b"".join(field(*pair) for pair in [
        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"test"),
        (b":path", path), (b"te", b"trailers"),
        (b"content-type", b"application/grpc"), *metadata])) + frame(0, 1, 1, bytes(5))
watch = call(b"/grpc.health.v1.Health/Watch")  # does not end
forwarded = call(b"/sheaf.v1.TextService/Translate", (b"x-forwarded-for", b"192.0.2.7"),
                 (b"x-client-subject", b"CN=web"))
def connect(sent):
    client = socket.create_connection((host, int(port)), timeout=20)
    client.sendall(sent)
    return client
idle = {"silent": connect(b""), "settings": connect(preface),
        "pings": connect(preface + ping), "forwarded": connect(preface + forwarded)}
busy = connect(preface + watch)
for name, client in idle.items():
    answer = b""
    while part := client.recv(1000):
        answer += part
    assert name == "silent" or b"\x07\x00\x00\x00\x00\x00" in answer, (name, answer)  # GOAWAY
while select.select([busy], [], [], 0.1)[0]:
    assert busy.recv(1000), "the busy connection was closed"
END
grep -q '"peer":"ipv4:192.0.2.7","certificate_subject":"CN=web"' "$work/idle.log" ||
  fail 'the log does not have the client of the proxy'
kill "$server" && wait "$server" || fail 'the server exited with an error'
start_logging handshake --max_connection_idle=1s --tls_cert="$work/server.pem" \
  --tls_key="$work/server.key"
python3 - "$address" <<'END' || fail 'a connection that does not begin TLS was not closed'
import socket, sys
host, port = sys.argv[1].split(":")
with socket.create_connection((host, int(port)), timeout=15) as client:
    assert client.recv(1000) == b""
END
kill "$server" && wait "$server" || fail 'the server exited with an error'
(ulimit -n 144 && exec "$bin/sheaf-server" --listen=127.0.0.1:0 \
  --metrics_listen=127.0.0.1:0 --kv_cache_bytes=16MiB) \
  >"$work/few.out" 2>"$work/few.log" &
server=$!
children+=("$server")
await 30 grep -q '^listening on' "$work/few.out"
address=$(sed -n 's/^listening on //p' "$work/few.out")
python3 - "$address" <<'END'
import socket, sys
host, port = sys.argv[1].split(":")
many = []
for _ in range(90):
    many.append(socket.create_connection((host, int(port)), timeout=20))
END
await 30 call models --max_attempts=1
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo PASSED
