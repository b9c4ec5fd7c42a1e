#!/usr/bin/env bash
# Every wheel that can be built on a Linux x86-64 machine, built by zig from the source distribution, and checked.
#
#   wheels.sh [DEST]    default: dist/; what lies there from an earlier run is replaced
#
# Linux wheels for glibc and musl, Windows x86-64, x86 and ARM64, macOS Intel and Apple silicon. Each is checked for its
# name, its contents and what its binary asks of the system (wheel_checks.py), by twine and abi3audit, those for Linux
# by auditwheel as well. The x86-64 one for glibc is installed and used, by every CPython >= 3.11 that is found; on newer
# ones pythons.sh runs the suite with it.
# Then pip installs the source distribution where there is no C compiler.
#
# Tools are kept in $TYPEDSHM_WHEELS, by default ~/.cache/typedshm-wheels: 400 MB.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
dest=$(realpath -m "${1:-$root/dist}")
home=${TYPEDSHM_WHEELS:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-wheels}
export PIP_DISABLE_PIP_VERSION_CHECK=1

step() { printf '\n== %s\n' "$*"; }

# ---- tools: ours, and a Windows Python for its headers and the names its stable library offers ----

mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # one run at a time
tools=(ziglang 'scikit-build-core>=1.0' cmake ninja build twine auditwheel abi3audit pefile pyelftools)
wanted="${tools[*]} $(cat "$here/windows/python.txt" "$here/windows_libraries.py")"
if [[ $(cat "$home/complete" 2>/dev/null) != "$wanted" ]]; then
    step "tools"
    rm -rf "$home"/{complete,tools,python,libraries}
    python3 -m venv "$home/tools"
    "$home/tools/bin/pip" install -q --upgrade pip
    "$home/tools/bin/pip" install -q setuptools wheel "${tools[@]}"
    "$home/tools/bin/pip" install -q --no-deps --no-build-isolation --require-hashes --no-compile \
        --target "$home/python" -r "$here/windows/python.txt"
    "$home/tools/bin/python" "$here/windows_libraries.py" "$home/python" "$home/libraries"
    echo "$wanted" >"$home/complete"
fi
bin=$home/tools/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- build ----

step "source distribution"
mkdir -p "$dest"
rm -f "$dest"/typedshm-*.{whl,tar.gz}
"$bin/python" -m build --sdist --no-isolation --outdir "$dest" "$root" >"$work/log" || (cat "$work/log" && exit 1)
sdist=$(echo "$dest"/typedshm-*.tar.gz)
tar -xzf "$sdist" -C "$work"
source=$(echo "$work"/typedshm-*/)

wheel() { # PLATFORM [SETTING…]
    step "$1"
    local settings=("-Ctarget=$1" "${@:2}" -Ccmake.define.TYPEDSHM_WERROR=ON)
    env -u CC "$bin/pip" wheel --no-deps --no-build-isolation --wheel-dir "$dest" "${settings[@]}" "$source" \
        >"$work/log" 2>&1 || (cat "$work/log" && exit 1)
    "$bin/python" "$here/wheel_checks.py" "$dest"/typedshm-*-"$1".whl "$home/python/python3.dll"
}
for machine in x86_64 aarch64; do
    wheel "manylinux_2_17_$machine"
    wheel "musllinux_1_2_$machine"
done
for platform in win_amd64 win32 win_arm64; do
    wheel "$platform" "-Cpython-headers=$home/python/include" "-Cpython-library=$home/libraries/$platform/python3.lib"
done
for platform in macosx_11_0_x86_64 macosx_11_0_arm64; do
    wheel "$platform"
done

# ---- what others say about them ----

step "twine"
"$bin/twine" check --strict "$dest"/typedshm-*

step "abi3audit"
"$bin/abi3audit" --strict --summary "$dest"/typedshm-*.whl

step "auditwheel"
for file in "$dest"/typedshm-*linux*.whl; do
    tag=${file##*-abi3-} tag=${tag%.whl}
    PATH=$bin:$PATH "$bin/auditwheel" show "$file" 2>"$work/log" | tr '\n' ' ' | grep -o "consistent with.*following platform tag: \"$tag\"" ||
        (echo "auditwheel does not find $file to be $tag" && exit 1)
done

# ---- used ----

use() { # ENVIRONMENT: a program and its child share a region, with nothing but the wheel and what it needs
    (cd "$work" && env -u PYTHONPATH "$1/bin/python" "$here/wheel_use.py")
}
for version in 3.11 3.12 3.13 3.14 3.15; do
    python=python$version
    command -v "$python" >/dev/null && "$python" -c '' 2>/dev/null || continue
    step "used by $python"
    "$python" -m venv "$work/$version"
    "$work/$version/bin/pip" install -q "$dest"/typedshm-*manylinux*x86_64.whl
    use "$work/$version"
done

step "built by pip where there is no C compiler"
mkdir "$work/path"
for program in sh uname env; do # which pip, CMake and Ninja run
    ln -s "$(command -v "$program")" "$work/path"
done
python3 -m venv "$work/bare"
env -u CC PATH="$work/path" "$work/bare/bin/pip" install -q --no-cache-dir --no-binary typedshm "$sdist"
use "$work/bare"

step "what was built"
ls -l "$dest"/typedshm-* | awk '{print $5, $NF}'
