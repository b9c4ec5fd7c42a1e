# The Windows that setup.sh builds, and how to run a program of it. Sourced; wants $home, the folder it is kept in,
# and $prefix, the Wine prefix ("the C: drive") to use.

wine=/usr/lib/wine/wine64
wineserver=/usr/lib/wine/wineserver64
# without the mount manager, which is asked for the number of its drive whenever a file is looked at
export WINEPREFIX=$prefix WINEDEBUG=-all DISPLAY= WINEDLLOVERRIDES="mscoree=;mshtml=;winedbg.exe=d;ucrtbase=n,b;mountmgr.sys=d"

windows_path() { printf 'Z:%s' "${1//\//\\}"; }

PYTHONPATH=$(windows_path "$home/packages")
export PYTHONPATH PYTHONUTF8=1

# Run Windows Python. Its output has to be a pipe: it does not start with a regular file as stdout.
windows_python() { "$wine" "$home/python/python.exe" "$@" </dev/null 2>&1 | cat; }
