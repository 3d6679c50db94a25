#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Attacks the shipped set-up (nginx in front of a server, started by hand) over TLS
# and plain, a server alone, and a server alone that demands client certificates.
#   attack.sh BIN_DIR WORK_DIR [NAME ...]
# NAME is a row of the table at the end, with or without "+token"; without one, all
# rows run. ATTACK_SECONDS (3) is the length of each.
#
# The attacks come from 127.0.0.2 and go to 127.0.0.1, and the honest client from
# 127.0.0.1. With "+token" the attacker has a token, as a greedy caller has.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl nginx openssl python3
bin=$(cd "$bin" && pwd)
names=("${@:3}")
seconds=${ATTACK_SECONDS:-3}

# What HTTP/2 itself allows. gRPC 1.51 does not withstand it, so that nginx must.
floods=(hpack_string continuation_flood rapid_reset unacknowledged_settings)
more_floods=(empty_data ping_flood settings_flood window_flood priority_flood
  metadata_flood handshake_flood)
# What the server withstands too.
holds=(gzip_bomb unfinished_messages idle_connections connections_at_limit
  reflection_streams unread_answers+token greedy_beams+token greedy_shorts+token)
# On the port of HTTP.
http_attacks=(http_slow_headers http_slow_bodies http_slow_bodies+token http_unfinished_bodies
  http_unfinished_bodies+token http_many_requests)
more_holds=(gzip_bomb+token unfinished_messages+token health_watches slow_messages
  slow_messages+token large_metadata slow_headers handshakes)

# The limit is the least that docs/OPERATIONS.md asks for: the weights in MiB, this
# KV cache, 192 MiB, and 64 MiB for HTTP.
kv_cache_bytes=256MiB
limit=$((32 + 256 + 192 + 64 << 20))
limit_memory "$limit"
trap 'kill "${children[@]}" 2>/dev/null || true; wait || true; remove_group' EXIT

for name in honest greedy; do
  openssl rand -hex 16 | tr -d '\n' >"$work/$name"
  echo "$name $(sha256sum <"$work/$name" | cut -d' ' -f1)" >>"$work/tokens"
done
chmod 600 "$work/honest" "$work/greedy"
make_certificate "$work/server"
make_certificate "$work/client"

# start_alone [FLAG ...]: a server that no proxy protects. Sets address and server.
start_alone() {
  start alone --kv_cache_bytes="$kv_cache_bytes" --auth_tokens_file="$work/tokens" \
    --http_listen=127.0.0.1:0 "$@"
  http=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/alone.log")
}
# set_up SETUP: starts what the setup consists of. Sets target and http_target (what is
# attacked), client (flags of the honest client), server and nginx (0 without nginx).
set_up() {
  nginx=0
  client=()
  local plain
  case $1 in
    tls | plain)
      start_alone --trusted_proxies=127.0.0.1
      # The shipped site for gRPC listens for TLS, and here on a plain port too.
      plain=127.0.0.1:$(free_port)
      start_nginx "$1" "$address" '/^upstream sheaf_http /,$b' \
        "s|^ *listen [0-9].*|& listen $plain http2;|"
      target=$plain http_target=$web
      if [[ $1 == tls ]]; then target=$door client=(--tls_ca="$door_files/tls.crt"); fi
      ;;
    alone)
      start_alone
      target=$address http_target=$http
      ;;
    client_ca)
      start_alone --tls_cert="$work/server/tls.crt" --tls_key="$work/server/tls.key" \
        --tls_client_ca="$work/client/tls.crt"
      target=$address http_target=$http
      client=(--tls_ca="$work/server/tls.crt" --tls_cert="$work/client/tls.crt"
        --tls_key="$work/client/tls.key")
      ;;
  esac
  await 20 "$bin/sheaf" health --server="$target" --token_file="$work/honest" "${client[@]}"
}
take_down() {
  kill -9 "$server" 2>/dev/null || true
  ((nginx == 0)) || kill "$nginx" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  ((nginx == 0)) || wait "$nginx" 2>/dev/null || true
}

# measure SETUP NAME: prints a row of the table.
measure() {
  python3 "$root/deploy/test/attack/measure.py" "$2" --setup="$1" --bin="$bin" \
    --work="$work" --target="$target" --http_target="$http_target" --token_file="$work/honest" \
    --greedy_token="$(<"$work/greedy")" --server_pid="$server" \
    --nginx_pid="$nginx" --seconds="$seconds" --limit_bytes="$limit" \
    "${client[@]}" | tee -a "$work/table"
}
is_chosen() {
  ((${#names[@]} == 0)) && return
  local name
  for name in "${names[@]}"; do
    if [[ $1 == "$name" || $1 == "$name+token" ]]; then return; fi
  done
  return 1
}
# attack SETUP NAME ...: measures the chosen rows. After a row that fails, the
# setup starts afresh.
attack() {
  local setup=$1 name rows=()
  for name in "${@:2}"; do
    if is_chosen "$name"; then rows+=("$name"); fi
  done
  ((${#rows[@]} > 0)) || return 0
  num_rows+=${#rows[@]}
  set_up "$setup"
  measure "$setup" quiet
  for name in "${rows[@]}"; do
    measure "$setup" "$name" && continue
    failed+=("$setup/$name")
    take_down
    set_up "$setup"
  done
  take_down
}

failed=()
declare -i num_rows=0
cat <<END | tee "$work/table"
latencies in ms, p99 of first token / of the whole answer; memory in MiB
without files (server of at most $((limit >> 20))); connect: two new clients
setup     attack                        quiet    beside     after    connect server nginx threads
END
attack tls "${floods[@]}" "${more_floods[@]}" "${holds[@]}" "${more_holds[@]}" \
  "${http_attacks[@]}"
attack plain "${floods[@]}" "${holds[@]}"
attack alone "${holds[@]}" "${more_holds[@]}" "${http_attacks[@]}"
attack client_ca hpack_string rapid_reset unfinished_messages idle_connections \
  connections_at_limit slow_headers handshakes handshake_flood http_slow_headers
((num_rows > 0)) || fail "no attack has one of the names: ${names[*]}"
printf '\n'
cat "$work/table"
((${#failed[@]} == 0)) || fail "${failed[*]}"
