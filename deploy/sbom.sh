#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Writes the bill of materials of an image, for people and for scanners:
#   sbom.sh BUILD_DIR ROOT
#
# ROOT has every file of the image. Added to it are
#   usr/share/doc/sheaf/sbom.spdx.json   SPDX 2.3: all files and Debian packages
#   usr/share/doc/PACKAGE/copyright      licenses of the packages
#   var/lib/dpkg/status.d/PACKAGE        what dpkg knows of the packages; scanners
#                                        read it in images without dpkg
#   etc/os-release                       the distribution, likewise
# The packages are those of the libraries in ROOT, and those of the static
# libraries and headers that the programs are built from, which are also code of
# the programs.
set -euo pipefail
export LC_ALL=C
build=$(cd "$1" && pwd)
root=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# owners: reads paths and prints "PACKAGE PATH" for those of Debian packages. dpkg
# knows a library by its path with or without /usr, and never by other links.
owners() {
  local path real
  while read -r path; do
    real=$(readlink -f "$path")
    printf '%s\t%s\n' "$real" "$path" "${real#/usr}" "$path"
  done | sort -u >"$work/candidates"
  cut -f1 "$work/candidates" | { xargs dpkg-query -S 2>/dev/null || true; } |
    sed -nE 's/^([^ :,]+)(:[a-z0-9]+)?: (.*)/\3\t\1/p' | sort >"$work/owned"
  join -t $'\t' -o 2.2,1.2 "$work/candidates" "$work/owned" | sort -u
}
fail() {
  echo "sbom: $*" >&2
  exit 1
}
# An identifier of SPDX has letters, digits, dots and hyphens.
spdx_id() { echo "SPDXRef-$1-${2//[^A-Za-z0-9.-]/-}"; }

# --- What the programs are built from.
ninja -C "$build" -t inputs sheaf-server sheaf | grep -v '^ninja:' >"$work/inputs"
# shellcheck disable=SC2046  # one word per object
ninja -C "$build" -t deps $(grep '\.o$' "$work/inputs") |
  sed -nE 's/^ +(\/usr\/.*)/\1/p' | sort -u >"$work/headers"
[[ -s $work/headers ]] || fail "ninja knows of no headers in $build"
# The kernel's headers have declarations only, and with them a scanner would report
# every fault of the kernel.
{ grep -E '^/usr/.*\.a$' "$work/inputs" || true; cat "$work/headers"; } |
  owners | cut -f1 | sort -u | grep -vx linux-libc-dev >"$work/built-in"

# --- The libraries of the image, by their packages.
(cd "$root" && find . -type f -name '*.so*' | sed 's/^\.//') | sort >"$work/libraries"
owners <"$work/libraries" >"$work/library-owners"
cut -f2 "$work/library-owners" | sort | comm -23 "$work/libraries" - >"$work/unknown"
[[ ! -s $work/unknown ]] || fail "no Debian package has $(tr '\n' ' ' <"$work/unknown")"
cut -f1 "$work/library-owners" | sort -u - "$work/built-in" >"$work/packages"

# --- What scanners and licenses ask for.
mkdir -p "$root/var/lib/dpkg/status.d" "$root/usr/share/doc/sheaf" "$root/etc"
cp -L /etc/os-release "$root/etc/os-release"
while read -r package; do
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  mkdir -p "$root/usr/share/doc/$package"
  cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
done <"$work/packages"

# --- The document.
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:.*=//p' "$build/CMakeCache.txt")
out=$root/usr/share/doc/sheaf/sbom.spdx.json
rm -f "$out"
(cd "$root" && find . -type f | sort) >"$work/files"
(cd "$root" && xargs sha1sum <"$work/files") >"$work/sha1"
(cd "$root" && xargs sha256sum <"$work/files") | cut -d' ' -f1 >"$work/sha256"
verification=$(cut -d' ' -f1 "$work/sha1" | sort | tr -d '\n' | sha1sum | cut -d' ' -f1)
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
distribution=$(. /etc/os-release && echo "$ID-$VERSION_ID")

