"""Layout documents: a Layout as JSON, to be stored in regions, shipped in files and read by other languages.

``schemas/layout.schema.json`` is the JSON Schema of the format; the other files of that folder are the documents
that come with typedshm, found by :func:`load`.
"""

import json
import os
from typing import Any, Literal, TypeAlias

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout import Layout
from typedshm.struct import Struct, struct_from_layout

#: What the values of a region are: Structs, or the bare array that is the only field of the layout.
Value: TypeAlias = Literal["struct", "array"]

#: The largest document, in bytes.
SIZE_LIMIT = 2**20

_FORMAT = 1
_JSON_SCHEMA = "layout.schema"


def dump(layout: Layout, value: Value = "struct", *, indent: int | None = None) -> bytes:
    """Write a layout as a document.

    Parameters
    ----------
    layout : Layout
        What to describe.
    value : "struct" or "array"
        Whether values are Structs or the bare array that is the layout's only field.
    indent : int, optional
        Spaces for each level, for people; as short as possible if not given.

    Raises
    ------
    SchemaError
        If the document would be larger than 1 MiB.
    """
    document = {"typedshm": _FORMAT, "value": value, "layout": layout.describe()}
    separators = (",", ":") if indent is None else None
    text = json.dumps(document, ensure_ascii=False, indent=indent, separators=separators).encode()
    if len(text) > SIZE_LIMIT:
        raise SchemaError(
            f"{layout.name}: its description takes {len(text):,} bytes, and a document may have {SIZE_LIMIT:,}"
        )
    return text


def parse(text: bytes) -> tuple[Layout, Value]:
    """Read a document that anybody may have written.

    Raises
    ------
    DocumentError
        If it is not a document or describes no valid layout; says where in it.
    """
    # pydantic is heavy, and who only creates regions never gets here
    from typedshm.document_model import Document

    if len(text) > SIZE_LIMIT:
        raise DocumentError(f"the document: expected at most {SIZE_LIMIT:,} bytes, found {len(text):,}")
    document = Document.read(text)
    return document.build(), document.value


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


def json_schema() -> bytes:
    """Return the JSON Schema of documents, as it stands in ``schemas/layout.schema.json``."""
    # pydantic is heavy
    from typedshm.document_model import Document

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"


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
    here = os.path.dirname(__file__)
    folder = os.path.join(here, "schemas")
    if not os.path.isdir(folder):  # a source checkout keeps them at its top
        folder = os.path.join(here, "..", "..", "schemas")
    names = (name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json"))
    return {name: os.path.join(folder, f"{name}.json") for name in names if name != _JSON_SCHEMA}
