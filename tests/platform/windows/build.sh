#!/usr/bin/env bash
# Build typedshm for Windows into a folder: the extension by zig (or mingw), the pure Python beside it, and winmmf.exe,
# with which tests share memory.
#
#   build.sh HOME FOLDER zig|mingw
set -euo pipefail
home=$1 folder=$2 compiler=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
source=$root/src/typedshm

case $compiler in
zig)
    export ZIG_GLOBAL_CACHE_DIR=$home/zig ZIG_LOCAL_CACHE_DIR=$home/zig
    compile=("$home/host/bin/python" -m ziglang cc -target x86_64-windows-gnu -fno-sanitize=all) # links the UCRT
    ;;
mingw) compile=(x86_64-w64-mingw32-gcc -static-libgcc) ;;
*)
    echo "build.sh: the compiler is zig or mingw, found $compiler" >&2
    exit 2
    ;;
esac

mkdir -p "$folder"
cp -r "$source" "$folder/typedshm"
rm -r "$folder/typedshm/_native"
cp -r "$root/schemas" "$folder/typedshm/schemas"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/pyproject.toml")
mkdir -p "$folder/typedshm-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: typedshm\nVersion: %s\n' "$version" >"$folder/typedshm-$version.dist-info/METADATA"

files=()
for file in "$source"/_native/{,*/}*.c; do # one file per noun and system; those of other systems are not ours
    case $file in
    *[_/]linux.c | *[_/]posix.c | *[_/]macos.c) ;;
    *) files+=("$file") ;;
    esac
done
"${compile[@]}" -std=c11 -O2 -Wall -Wextra -Werror -fvisibility=hidden -DPy_LIMITED_API=0x030B0000 -shared \
    -I"$source/include" -I"$source/_native" -I"$home/python/include" -o "$folder/typedshm/_native.pyd" "${files[@]}" \
    "$home/python/libs/python3.lib"
rm -f "$folder"/typedshm/*.{lib,pdb}
"${compile[@]}" -std=c11 -O2 -Wall -Wextra -Werror -o "$folder/winmmf.exe" "$here/winmmf.c"
rm -f "$folder"/winmmf.pdb
echo "built with $compiler: $(du -h "$folder/typedshm/_native.pyd" | cut -f1) _native.pyd"
