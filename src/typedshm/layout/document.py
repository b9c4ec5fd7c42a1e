"""Layout documents: a Layout as JSON, stored in regions, shipped in files and read by other languages.

``schemas/layout.schema.json`` is the JSON Schema of the format; the other files in that folder are the documents
shipped with typedshm, which ``typedshm.load`` finds.
"""

import json
from collections.abc import Iterator
from typing import Any

from typedshm.errors import DocumentError, quoted
from typedshm.layout.layout import DOCUMENT_LIMIT, Layout, Value

#: The name of the file with the JSON Schema of documents, without its suffix.
JSON_SCHEMA = "layout.schema"


def parse(text: bytes) -> tuple[Layout, Value]:
    """Parse a document from an untrusted source.

    Raises
    ------
    DocumentError
        If it is no document or describes no valid layout; the message has the path of the error.
    """
    # pydantic is heavy, and processes that only create regions never get here
    from typedshm.layout.document_model import Document

    if len(text) > DOCUMENT_LIMIT:
        raise DocumentError(f"the document: expected at most {DOCUMENT_LIMIT:,} bytes, found {len(text):,}")
    document = Document.read(text)
    return document.build(), document.value


def json_schema() -> bytes:
    """Return the JSON Schema of documents, the content of ``schemas/layout.schema.json``."""
    # pydantic is heavy
    from typedshm.layout.document_model import Document

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Document.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2).encode() + b"\n"


# ---- for messages --------------------------------------------------------------------------------------------------

_MOST_LINES = 40


def summary(text: bytes) -> str:
    """Return the name of a document's layout; of a bare array what it holds, such as ``f32[480, 640]``.

    It looks at the bare JSON as well, and so at no more than that. For who lists a hundred regions.

    Raises
    ------
    DocumentError
        It is no document.
    """
    try:
        document = json.loads(text)
        name = document["layout"]["name"]
        if document["value"] == "array":
            (field,) = document["layout"]["fields"]
            shape = ", ".join(map(str, field["shape"]))
            name = f"{field['struct']['name'] if 'struct' in field else field['kind']}[{shape}]"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError("expected a layout document, found something else") from error
    if not isinstance(name, str):
        raise DocumentError(f"the document: expected a name of the layout, found {quoted(name)}")
    return name


def difference(one: bytes, other: bytes) -> str:
    """Return how the layouts of two documents differ, as :meth:`Layout.diff` does; empty where that cannot be told.

    For those who need it at once: it looks at the bare JSON, since the import of pydantic would take longer than a
    reader may wait for its error. So the documents may be anything.
    """
    try:
        before, now = (json.loads(text)["layout"] for text in (one, other))
        lines = [f"{before['name']} | {now['name']}", *_changes(before, now, "")]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    more = [f"  … {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join(lines[:_MOST_LINES] + more)


def _changes(before: dict[str, Any], now: dict[str, Any], prefix: str) -> Iterator[str]:
    theirs = {field["name"]: field for field in now["fields"]}
    for mine in before["fields"]:
        name, their = f"{prefix}{mine['name']}", theirs.pop(mine["name"], None)
        if their is None:
            yield f"  - {name}: {_shown(mine)}"
            continue
        if _shown(mine) != _shown(their):
            yield f"  {name}: {_shown(mine)} | {_shown(their)}"
        elif mine.get("enum") != their.get("enum"):
            yield f"  {name}: other members"
        if "struct" in mine and "struct" in their:
            yield from _changes(mine["struct"], their["struct"], f"{name}.")
    for their in theirs.values():
        yield f"  + {prefix}{their['name']}: {_shown(their)}"


def _shown(field: dict[str, Any]) -> str:
    length = f"({field['length']})" if "length" in field else ""
    shape = f"[{', '.join(map(str, field['shape']))}]" if "shape" in field else ""
    unit = f" {field['unit']!r}" if "unit" in field else ""
    order = " big-endian" if field["byte_order"] == "big" else ""
    return f"{field['kind']}{length}{shape}{unit}{order} at {field['offset']}"
