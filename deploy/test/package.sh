#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Builds the Debian packages, checks them with lintian, installs them on a fresh
# system (a chroot), and uses them there.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need cpack curl dpkg-deb lintian openssl
build=$(cd "$bin/.." && pwd)

# calls_of SET: prints the system calls of one of systemd's sets.
calls_of() {
  local name
  systemd-analyze syscall-filter "$1" | sed -n 's/^    \([@a-z0-9_-]*\).*/\1/p' |
    while read -r name; do
      case $name in
        @*) calls_of "$name" ;;
        *) echo "$name" ;;
      esac
    done
}
# Checks that the server makes only system calls that the unit's filter allows,
# because the unit kills a server that makes another one.
calls_within_filter() {
  local unit=$work/x/usr/lib/systemd/system/sheaf-server.service set
  local sets allowed=(@default) denied=()
  for sets in $(sed -n 's/^SystemCallFilter=//p' "$unit" | tr ' ' ,); do
    for set in $(tr , ' ' <<<"${sets#\~}"); do
      if [[ $sets == ~* ]]; then denied+=("$set"); else allowed+=("$set"); fi
    done
  done
  strace -f -qq -o "$work/trace" "$bin/sheaf-server" --listen=127.0.0.1:0 \
    --http_listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 --kv_cache_bytes=64MiB >"$work/traced.out" 2>&1 &
  local tracer=$!
  children+=("$tracer")
  await 60 grep -q '^listening on' "$work/traced.out"
  address=$(sed -n 's/^listening on //p' "$work/traced.out")
  metrics=$(sed -n 's/.*metrics on \([0-9.:]*\).*/\1/p' "$work/traced.out")
  "$bin/sheaf" translate --server="$address" --from=en --to=de 'Good morning.' >/dev/null
  curl -fsS "http://$metrics/metrics" >/dev/null
  http=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/traced.out")
  curl -fsS "http://$http/translate" -d 'q=Good morning.' -d source=en -d target=de >/dev/null
  pkill -TERM -P "$tracer"
  wait "$tracer" || fail 'the traced server exited with an error'
  sed -nE 's/^[0-9]+ +(<\.\.\. )?([a-z0-9_]+)(\(| resumed).*/\2/p' "$work/trace" |
    sort -u >"$work/made"
  for set in "${allowed[@]}"; do calls_of "$set"; done | sort -u >"$work/allowed"
  for set in "${denied[@]}"; do calls_of "$set"; done | sort -u >"$work/denied"
  (($(wc -l <"$work/made") > 30)) || fail 'the trace has too few system calls'
  comm -23 "$work/made" <(comm -23 "$work/allowed" "$work/denied") >"$work/beyond"
  [[ ! -s $work/beyond ]] || fail "the unit forbids: $(tr '\n' ' ' <"$work/beyond")"
  echo "the filter of the unit allows all $(wc -l <"$work/made") system calls of the server"
}

