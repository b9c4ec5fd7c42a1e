#!/usr/bin/env bash
# The test suite on aarch64 Linux, from an x86-64 Debian machine: an arm64 Debian under qemu-user, the extension
# cross-compiled. Takes root, and about ten times as long as the suite itself.
#
#   aarch64.sh [OPTIONS] [PYTEST ARGUMENTS]    the whole suite, or what the arguments ask for
#   aarch64.sh [OPTIONS] --python ARGUMENTS    its Python with typedshm, for a look around
#
#   --fresh         build the Debian anew
#   --wheel FILE    test this aarch64 wheel instead of building the extension by zig
#
# The Debian is kept in $TYPEDSHM_AARCH64, by default ~/.cache/typedshm-aarch64: 1.2 GB, five minutes to build.
# qemu on an x86 machine keeps x86's strong memory order: this says nothing of races that only a real ARM has.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
source "$here/debian.sh"
home=${TYPEDSHM_AARCH64:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-aarch64}
packages=(numpy pydantic pytest hypothesis cloudpickle opencv-python-headless av scikit-video)

# types are about no platform, and the sanitizers of threads see next to nothing under qemu, in hours
wheel='' fresh='' what=(-m pytest -p no:cacheprovider -rs -m 'not live' --ignore=tests/project/test_typing.py --ignore=tests/sanitizers)
# What qemu does not do as the kernel does: it keeps a note of each page that is mapped, of a tebibyte too; it says yes to
# MADV_POPULATE_WRITE and to huge pages, and does nothing; and it ends a program whose handler raises SIGBUS once more.
for each in 'hostile/test_header_fields.py::test_a_claim_of_a_tebibyte_costs_no_memory[any memory]' \
    memory/test_paging.py::test_{the_first_write_of_each_slot,reading_through_a_new_mapping,very_large_regions,huge_pages,a_path_on_hugetlbfs} \
    'region/test_lost.py::test_faulthandler_may_come_before_or_after[after us'; do
    what+=(--deselect="tests/$each")
done
while (($#)); do
    case $1 in
    --fresh) fresh=1 ;;
    --wheel) wheel=$(realpath "$2") && shift ;;
    --python) what=() && shift && break ;;
    *) break ;;
    esac
    shift
done

debian_check aarch64.sh debootstrap qemu-user-static

# the kernel starts arm64 programs by qemu: usually the package has seen to that
binfmt=/proc/sys/fs/binfmt_misc
[[ -e $binfmt/register ]] || mount -t binfmt_misc none "$binfmt"
[[ -e $binfmt/qemu-aarch64 ]] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$binfmt/register"

# ---- a Debian with Python and gcc, and beside it the packages for it ----

mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # one run at a time
[[ -z $fresh ]] || debian_forget "$home"
debian_make "$home/debian" bookworm python3 procps gcc g++ -- --arch=arm64
if [[ $(cat "$home/packages/complete" 2>/dev/null) != "${packages[*]}" ]]; then
    rm -rf "$home/packages" "$home/host"
    python3 -m venv "$home/host"
    "$home/host/bin/pip" install --quiet --disable-pip-version-check --upgrade pip ziglang
    "$home/host/bin/pip" install --quiet --disable-pip-version-check --target "$home/packages" --no-compile \
        --python-version 3.11 --only-binary=:all: --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 \
        "${packages[@]}"
    echo "${packages[*]}" >"$home/packages/complete"
fi

# ---- typedshm for it ----

site=$home/site
rm -rf "$site" && mkdir -p "$site"
if [[ -n $wheel ]]; then
    python3 -m zipfile -e "$wheel" "$site"
else
    source=$root/src/typedshm
    headers=$("$home/host/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    mkdir "$site/typedshm"
    cp -r "$source/." "$site/typedshm"
    rm -r "$site/typedshm/_native"
    cp -r "$root/schemas" "$site/typedshm"
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/pyproject.toml")
    mkdir "$site/typedshm-$version.dist-info"
    printf 'Metadata-Version: 2.1\nName: typedshm\nVersion: %s\n' "$version" >"$site/typedshm-$version.dist-info/METADATA"
    files=()
    for file in "$source"/_native/{,*/}*.c; do # one file per noun and system; those of other systems are not ours
        case $file in
        *[_/]macos.c | *[_/]windows.c) ;;
        *) files+=("$file") ;;
        esac
    done
    "$home/host/bin/python" -m ziglang cc -target aarch64-linux-gnu.2.28 -std=c11 -O2 -Wall -Wextra -Werror \
        -fno-sanitize=all -fvisibility=hidden -DPy_LIMITED_API=0x030B0000 "-I$source/include" "-I$source/_native" -isystem "$headers" \
        -shared -o "$site/typedshm/_native.abi3.so" "${files[@]}"
fi

# ---- the run: with mounts and processes of its own, which end with it ----

printf '/mnt/%s\n' site packages >"$home/debian/usr/lib/python3/dist-packages/typedshm.pth"
debian_run "$home/debian" "$root:/mnt/project:ro" "$home/packages:/mnt/packages:ro" "$site:/mnt/site:ro" -- \
    env TYPEDSHM_PATIENCE=600 PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis \
    sh -c 'cd /mnt/project && exec python3 "$@"' - "${what[@]}" "$@" 9>&-
