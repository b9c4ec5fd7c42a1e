"""The words of documents: which rules, tables and encodings there are, and what each rule is told."""

from typing import Literal

from typedshm.layout.kinds import CODE_PAGES, ENCODINGS, SYSTEM_CODE_PAGE

ParameterType = Literal["field", "fields", "array", "item", "text", "written"]
"""What a parameter of a rule is: the path of a single value of the head, a list of such paths, the path of an array, a
field of the items of ``buffers`` (empty if there is none), a text, or when the tick is written."""

WRITTEN = ("first", "last")
"""When a publisher writes its tick: before the rest of the value, or after it."""

RULES: dict[str, dict[str, tuple[ParameterType, bool]]] = {
    "still": {"tick": ("field", False), "written": ("written", False)},
    "counters": {"begin": ("field", True), "end": ("field", True)},
    "parity": {"sequence": ("field", True)},
    "busy": {"flag": ("field", True), "tick": ("field", False)},
    "generation": {"first": ("field", True), "second": ("field", True)},
    "newest-buffer": {
        "buffers": ("array", True),
        "count": ("field", True),
        "tick": ("item", True),
        "begin": ("item", True),
        "offset": ("item", True),
        "size": ("field", True),
    },
    "rotating-buffer": {"read": ("field", True), "write": ("field", True), "offsets": ("array", True)},
    "mutex": {"name": ("text", True), "recheck": ("fields", False), "tick": ("field", False)},
    "busy-word": {"section": ("text", True), "event": ("text", True)},
    "reader-count": {"word": ("field", True)},
    "consumed": {"mode": ("field", True), "count": ("field", True), "valid": ("field", True)},
}
"""The parameters of each rule by its kind, and whether it has to have them."""

TABLES = ("iracing", "hsperfdata", "prometheus", "vpp", "mmv")
"""The kinds of tables that programs make at run time."""

SYSTEMS = ("linux", "windows", "darwin")
"""The systems, as documents call them."""

CHECKED = ("compiled", "live", "third-party")
"""How something was checked: by a compiler, with the program itself or its bytes, or by what others have written."""

TEXT_ENCODINGS = {*ENCODINGS.values(), "ansi", *CODE_PAGES}
"""The encodings of texts: ``"ansi"`` is the code page of the system that reads; wide ones are little-endian."""


def codec_of(encoding: str) -> str:
    """Return the name of an encoding as Python knows it."""
    if encoding == "ansi":
        return SYSTEM_CODE_PAGE
    return f"{encoding}-le" if encoding in ("utf-16", "utf-32") else encoding


def unit_of(encoding: str) -> int:
    """Return the bytes of a code unit."""
    return {"utf-16": 2, "utf-32": 4}.get(encoding, 1)
