"""Struct classes from layout documents, of regions and of files."""

import os
import weakref
from enum import IntEnum, IntFlag
from typing import Any, cast

from typedshm.errors import DocumentError, SchemaError, found
from typedshm.layout.document import JSON_SCHEMA, parse
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.layout import DOCUMENT_LIMIT, Layout, Value
from typedshm.struct.struct import Struct, StructMeta, install, plan_of

DESCRIBED = __name__
"""The ``__module__`` of classes that were made from a document only."""

_described: "weakref.WeakValueDictionary[tuple[str, str, Layout], type[Struct]]" = weakref.WeakValueDictionary()


def struct_from_layout(layout: Layout, origin: tuple[str, str] | None = None) -> type[Struct]:
    """Return a class for a layout, the same class for equal layouts while it is alive.

    Parameters
    ----------
    layout : Layout
        Its enums become ``IntEnum`` and ``IntFlag`` classes, its nested layouts Struct classes.
    origin : tuple of (str, str) or None
        Module and qualified name of a class that was declared elsewhere.
    """
    module, qualname = origin or (DESCRIBED, layout.name)
    cls = _described.get((module, qualname, layout))
    if cls is None:
        structs = {field.name: struct_from_layout(field.struct) for field in layout.fields if field.struct is not None}
        cls = _described[module, qualname, layout] = _made(layout, module, qualname, structs)
    return cls


def struct_around(layout: Layout, struct: type[Struct]) -> type[Struct]:
    """Return a class for a layout with one field, whose items are of a class that is there already."""
    variants = plan_of(struct).variants
    key = f"around {layout.id.hex()}"
    if key not in variants:
        variants[key] = _made(layout, DESCRIBED, layout.name, {layout.fields[0].name: plan_of(struct).plain})
    return cast("type[Struct]", variants[key])


def _made(layout: Layout, module: str, qualname: str, structs: dict[str, type[Struct]]) -> type[Struct]:
    namespace = {"__module__": module, "__qualname__": qualname, "__doc__": layout.doc or None}
    cls = cast("type[Struct]", StructMeta(layout.name, (Struct,), namespace, layout=layout))
    enums = {field.name: _enum_of(field.enum) for field in layout.fields if field.enum is not None}
    install(cls, layout, None, structs, enums, {}, described=True)
    return cls


def _enum_of(enumeration: Enumeration) -> type:
    base: Any = IntFlag if enumeration.flag else IntEnum
    return cast("type", base(enumeration.name, list(enumeration.members)))


def struct_of(layout: Layout, origin: tuple[str, str] | None = None) -> type[Struct]:
    """Make the Struct class of a layout that was parsed from a document; `origin` as for ``struct_from_layout``.

    Raises
    ------
    DocumentError
        If ctypes or NumPy do not support it on this system, for example because of its size.
    """
    try:
        return struct_from_layout(layout, origin)
    except (SchemaError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise DocumentError(f"layout: {error}") from error


def load(name: str | os.PathLike[str]) -> type[Any]:
    """Make the Struct class that a layout document describes.

    Parameters
    ----------
    name : str or path
        The name of a document shipped with typedshm, such as ``"camera-frame"``; or the path of a file, as a Path or a
        str that ends in ``.json``.

    Returns
    -------
    type
        A Struct class. Type checkers see its fields as Any.

    Raises
    ------
    DocumentError
        If no document has that name (the message lists them), or the document is invalid.
    OSError
        If the file cannot be read.
    """
    layout, value, where = read_document(name)
    try:
        if value != "struct":
            raise DocumentError("value: expected a struct; a bare array needs no class")
        return struct_of(layout)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error


def read_document(name: str | os.PathLike[str], parameter: str = "name") -> tuple[Layout, Value, str]:
    """Return the layout that a document describes, the form of its values, and what messages call the document.

    Parameters
    ----------
    name : str or path
        As for :func:`load`.
    parameter : str
        What messages call the name.

    Raises
    ------
    DocumentError
        If no document has that name, or the document is invalid.
    OSError
        If the file cannot be read.
    """
    if not isinstance(cast("object", name), str | os.PathLike):
        raise TypeError(f"{parameter}: expected a str or a pathlib.Path, found {found(name)}")
    if isinstance(name, os.PathLike) or name.endswith(".json"):
        file = where = os.fspath(name)
    else:
        shipped = _shipped()
        if name not in shipped:
            raise DocumentError(
                f"{parameter}: expected one of the layout documents {', '.join(sorted(shipped))} or a path, "
                f"found {name!r}"
            )
        file, where = shipped[name], name
    with open(file, "rb") as opened:
        text = opened.read(DOCUMENT_LIMIT + 1)  # a document that is longer is refused, unread
    try:
        layout, value = parse(text)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error
    return layout, value, where


def documents() -> list[str]:
    """Return the names of the layout documents that come with typedshm, for :func:`load`."""
    return sorted(_shipped())


def _shipped() -> dict[str, str]:
    """Return the paths of the documents shipped with typedshm, by name."""
    # not by importlib.resources, which takes longer to import than the rest of typedshm: a package with a C extension
    # is never in a zip file
    here = os.path.dirname(os.path.dirname(__file__))  # the package's folder
    folder = os.path.join(here, "schemas")
    if not os.path.isdir(folder):  # a source checkout keeps them at its top
        folder = os.path.join(here, "..", "..", "schemas")
    if not os.path.isdir(folder):
        raise DocumentError(
            f"{os.path.join(here, 'schemas')} is missing: include the data of the package typedshm in the frozen "
            "program, or give the path of a document"
        )
    names = (name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json"))
    return {name: os.path.join(folder, f"{name}.json") for name in names if name != JSON_SCHEMA}
