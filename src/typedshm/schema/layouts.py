"""Layouts of whatever has one, and their comparison."""

import os
from typing import Any, cast

import numpy as np

from typedshm.errors import DocumentError, found
from typedshm.layout.comparison import Comparison
from typedshm.layout.document import parse
from typedshm.layout.layout import Layout
from typedshm.schema.resolve import schema_of
from typedshm.schema.table_schema import TableSchema
from typedshm.struct.loading import read_document


def layout_of(thing: object) -> Layout:
    """Return the layout of whatever has one: ``layout_of(Telemetry)``, ``layout_of("camera-frame")``.

    Parameters
    ----------
    thing
        A Struct, pydantic model, dataclass or ``ctypes.Structure``; a structured dtype; ``typedshm.array(…)`` or
        ``typedshm.rows(…)``; a region or table, or its info(); the name of a document shipped with typedshm, or the
        path of a document, as a Path or a str that
        ends in ``.json``; a document's text, as bytes; or a layout, which comes back as it is.

    Raises
    ------
    SchemaError
        The class has no layout.
    DocumentError
        No document has that name, or the document is invalid.
    OSError
        The file cannot be read.
    """
    return _layout(thing, "thing")


def compare(old: object, new: object) -> Comparison:
    """Compare two layouts: what changed, and what readers and writers with either may do with regions of the other.

    Parameters
    ----------
    old, new
        Whatever :func:`layout_of` takes: classes, regions, documents, layouts.

    Returns
    -------
    Comparison
        Printed, it tells all. ``same`` is True if the bytes mean the same; ``old_on_new.read`` if programs that have
        the old layout may read regions of the new one, as after an update of the writer alone.
    """
    return Comparison(_layout(old, "old"), _layout(new, "new"))


def _layout(thing: object, parameter: str) -> Layout:
    if isinstance(thing, Layout):
        return thing
    if isinstance(thing, type | np.dtype):
        return schema_of(cast("object", thing)).layout
    if isinstance(thing, str | os.PathLike):
        return read_document(cast("str | os.PathLike[str]", thing), parameter)[0]
    if isinstance(thing, bytes | bytearray):
        try:
            return parse(bytes(thing))[0]
        except DocumentError as error:
            raise DocumentError(f"{parameter}: {error}") from error
    layout: Any = getattr(thing, "layout", None)
    if isinstance(layout, Layout):
        return layout
    given: Any = thing
    if isinstance(thing, TableSchema) and given.row is not None:
        return _layout(given.row, parameter)
    raise TypeError(
        f"{parameter}: expected a Layout, a Struct, a pydantic model, a dataclass, a ctypes.Structure, a structured "
        f"dtype, typedshm.array(dtype, *shape), a region, or the name, path or bytes of a document, found "
        f"{found(given)}"
    )
