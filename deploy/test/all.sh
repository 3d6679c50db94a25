#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Runs every check of the deployment, one after another, and prints the results.
#   all.sh BIN_DIR [NAME ...]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$1" && pwd)
shift
names=("${@:-}")
every=(pins compose kubernetes memory prometheus proxy proxy_http attack fleet examples inference
  clients deepl page image proxy_image package)
[[ ${names[0]} ]] || names=("${every[@]}")
# A check that hangs fails. The longest checks, the attacks and the image, take a
# third of this time.
max_seconds=1200
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
summary=()
has_failed=0
for name in "${names[@]}"; do
  printf '\n=== %s\n' "$name"
  mkdir "$work/$name"
  begin=$SECONDS
  code=0
  timeout --kill-after=20 "$max_seconds" "$here/$name.sh" "$bin" "$work/$name" \
    2>&1 | tee "$work/$name.log" || code=$?
  case $code in
    0) result=passed ;;
    77) result=$(tail -1 "$work/$name.log") ;;
    124 | 137) result="FAILED: not finished within $max_seconds s" has_failed=1 ;;
    *) result=FAILED has_failed=1 ;;
  esac
  summary+=("$(printf '%-11s %4d s  %s' "$name" $((SECONDS - begin)) "$result")")
  # A check may have passed without some of its parts; list those.
  if ((code == 0)); then
    while read -r line; do summary+=("$(printf '%20s%s' '' "$line")"); done \
      < <(grep '^not run: ' "$work/$name.log" || true)
  fi
done
printf '\n'
printf '%s\n' "${summary[@]}"
exit "$has_failed"
