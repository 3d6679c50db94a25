#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Calls the HTTP front with published clients of the APIs that it serves, and with
# the requests that Weblate and Mastodon send. Packages come from PyPI and npm, and
# are installed outside the tree.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl python3
port=$(free_port)
url=http://127.0.0.1:$port
printf 'client %s\n' "$(printf %s key | sha256sum | cut -d' ' -f1)" >"$work/tokens"
start_server http --http_listen="127.0.0.1:$port" --auth_tokens_file="$work/tokens"
await 20 curl -fsS "$url/health"

# says WHAT TEXT: checks that the file of the last answer contains TEXT.
says() {
  grep -qF -- "$2" "$work/said" || fail "$1: $(cat "$work/said")"
  echo "$1: passed"
}
# post PATH JSON: posts JSON, and writes the answer to $work/said.
post() {
  curl -sS "$url$1" -H 'Content-Type: application/json' -d "$2" >"$work/said"
}

# Weblate asks for the languages, and sends a text with its languages and key.
curl -fsS "$url/languages" >"$work/said"
says 'Weblate: languages' '"code":"en"'
post /translate '{"q":"Where is the station?","source":"en","target":"de","api_key":"key"}'
says 'Weblate: text' '"translatedText":"Wo ist der Bahnhof?"'
post /translate '{"q":"Where is the station?","source":"en","target":"de","api_key":"no"}'
says 'Weblate: wrong key' '"error"'
# Mastodon sends an array.
post /translate '{"q":["Where is the station?","Good evening."],"source":"auto",
  "target":"de","format":"text","api_key":"key"}'
says 'Mastodon: array' '"translatedText":["Wo ist der Bahnhof?",'
says 'Mastodon: detected language' '"detectedLanguage":[{"confidence":'

if python3 -m venv "$work/venv" >/dev/null 2>&1 &&
  "$work/venv/bin/pip" install -q libretranslatepy openai openapi-spec-validator \
    >"$work/pip.log" 2>&1; then
  "$work/venv/bin/python" "$root/deploy/test/clients.py" "$url" key
else
  echo 'not run: clients of PyPI (PyPI does not provide them)'
fi

mkdir -p "$work/node" && cp "$root/deploy/test/clients.mjs" "$work/node/"
if command -v npm >/dev/null &&
  (cd "$work/node" && npm install --silent --no-audit --no-fund libretranslate@1 \
    >"$work/npm.log" 2>&1); then
  # This client sends its key under a name of its own.
  (cd "$work/node" && node clients.mjs "$url" key)
else
  echo 'not run: client of npm (npm does not provide it)'
fi
