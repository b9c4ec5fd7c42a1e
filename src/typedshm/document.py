"""Layout documents: a Layout as JSON, to be stored in regions, shipped in files and read by other languages.

``schemas/layout.schema.json`` is the JSON Schema of the format; the other files of that folder are the documents
that come with typedshm, found by :func:`load`.
"""

import importlib.resources
import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeAlias

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout import Layout
from typedshm.struct import struct_from_layout

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
            f"{layout.name}: its description takes {len(text):,} bytes, more than the {SIZE_LIMIT:,} a document may have"
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


def json_schema() -> bytes:
    """Return the JSON Schema of documents, as it stands in ``schemas/layout.schema.json``."""
    # pydantic is heavy
    from typedshm.document_model import Document

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"


def load(name: str | Path) -> type[Any]:
    """Make the Struct that a document describes.

    Parameters
    ----------
    name : str or Path
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
    if isinstance(name, Path) or name.endswith(".json"):
        text, where = Path(name).read_bytes(), str(name)
    else:
        shipped = {file.name.removesuffix(".json"): file for file in _shipped()}
        if name not in shipped:
            raise DocumentError(f"no layout document is called {name!r}; typedshm has {', '.join(sorted(shipped))}")
        text, where = shipped[name].read_bytes(), name
    try:
        layout, value = parse(text)
        if value != "struct":
            raise DocumentError("value: expected a struct; a bare array needs no class")
        return struct_from_layout(layout)
    except (DocumentError, SchemaError) as error:
        raise DocumentError(f"{where}: {error}") from error


def _shipped() -> Iterator[Traversable]:
    """Yield the files of the documents that come with typedshm."""
    folder = importlib.resources.files("typedshm") / "schemas"
    if not folder.is_dir():  # a source checkout keeps them at its top
        folder = Path(__file__).parents[2] / "schemas"
    for file in folder.iterdir():
        if file.name.endswith(".json") and file.name != f"{_JSON_SCHEMA}.json":
            yield file
