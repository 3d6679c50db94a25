#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Verifies the hardening that CMakeLists.txt asks for on the ELF files of programs:
#   hardening_test.sh PROGRAM ...
#
# Debian's static libraries have a part of it too. The stack protector is therefore
# verified in functions of Sheaf, unless the program is stripped and has no names,
# and _FORTIFY_SOURCE also by the functions that a program must not import. CET is
# verified by the landing pad of main(). Its ELF property is absent, because the
# start files of Debian's C library lack it and the linker then drops it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# require PATTERN FILE WHAT, refuse PATTERN FILE WHAT: a line of FILE must, or must
# not, match PATTERN.
require() { grep -qE -- "$1" "$work/$2" || fail "no $3"; }
refuse() {
  local line
  if line=$(grep -m1 -E -- "$1" "$work/$2"); then fail "$3: $line"; fi
}
fail() {
  echo "FAILED: $program: $*" >&2
  exit 1
}

verify_headers() {
  readelf -hlSW "$program" >"$work/headers"
  readelf -dW "$program" >"$work/dynamic"
  require '^ +Type: +DYN .*Position-Independent' headers 'position-independent program (PIE)'
  require '^ +GNU_RELRO ' headers 'read-only relocations (RELRO)'
  require '\(FLAGS\).*BIND_NOW' dynamic 'binding at start (BIND_NOW)'
  require '^ +GNU_STACK .* RW +0x' headers 'stack without execution'
  refuse '^ +LOAD .* RWE ' headers 'writable and executable memory'
  refuse '\((RPATH|RUNPATH|TEXTREL)\)' dynamic 'a forbidden entry'
}

verify_imports() {
  nm -D --undefined-only "$program" | sed 's/^ *[A-Za-z] //; s/@.*//' >"$work/imports"
  require '^__stack_chk_fail$' imports 'stack protector'
  require '^__[a-z]+_chk$' imports 'checked functions (_FORTIFY_SOURCE)'
  refuse '^(v?f?printf|gets)$' imports 'a function without the checks of _FORTIFY_SOURCE'
}

# The entry point hands the address of main() to the C library.
verify_landing_pad() {
  local entry main
  entry=$(sed -nE 's/^ +Entry point address: +0x//p' "$work/headers")
  objdump -d --no-show-raw-insn --start-address="0x$entry" \
    --stop-address=$((0x$entry + 64)) "$program" >"$work/entry"
  main=$(sed -nE 's/.*lea .*\(%rip\),%rdi +# ([0-9a-f]+).*/\1/p' "$work/entry" | head -1)
  [[ $main ]] || fail 'main() is not found'
  objdump -d --no-show-raw-insn --start-address="0x$main" \
    --stop-address=$((0x$main + 4)) "$program" >"$work/main"
  require "^ +$main:.*endbr64" main 'landing pad at main() (-fcf-protection)'
}

verify_code_of_sheaf() {
  objdump -dC --no-show-raw-insn "$program" |
    awk '/^[0-9a-f]+ <.*>:$/ { is_ours = /sheaf::/ } is_ours' >"$work/code"
  require 'call .*<__stack_chk_fail@plt>' code 'protected function of Sheaf (stack protector)'
  # Few frames are so large that they need a probe, and few calls need a check. The
  # server has some of both; the other programs are built with the same options.
  if [[ $program == */sheaf-server ]]; then
    require 'call .*<__[a-z]+_chk@plt>' code 'checked call of Sheaf (_FORTIFY_SOURCE)'
    require 'or[a-z]? +\$0x0,\(%rsp\)' code 'probed stack frame (-fstack-clash-protection)'
  fi
}

(($# > 0)) || { echo 'usage: hardening_test.sh PROGRAM ...' >&2; exit 2; }
for program in "$@"; do
  verify_headers
  verify_imports
  if grep -q 'Machine:.*X86-64' "$work/headers"; then verify_landing_pad; fi
  if grep -aqF "$root/" "$program"; then fail "it contains the path $root"; fi
  if grep -q ' \.symtab ' "$work/headers"; then
    verify_code_of_sheaf
    echo "hardened: ${program##*/}"
  else
    echo "hardened: ${program##*/} (stripped)"
  fi
done
