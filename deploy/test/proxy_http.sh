#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests HTTP behind nginx with the shipped site, over TLS: answers and streams in
# each dialect, the form of errors, limits, what the server is told about the client,
# a drain, and several servers.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl nginx openssl python3

# ask ADDRESS PATH [CURL_OPTION ...]: sends a request. Writes the header of the
# answer to $work/head, and the answer to $work/body.
ask() {
  curl -sS --cacert "$door_files/tls.crt" -D "$work/head" -o "$work/body" \
    "${@:3}" "$1$2" 2>"$work/curl.err" || true
}
send() { ask "https://$web" "$@"; }
json=(-H 'Content-Type: application/json')
# expect_status STATUS TEXT: of the last answer.
expect_status() {
  expect_equal "the status ($(cat "$work/body" "$work/curl.err"))" \
    "$(sed -nE 's/^HTTP\/[0-9.]+ ([0-9]+).*/\1/p' "$work/head" | tail -1)" "$1"
  grep -qF -- "$2" "$work/body" || fail "the answer lacks \"$2\": $(cat "$work/body")"
}
# expect_head NAME VALUE: the last answer must have this header.
expect_head() {
  expect_equal "$1" "$(sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r' | tail -1)" "$2"
}
# request TEXT: the body of a request to /v1/translate.
request() { printf '{"text": "%s", "sourceLanguage": "en", "targetLanguage": "de"}' "$1"; }
# stream INPUT OUTPUT: begins a stream of /v1/translate and waits for its first part.
# Sets client, its process.
stream() {
  : >"$2"
  curl -sSN --cacert "$door_files/tls.crt" "${json[@]}" -H 'Accept: text/event-stream' \
    --data-binary "@$1" -o "$2" "https://$web/v1/translate" 2>"$2.err" &
  client=$!
  children+=("$client")
  await 60 test -s "$2"
}
# text_of STREAM: prints the text of a stream that is whole.
text_of() {
  python3 - "$1" <<'PYTHON'
import json, sys
events = [json.loads(line[6:]) for line in open(sys.argv[1]) if line.startswith("data: ")]
assert events[-1]["finish_reason"], events[-1]
print("".join(event.get("text", "") for event in events), end="")
PYTHON
}
is_running() { [[ $(value "$metrics" sheaf_num_requests_running) == "$1" ]]; }
# has_logged SERVER REQUEST_ID: sets line, the line of the request in the log.
has_logged() {
  await 5 grep -q "request_id=$2" "$work/$1.log"
  line=$(grep "request_id=$2" "$work/$1.log")
}

for _ in {1..12000}; do printf 'We are going home tomorrow. '; done >"$work/text"
request "$(head -c 25200 "$work/text")" >"$work/short"
request "$(cat "$work/text")" >"$work/long"
start_server one --trusted_proxies=127.0.0.1 --http_listen=127.0.0.1:0 --drain_timeout=120s
start_nginx door "$address"

echo '--- each dialect, over HTTP/2 and HTTP/1.1'
for version in --http2 --http1.1; do
  send /translate "$version" -d 'q=Where is the station?' -d source=en -d target=de
  expect_status 200 '"translatedText":"Wo ist der Bahnhof?"'
  send /v2/translate "$version" "${json[@]}" \
    -d '{"text": ["Where is the station?"], "source_lang": "EN", "target_lang": "DE"}'
  expect_status 200 '"text":"Wo ist der Bahnhof?"'
  send /v1/translate "$version" "${json[@]}" -d "$(request 'Where is the station?')"
  expect_status 200 '"text":"Wo ist der Bahnhof?"'
  send / "$version"
  expect_status 200 '<html lang="en"'
  grep -qi '^content-security-policy: ' "$work/head" || fail 'the page has lost its policy'
done
send /openapi.json
expect_status 200 '"openapi"'
cp "$work/body" "$work/through"
ask "http://$http" /openapi.json
expect_status 200 '"openapi"'
cmp "$work/through" "$work/body" || fail 'an answer differs'

echo '--- a stream arrives while the server works on its rest'
send /v1/translate "${json[@]}" --data-binary "@$work/short"
python3 -c 'import json, sys; print(json.load(sys.stdin)["text"], end="")' \
  <"$work/body" >"$work/whole"
# All of it fits into one of nginx's buffers, and it takes the server long enough.
request "$(head -c 2800 "$work/text")" >"$work/little"
python3 - "$web" "$door_files/tls.crt" "$metrics" "$work/little" <<'PYTHON' ||
import http.client, ssl, sys, urllib.request
web, certificate, metrics, body = sys.argv[1:]
link = http.client.HTTPSConnection(web, context=ssl.create_default_context(cafile=certificate))
link.request("POST", "/v1/translate", open(body, "rb"),
             {"Content-Type": "application/json", "Accept": "text/event-stream"})