echo '--- the packages'
(cd "$work" && cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/deb" \
  >"$work/cpack.log" 2>&1) || fail "$(tail -5 "$work/cpack.log")"
ls -l "$work"/deb/*.deb | awk '{print $5, $9}'
for package in "$work"/deb/*.deb; do
  lintian --fail-on error --tag-display-limit 0 "$package" || fail "lintian: $package"
done
for package in sheaf-server sheaf; do
  dpkg-deb -x "$work/deb/${package}"_*.deb "$work/programs"
done
"$root/tests/programs/hardening_test.sh" "$work"/programs/usr/bin/* ||
  fail 'a program is not hardened'
if command -v systemd-analyze >/dev/null; then
  dpkg-deb -x "$work"/deb/sheaf-server_*.deb "$work/x"
  systemd-analyze security --offline=true --threshold=30 \
    "$work/x/usr/lib/systemd/system/sheaf-server.service" >"$work/security" ||
    fail "the unit is too open: $(tail -1 "$work/security")"
  tail -1 "$work/security"
  if command -v strace >/dev/null; then
    calls_within_filter
  else
    echo 'not run: the filter of system calls of the unit (strace is missing)'
  fi
else
  echo 'not run: the unit (systemd-analyze is missing)'
fi

echo '--- a program is built with the files of libsheaf-dev'
dpkg-deb -x "$work"/deb/libsheaf-dev_*.deb "$work/dev"
mkdir -p "$work/user" && cp "$root/examples/cpp/translate.cc" "$work/user/"
cat >"$work/user/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(sheaf 0.1 CONFIG REQUIRED)
add_executable(user translate.cc)
target_link_libraries(user PRIVATE sheaf::client)
END
{
  cmake -S "$work/user" -B "$work/user/build" -DCMAKE_PREFIX_PATH="$work/dev/usr" &&
    cmake --build "$work/user/build"
} >"$work/user.log" 2>&1 || fail "$(tail -5 "$work/user.log")"
start_server user
"$work/user/build/user" "$address" | grep -q 'Wo ist der Bahnhof?' || fail 'the program does not translate'
PKG_CONFIG_PATH=$work/dev/usr/lib/pkgconfig \
  pkg-config --libs --cflags sheaf-client >"$work/pc" || fail 'pkg-config failed'
# The shell must split the flags into words.
# shellcheck disable=SC2046
g++ -std=c++20 "$root/examples/cpp/translate.cc" -o "$work/user/by-pc" $(cat "$work/pc") ||
  fail 'the program does not build with pkg-config'
"$work/user/by-pc" "$address" | grep -q 'Wo ist der Bahnhof?' ||
  fail 'the program built with pkg-config does not translate'

base=${SHEAF_DEPLOY_CACHE:-$HOME/.cache/sheaf-deploy}/bookworm
((EUID == 0)) && [[ -e $base/etc/debian_version ]] ||
  not_run 'installing (it needs root and the base that image.sh makes); lintian passed'
echo '--- the packages are installed on a fresh system, used and removed'
cp -a "$base" "$work/system"
cp /etc/resolv.conf "$work/system/etc/"
mkdir "$work/system/packages"
cp "$work"/deb/sheaf*.deb "$work/system/packages/"
mount -t proc proc "$work/system/proc"
trap 'kill "${children[@]}" 2>/dev/null || true; umount -l "$work/system/proc"' EXIT
in_system=(chroot "$work/system" /usr/bin/env DEBIAN_FRONTEND=noninteractive)
inside() { "${in_system[@]}" "$@"; }
{
  inside apt-get update -qq
  inside sh -c 'apt-get install -y -qq --no-install-recommends /packages/*.deb'
} >"$work/apt.log" 2>&1 || give_up "$work/apt.log" 'installing'
[[ $(inside stat -c %a /etc/sheaf/sheaf-server.flags) == 644 ]] || fail 'the flag file has the wrong mode'
inside id sheaf >/dev/null || fail 'the user sheaf is missing'
grep -q '^# --http_listen=127.0.0.1:5000$' "$work/system/etc/sheaf/sheaf-server.flags" ||
  fail 'the flag file does not show how to switch HTTP on'
# systemd makes the directory of the unit.
directory=$(sed -n 's/^StateDirectory=/\/var\/lib\//p' \
  "$work/system/usr/lib/systemd/system/sheaf-server.service")
inside install -d -o sheaf -g sheaf -m 700 "${directory:?the unit has no StateDirectory}"
sed 's/^# \(--http_[a-z]*=\|--trusted_proxies=\)/\1/' "$work/system/etc/sheaf/sheaf-server.flags" \
  >"$work/system/tmp/http.flags"
# As the unit starts it, with the lines of README.Debian, except for the ports.
"${in_system[@]}" setpriv --reuid=sheaf --regid=sheaf --clear-groups /usr/bin/sheaf-server \
  --flagfile=/tmp/http.flags --listen=127.0.0.1:0 \
  --http_listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 >"$work/package.out" 2>"$work/package.err" &
server=$!
children+=("$server")
await 30 grep -q '^listening on' "$work/package.out"
address=$(sed -n 's/^listening on //p' "$work/package.out")
[[ $(inside sheaf translate --server="$address" --from=en --to=de \
  'Where is the train station?') == 'Wo ist der Bahnhof?' ]] || fail 'the translation is wrong'
inside sheaf health --server="$address"
http=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/package.err")
curl -fsS "http://$http/translate" -d 'q=Where is the train station?' -d source=en -d target=de \
  >"$work/said"
grep -q 'Wo ist der Bahnhof?' "$work/said" || fail "HTTP: $(cat "$work/said")"
curl -fsS "http://$http/v2/glossaries" -d name=a -d source_lang=en -d target_lang=de \
  -d entries_format=tsv --data-urlencode $'entries=station\tHalt' >/dev/null ||
  fail 'no glossary can be created'
inside find "$directory" -name '*.json' | grep -q . || fail "there is no glossary in $directory"
kill -TERM "$server"
wait "$server" || fail 'the server exited with an error'
# The sites, as README.Debian enables them.
inside dpkg-query --show --showformat='${Recommends}' sheaf-server | grep -q nginx-light ||
  fail 'the package does not recommend nginx'
if inside apt-get install -y -qq --no-install-recommends nginx-light >"$work/nginx.log" 2>&1; then
  make_certificate "$work/system/etc/sheaf/tls"
  for site in sheaf sheaf-http; do
    inside ln -s "../sites-available/$site" "/etc/nginx/sites-enabled/$site"
  done
  inside nginx -t >"$work/nginx.log" 2>&1 || fail "nginx: $(cat "$work/nginx.log")"
  rm -r "$work/system/etc/sheaf/tls"
else
  echo "not run: the sites of the package: $(tail -1 "$work/nginx.log")"
fi
inside sh -c 'dpkg --verify sheaf-server && apt-get purge -y -qq sheaf sheaf-server' \
  >"$work/purge.log" 2>&1 || fail "$(tail -3 "$work/purge.log")"
[[ ! -e $work/system/etc/sheaf && ! -e $work/system/var/lib/sheaf && ! -e $work/system/usr/share/sheaf &&
  ! -e $work/system/etc/nginx/sites-available/sheaf &&
  ! -e $work/system/etc/nginx/sites-available/sheaf-http ]] ||
  fail 'a purge left files behind'
