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
need nginx openssl python3
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
more_holds=(gzip_bomb+token unfinished_messages+token health_watches slow_messages
  slow_messages+token large_metadata slow_headers handshakes)

# The limits of deploy/compose.yaml.
kv_cache_bytes=256MiB
limit=$((640 << 20))
group=
for base in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  [[ -w $base ]] && mkdir "$base/sheaf-attack-$$" 2>/dev/null || continue
  for file in memory.limit_in_bytes memory.max; do
    [[ -e $base/sheaf-attack-$$/$file ]] || continue
    echo "$limit" >"$base/sheaf-attack-$$/$file" && group=$base/sheaf-attack-$$
  done
  [[ $group ]] && break
  rmdir "$base/sheaf-attack-$$"
done
if [[ $group ]]; then
  trap 'kill "${children[@]}" 2>/dev/null || true; wait || true; rmdir "$group" || true' EXIT
  mkdir "$work/bin"
  ln -s "$bin/sheaf" "$work/bin/sheaf"
  printf '#!/bin/sh\necho $$ >%q/cgroup.procs && exec %q "$@"\n' \
    "$group" "$bin/sheaf-server" >"$work/bin/sheaf-server"
  chmod +x "$work/bin/sheaf-server"
  bin=$work/bin
else
  echo 'no control group; the peaks are compared with the limit'
fi

for name in honest greedy; do
  openssl rand -hex 16 | tr -d '\n' >"$work/$name"
  echo "$name $(sha256sum <"$work/$name" | cut -d' ' -f1)" >>"$work/tokens"
done
chmod 600 "$work/honest" "$work/greedy"
for name in server client; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout "$work/$name.key" -out "$work/$name.pem" 2>/dev/null
done

# start_alone [FLAG ...]: a server that no proxy protects. Sets address and server.
start_alone() {
  start alone --kv_cache_bytes="$kv_cache_bytes" --auth_tokens_file="$work/tokens" "$@"
}
# start_proxy tls|plain: nginx with the shipped site. Sets port and nginx_id.
start_proxy() {
  port=$(free_port)
  sed "s/127.0.0.1:50443/127.0.0.1:$port/; s/127.0.0.1:50051/$address/; /127.0.0.1:50052/d
       s|server\.pem;|$work/server.pem;|; s|server\.key;|$work/server.key;|" \
    "$root/deploy/nginx/sheaf.conf" >"$work/sheaf.conf"
  if [[ $1 == plain ]]; then
    sed -i 's/ ssl http2/ http2/; /ssl_certificate/d' "$work/sheaf.conf"
  fi
  cat >"$work/nginx.conf" <<EOF
daemon off; pid $work/nginx.pid; error_log $work/nginx.log; worker_processes 2;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http { access_log off; include $work/sheaf.conf;
  client_body_temp_path $work/1; proxy_temp_path $work/2;
  fastcgi_temp_path $work/3; uwsgi_temp_path $work/4; scgi_temp_path $work/5; }
EOF
  nginx -p "$work" -c "$work/nginx.conf" 2>"$work/nginx.err" &
  nginx_id=$!
  children+=("$nginx_id")
}

# set_up SETUP: starts what the setup consists of. Sets target, client (flags of the
# honest client), server and nginx_id (0 without nginx).
set_up() {
  nginx_id=0
  client=()
  case $1 in
    tls | plain)
      start_alone
      start_proxy "$1"
      target=127.0.0.1:$port
      if [[ $1 == tls ]]; then client=(--tls_ca="$work/server.pem"); fi
      ;;
    alone)
      start_alone
      target=$address
      ;;
    client_ca)
      start_alone --tls_cert="$work/server.pem" --tls_key="$work/server.key" \
        --tls_client_ca="$work/client.pem"
      target=$address
      client=(--tls_ca="$work/server.pem" --tls_cert="$work/client.pem"
        --tls_key="$work/client.key")
      ;;
  esac
  await 20 "$bin/sheaf" health --server="$target" --token_file="$work/honest" "${client[@]}"
}
take_down() {
  kill -9 "$server" 2>/dev/null || true
  ((nginx_id == 0)) || kill "$nginx_id" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  ((nginx_id == 0)) || wait "$nginx_id" 2>/dev/null || true
}

# measure SETUP NAME: prints a row of the table.
measure() {
  python3 "$root/deploy/test/attack/measure.py" "$2" --setup="$1" --bin="$bin" \
    --work="$work" --target="$target" --token_file="$work/honest" \
    --greedy_token="$(<"$work/greedy")" --server_pid="$server" \
    --nginx_pid="$nginx_id" --seconds="$seconds" --limit_bytes="$limit" \
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
(server of at most $((limit >> 20)); both processes of nginx); connect: two new clients
setup     attack                        quiet    beside     after    connect server nginx threads
END
attack tls "${floods[@]}" "${more_floods[@]}" "${holds[@]}" "${more_holds[@]}"
attack plain "${floods[@]}" "${holds[@]}"
attack alone "${holds[@]}" "${more_holds[@]}"
attack client_ca hpack_string rapid_reset unfinished_messages idle_connections \
  connections_at_limit slow_headers handshakes handshake_flood
((num_rows > 0)) || fail "no attack has one of the names: ${names[*]}"
printf '\n'
cat "$work/table"
((${#failed[@]} == 0)) || fail "${failed[*]}"
