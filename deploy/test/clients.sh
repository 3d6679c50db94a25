#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Calls the HTTP front with published clients of the APIs that it serves, and with
# the requests that Weblate and Mastodon send. Packages come from PyPI and npm, and
# are installed outside the tree.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl python3
start_http http

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
post /translate '{"q":["<p>Where is the station?</p>","Good evening."],"source":"auto",
  "target":"de","format":"html","api_key":"key"}'
says 'Mastodon: array' '"translatedText":["<p>Wo ist der Bahnhof?</p>",'
says 'Mastodon: detected language' '"detectedLanguage":[{"confidence":'

# A page of the web translates a file and fetches the result.
printf '# Station\n\nWhere is the station?\n' >"$work/page.md"
curl -sS "$url/translate_file" -F "file=@$work/page.md" -F source=en -F target=de \
  -F api_key=key >"$work/said"
says 'file: translated' "$url/download_file/"
curl -fsS "$(sed 's/.*"translatedFileUrl":"\([^"]*\)".*/\1/' "$work/said")" >"$work/said.md"
cp "$work/said.md" "$work/said"
says 'file: fetched' 'Wo ist der Bahnhof?'

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
