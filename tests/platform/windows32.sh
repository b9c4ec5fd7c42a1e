#!/usr/bin/env bash
# A 32-bit Windows program and a 64-bit Windows Python sharing regions, from a Debian machine: test_word_sizes.py.
#
#   windows32.sh [PYTEST ARGUMENTS]
#
# Debian's 32-bit Wine takes i386 libraries of just the versions that the machine itself has, which its mirrors may no
# longer have; so both Wines go into a Debian of their own (chroot; takes root, 1.5 GB). It is kept beside the Windows
# of windows.sh, in $TYPEDSHM_WINDOWS, by default ~/.cache/typedshm-windows.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/windows
root=$(cd "$here/../../.." && pwd)
source "$here/../debian.sh"
home=${TYPEDSHM_WINDOWS:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-windows}

debian_check windows32.sh debootstrap

# ---- the Windows of windows.sh, and a Debian with both Wines, made by one at a time ----

mkdir -p "$home"
home=$(cd "$home" && pwd -P)
(
    flock 8
    "$here/setup.sh" "$home" 8>&-
) 8>"$home/lock"
exec 9>"$home/lock32"
flock 9 # one run at a time
debian=$home/debian32
debian_make "$debian" bookworm
if [[ ! -e $debian/wine ]]; then
    echo "installing both Wines in $debian"
    debian_run "$debian" -- bash -euc '
        dpkg --add-architecture i386
        apt-get update -q
        apt-get install -y -q --no-install-recommends wine64 wine32:i386
    ' >"$home/debian32.log" 2>&1 9>&- || { tail -5 "$home/debian32.log" >&2 && exit 1; }
    touch "$debian/wine"
fi

# ---- the extension and the programs ----

run=$home/run32
rm -rf "$run" && mkdir -p "$run"
"$here/build.sh" "$home" "$run/site" zig 9>&-
export ZIG_GLOBAL_CACHE_DIR=$home/zig ZIG_LOCAL_CACHE_DIR=$home/zig
core=$root/src/typedshm/_native
for bits in 32 64; do
    machine=x86 && [[ $bits == 32 ]] || machine=x86_64
    "$home/host/bin/python" -m ziglang cc -target "$machine-windows-gnu" -std=c11 -O2 -Wall -Wextra -Werror \
        -fno-sanitize=all "-I$root/src/typedshm/include" "-I$core" -o "$run/peer$bits.exe" \
        "$here/peer.c" "$core/lock/lock.c" "$core"/os/{windows,faults,faults_windows}.c
done

# ---- the run: with mounts and processes of its own, which end with it ----

prefix=$run/prefix
source "$here/environment.sh"
TYPEDSHM_PEERS=$(windows_path "$run")
debian_run "$debian" "$home:$home" "$root:/mnt/project:ro" -- \
    env "home=$home" "run=$run" "prefix=$prefix" "TYPEDSHM_PEERS=$TYPEDSHM_PEERS" PYTHONDONTWRITEBYTECODE=1 bash -euc '
    source /mnt/project/tests/platform/windows/environment.sh
    "$wine" wineboot --init </dev/null 2>&1 | cat
    "$wine" reg add "HKCU\\Software\\Wine" /v Version /d win10 /f </dev/null 2>&1 | cat
    cp "$home/prefix/drive_c/windows/system32/bcryptprimitives.dll" "$prefix/drive_c/windows/system32"
    export PYTHONPATH="$(windows_path "$run/site");$(windows_path "$home/packages")"
    cd /mnt/project
    windows_python -m pytest -p no:cacheprovider -rs tests/platform/test_word_sizes.py "$@"
' - "$@" 9>&-
