"""Schemas: the layouts that arguments of commands mean, of regions, documents, files and classes."""

import json
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import typedshm
from typedshm.cli.targets import Scope, Target, attach, target_of
from typedshm.cli.terminal import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_CLASS = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<names>[^\W\d]\w*(?:\.[^\W\d]\w*)*)")


class Described(NamedTuple):
    """A layout, and what it was found in."""

    layout: "typedshm.Layout"
    label: str
    """What it is the layout of, safe to print: ``region camera``, ``document camera-frame``."""
    info: "typedshm.RegionInfo | typedshm.TableInfo | None" = None
    """The state of the region or table, if it is one."""


def described(text: str, scope: Scope | None = None) -> Described:
    """Find the layout that an argument means: a region's name, a document's, the path of either, or module:Class.

    Raises
    ------
    RegionNotFound
        Nothing has that name.
    OSError, DocumentError, SchemaError
        A file cannot be read, or there is something else in it; a class has no layout.
    """
    if text.startswith(_FOREIGN):
        return _of_document(text.removeprefix(_FOREIGN))
    path = Path(text)
    if _is_inside(text) and not path.exists():
        return _of_document(text)
    if "/" in text or os.sep in text or text.endswith(".json"):
        return _of_region(Target(path, None)) if _is_region(path) else _of_document(path)
    try:
        return _of_region(target_of(text, scope))
    except typedshm.RegionNotFound as error:
        if text in typedshm.documents():
            return _of_document(text)
        named = _CLASS.fullmatch(text)
        if named is not None:
            return _of_class(named["module"], named["names"])
        raise typedshm.RegionNotFound(f"{error.strerror or error}; {_no_document(text)}") from None


def _is_inside(text: str) -> bool:
    """Return True for a path inside of a document, such as ``acc/physics`` or ``./sensors.json/readings``."""
    return ".json/" in text or ("/" in text and text.partition("/")[0] in typedshm.documents())


def is_foreign(text: bytes) -> bool:
    """Return True for the text of a document of another program's memory, valid or not."""
    try:
        return bool(json.loads(text)["value"] == "foreign")
    except (ValueError, TypeError, LookupError, RecursionError):
        return False


_FOREIGN = "foreign:"
"""What makes a name that of a document, even if a region has it."""


def _no_document(text: str) -> str:
    from difflib import get_close_matches  # is heavy

    near = get_close_matches(text, typedshm.documents(), 2)
    if near:
        return f"no document has that name either: did you mean {' or '.join(near)}?"
    return f"no document has that name either: there are {', '.join(typedshm.documents())}"


def _is_region(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"TYPEDSHM"


def _of_region(target: Target) -> Described:
    with attach(target) as opened:
        noun = "table" if isinstance(opened, typedshm.Table) else "region"
        return Described(opened.layout, f"{noun} {target}", opened.info())


def _of_document(name: str | Path) -> Described:
    if is_foreign(typedshm.foreign.Document.text(name)):
        typedshm.foreign.Document.load(name)  # which refuses what layout_of() does not look at
    return Described(typedshm.layout_of(name), f"document {printable(name)}")


def _of_class(module: str, names: str) -> Described:
    found = _module(module)
    for name in names.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise typedshm.RegionNotFound(f"{module} has no {names}") from None
    try:
        return Described(typedshm.layout_of(found), f"{module}:{names}")
    except TypeError as error:  # a SchemaError is one
        raise typedshm.SchemaError(f"{module}:{names}: {str(error).removeprefix('thing: ')}") from None


def _module(name: str) -> Any:
    """Import a module, also from the current folder."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise click.ClickException(f"{name} cannot be imported: {printable(error)}") from error
        raise typedshm.RegionNotFound(f"there is no module {name}, neither here nor installed") from None
    except Exception as error:  # whatever the module raises
        raise click.ClickException(f"{name} cannot be imported: {type(error).__name__}: {printable(error)}") from error


def first_line(text: str) -> str:
    """Return the first line of a description, safe to print."""
    return printable(text.strip().partition("\n")[0].rstrip())


class _Schema(click.ParamType[str]):
    name = "schema"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """Complete the names of regions and documents, and files."""
        from click.shell_completion import CompletionItem  # is heavy, and for shells only

        if "/" in incomplete or os.sep in incomplete:
            return [CompletionItem(incomplete, type="file")]
        regions = (str(entry.name) for scope in ("user", "machine") for entry in typedshm.regions(scope))
        names = sorted({*typedshm.documents(), *filter(str.isprintable, regions)})
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def schema_argument(name: str) -> Callable[[Any], Any]:
    """Make an argument that means a layout."""
    return click.argument(name, type=_Schema(), metavar=name.upper())


SCHEMA_HELP = """\b
{} is one of
  camera             a region's name, or that of a document (see schema list)
  acc/physics        a source of a document of another program's memory
  ./state.region     the path of a region in a file
  ./frame.json       the path of a document, or ./frame.json/source of a source in it
  app.state:Pose     a class in a Python module, here or installed
"""
"""What the help of commands says about such an argument."""
