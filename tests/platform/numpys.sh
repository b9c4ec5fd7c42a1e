#!/usr/bin/env bash
# What depends on NumPy, with the oldest NumPy and pydantic that the project takes and with the newest, on one wheel.
#
#   numpys.sh [VERSION …] [-- PYTEST ARGUMENTS]    by default 1.24 and newest
#
# The core uses NumPy's C API without its headers, and leaves arrays to Python where it does not know it; the tests here
# fail if it does not. TYPEDSHM_SLOW=1 runs them as if it did not. NumPy 1.24 takes Python 3.11. The environments are
# kept in $TYPEDSHM_NUMPYS, by default ~/.cache/typedshm-numpys: 250 MB each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
home=${TYPEDSHM_NUMPYS:-${XDG_CACHE_HOME:-$HOME/.cache}/typedshm-numpys}

versions=() tests=(tests/struct tests/field/test_masked_arrays.py tests/field/test_item_of_an_array_of_structs.py
    tests/region/test_blocks.py tests/region/test_borrow_ends.py tests/region/test_region_schemas.py
    tests/schema/test_ctypes_classes.py tests/schema/test_structured_dtypes.py
    tests/table/{test_append,test_arrays,test_columns,test_row_reading,test_selection,test_writing}.py)
while (($#)); do
    case $1 in
    --) shift && tests=("$@") && break ;;
    newest | [0-9]*) versions+=("$1") ;;
    *) echo "numpys.sh: what is $1?" >&2 && exit 2 ;;
    esac
    shift
done
((${#versions[@]})) || versions=(1.24 newest)
oldest=$(sed -n 's/^dependencies = .*"pydantic>=\([0-9.]*\)".*/\1/p' pyproject.toml)

mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # one run at a time
[[ -x $home/host/bin/pip ]] || python3 -m venv "$home/host"
rm -rf "$home/wheels"
"$home/host/bin/pip" wheel -q --disable-pip-version-check --no-deps --wheel-dir "$home/wheels" .

failed=()
for version in "${versions[@]}"; do
    wanted=(numpy pydantic)
    [[ $version == newest ]] || wanted=("numpy==$version.*" pydantic)
    [[ $version != 1.24 ]] || wanted=("numpy==$version.*" "pydantic==$oldest.*")
    python=$home/$version/bin/python
    [[ -x $python ]] || python3 -m venv "$home/$version"
    "$python" -m pip install -q --disable-pip-version-check --upgrade --only-binary=:all: "${wanted[@]}" pytest hypothesis
    "$python" -m pip install -q --disable-pip-version-check --force-reinstall --no-deps "$home"/wheels/*.whl
    printf '\n== '
    "$python" -c 'import numpy, pydantic; print("NumPy", numpy.__version__, "and pydantic", pydantic.VERSION)'
    "$python" -m pytest -q -p no:cacheprovider "${tests[@]}" 9>&- || failed+=("$version")
done
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}" && exit 1; }
