#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Runs Prometheus on a server under load. The tests of the rules must pass, and
# every query of the rules, the dashboard and the console must return data.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need prometheus promtool python3 curl
folder=$root/deploy/prometheus

echo '--- rules'
promtool check rules "$folder"/*.rules.yml
promtool test rules "$folder/alerts.test.yml"
while read -r anchor; do
  grep -qi "^### $anchor\$" "$root/docs/OPERATIONS.md" || fail "no section of OPERATIONS.md explains $anchor"
done < <(sed -n 's/^ *runbook: .*#//p' "$folder/alerts.rules.yml")
promtool check config --syntax-only "$folder/prometheus.yml"

echo '--- Prometheus scrapes a server under load'
start_server watched --http_listen=127.0.0.1:0
cp -r "$folder" "$work/prometheus"
sed -i "s/server:9464/$metrics/" "$work/prometheus/prometheus.yml"
sed -i 's/\(scrape\|evaluation\)_interval: 5s/\1_interval: 1s/; s/interval: 5s/interval: 1s/' \
  "$work/prometheus/prometheus.yml" "$work/prometheus/recording.rules.yml"
libraries=/usr/share/doc/prometheus/examples/console_libraries
prometheus_address=127.0.0.1:$(free_port)
prometheus --config.file="$work/prometheus/prometheus.yml" \
  --storage.tsdb.path="$work/tsdb" --web.listen-address="$prometheus_address" \
  --web.console.libraries="$libraries" \
  --web.console.templates="$work/prometheus/consoles" \
  >"$work/prometheus.log" 2>&1 &
children+=("$!")
await 30 curl -fsS "http://$prometheus_address/-/ready"
"$bin/sheaf" load --server="$address" --rate=5 --seconds=75 --timeout=20s \
  >"$work/load.json" &
load=$!
# Each dialect of HTTP, with something to detect, to copy, to keep and to warn of.
http_load() {
  local sent=(curl -fsS -o "$work/said" --max-time 20)
  for _ in {1..50}; do
    "${sent[@]}" "http://$http/translate" -d source=auto -d target=de \
      --data-urlencode 'q=The file %s has 7 lines, see https://example.org/a. 12:30'
    "${sent[@]}" "http://$http/v2/translate" -d 'text=Good morning.' -d target_lang=DE
    "${sent[@]}" "http://$http/v1/detect" -H 'Content-Type: application/json' -d '{"texts": ["Guten Morgen."]}'
    "${sent[@]}" "http://$http/health"
    sleep 1
  done
}
http_load &
children+=("$!")
# A wrong request, so that there are refusals and errors to count.
"$bin/sheaf" translate --server="$address" --from=en --to=xx a 2>/dev/null || true
sleep 45
python3 "$root/deploy/test/queries.py" "$root" "http://$prometheus_address"

echo '--- the console'
if [[ ! -d $libraries ]]; then
  wait "$load"
  not_run "the console ($libraries is not installed); the queries passed"
fi
page=http://$prometheus_address/consoles/sheaf.html
curl -fsS "$page" >"$work/console.html"
grep -q 'Are users served' "$work/console.html" || fail 'the console is missing'
if grep -qiE 'error executing|no such template|<td>[^<]*NaN' "$work/console.html"; then
  fail "$(grep -iE 'error|NaN' "$work/console.html" | head -3)"
fi
if command -v chromium >/dev/null; then
  # The picture has the graphs of the last two minutes.
  chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --window-size=1300,1250 --virtual-time-budget=8000 \
    --screenshot="$work/console.png" "$page#pctc%7B%22duration%22%3A120,%22endTime%22%3A0%7D" \
    >/dev/null 2>&1 ||
    fail 'chromium made no picture of the console'
  echo "picture: $work/console.png"
else
  echo 'not run: the picture of the console (chromium is missing)'
fi
wait "$load"
echo "load: $(cat "$work/load.json")"