answer = link.getresponse()
first = answer.read1(100)
figures = urllib.request.urlopen(f"http://{metrics}/metrics").read().decode()
rest = answer.read()
assert len(first) + len(rest) < 16384, len(rest)
running = [line for line in figures.splitlines() if line.startswith("sheaf_num_requests_running")]
assert running[0].endswith(" 1"), running
PYTHON
  fail 'the stream arrived only at its end'
stream "$work/short" "$work/streamed"
wait "$client" || fail 'the stream failed'
text_of "$work/streamed" | cmp - "$work/whole" || fail 'the stream differs'

echo '--- a client that is killed'
stream "$work/long" "$work/killed"
kill -9 "$client"
wait "$client" 2>/dev/null || true
await 10 is_running 0

echo '--- the server knows who calls, and nginx overwrites what clients claim'
send /translate --interface 127.0.0.2 -d 'q=Good morning.' -d source=en -d target=de \
  -H 'X-Request-Id: spoof' -H 'X-Forwarded-For: 192.0.2.9' \
  -H 'X-Client-Subject: CN=somebody' -H 'Connection: close, X-Forwarded-For'
expect_status 200 translatedText
expect_head x-request-id spoof
has_logged one spoof
[[ $line == *' peer=ipv4:127.0.0.2 '* && $line != *certificate_subject* ]] ||
  fail "the server took over a claim: $line"
grep -q '"address":"127.0.0.2".*"method":"/translate","status":"200"' \
  "$door_files/access.log" || fail 'the log of nginx lacks the request'
printf 'Where is the station?\n' >"$work/page.txt"
send /translate_file -F "file=@$work/page.txt" -F source=en -F target=de \
  -H 'X-Forwarded-Proto: http'
expect_status 200 "\"https://$web/download_file/"
send "$(sed -E 's|.*(/download_file/[^"]*)".*|\1|' "$work/body")"
expect_status 200 'Wo ist der Bahnhof?'

# The largest file: nginx lets pass what the server takes.
python3 -c 'import json; print(json.dumps([123456] * 500000))' >"$work/numbers.json"
send /translate_file -F "file=@$work/numbers.json" -F source=en -F target=de
expect_status 200 "\"https://$web/download_file/"
send "$(sed -E 's|.*(/download_file/[^"]*)".*|\1|' "$work/body")"
cmp "$work/numbers.json" "$work/body" || fail 'a file without texts is changed'

echo '--- errors of nginx itself, in the form of each dialect'
head -c 6400000 /dev/zero >"$work/large"
# expect_form STATUS MESSAGE [CURL_OPTION ...]: each dialect must get this error.
expect_form() {
  local path
  for path in /translate /v2/translate /v1/translate /v1/completions; do
    send "$path" "${json[@]}" "${@:3}"
    expect_status "$1" "$2"
    python3 - "$path" "$work/body" "$1" "$2" <<'PYTHON' || fail "the form of $path: $(cat "$work/body")"
import json, sys
path, body, status, message = sys.argv[1:]
error = json.load(open(body))
assert error == {
    "/translate": {"error": message},
    "/v2/translate": {"message": message},
    "/v1/translate": {"type": "about:blank", "status": int(status), "detail": message},
    "/v1/completions": {"error": {"message": message, "type": None, "param": None,
                                  "code": None}},
}[path], error
PYTHON
    if [[ $path == /v1/translate ]]; then
      expect_head content-type application/problem+json
    else
      expect_head content-type application/json
    fi
  done
}
expect_form 413 'nginx: the request exceeds client_max_body_size' --data-binary "@$work/large"
expect_form 413 'nginx: the request exceeds client_max_body_size' --http1.1 \
  -H 'Transfer-Encoding: chunked' --data-binary "@$work/large"
expect_form 431 'nginx: the header is too long' --http1.1 -H "X-Large: $(printf '%020000d' 0)"
ask "http://$web" /languages
expect_status 400 'nginx: the request is malformed'
send /languages --http1.1 --request-target 'http://[x/languages'
expect_status 400 'nginx: the request is malformed'
send /nginx/error
expect_status 404 '{"error":"nginx: there is no such path"}'
# The server's own errors pass.
send /nowhere
expect_status 404 '{"error":"this server has no such path"}'
send /v1/models -X DELETE
expect_status 405 allowed
expect_head allow 'GET, HEAD, OPTIONS'

echo '--- a reload with new certificates does not break a stream'
stream "$work/short" "$work/streamed"
cp "$door_files/tls.crt" "$work/old.crt"
make_certificate "$door_files"
nginx -p "$door_files" -c "$door_files/nginx.conf" -s reload 2>/dev/null
await 20 curl -fsS -o /dev/null --cacert "$door_files/tls.crt" "https://$web/health"
is_running 1 || fail 'the stream ended before the reload'
wait "$client" || fail 'the reload broke a stream'
text_of "$work/streamed" | cmp - "$work/whole" || fail 'the stream differs after a reload'

