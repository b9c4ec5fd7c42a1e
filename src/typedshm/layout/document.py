"""Layout documents: a Layout as JSON, stored in regions, shipped in files and read by other languages.

``schemas/layout.schema.json`` is the JSON Schema of the format; the other files in that folder are the documents
shipped with typedshm, which ``typedshm.load`` finds.
"""

import json
from typing import Literal, TypeAlias

from typedshm.errors import DocumentError, SchemaError
from typedshm.layout.layout import Layout

#: The form of a region's values: Structs, or bare arrays, which are the only field of the layout.
Value: TypeAlias = Literal["struct", "array"]

#: The size limit of documents, in bytes.
SIZE_LIMIT = 2**20

#: The name of the file with the JSON Schema of documents, without its suffix.
JSON_SCHEMA = "layout.schema"

_FORMAT = 1


def dump(layout: Layout, value: Value = "struct", *, indent: int | None = None) -> bytes:
    """Return the document of a layout.

    Parameters
    ----------
    layout : Layout
        The layout to describe.
    value : "struct" or "array"
        Whether values are Structs, or bare arrays, which are the layout's only field.
    indent : int, optional
        Spaces of indentation for each level. Default: none, on one line.

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
            f"{layout.name}: expected a layout document of at most {SIZE_LIMIT:,} bytes, found {len(text):,}"
        )
    return text


def parse(text: bytes) -> tuple[Layout, Value]:
    """Parse a document from an untrusted source.

    Raises
    ------
    DocumentError
        If it is no document or describes no valid layout; the message has the path of the error.
    """
    # pydantic is heavy, and processes that only create regions never get here
    from typedshm.layout.document_model import Document

    if len(text) > SIZE_LIMIT:
        raise DocumentError(f"the document: expected at most {SIZE_LIMIT:,} bytes, found {len(text):,}")
    document = Document.read(text)
    return document.build(), document.value


def json_schema() -> bytes:
    """Return the JSON Schema of documents, the content of ``schemas/layout.schema.json``."""
    # pydantic is heavy
    from typedshm.layout.document_model import Document

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"
