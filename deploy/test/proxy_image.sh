#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Builds the image of nginx as image.sh builds that of the server. Then runs nginx on
# the image's root, read-only and as user 65532, with the certificate that
# compose.yaml makes, in front of a server.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need buildah chroot curl docker-compose python3
base=${SHEAF_DEPLOY_CACHE:-$HOME/.cache/sheaf-deploy}/bookworm
((EUID == 0)) && [[ -e $base/etc/debian_version ]] ||
  not_run 'building an image (it needs root and the base that image.sh makes)'
mkdir -p "$work/store" "$work/run"
export BUILDAH_ISOLATION=chroot
images() { buildah --root "$work/store" --runroot "$work/run" "$@"; }

container=$(images from scratch)
images add -q "$container" "$base" / >/dev/null
images commit -q "$container" docker.io/library/debian:bookworm-slim >/dev/null
images rm "$container" >/dev/null
images build --pull-never --format docker --target proxy \
  --build-arg BASE=docker.io/library/debian:bookworm-slim -t sheaf-proxy:test \
  "$root" >"$work/image.log" 2>&1 || give_up "$work/image.log" 'the build'
expect_equal 'user, signal and entry point' \
  "$(images inspect --type image --format \
    '{{.OCIv1.Config.User}} {{.OCIv1.Config.StopSignal}} {{.OCIv1.Config.Entrypoint}}' sheaf-proxy:test)" \
  '65532:65532 SIGQUIT [/usr/sbin/nginx -c /etc/nginx/sheaf/nginx.conf]'

# As a container runtime does: a read-only root, with /proc, /tmp and the volume.
container=$(images from --pull-never localhost/sheaf-proxy:test)
image=$(images mount "$container")
tree=$work/tree
mkdir "$tree"
mount --bind "$image" "$tree"
trap 'kill "${children[@]}" 2>/dev/null || true
  umount -l "$tree/proc" "$tree/tmp" "$tree/etc/sheaf/tls" "$tree"
  images umount "$container" >/dev/null' EXIT
mount -o remount,bind,ro "$tree"
mount -t proc proc "$tree/proc"
mount -t tmpfs tmpfs "$tree/tmp"
mount -t tmpfs -o uid=65532,gid=65532 tmpfs "$tree/etc/sheaf/tls"
inside() { chroot --userspec=65532:65532 "$tree" "$@"; }
docker-compose -f "$root/deploy/compose.yaml" config >"$work/compose.yaml"
command=$(sed -n '/^  certificate:/,/^  [a-z]/p' "$work/compose.yaml" | python3 -c '
import sys, yaml
print(yaml.safe_load(sys.stdin.read().rsplit("\n  ", 1)[0])["certificate"]["entrypoint"][2])' 2>/dev/null) ||
  not_run 'the certificate of compose.yaml (python3-yaml is missing)'
inside /bin/sh -c "$command" 2>"$work/openssl.log" || fail "$(cat "$work/openssl.log")"

# The shipped files, except for the ports, because others may be in use here.
start_server one --trusted_proxies=127.0.0.1 --http_listen=127.0.0.1:0
door=127.0.0.1:$(free_port)
web=127.0.0.1:$(free_port)
mkdir "$tree/tmp/site"
cp "$tree/etc/nginx/sheaf/nginx.conf" "$tree/tmp/site/"
sed "s|listen 50443 |listen $door |; s|server 127.0.0.1:50051 |server $address |" \
  "$tree/etc/nginx/sheaf/sheaf.conf" >"$tree/tmp/site/sheaf.conf"
sed "s|listen 5443 |listen $web |; s|server 127.0.0.1:5000 |server $http |" \
  "$tree/etc/nginx/sheaf/sheaf-http.conf" >"$tree/tmp/site/sheaf-http.conf"
# A container runtime hands stdout to the user of the container.
: >"$work/nginx.log"
chmod 666 "$work/nginx.log"
inside /usr/sbin/nginx -c /tmp/site/nginx.conf >"$work/nginx.log" 2>&1 &
children+=("$!")
client=(--server="$door" --tls_ca="$tree/etc/sheaf/tls/tls.crt" --timeout=30s)
await 20 "$bin/sheaf" health "${client[@]}"
[[ $(ps -o uid= -p "$(cat "$tree/tmp/nginx.pid")") -eq 65532 ]] || fail 'nginx is not user 65532'
expect_equal 'the translation' \
  "$("$bin/sheaf" translate "${client[@]}" --from=en --to=de 'Where is the train station?')" \
  'Wo ist der Bahnhof?'
curl -fsS --cacert "$tree/etc/sheaf/tls/tls.crt" "https://$web/translate" \
  -d 'q=Where is the train station?' -d source=en -d target=de >"$work/said"
grep -q 'Wo ist der Bahnhof?' "$work/said" || fail "HTTP: $(cat "$work/said")"
kill -QUIT "$(cat "$tree/tmp/nginx.pid")"
await 10 test ! -e "$tree/tmp/nginx.pid"
cat "$work/nginx.log"
grep -q '"method":"/sheaf.v1.TextService/Translate"' "$work/nginx.log" || fail 'nginx has no log on stdout'
grep -q '"method":"/translate","status":"200"' "$work/nginx.log" || fail 'nginx has no log of HTTP'
echo "image: $(du -sb "$image" | cut -f1) bytes"
