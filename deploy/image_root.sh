#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Collects the content of the image: the programs, the model, every library that
# the programs load, the name of the user, and the bill of materials.
#   image_root.sh BUILD_DIR ROOT
set -euo pipefail
build=$1
root=$2
mkdir -p "$root"
for component in server client; do
  DESTDIR=$root cmake --install "$build" --prefix /usr --component "$component" \
    --strip >/dev/null
done
rm -rf "$root/etc" "$root/usr/lib/systemd" "$root/usr/share/man" \
  "$root/usr/share/sheaf/proto" "$root"/usr/share/doc/*/changelog.gz

# ldd prints "libx.so.1 => /lib/libx.so.1 (0x...)" and
# "/lib64/ld-linux-x86-64.so.2 (0x...)".
ldd "$root"/usr/bin/* | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
  while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
mkdir -p "$root/etc"
echo 'sheaf:x:65532:65532::/nonexistent:/nonexistent' >"$root/etc/passwd"
echo 'sheaf:x:65532:' >"$root/etc/group"
"$(dirname "${BASH_SOURCE[0]}")/sbom.sh" "$build" "$root"
du -sb "$root" | sed 's/\t.*/ bytes in all/'
find "$root" -type f -size +1M -printf '%s %P\n' | sort -rn
