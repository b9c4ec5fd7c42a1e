#!/usr/bin/env bash
# The test suite on newer CPythons than this machine's: in a Debian of the testing suite, which has several.
#
#   pythons.sh [OPTIONS] [VERSION …] [-- PYTEST ARGUMENTS]    by default 3.14 and 3.15
#
#   --all      the whole suite and the storms at their full length, instead of what depends on the Python
#   --fresh    make Debian, CPythons and environments anew
#
# 3.14t is the free-threaded 3.14. Debian has no package of it, so it is built once, in three minutes, from the sources of
# Debian's package of that version; or, where the mirror has them no more, from an archive such as Python-3.14.2.tar.xz
# that you put into the folder sources of the one below.
#
# 3.14, 3.15 and later get the one abi3 wheel, compiled by zig with the headers of this machine's Python; a free-threaded
# one gets a wheel of its own. The Debian is kept in $TYPEDSHM_PYTHONS, by default ~/.cache/typedshm-pythons: 2 GB and
# 700 MB for each version. Takes root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
home=${TYPEDSHM_PYTHONS:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-pythons}
source "$here/debian.sh"

# what is about files, examples, sizes and tools rather than about the Python that runs it
apart=(examples fuzz hostile models sanitizers stress memory/test_{paging,permissions}.py
    platform/test_{kills,targets}.py project/test_{benchmarks,build_backend,definitions,import_order,include_order,readme}.py
    region/test_{scale,state_machine,torn}.py)

all='' fresh='' versions=() arguments=()
while (($#)); do
    case $1 in
    --all) all=1 ;;
    --fresh) fresh=1 ;;
    --) shift && arguments=("$@") && break ;;
    [0-9]*) versions+=("$1") ;;
    *) echo "pythons.sh: what is $1?" >&2 && exit 2 ;;
    esac
    shift
