"""What an editor shows on hover: every public name has a docstring in the .py or .pyi file, the same as in C."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from typedshm.layout import markers

PACKAGE = Path(__file__).parents[2] / "src" / "typedshm"
STUB = ast.parse((PACKAGE / "_native.pyi").read_text(encoding="utf-8"))

# Types of the C core whose members are public.
SHOWN = ("Block", "Borrow", "Ring")

CLASSES = {
    cls.__qualname__: cls
    for name in typedshm.__all__
    if isinstance(public := getattr(typedshm, name), type)
    for cls in (*public.__mro__, *type(public).__mro__)
    if cls.__module__.partition(".")[0] == "typedshm"
}
FUNCTIONS = [name for name in typedshm.__all__ if inspect.isfunction(getattr(typedshm, name))]


def syntax_of(module: str) -> ast.Module:
    """The file that an editor reads for a module."""
    if module == _native.__name__:
        return STUB
    return ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))


def definition(tree: ast.Module, name: str) -> Any:
    """The last class or function of that name: after the overloads comes the implementation."""
    kinds = ast.ClassDef | ast.FunctionDef
    return [node for node in tree.body if isinstance(node, kinds) and node.name == name][-1]


def members(cls: ast.ClassDef) -> Iterator[tuple[str, str | None]]:
    """The public members that a class declares, each with its docstring: that of an attribute stands below it."""
    below = [*cls.body[1:], None]
    for node, following in zip(cls.body, below, strict=True):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = {ast.unparse(item).rpartition(".")[2] for item in node.decorator_list}
            documented = "overload" not in marks or ast.get_docstring(node)  # one of the overloads of a stub is
            if "setter" not in marks and documented:
                yield node.name, ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            doc = following.value if isinstance(following, ast.Expr) else None
            yield ast.unparse(target), str(doc.value) if isinstance(doc, ast.Constant) else None


def attributes(cls: ast.ClassDef) -> Iterator[str]:
    """The public attributes that a class sets in its ``__init__``."""
    for node in ast.walk(cls):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for target in (inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute)):
                if isinstance(target.ctx, ast.Store) and not target.attr.startswith("_"):
                    yield target.attr


def described(cls: ast.ClassDef) -> set[str]:
    """The names that the class's docstring has an entry for, in the sections of attributes and parameters."""
    lines = str(ast.get_docstring(cls)).splitlines()
    return {name.strip() for line in lines if line[:1].strip() for name in line.partition(":")[0].split(",")}


def words(text: str | None) -> list[str]:
    return str(text).split()


@pytest.mark.parametrize("name", SHOWN)
def test_the_stub_has_the_docstrings_of_the_core(name: str) -> None:
    shown, cls = definition(STUB, name), getattr(_native, name)
    assert words(ast.get_docstring(shown)) == words(cls.__doc__)
    for member, doc in members(shown):
        if not member.startswith("_"):
            assert words(doc) == words(getattr(cls, member).__doc__), member


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_have_docstrings(name: str) -> None:
    function = getattr(typedshm, name)
    assert ast.get_docstring(definition(syntax_of(function.__module__), function.__name__))


@pytest.mark.parametrize("name", CLASSES)
def test_public_classes_and_their_members_have_docstrings(name: str) -> None:
    cls = definition(syntax_of(CLASSES[name].__module__), name)
    assert ast.get_docstring(cls)
    for member, doc in members(cls):
        assert member.startswith("_") or doc or member in described(cls), member
    for attribute in attributes(cls):
        assert attribute in described(cls) | {member for member, doc in members(cls) if doc}, attribute


def test_public_aliases_have_docstrings() -> None:
    aliases = dict(members(ast.ClassDef("markers", [], [], syntax_of(markers.__name__).body, [])))
    for name in typedshm.__all__:
        value = getattr(typedshm, name)
        if not isinstance(value, type) and not inspect.isfunction(value):
            assert aliases[name], name
