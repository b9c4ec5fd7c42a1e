"""Struct classes from layout documents, of regions and of files."""

import os
import weakref
from enum import IntEnum, IntFlag
from typing import Any, cast

from typedshm.errors import DocumentError, SchemaError, found
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.layout import Layout, Value
from typedshm.layout.outline import Outline, parse_any
from typedshm.layout.shipped import read, shipped
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


def load(name: str | os.PathLike[str], *, abi: str | None = None) -> type[Any]:
    """Make the Struct class that a document describes.

    Parameters
    ----------
    name : str or path
        The name of a document that comes with typedshm, such as ``"camera-frame"``; or the path of a file, as a Path or
        a str that ends in ``.json``. Of a document of another program's memory the layout of its first source is meant,
        as this system has it in its newest version; ``"acc/graphics"`` is that of another source, and
        ``"hwinfo/sensors/readings"`` that of the items of a part.
    abi : str, optional
        Another variant of such a layout, as the document calls it: ``load("mumble-link", abi="utf-16")`` is that of
        Windows everywhere.

    Returns
    -------
    type
        A Struct class. Type checkers see its fields as Any.

    Raises
    ------
    DocumentError
        If no document has that name, or that path inside it or ABI (the message lists them), or the document is
        invalid.
    OSError
        If the file cannot be read.
    """
    layout, value, where = read_document(name, abi=abi)
    try:
        if value != "struct":
            raise DocumentError("value: expected a struct; a bare array needs no class")
        return struct_of(layout)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error


def read_document(
    name: str | os.PathLike[str], parameter: str = "name", abi: str | None = None
) -> tuple[Layout, Value, str]:
    """Return the layout that a document describes, the form of its values, and what messages call the document.

    Parameters
    ----------
    name : str or path
        As for :func:`load`.
    parameter : str
        What messages call the name.
    abi : str, optional
        As for :func:`load`.

    Raises
    ------
    DocumentError
        If no document has that name, or the document is invalid.
    OSError
        If the file cannot be read.
    """
    if not isinstance(cast("object", abi), str | None):
        raise TypeError(f"abi: expected a str or None, found {found(abi)}")
    text, where, inside = read(name, parameter)
    try:
        content = parse_any(text)
        if isinstance(content, Outline):
            return content.layout(inside, abi), "struct", where
        if inside or abi is not None:
            asked = f"the path {'/'.join(inside)!r} in it" if inside else f"abi={abi!r}"
            raise DocumentError(f"expected a document of another program's memory for {asked}, found that of a layout")
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error
    return *content, where


def documents() -> list[str]:
    """Return the names of the documents that come with typedshm, for :func:`load`.

    They are layouts of regions, and what is known of other programs' memory: the latter are also in
    ``typedshm.foreign.documents()``.
    """
    return [*shipped()]