done
((${#versions[@]})) || versions=(3.14 3.15)
if [[ -n $all ]]; then
    arguments=(--kills 1000 "${arguments[@]}")
elif ((${#arguments[@]} == 0)); then
    for name in "${apart[@]}"; do
        [[ -e $root/tests/$name ]] || { echo "pythons.sh: there is no tests/$name" >&2 && exit 2; }
    done
    arguments=("${apart[@]/#/--ignore=tests/}")
fi
arguments=(-m "not compiler and not spin and not node and not long and not live" "${arguments[@]}") # it is root's Debian, and bare

debian_check pythons.sh debootstrap
mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # one run at a time
[[ -z $fresh ]] || debian_forget "$home"
debian=$home/debian
debian_make "$debian" forky python3.1{4,5}{,-venv,-dev}
source=$home/source
rm -rf "$source" && debian_copy "$root" "$source"
inside() { debian_run "$debian" "$source:/mnt/project" -- "$@" 9>&-; }

# ---- a free-threaded CPython, from its sources ----

build() { # VERSION, without the t
    mkdir -p "$home/sources"
    echo "building CPython $1 without a GIL"
    debian_run "$debian" "$home/sources:/mnt/sources" -- bash -euo pipefail -s "$1" <<'SCRIPT' 9>&-
version=$1 folder=/opt/$1t log=/opt/$1t.log
exec 3>&2 >"$log" 2>&1
trap 'grep -E "^(E|Err|error|.*: error):?" "$log" >&3 || tail -n 15 "$log" >&3' ERR
apt=(apt-get -q -o Acquire::Check-Valid-Until=no -o APT::Sandbox::User=root) # a mirror may be behind
for suite in forky sid trixie; do
    sed -n "s/^deb \(.*\) forky /deb-src \1 $suite /p" /etc/apt/sources.list
done >/etc/apt/sources.list.d/sources.list
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends gcc libc6-dev make pkg-config xz-utils lib{ffi,ssl,bz2,lzma,sqlite3}-dev zlib1g-dev
cd /mnt/sources
archive() { find . -name "[Pp]ython-$version.*.tar.*" -o -name "python${version}_*.orig.tar.?z" | sort | tail -n 1; }
if [[ -z $(archive) ]]; then
    for release in $(apt-cache showsrc "python$version" | sed -n 's/^Version: //p' | sort -ruV); do
        "${apt[@]}" source --download-only "python$version=$release" && break # a mirror may lack some
    done
fi
sources=$(archive)
cd "$(mktemp -d)"
tar -xf "/mnt/sources/$sources" --strip-components=1
./configure -q --disable-gil --prefix="$folder" --disable-test-modules
make -s -j"$(nproc)"
make -s install
"$folder/bin/python${version}t" -VV >&3
SCRIPT
}

# ---- an environment for each version, with what the tests take as far as there are wheels of it ----

environment() { # VERSION PYTHON
    inside bash -euo pipefail -s "$@" <<'SCRIPT'
version=$1 python=$2 folder=/opt/environments/$1
extras=$(cd /mnt/project && "$python" -c '
import re, tomllib
extras = tomllib.load(open("pyproject.toml", "rb"))["project"]
def of(name):
    for each in extras["optional-dependencies"][name]:
        inner = re.fullmatch(r"typedshm\[(.*)\]", each)
        yield from (item for extra in inner[1].split(",") for item in of(extra)) if inner else [each]
print("\n".join(dict.fromkeys([*extras["dependencies"], *of("test")])))')
[[ $(cat "$folder/complete" 2>/dev/null) != "$extras" ]] || exit 0
rm -rf "$folder"
"$python" -m venv "$folder"
pip=("$folder/bin/pip" install -q --only-binary=:all: --disable-pip-version-check)
mapfile -t packages <<<"$extras"
"${pip[@]}" "${packages[@]}" 2>/dev/null || for package in "${packages[@]}"; do
    "${pip[@]}" "$package" 2>/dev/null || echo "there is no wheel of $package for $version; what takes it is skipped"
done
"$folder/bin/python" -c 'import numpy, pydantic, pytest, hypothesis'
echo "$extras" >"$folder/complete"
SCRIPT
}

# ---- the wheels ----

shared_wheel() {
    [[ -x $home/host/bin/pip ]] || python3 -m venv "$home/host"
    rm -rf "$debian/opt/wheels/shared"
    CC=zig "$home/host/bin/pip" wheel -q --disable-pip-version-check --no-deps \
        --wheel-dir "$debian/opt/wheels/shared" "$source"
}

own_wheel() { # VERSION
    inside bash -euc 'rm -rf "/opt/wheels/$1"
        "/opt/environments/$1/bin/pip" wheel -q --disable-pip-version-check --no-deps --wheel-dir "/opt/wheels/$1" /mnt/project
    ' - "$1"
}

# ---- the suite ----

failed=()
attempt() { # VERSION
    local python=/usr/bin/python$1 wheels=shared
    if [[ $1 == *t ]]; then
        python=/opt/$1/bin/python$1 wheels=$1
        [[ -x $debian$python ]] || build "${1%t}" || return 1
    fi
    environment "$1" "$python" || return 1
    if [[ $wheels == shared ]]; then
        [[ -n ${shared:-} ]] || shared_wheel || return 1
        shared=1
    else
        own_wheel "$1" || return 1
    fi
    inside bash -euc '
        version=$1 wheels=$2 && shift 2
        python=/opt/environments/$version/bin/python
        "$python" -m pip install -q --disable-pip-version-check --no-deps --force-reinstall /opt/wheels/$wheels/*.whl
        cd /mnt/project
        export PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis
        "$python" -m pytest -q -p no:cacheprovider "$@"' - "$1" "$wheels" "${arguments[@]}"
}
for version in "${versions[@]}"; do
    printf '\n== CPython %s\n' "$version"
    start=$SECONDS
    attempt "$version" && result=passed || { result=failed && failed+=("$version"); }
    echo "CPython $version: $result, $((SECONDS - start)) s"
done
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}" && exit 1; }
