#!/usr/bin/env bash
# The test suite with the extension built for AddressSanitizer and UndefinedBehaviorSanitizer, by gcc on Linux.
#
#   suite.sh [PYTEST ARGUMENTS]     what is about the C core
#   suite.sh --all [OPTIONS]        and then the rest
#
# Whatever the sanitizers report fails the run, also in child processes that a test expects to die. The Python and the
# build are kept in $TYPEDSHM_SANITIZED, by default ~/.cache/typedshm-sanitized.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
home=${TYPEDSHM_SANITIZED:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-sanitized}

extra='' all=''
if [[ ${1:-} == --all ]]; then
    extra='[test]' all=1 && shift
fi
# What is not about the C core, or is about orders, sizes and pages (mlock() does nothing here) rather than bytes; and
# storms, whose processes are dozens: what is killed in them says nothing about bytes, and all else is done by others.
rest=()
for name in cli examples field fuzz layout models project schema sharing stress testing \
    foreign/live foreign/test_{bridging,document_facts,foreign_documents,games,snapshots}.py \
    foreign/test_oracle_{assetto_corsa,hwinfo,imagestreamio,iracing,scs}.py \
    foreign/test_runtime_tables{,_iracing,_jvm,_mmv,_prometheus,_vpp}.py \
    hostile/test_{documents,impostors,names}.py memory/test_{paging,permissions}.py platform \
    region/test_{region_schemas,scale,state_machine,torn}.py stream/test_stream_storm.py struct/test_{matrix,round_trip}.py \
    table/test_storm.py; do
    [[ -e tests/$name ]] || { echo "suite.sh: there is no tests/$name" >&2 && exit 2; }
    rest+=("tests/$name")
done

python=$home/venv/bin/python
mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # one run at a time
[[ -x $python ]] || python3 -m venv "$home/venv"
flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
CC=gcc "$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps . \
    "-Cbuild-dir=$home/build" -Ccmake.build-type=RelWithDebInfo -Ccmake.define.TYPEDSHM_WERROR=ON \
    "-Ccmake.define.CMAKE_C_FLAGS=$flags"
"$python" -m pip install --quiet --disable-pip-version-check "typedshm$extra" pytest hypothesis # what it depends on

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
# The signals are left to whoever wants them, as without the sanitizers: SIGBUS to the library's guard, SIGSEGV to the
# kernel, as tests look at how a child died. CPython ends without freeing everything. A refused allocation is NULL, for
# tests that expect a MemoryError.
asan=handle_sigbus=0:handle_segv=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0
asan+=:detect_leaks=0:allocator_may_return_null=1
marks="not compiler and not spin and not node and not long and not live" # whose programs are not built with the sanitizers
# to the sanitizer's own allocator it is one
limit=tests/region/test_lost.py::test_a_limit_on_private_memory_is_no_obstacle
status=0
suite() {
    env LD_PRELOAD="$(gcc -print-file-name=libasan.so)" PYTHONMALLOC=malloc \
        ASAN_OPTIONS="$asan:log_path=$reports/address" \
        UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/undefined" \
        "$python" -m pytest -q -p no:cacheprovider -m "$marks" --deselect="$limit" "$@" 9>&- || status=$?
}
suite --ignore=tests/sanitizers "${rest[@]/#/--ignore=}" "$@"
[[ -z $all ]] || suite "${rest[@]}" "$@"

for report in "$reports"/*; do
    [[ -e $report ]] || continue
    status=1
    printf '\n== %s\n' "${report##*/}"
    cat "$report"
done
exit $status
