"""``from typedshm import *`` leaves the built-in names alone."""

import builtins
import runpy
from pathlib import Path

import pytest

import typedshm
from typedshm import Struct, foreign, testing, u64


class Tick(Struct):
    n: u64


@pytest.mark.parametrize("module", [typedshm, foreign, testing])
def test_no_public_name_is_that_of_a_builtin(module):
    assert not set(module.__all__) & set(dir(builtins))


def test_files_can_be_opened_after_a_star_import(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from typedshm import *\n"
        f"with open({str(tmp_path / 'notes.txt')!r}, 'w') as file:\n"
        "    file.write('x')\n"
        "class Tick(Struct):\n    n: u64\n"
    )
    names = runpy.run_path(str(script))
    assert (tmp_path / "notes.txt").read_text() == "x"
    assert names["Tick"](n=1).n == 1
    assert names["create"] is typedshm.create
    assert "open" not in names


def test_open_is_a_public_function_of_the_package_all_the_same():
    with typedshm.open("tick", Tick) as region:
        assert region.layout == Tick.layout
    assert "open" in dir(typedshm)
