#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Calls the HTTP front with DeepL's own clients (texts, glossaries, documents), and with
# the requests that Weblate and DeepLX's clients send. Packages come from PyPI and npm, and are installed
# outside the tree.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl python3
mkdir "$work/glossaries"
start_http deepl --http_glossaries="$work/glossaries"
missing=()

# Weblate asks for both kinds of languages, and sends XML with tags that it ignores.
for type in source target; do
  curl -fsS "$url/v2/languages?type=$type" -H 'Authorization: DeepL-Auth-Key key' \
    >"$work/said"
  says "Weblate: $type languages" '"language":'
done
curl -sS "$url/v2/translate" -H 'Authorization: DeepL-Auth-Key key' \
  -H 'Content-Type: application/json' >"$work/said" \
  -d '{"text": ["Where is the <x id=\"7\"></x> station?"], "source_lang": "EN",
    "target_lang": "DE", "formality": "default", "tag_handling": "xml",
    "ignore_tags": ["x"]}'
says 'Weblate: text' '<x id=\"7\"></x>'
curl -sS "$url/translate" -H 'Authorization: Bearer key' \
  -H 'Content-Type: application/json' >"$work/said" \
  -d '{"text": "Where is the station?", "source_lang": "EN", "target_lang": "DE"}'
says 'DeepLX' '"data":"Wo ist der Bahnhof?"'

if python3 -m venv "$work/venv" >/dev/null 2>&1 &&
  "$work/venv/bin/pip" install -q deepl >"$work/pip.log" 2>&1; then
  "$work/venv/bin/python" "$root/deploy/test/deepl_client.py" "$url" key other
else
  missing+=(deepl)
  echo 'not run: client of PyPI (PyPI does not provide it)'
fi

mkdir -p "$work/node" && cp "$root/deploy/test/deepl_client.mjs" "$work/node/"
if command -v npm >/dev/null &&
  (cd "$work/node" && npm install --silent --no-audit --no-fund deepl-node@1 \
    >"$work/npm.log" 2>&1); then
  (cd "$work/node" && node deepl_client.mjs "$url" key other)
else
  missing+=(deepl-node)
  echo 'not run: client of npm (npm does not provide it)'
fi
if ((${#missing[@]} == 2)); then not_run 'no client could be installed'; fi
