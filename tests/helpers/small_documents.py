"""Documents of one source, made from Struct classes, for tests of what readers do with them."""

import json
from pathlib import Path
from typing import Any

from typedshm import Struct
from typedshm.foreign.document import Document, parse


def layout_of(struct: type[Struct]) -> dict[str, Any]:
    """The layout of a Struct class as it stands in documents."""
    content: dict[str, Any] = json.loads(struct.layout.to_document())["layout"]
    return content


def one_source(
    struct: type[Struct], rule: dict[str, Any] | None = None, *, at: Path | None = None, **more: Any
) -> Document:
    """A document of one source, named "memory".

    Parameters
    ----------
    struct
        The head; ``layouts=`` among the keys replaces it.
    rule
        Default: two equal copies.
    at
        The path of the memory, on every system.
    **more
        Keys of the source.
    """
    names = {} if at is None else {system: [str(at)] for system in ("linux", "windows", "darwin")}
    source = {
        "name": "memory",
        "names": names or {"linux": ["/nowhere/memory"]},
        "rule": rule or {"kind": "still"},
        "layouts": [{"layout": layout_of(struct)}],
    }
    content = {
        "typedshm": 1,
        "value": "foreign",
        "program": "a test",
        "doc": "",
        "provenance": [{"from": "the test", "checked": "live", "on": "2026-11"}],
        "licence": "",
        "sizes": {},
        "sources": [source | more],
    }
    return parse(json.dumps(content).encode())
