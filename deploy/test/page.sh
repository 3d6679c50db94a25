#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Uses the page of the HTTP front in Chromium as a person would (page.py), and
# checks its accessibility with axe if npm's registry answers.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need chromium chromedriver python3 curl
# Debian's package is for Debian's Python.
python=/usr/bin/python3
"$python" -c 'import selenium' 2>/dev/null || not_run 'python3-selenium is missing'
port=$(free_port)
start_server page --http_listen="127.0.0.1:$port"
await 20 curl -fsS -o /dev/null "http://127.0.0.1:$port/"
axe=
if command -v npm >/dev/null &&
  npm install --silent --prefix "$work/npm" axe-core@4 >"$work/npm.log" 2>&1; then
  axe=$work/npm/node_modules/axe-core/axe.min.js
else
  echo 'not run: accessibility (axe-core cannot be installed)'
fi
"$python" "$root/deploy/test/page.py" "http://127.0.0.1:$port/" "$work" "$axe"
