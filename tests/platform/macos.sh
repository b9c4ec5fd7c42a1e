#!/usr/bin/env bash
# The core for macOS, from any machine with Python 3.11 or later: compiled and linked, for Intel and Apple silicon.
# NOTHING IS RUN: there is no macOS here. Real ones are in .github/workflows.
#
#   macos.sh
#
# The compiler, zig, comes from PyPI and is kept in $TYPEDSHM_ZIG, by default ~/.cache/typedshm-zig.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../../src/typedshm" && pwd)
home=${TYPEDSHM_ZIG:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-zig}

if ! "$home/bin/python" -c 'import ziglang' 2>/dev/null; then
    python3 -m venv --clear "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check ziglang
fi
# any CPython's headers will do: the limited API is the same everywhere
headers=$("$home/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
if [[ ! -f $headers/Python.h ]]; then
    echo "macos.sh: no Python.h in $headers; on Debian it comes with the package python3-dev" >&2
    exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
files=()
for file in "$source"/_native/{,*/}*.c; do # one file per noun and system; those of other systems are not ours
    case $file in
    *[_/]linux.c | *[_/]windows.c) ;;
    *) files+=("$file") ;;
    esac
done

for machine in x86_64 aarch64; do
    # 11.0 is the first macOS of Apple silicon, and what wheels for it are named after
    options=(-target "$machine-macos.11.0" -O2 -Wall -Wextra -Werror -fno-sanitize=all "-I$source/include" "-I$source/_native")
    "$home/bin/python" -m ziglang cc "${options[@]}" -std=c11 -fvisibility=hidden -DPy_LIMITED_API=0x030B0000 -isystem "$headers" -shared \
        -Wl,-undefined,dynamic_lookup -o "$folder/_native.so" "${files[@]}"
    "$home/bin/python" "$here/macos_symbols.py" "$folder/_native.so"
    for standard in c11 c++11 c++20; do
        compiler=c++ language=c++
        [[ $standard != c11 ]] || compiler=cc language=c
        echo '#include "typedshm.h"' | "$home/bin/python" -m ziglang "$compiler" "${options[@]}" -Wpedantic \
            "-std=$standard" -x "$language" -c -o "$folder/header.o" -
    done
    echo "$machine: the core compiles and links; typedshm.h compiles as C11, C++11 and C++20"
done
echo "macOS: compiled and linked only, nothing was run"
