#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Pins the images of others to digests, so that a registry cannot replace them:
#   pin_images.sh [--check] [FILE ...]
#
# Asks the registry of each image for the digest of its tag, and writes
# NAME:TAG@DIGEST where the file has NAME:TAG or an older digest. Run it again for
# newer images of the same tags, and look at the difference before you commit it.
# With --check, it changes nothing and fails if an image has no digest. By default
# the files are Dockerfile, compose.yaml and the manifests. Sheaf's own images are
# built and have no digest before.
#
# Environment:
#   SKOPEO_FLAGS  flags of skopeo inspect, for example --creds=NAME:PASSWORD
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
is_check=
if [[ ${1:-} == --check ]]; then
  is_check=1
  shift
fi
files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(find "$root/deploy/kubernetes" -name '*.yaml' | sort)
  files+=("$root/Dockerfile" "$root/deploy/compose.yaml")
fi

# An image follows "image:" in YAML and "ARG BASE=" in the Dockerfile.
readonly before='^( *-? *image: *"?|ARG BASE=)'
# images_of FILE: prints the images of others that the file names.
images_of() {
  sed -nE "s/$before([^ #\"]+).*/\\2/p" "$1" | grep -vE '^sheaf(-proxy)?(:.*)?$' | sort -u || true
}

num_unpinned=0
for file in "${files[@]}"; do
  for image in $(images_of "$file"); do
    if [[ $is_check ]]; then
      [[ $image =~ @sha256:[0-9a-f]{64}$ ]] && continue
      echo "$file: $image has no digest" >&2
      num_unpinned=$((num_unpinned + 1))
      continue
    fi
    tag=${image%@*}
    # Among the flags there may be several words.
    # shellcheck disable=SC2086
    digest=$(skopeo inspect --no-tags --format '{{.Digest}}' ${SKOPEO_FLAGS:-} "docker://$tag")
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || {
      echo "pin_images: the registry answers \"$digest\" for $tag" >&2
      exit 1
    }
    sed -E "s,$before${image//./\\.}(\"?( .*)?)\$,\\1$tag@$digest\\2," "$file" >"$file.part"
    cat "$file.part" >"$file" && rm "$file.part"
    echo "$file: $tag@$digest"
  done
done
((num_unpinned == 0))
