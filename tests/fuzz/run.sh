#!/usr/bin/env bash
# Fuzzing of what may come from strangers: the header of a region, in C, and the layout document in it and recordings,
# in Python.
#
#   run.sh [--seconds N] [--python PYTHON]    half of N (60) seconds for each; PYTHON has typedshm, and better atheris too
#
# Takes clang-14 with libclang-rt-14-dev for the header. An input that fails is shown, and fails the run. Nothing is
# kept: the examples to begin with are made by the programs themselves.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$here/../../src/typedshm

seconds=60 python=python3
while (($#)); do
    case $1 in
    --seconds) seconds=$2 && shift ;;
    --python) python=$2 && shift ;;
    *) echo "run.sh: unknown option $1" >&2 && exit 2 ;;
    esac
    shift
done
each=$(((seconds + 1) / 2))

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder"/{corpus,failed}
clang-14 -std=c11 -O1 -g -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    "-I$source/include" "-I$source/_native" "$here/fuzz_header.c" "$source/_native/lock/lock.c" -o "$folder/fuzz_header"
"$python" "$here/fuzz_document.py" --seconds "$each" & # beside the other
document=$!
recording=
trap 'kill "$document" $recording 2>/dev/null || true; rm -rf "$folder"' EXIT
if "$python" -c 'import mcap, lz4, zstandard' 2>/dev/null; then # of the extra "record"
    "$python" "$here/fuzz_recording.py" --seconds "$each" &
    recording=$!
else
    echo "fuzz_recording: left out, as the extra 'record' is not installed"
fi
"$folder/fuzz_header" "-max_total_time=$each" -timeout=10 -max_len=4096 -verbosity=0 \
    "-artifact_prefix=$folder/failed/" "$folder/corpus" || {
    for input in "$folder"/failed/*; do
        echo "fuzz_header: this input:"
        base64 "$input"
    done
    exit 1
}

wait "$document"
if [[ $recording ]]; then wait "$recording"; fi
