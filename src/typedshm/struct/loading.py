"""Structs out of layout documents: those of regions, and those that are shipped or read from files."""

import os
from typing import Any

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout.document import JSON_SCHEMA, parse
from typedshm.layout.layout import Layout
from typedshm.struct.struct import Struct, struct_from_layout


def struct_of(layout: Layout) -> type[Struct]:
    """Make the Struct of a layout that came out of a document.

    Raises
    ------
    DocumentError
        If ctypes or NumPy cannot hold it here, for instance because of its size.
    """
    try:
        return struct_from_layout(layout)
    except (SchemaError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise DocumentError(f"layout: {error}") from error


def load(name: str | os.PathLike[str]) -> type[Any]:
    """Make the Struct that a document describes.

    Parameters
    ----------
    name : str or path
        The name of a document that comes with typedshm, such as ``"camera-frame"``; or a path, or a text that ends
        in ``.json``, of your own.

    Returns
    -------
    type
        A Struct class. For type checkers its fields are Any.

    Raises
    ------
    DocumentError
        If there is none of that name (the message lists them), or if it is not valid.
    OSError
        If the file cannot be read.
    """
    if isinstance(name, os.PathLike) or name.endswith(".json"):
        file = where = os.fspath(name)
    else:
        shipped = _shipped()
        if name not in shipped:
            raise DocumentError(f"no layout document is called {name!r}; typedshm has {', '.join(sorted(shipped))}")
        file, where = shipped[name], name
    with open(file, "rb") as opened:
        text = opened.read()
    try:
        layout, value = parse(text)
        if value != "struct":
            raise DocumentError("value: expected a struct; a bare array needs no class")
        return struct_of(layout)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error


def _shipped() -> dict[str, str]:
    """Return the names of the documents that come with typedshm, and where they are."""
    # not by importlib.resources, which takes longer to import than the rest of typedshm: a package with a C extension
    # is never in a zip file
    here = os.path.dirname(os.path.dirname(__file__))  # the package's folder
    folder = os.path.join(here, "schemas")
    if not os.path.isdir(folder):  # a source checkout keeps them at its top
        folder = os.path.join(here, "..", "..", "schemas")
    names = (name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json"))
    return {name: os.path.join(folder, f"{name}.json") for name in names if name != JSON_SCHEMA}