relate() {
  printf '{"spdxElementId": "%s", "relationshipType": "%s", "relatedSpdxElement": "%s"}\n' "$@"
}
all_packages() {
  cat <<END
{"SPDXID": "SPDXRef-Package-image-of-sheaf", "name": "sheaf", "versionInfo": "$version",
 "downloadLocation": "NOASSERTION", "filesAnalyzed": true,
 "packageVerificationCode": {"packageVerificationCodeValue": "$verification"},
 "primaryPackagePurpose": "CONTAINER", "licenseConcluded": "NOASSERTION",
 "licenseDeclared": "Apache-2.0 AND CC-BY-4.0", "copyrightText": "NOASSERTION"}
END
  debian_packages
}
debian_packages() {
  local name package version arch source maintainer licenses
  while read -r name; do
    IFS=$'\t' read -r package version arch source maintainer < <(dpkg-query -W -f \
      '${Package}\t${Version}\t${Architecture}\t${source:Package} ${source:Version}\t${Maintainer}\n' "$name")
    licenses=$(sed -n 's/^License: *//p' "/usr/share/doc/$name/copyright" | sort -u |
      tr -cd 'A-Za-z0-9.+ \n-' | paste -sd, - | sed 's/,/, /g')
    cat <<END
{"SPDXID": "$(spdx_id Package "$name")", "name": "$package", "versionInfo": "$version",
 "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
 "supplier": "Organization: Debian", "originator": "Organization: $(tr -d '"\\' <<<"$maintainer")",
 "sourceInfo": "built from the source package $source",
 "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
 "licenseComments": "/usr/share/doc/$name/copyright has the licenses${licenses:+: $licenses}",
 "copyrightText": "NOASSERTION",
 "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
  "referenceLocator": "pkg:deb/debian/${package//+/%2B}@$(sed 's/+/%2B/g; s/:/%3A/g' <<<"$version")?arch=$arch&distro=$distribution"}]}
END
  done <"$work/packages"
}
image_files() {
  local sha1 sha256 path
  paste -d' ' "$work/sha256" "$work/sha1" | while read -r sha256 sha1 path; do
    printf '{"SPDXID": "%s", "fileName": "%s", "checksums": [{"algorithm": "SHA1", "checksumValue": "%s"}, {"algorithm": "SHA256", "checksumValue": "%s"}]}\n' \
      "$(spdx_id File "$path")" "$path" "$sha1" "$sha256"
  done
}
relationships() {
  local name path
  relate SPDXRef-DOCUMENT DESCRIBES SPDXRef-Package-image-of-sheaf
  while read -r path; do
    relate SPDXRef-Package-image-of-sheaf CONTAINS "$(spdx_id File "$path")"
  done <"$work/files"
  while read -r name; do
    relate SPDXRef-Package-image-of-sheaf STATIC_LINK "$(spdx_id Package "$name")"
  done <"$work/built-in"
  while IFS=$'\t' read -r name path; do
    relate "$(spdx_id File ".$path")" GENERATED_FROM "$(spdx_id Package "$name")"
  done <"$work/library-owners"
}
# list NAME COMMAND: the member NAME, with the objects that COMMAND prints.
list() { printf '"%s": [\n%s\n]' "$1" "$($2 | sed 's/}$/},/; $s/,$//')"; }
{
  cat <<END
{"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
"name": "image-of-sheaf-$version",
"documentNamespace": "https://spdx.org/spdxdocs/image-of-sheaf-$version-$verification",
"creationInfo": {"created": "$created", "creators": ["Tool: deploy/sbom.sh"]},
END
  list packages all_packages
  echo ,
  list files image_files
  echo ,
  list relationships relationships
  echo '}'
} >"$out.part"
mv "$out.part" "$out"
echo "sbom: $(wc -l <"$work/files") files, $(wc -l <"$work/packages") Debian packages" \
  "($(wc -l <"$work/built-in") of them built into the programs)"
