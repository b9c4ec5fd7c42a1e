"""``help(typedshm)`` is an index that a person can read, and hides nothing from anybody else."""

import inspect
import pydoc
import re
import subprocess
import sys

import pytest

import typedshm

LINES = 780
PUBLIC = sorted([*typedshm.__all__, "open"])  # a star import keeps the built-in open()


@pytest.fixture(scope="module")
def text() -> str:
    return pydoc.render_doc(typedshm, renderer=pydoc.plaintext)


def test_help_is_short(text: str) -> None:
    assert text.count("\n") < LINES


def test_the_index_has_a_line_for_every_public_name() -> None:
    index = str(typedshm.__doc__).partition("Regions: opening")[2]
    lines = re.findall(r"^(\w+(?: \w+)*)  +\S", index, re.MULTILINE)
    assert sorted(name for names in lines for name in names.split()) == PUBLIC


def test_help_names_every_function_with_its_documentation(text: str) -> None:
    for name in PUBLIC:
        value = getattr(typedshm, name)
        if inspect.isfunction(value):
            assert f"    {name}(" in text, name


def test_the_command_line_shows_the_same(text: str) -> None:
    shown = subprocess.run([sys.executable, "-m", "pydoc", "typedshm"], capture_output=True, text=True, check=True)
    assert abs(shown.stdout.count("\n") - text.count("\n")) < 10


def test_help_of_a_class_tells_all_about_it() -> None:
    text = pydoc.render_doc(typedshm.Region, renderer=pydoc.plaintext)
    for verb in ("read", "read_into", "write", "update", "loan", "borrow", "wait", "next", "follow", "lock", "close"):
        assert f" {verb}(" in text, verb


def test_everybody_else_sees_all_names() -> None:
    assert "Region" in typedshm.__all__
    assert "Regions" not in typedshm.__all__
    names: dict[str, object] = {}
    exec("from typedshm import *", names)
    assert names.keys() - {"__builtins__"} == set(typedshm.__all__)
    assert isinstance(typedshm.__all__, list)
