#!/usr/bin/env bash
# Build a Windows to test on, in the folder given: CPython 3.11 for Windows with numpy, pydantic, pytest, OpenCV and
# PyAV, and a Wine prefix that runs it. Takes a minute and 1.5 GB.
#
#   setup.sh FOLDER           build it if it is not there, or of another version
#   setup.sh FOLDER --check   succeed if it is there
#
#   folder/python     CPython for Windows            folder/host    a Python environment of this machine: pip and zig
#   folder/packages   numpy and the other packages   folder/tools   gcc.exe and g++.exe, which run this machine's mingw
#   folder/prefix     the Wine prefix, never run in itself but copied for each run
set -euo pipefail
home=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# what it was made from is its version
version=$(cd "$here" && cat {python,packages,runtime}.txt bcryptprimitives.c host_compiler.c sitecustomize.py setup.sh | sha256sum)
if [[ $(cat "$home/version" 2>/dev/null) == "$version" ]]; then
    exit 0
elif [[ ${2:-} == --check ]]; then
    exit 1
fi

for package in wine64 gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=" $package"
done
if [[ -n ${missing:-} ]]; then
    if [[ $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "windows.sh: missing Debian packages:$missing; install them by: apt-get install$missing" >&2
        exit 1
    fi
    apt-get update -q && apt-get install -y -q --no-install-recommends $missing
fi

echo "building a Windows to test on in $home"
rm -rf "$home"/{version,python,packages,host,tools,prefix}
mkdir -p "$home"/{packages,tools}

python3 -m venv "$home/host"
pip=("$home/host/bin/pip" --disable-pip-version-check --quiet)
for_windows=(--platform win_amd64 --implementation cp --python-version 3.11 --only-binary=:all: --no-deps --require-hashes)
"${pip[@]}" install setuptools wheel ziglang
"${pip[@]}" install --no-deps --no-build-isolation --require-hashes --no-compile --target "$home/python" -r "$here/python.txt"
"${pip[@]}" install "${for_windows[@]}" --no-compile --target "$home/packages" -r "$here/packages.txt"
"${pip[@]}" download "${for_windows[@]}" --dest "$home/runtime" -r "$here/runtime.txt"
python3 -c 'import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
(name,) = (name for name in archive.namelist() if name.endswith("/bin/ucrtbase.dll"))
open(sys.argv[2], "wb").write(archive.read(name))' "$home"/runtime/*.whl "$home/python/ucrtbase.dll"
rm -r "$home/runtime"
cp "$here/sitecustomize.py" "$home/packages"

prefix=$home/prefix
source "$here/environment.sh"
"$wine" wineboot --init </dev/null 2>&1 | cat
"$wine" reg add 'HKCU\Software\Wine' /v Version /d win10 /f </dev/null 2>&1 | cat
"$wine" reg add 'HKCU\Software\Wine\DllOverrides' /v ucrtbase /d native,builtin /f </dev/null 2>&1 | cat
x86_64-w64-mingw32-gcc -O2 -Wall -Wextra -shared -o "$prefix/drive_c/windows/system32/bcryptprimitives.dll" \
    "$here/bcryptprimitives.c" -ladvapi32
for language in gcc g++; do
    x86_64-w64-mingw32-gcc -O2 -Wall -Wextra "-DHOST_COMPILER=\"x86_64-w64-mingw32-$language -static\"" \
        -o "$home/tools/$language.exe" "$here/host_compiler.c"
done
for folder in python/Lib packages; do # so that a Python starts in a tenth of a second; some files are meant to fail
    windows_python -m compileall -q -x 'lib2to3|idlelib|[/\\]tests?[/\\]' "$(windows_path "$home/$folder")" >/dev/null || true
done
windows_python -c 'import sys, numpy, pydantic; print(sys.version, "numpy", numpy.__version__, "pydantic", pydantic.VERSION)'
"$wineserver" --wait
echo "$version" >"$home/version"