echo '--- SIGTERM in the middle of a stream'
send /health
expect_status 200 ok
stream "$work/short" "$work/streamed"
kill -TERM "$server"
# has_status STATUS PATH: sends a request until it has the status.
has_status() {
  [[ $(curl -s -o /dev/null -w '%{http_code}' --cacert "$door_files/tls.crt" \
    "https://$web$2") == "$1" ]]
}
await 10 has_status 503 /health
send /translate -d 'q=Good morning.' -d source=en -d target=de
expect_status 503 draining
wait "$client" || fail 'the drain broke a stream'
text_of "$work/streamed" | cmp - "$work/whole" || fail 'the stream differs after a drain'
wait "$server" || fail 'the drained server exited with an error'
expect_form 502 'nginx: the server does not answer'
expect_head retry-after 5
kill "$nginx"

echo '--- tokens, and bodies that arrive too slowly, are the matter of the server'
printf 'client %s\n' "$(printf %s key | sha256sum | cut -d' ' -f1)" >"$work/tokens"
start_server two --trusted_proxies=127.0.0.1 --http_listen=127.0.0.1:0 \
  --auth_tokens_file="$work/tokens" --message_timeout=1s
start_nginx second "$address"
send /translate -d q=Hello -d source=en -d target=de
expect_status 403 '"error"'
send /translate -d q=Hello -d source=en -d target=de -d api_key=key
expect_status 200 translatedText
send /v2/usage -H 'Authorization: DeepL-Auth-Key wrong'
expect_status 403 '"message"'
send /v2/usage -H 'Authorization: DeepL-Auth-Key key'
expect_status 200 character_count
send /v1/models -H 'Authorization: Bearer key'
expect_status 200 sheaf-small
(printf 'q=Hello&source=en' && sleep 3) | send /translate -X POST -T - \
  -H 'Content-Type: application/x-www-form-urlencoded'
expect_status 408 --message_timeout
kill "$nginx"

echo '--- limits per address'
start_server three --trusted_proxies=127.0.0.1 --http_listen=127.0.0.1:0
start_nginx limited "$address" 's/rate=200r/rate=1r/; s/burst=400/burst=6/' \
  's/limit_conn sheaf_calls 256/limit_conn sheaf_calls 1/'
stream "$work/long" "$work/held"
expect_form 429 'nginx: too many requests from this address' -d "$(request Hello)"
expect_head retry-after 1
# Health and other addresses stay as they are.
send /health
expect_status 200 ok
send /v1/translate "${json[@]}" -d "$(request Hello)" --interface 127.0.0.2
expect_status 200 text
kill "$client"
wait "$client" 2>/dev/null || true
# On a slow machine some places come back meanwhile.
for _ in {1..60}; do
  send /languages
  if grep -q 'too many requests' "$work/body"; then break; fi
done
expect_status 429 'nginx: too many requests from this address'
# A client that waits for the time in the answer succeeds.
send /languages --retry 5
expect_status 200 '"code":"en"'
kill "$nginx"

echo '--- certificates of clients'
mkdir "$work/callers"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
  -subj '/O=Example/CN=caller one' -keyout "$work/callers/key" \
  -out "$work/callers/crt" 2>/dev/null
start_nginx callers "$address" 's/# ssl_client_certificate/ssl_client_certificate/' \
  's/# ssl_verify_client on/ssl_verify_client on/' "s|$work/callers/ca.crt|$work/callers/crt|"
expect_form 403 'nginx: a valid certificate of the client is required'
send /translate --cert "$work/callers/crt" --key "$work/callers/key" \
  -d q=Hello -d source=en -d target=de -H 'X-Request-Id: certified' \
  -H 'X-Client-Subject: CN=somebody'
expect_status 200 translatedText
has_logged three certified
[[ $line == *'certificate_subject="CN=caller one,O=Example"'* ]] ||
  fail "the server does not know the subject: $line"
kill "$nginx"

echo '--- two servers share the requests, and a file is fetched where it was made'
first=$http first_metrics=$metrics
start_server four --trusted_proxies=127.0.0.1 --http_listen=127.0.0.1:0
http=$first,$http
start_nginx fleet "$address"
for _ in {1..20}; do
  send /translate -d q=Hello -d source=en -d target=de
  expect_status 200 translatedText
done
for each in "$first_metrics" "$metrics"; do
  is_above 0 "$each" 'sheaf_http_requests_total{code="200",method="POST",path="/translate"' ||
    fail 'a server has no requests'
done
for address in 127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4; do
  send /translate_file -F "file=@$work/page.txt" -F source=en -F target=de --interface "$address"
  expect_status 200 translatedFileUrl
  send "$(sed -E 's|.*(/download_file/[^"]*)".*|\1|' "$work/body")" --interface "$address"
  expect_status 200 'Wo ist der Bahnhof?'
done
kill "$nginx"
