"""Layout documents: a Layout as JSON, to be stored in regions, shipped in files and read by other languages.

``schemas/layout.schema.json`` is the JSON Schema of the format; the other files of that folder are the documents
that come with typedshm, found by :func:`load`.
"""

import json
from typing import Literal, TypeAlias

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout.layout import Layout

#: What the values of a region are: Structs, or the bare array that is the only field of the layout.
Value: TypeAlias = Literal["struct", "array"]

#: The largest document, in bytes.
SIZE_LIMIT = 2**20

#: The name of the file with the JSON Schema of documents, without its ending.
JSON_SCHEMA = "layout.schema"

_FORMAT = 1


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
    from typedshm.layout.document_model import Document

    if len(text) > SIZE_LIMIT:
        raise DocumentError(f"the document: expected at most {SIZE_LIMIT:,} bytes, found {len(text):,}")
    document = Document.read(text)
    return document.build(), document.value


def json_schema() -> bytes:
    """Return the JSON Schema of documents, as it stands in ``schemas/layout.schema.json``."""
    # pydantic is heavy
    from typedshm.layout.document_model import Document

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"
