#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Builds the image without a Docker daemon, by buildah on a base from debootstrap.
# Then runs its content as user 65532 on its own root. The server must translate over
# gRPC and HTTP, report its health, and finish a stream when it gets SIGTERM.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need buildah debootstrap chroot curl python3
((EUID == 0)) || not_run 'building an image here needs root'
cache=${SHEAF_DEPLOY_CACHE:-$HOME/.cache/sheaf-deploy}
mkdir -p "$cache" "$work/store" "$work/run" "$work/ccache"
export BUILDAH_ISOLATION=chroot
images() { buildah --root "$work/store" --runroot "$work/run" "$@"; }

echo '--- the base'
base=$cache/bookworm
if [[ ! -e $base/etc/debian_version ]]; then
  rm -rf "$base.part"
  mirror=$(sed -nE 's/^(URIs:|deb) +(http[^ ]*debian)\/? .*|^URIs: +(.*debian)\/?$/\2\3/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1) || true
  debootstrap --variant=minbase bookworm "$base.part" \
    "${mirror:-http://deb.debian.org/debian}" >"$work/debootstrap.log" 2>&1 ||
    not_run "debootstrap failed: $(tail -1 "$work/debootstrap.log")"
  mv "$base.part" "$base"
fi
container=$(images from scratch)
images add -q "$container" "$base" / >/dev/null
images config --cmd bash "$container"
images commit -q "$container" docker.io/library/debian:bookworm-slim >/dev/null
images rm "$container" >/dev/null

echo '--- the build'
ccache_dir=${CCACHE_DIR:-$HOME/.cache/ccache}
if [[ ! -d $ccache_dir ]]; then ccache_dir=$work/ccache; fi
images build --pull-never --format docker --volume "$ccache_dir:/ccache" \
  --build-arg BASE=docker.io/library/debian:bookworm-slim -t sheaf:test "$root" >"$work/image.log" 2>&1 ||
  give_up "$work/image.log" 'the build'
grep -A12 'bytes in all' "$work/image.log"

echo '--- the server runs as user 65532 on a read-only root'
images inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.StopSignal}} {{.OCIv1.Config.Entrypoint}}' \
  sheaf:test | grep -q '^65532:65532 SIGTERM \[/usr/bin/sheaf-server\]$' ||
  fail 'the user, the signal or the entry point is wrong'
images inspect --type image --format '{{.Docker.Config.Healthcheck}}' sheaf:test |
  grep -q 'sheaf health' || fail 'there is no health check'
for port in 50051 5000 9464; do
  images inspect --type image --format '{{.Docker.Config.ExposedPorts}}' sheaf:test |
    grep -q "$port/tcp" || fail "the image does not tell its port $port"
done
container=$(images from --pull-never localhost/sheaf:test)
image=$(images mount "$container")
[[ ! -e $image/bin/sh && ! -e $image/usr/bin/sh ]] || fail 'the image has a shell'

echo '--- what is in the image, and how its programs are hardened'
"$root/deploy/test/sbom.py" "$image" || fail 'the bill of materials is wrong'
"$root/tests/programs/hardening_test.sh" "$image"/usr/bin/* || fail 'a program is not hardened'
# The sources lie in /src where the image is built.
if grep -qaF /src/ "$image"/usr/bin/*; then fail 'a program contains a path of its build'; fi

# As a container runtime does, mount /proc and make everything else read-only.
mkdir -p "$work/tree" "$image/proc" && mount --bind "$image" "$work/tree"
trap 'kill "${children[@]}" 2>/dev/null || true
  umount -l "$work/tree/proc" "$work/tree"
  images umount "$container" >/dev/null' EXIT
mount -o remount,bind,ro "$work/tree"
mount -t proc proc "$work/tree/proc"
in_image=(chroot --userspec=65532:65532 "$work/tree")
inside() { "${in_image[@]}" "$@"; }
if touch "$work/tree/written" 2>/dev/null; then fail 'the root is writable'; fi
"${in_image[@]}" /usr/bin/sheaf-server \
  --listen=127.0.0.1:0 --http_listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 --log_format=json \
  --kv_cache_bytes=64MiB >"$work/image.out" 2>"$work/image.err" &
server=$!
children+=("$server")
await 30 grep -q '^listening on' "$work/image.out"
address=$(sed -n 's/^listening on //p' "$work/image.out")
[[ $(ps -o uid= -p "$server") -eq 65532 ]] || fail 'the user of the server is not 65532'
[[ $(inside /usr/bin/sheaf health --server="$address") == SERVING ]] ||
  fail 'the server is not healthy'
[[ $(inside /usr/bin/sheaf translate --server="$address" --from=en --to=de \
  'Where is the train station?') == 'Wo ist der Bahnhof?' ]] || fail 'the translation is wrong'
http=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/image.err")
curl -fsS "http://$http/translate" -d 'q=Where is the train station?' -d source=en -d target=de \
  >"$work/said"
grep -q 'Wo ist der Bahnhof?' "$work/said" || fail "HTTP: $(cat "$work/said")"
curl -fsS "http://$http/" | grep -q '<html' || fail 'there is no page'

echo '--- SIGTERM in the middle of a stream'
for _ in {1..60}; do printf 'We are going home tomorrow. '; done >"$work/long"
"$bin/sheaf" translate --server="$address" --from=en --to=de \
  "$(cat "$work/long")" >"$work/whole"
"$bin/sheaf" translate --server="$address" --from=en --to=de --stream \
  "$(cat "$work/long")" >"$work/streamed" &
client=$!
until [[ -s $work/streamed ]] || ! kill -0 "$client" 2>/dev/null; do sleep 0.01; done
kill -TERM "$server"
wait "$client" || fail 'the stream failed'
cmp "$work/whole" "$work/streamed" || fail 'the stream is incomplete'
code=0
wait "$server" || code=$?
[[ $code == 0 ]] || fail "exit code $code after SIGTERM"
echo "image: $(du -sb "$image" | cut -f1) bytes"
